/**
 * How the wall hears of things: by the reviewers' socket, and by asking while there is none.
 * @module
 */
import { serverTime, setServerTime } from "./wall-text.js";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
const PING_MS = 20_000;
const SILENT_MS = 50_000;
const POLL_MS = 5000;
const TIMEOUT_MS = 10_000;
/** Closed for good: signed out, or not staff of the exam (any more). */
const REFUSED = new Set([4401, 4403, 4404]);

/**
 * Tells `message` (detail: what the server said) and `state` (detail: connecting, live, polling, lost or refused).
 */
export class Line extends EventTarget {
  state = "connecting";
  heardAt = 0;
  #addresses;
  #socket = null;
  #wait = FIRST_WAIT_MS;
  #again = 0;
  #poll = 0;
  #asking = false;

  /** @param {{socket: string, rows: string}} addresses */
  constructor(addresses) {
    super();
    this.#addresses = addresses;
    setInterval(() => this.#ping(), PING_MS);
    addEventListener("online", () => this.open());
    addEventListener("offline", () => this.#socket?.close());
  }

  /** Open the socket, unless it is open. */
  open() {
    if (this.#socket || this.state === "refused") return;
    clearTimeout(this.#again);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${this.#addresses.socket}`);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
    socket.onclose = ({ code }) => this.#lose(code);
  }

  /** Ask for all rows now, whatever the socket says. */
  async ask() {
    if (this.#asking || this.state === "refused") return;
    this.#asking = true;
    try {
      const answer = await fetch(this.#addresses.rows, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: "manual" });
      // Who is signed out is sent to where one signs in.
      if (answer.type === "opaqueredirect" || [403, 404].includes(answer.status)) this.#refuse();
      else if (!answer.ok) this.#set(this.state === "live" ? "live" : "lost");
      else this.#takeAnswer(answer, await answer.json());
    } catch {
      if (this.state !== "live") this.#set("lost");
    } finally {
      this.#asking = false;
    }
  }

  #takeAnswer(answer, message) {
    const date = Date.parse(answer.headers.get("Date") ?? "");
    if (!Number.isNaN(date)) setServerTime(date);
    this.#note(message);
    if (this.state !== "live") this.#set("polling");
  }

  #hear(message) {
    if (message.type === "pong") setServerTime(message.time);
    if (message.type === "error") return; // the reason stands in the code by which the socket is closed
    this.#note(message);
    if (message.type !== "wall") return;
    this.#wait = FIRST_WAIT_MS;
    this.#set("live");
    this.#socket?.send('{"type": "ping"}');
  }

  #note(message) {
    this.heardAt = serverTime();
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  #lose(code) {
    this.#socket = null;
    if (REFUSED.has(code)) {
      this.#refuse();
      return;
    }
    if (this.state === "live") this.#set("polling");
    this.#startPolling();
    // Not all at once: a server that comes back is not to be run over.
    this.#again = setTimeout(() => this.open(), this.#wait * (0.75 + Math.random() / 2));
    this.#wait = Math.min(LONGEST_WAIT_MS, this.#wait * 2);
  }

  #startPolling() {
    if (this.#poll) return;
    this.ask();
    this.#poll = setInterval(() => this.ask(), POLL_MS);
  }

  #refuse() {
    clearTimeout(this.#again);
    this.#set("refused");
    this.#socket?.close();
  }

  #ping() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    if (this.state === "live" && serverTime() - this.heardAt > SILENT_MS) this.#socket.close();
    else this.#socket.send('{"type": "ping"}');
  }

  #set(state) {
    if (state === "live" || state === "refused") {
      clearInterval(this.#poll);
      this.#poll = 0;
    }
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}
