/**
 * One session's line to the server: a socket that is opened again when it breaks, HTTP calls where sockets are blocked.
 * @module
 */
import { Backoff } from "./pace.js";
import { Close, isFinal, parseMessage, socketAddress } from "./wire.js";

/** @typedef {"connecting"|"online"|"offline"|"fallback"|"closed"} LineState */

const HELLO_MS = 10_000;
const CLOCK_MS = 3000;
const PING_MS = 10_000;
const QUIET_MS = 25_000;
const SUSPECT_MS = 5000;
const FLOOD_REST_MS = 5000;
const SOCKET_TRIES = 3;
const SOCKET_AGAIN_MS = 60_000;
const ASK_STATE_MS = 15_000;
const HTTP_TRIES = 3;
/** Our own word for a socket that went silent; never on the wire. */
const SILENT = 4900;

/** Keeps the line open; driven by `beat`, because timers of a hidden page hardly run. */
export class Connection {
  /**
   * @param {object} options
   * @param {string} options.origin
   * @param {string} options.session
   * @param {string|null} options.ticket the first one
   * @param {import("./http.js").SessionCalls} options.calls
   * @param {import("./delivery.js").Delivery} options.delivery
   * @param {import("./server-clock.js").ServerClock} options.clock
   * @param {(state: LineState, about?: {code?: number, reason?: string}) => void} options.onState
   * @param {(message: {type: string}) => void} options.onMessage
   * @param {Backoff} [options.backoff]
   */
  constructor({ origin, session, ticket, calls, delivery, clock, onState, onMessage, backoff = new Backoff() }) {
    Object.assign(this, { origin, session, ticket, calls, delivery, clock, onState, onMessage, backoff });
    this.state = null;
    this.socket = null;
    this.dialling = false;
    this.dialAt = 0;
    this.failedSockets = 0;
    this.failedCalls = 0;
    this.askAt = 0;
  }

  /** Open the line. */
  open() {
    this.#become("connecting");
    void this.#dial();
  }

  /**
   * Close the line for good.
   * @param {number} [code]
   * @param {string} [reason]
   */
  close(code = 1000, reason = "") {
    if (this.state === "closed") return;
    this.#leaveSocket(1000);
    this.#become("closed", { code, reason });
  }

  /** Do what is due: dial, ping, notice silence, send. Call it some times a second. */
  beat() {
    if (this.state === "closed") return;
    const now = this.clock.steady();
    if (this.socket) this.#watch(now);
    else if (!this.dialling && now >= this.dialAt) void this.#dial();
    if (this.state === "online") void this.delivery.pump(this.socket);
    if (this.state === "fallback") void this.#post();
  }

  /** The network is back, or somebody has signed in again: do not wait any longer. */
  hurry() {
    // A hall whose switch comes back must not dial in the same moment.
    if (!this.socket) this.dialAt = Math.min(this.dialAt, this.clock.steady() + Math.random() * 1000);
  }

  /** The browser says that the network is gone: the socket must prove that it lives. */
  suspect() {
    if (!this.socket || this.socket.readyState !== WebSocket.OPEN) return;
    this.#ping();
    this.quietAt = Math.min(this.quietAt, this.clock.steady() + SUSPECT_MS);
  }

  async #dial() {
    this.dialling = true;
    if (this.state === "offline") this.#become("connecting");
    const ticket = await this.#ticket();
    this.dialling = false;
    if (ticket === null || this.state === "closed") return;
    this.#listen(new WebSocket(socketAddress(this.origin, this.session, ticket)));
  }

  #listen(socket) {
    Object.assign(this, { socket, greeted: false, hello: null, openedAt: this.clock.steady() });
    this.quietAt = this.openedAt + HELLO_MS;
    this.pingAt = Infinity;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      socket.send(JSON.stringify({ type: "hello", last_acked: this.delivery.outbox.lastAcked }));
      this.#ping();
    };
    socket.onmessage = (event) => this.#read(event.data);
    socket.onclose = (event) => this.#broke(event.code, event.reason);
    socket.onerror = () => {}; // a close follows and says more
  }

  #read(data) {
    const message = parseMessage(data);
    if (!message) return;
    if (this.hello || message.type === "hello") this.quietAt = this.clock.steady() + QUIET_MS;
    if (message.type === "pong") this.clock.learn(this.pingedAt, Number(message.time));
    else if (message.type === "ack") this.delivery.acked(message);
    else if (message.type === "error") this.delivery.failed(message);
    else if (message.type === "hello") this.hello = message;
    if (message.type !== "pong" && message.type !== "ack") this.onMessage(message);
    this.#greet();
    if (this.state === "online") void this.delivery.pump(this.socket);
  }

  /** Begin to send once the server has said hello and what time it is, or does not say the time. */
  #greet() {
    if (this.greeted || !this.hello) return;
    if (this.clock.offset === null && this.clock.steady() < this.openedAt + CLOCK_MS) return;
    this.greeted = true;
    this.failedSockets = 0;
    this.backoff.reset();
    this.#become("online");
  }

  #watch(now) {
    if (now > this.quietAt) this.#broke(SILENT, "");
    else if (now > this.pingAt) this.#ping();
    this.#greet();
  }

  #ping() {
    this.pingedAt = this.clock.steady();
    this.pingAt = this.pingedAt + PING_MS;
    this.socket.send(JSON.stringify({ type: "ping" }));
  }

  #broke(code, reason) {
    const { greeted } = this;
    this.#leaveSocket(code === SILENT ? 4000 : 0);
    if (this.state === "closed") return;
    if (isFinal(code)) {
      this.#become("closed", { code, reason });
      return;
    }
    // A ticket that is no longer good is no reason to stop: the next one is asked for, with a fresh token.
    if (!greeted) this.failedSockets += 1;
    this.#later(code === Close.FLOOD ? FLOOD_REST_MS : 0);
    if (this.state === "fallback") this.dialAt = this.clock.steady() + SOCKET_AGAIN_MS * (0.75 + Math.random() / 2);
    else this.#become("offline", { code, reason });
  }

  #later(least) {
    this.dialAt = this.clock.steady() + Math.max(least, this.backoff.next());
  }

  #leaveSocket(code) {
    const { socket } = this;
    this.socket = null;
    this.hello = null;
    this.greeted = false;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    if (code && socket.readyState <= WebSocket.OPEN) socket.close(code);
    if (this.state !== "fallback") this.delivery.outbox.allAgain();
  }

  async #ticket() {
    if (this.ticket) {
      const { ticket } = this;
      this.ticket = null;
      return ticket;
    }
    try {
      const ticket = await this.calls.ticket();
      if (this.failedSockets >= SOCKET_TRIES && this.state !== "fallback") this.#become("fallback");
      return ticket;
    } catch (error) {
      this.#noTicket(error);
      return null;
    }
  }

  #noTicket(error) {
    if (this.state === "closed" || this.#isOver(error)) return;
    this.#later((error.retryAfter ?? 0) * 1000);
    if (this.state !== "fallback") this.#become("offline", { reason: error.code });
  }

  /** Close for good where the server says that there is nothing to connect to. */
  #isOver(error) {
    const code = { 403: Close.NOT_YOURS, 404: Close.NO_SESSION, 409: Close.ENDED }[error.status];
    // A proxy, or the page of a network where one has to sign in, answers so too, but not in the server's words.
    if (code === undefined || !error.code) return false;
    this.#become("closed", { code, reason: error.detail });
    return true;
  }

  async #post() {
    try {
      if (this.clock.steady() >= this.askAt) await this.#ask();
      while (this.state === "fallback" && (await this.delivery.post())) this.failedCalls = 0;
    } catch (error) {
      this.#callFailed(error);
    }
  }

  /** Without a socket nobody tells how the session stands. */
  async #ask() {
    this.askAt = this.clock.steady() + ASK_STATE_MS;
    const state = await this.calls.state();
    this.onMessage({ ...state, type: "status", session: state.status });
    if (state.ended_at) this.#become("closed", { code: Close.ENDED });
  }

  #callFailed(error) {
    if (this.state !== "fallback") return;
    if (error.code === "wrong_state") {
      this.askAt = 0;
      return;
    }
    if ((error.status === 403 || error.status === 404) && this.#isOver(error)) return;
    this.delivery.rest();
    this.failedCalls += 1;
    if (this.failedCalls < HTTP_TRIES) return;
    this.failedCalls = 0;
    this.#later(0);
    this.#become("offline", { reason: error.code });
  }

  #become(state, about = {}) {
    if (this.state === state) return;
    const before = this.state;
    this.state = state;
    if (state === "closed") this.#leaveSocket(1000);
    // What was sent by the one way and not answered is sent again by the other: the same number is taken once.
    if (before === "fallback" || before === "online") this.delivery.outbox.allAgain();
    this.onState(state, about);
  }
}
