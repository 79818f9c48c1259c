/**
 * The few HTTP calls the library makes: tickets, state, and everything that is sent while sockets are blocked.
 * @module
 */
import { eventForHttp } from "./wire.js";

const TIMEOUT_MS = 15_000;
/** A `Date` header counts whole seconds. */
const DATE_GRANULARITY_MS = 1000;

/** A call that did not succeed; `status` 0 means that no answer came. */
export class HttpError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} detail
   * @param {number} [retryAfter] seconds
   */
  constructor(status, code, detail, retryAfter = 0) {
    super(detail || code || `HTTP ${status}`);
    Object.assign(this, { status, code, detail, retryAfter });
  }
}

/** Calls of one session. */
export class SessionCalls {
  /**
   * @param {object} options
   * @param {string} options.origin
   * @param {string} options.session
   * @param {(refused?: string) => string|Promise<string>} options.getToken is told which token was not taken
   * @param {import("./server-clock.js").ServerClock} options.clock learns from each answer while no socket tells better
   * @param {string} [options.language] of the server's sentences
   * @param {() => void} [options.onSignedOut] called whenever the server takes no token that there is
   */
  constructor({ origin, session, getToken, clock, language = "", onSignedOut = () => {} }) {
    Object.assign(this, { origin, session, getToken, clock, language, onSignedOut });
  }

  /** A new ticket for the socket. @returns {Promise<string>} */
  async ticket() {
    return (await this.#call("POST", "ticket")).ticket;
  }

  /** How the session stands. @returns {Promise<object>} */
  async state() {
    return this.#call("GET", "");
  }

  /**
   * Send a picture or a chunk of sound; when this returns, it is stored.
   * @param {import("./wire.js").Item} item
   * @param {number} capturedAt ms since 1970 by the server's clock
   * @returns {Promise<{load?: number}>}
   */
  async media(item, capturedAt) {
    const [path, type] = item.stream === "frame" ? ["frames", "image/jpeg"] : ["audio", item.media ?? "audio/wav"];
    const query = `?seq=${item.seq}&captured_at=${Math.round(capturedAt)}`;
    return this.#call("POST", path + query, item.data, type);
  }

  /**
   * Send events; when this returns, they are stored.
   * @param {import("./wire.js").Item[]} items
   */
  async events(items) {
    const events = items.map((item) => eventForHttp(item, this.clock.correct(item)));
    return this.#call("POST", "events", JSON.stringify({ events }), "application/json");
  }

  async #call(method, path, body, type) {
    const token = await this.#token();
    try {
      return await this.#fetch(method, path, body, type, token);
    } catch (error) {
      if (!isSignedOut(error)) throw error;
      return this.#callAgain(method, path, body, type, token, error);
    }
  }

  /** The token was not taken, whatever its owner thinks of it: have another one. */
  async #callAgain(method, path, body, type, refused, because) {
    const token = await this.#token(refused);
    try {
      if (token === refused) throw because;
      return await this.#fetch(method, path, body, type, token);
    } catch (error) {
      if (isSignedOut(error)) this.onSignedOut();
      throw error;
    }
  }

  async #fetch(method, path, body, type, token) {
    const headers = { Authorization: `Bearer ${token}`, Accept: "application/json" };
    if (type) headers["Content-Type"] = type;
    if (this.language) headers["Accept-Language"] = this.language;
    const url = new URL(`/api/v1/sessions/${this.session}${path && "/"}${path}`, this.origin);
    const sent = this.clock.steady();
    const options = { method, headers, body, credentials: "omit", cache: "no-store" };
    const response = await fetch(url, { ...options, signal: AbortSignal.timeout(TIMEOUT_MS) }).catch((error) => {
      throw new HttpError(0, "unreachable", String(error?.message ?? error));
    });
    this.#learn(sent, response);
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw refusal(response, answer);
    return answer;
  }

  async #token(refused) {
    try {
      return await this.getToken(refused);
    } catch (error) {
      throw new HttpError(0, "no_token", String(error?.message ?? error));
    }
  }

  #learn(sent, response) {
    const date = Date.parse(response.headers.get("Date") ?? "");
    if (Number.isFinite(date)) this.clock.learn(sent, date, DATE_GRANULARITY_MS);
  }
}

function refusal(response, answer) {
  const wait = Number(response.headers.get("Retry-After"));
  return new HttpError(response.status, answer.code ?? "", answer.detail ?? "", Number.isFinite(wait) ? wait : 0);
}

/** Told by the server itself: a proxy, or the page of a network where one has to sign in, knows no codes. */
function isSignedOut(error) {
  return error.status === 401 && Boolean(error.code);
}
