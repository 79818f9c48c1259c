/**
 * Getting the outbox across, oldest first and at a bounded rate: by socket with acknowledgements, or by HTTP calls.
 * @module
 */
import { HttpError } from "./http.js";
import { TokenBucket, sendingRate } from "./pace.js";
import { encodeBinary, encodeEvent } from "./wire.js";

const BURST = 20;
const MOST_IN_FLIGHT = 16;
const MOST_BYTES_IN_FLIGHT = 512 * 1024;
const ANSWER_MS = 15_000;
const REST_MS = 2000;
const HOLD_MS = 10_000;
const EVENTS_AT_ONCE = 100;
/** Refusals that pass: the item is sent again. */
const PASSING = new Set(["too_fast", "queue_full", "server_error", "busy", "storage_unavailable", "throttled"]);

/** Moves items from the outbox to the server. */
export class Delivery {
  /**
   * @param {object} options
   * @param {import("./outbox.js").Outbox} options.outbox
   * @param {import("./server-clock.js").ServerClock} options.clock
   * @param {import("./http.js").SessionCalls} options.calls
   * @param {(ms: number) => void} options.onLatency how long an acknowledgement took
   * @param {(load: number) => void} options.onLoad
   */
  constructor({ outbox, clock, calls, onLatency, onLoad }) {
    Object.assign(this, { outbox, clock, calls, onLatency, onLoad });
    this.bucket = new TokenBucket(sendingRate(0), BURST, clock.steady());
    this.restUntil = 0;
    this.holdUntil = 0;
    this.busy = false;
  }

  /** Send no more than this load of the server allows. @param {number} load 0 to 10 */
  slow(load) {
    this.bucket.rate = sendingRate(load);
  }

  /** Send nothing for a while. @param {number} [ms] */
  rest(ms = REST_MS) {
    this.restUntil = Math.max(this.restUntil, this.clock.steady() + ms);
  }

  /** Let pictures and sound wait until the session goes on, or until it is worth another try. */
  hold() {
    this.holdUntil = this.clock.steady() + HOLD_MS;
  }

  /** The session goes on. */
  release() {
    this.holdUntil = 0;
  }

  /**
   * Send what the line carries now.
   * @param {WebSocket} socket
   */
  async pump(socket) {
    if (this.busy) return;
    this.busy = true;
    try {
      this.outbox.expire(ANSWER_MS);
      while (this.#mayGo(socket) && this.bucket.take(this.clock.steady())) {
        const item = await this.outbox.take({ media: this.clock.steady() >= this.holdUntil });
        if (!item) return;
        if (socket.readyState !== WebSocket.OPEN) {
          this.outbox.again(item.stream, item.seq);
          return;
        }
        const capturedAt = this.clock.correct(item);
        socket.send(item.stream === "event" ? encodeEvent(item, capturedAt) : encodeBinary(item, capturedAt));
      }
    } finally {
      this.busy = false;
    }
  }

  /** Whether an item that was refused so is sent again. @param {string} code @returns {boolean} */
  passes(code) {
    return PASSING.has(code) || code === "wrong_state";
  }

  /** An item is stored. @param {{stream: string, seq: number}} message */
  acked({ stream, seq }) {
    const ms = this.outbox.acked(stream, seq);
    if (ms !== null) this.onLatency(ms);
  }

  /**
   * An item was not taken.
   * @param {{code: string, stream?: string, seq?: number}} message
   */
  failed({ code, stream, seq }) {
    if (PASSING.has(code)) this.rest();
    if (code === "wrong_state") this.hold();
    if (stream === undefined || seq === undefined) return;
    if (code === "wrong_state") this.outbox.again(stream, seq);
    else if (PASSING.has(code)) this.outbox.again(stream, seq, { counted: code === "server_error" });
    else this.outbox.refused(stream, seq);
  }

  /**
   * Send the next few items by HTTP.
   * @returns {Promise<boolean>} whether there may be more
   * @throws {HttpError} where the line, the sign-in or the session is the trouble and not the item
   */
  async post() {
    if (this.busy || this.clock.steady() < this.restUntil || !this.bucket.take(this.clock.steady())) return false;
    this.busy = true;
    try {
      const item = await this.outbox.take({ media: this.clock.steady() >= this.holdUntil });
      if (!item) return false;
      const items = item.stream === "event" ? await this.#moreEvents(item) : [item];
      await this.#post(items);
      return true;
    } finally {
      this.busy = false;
    }
  }

  async #moreEvents(first) {
    const items = [first];
    while (items.length < EVENTS_AT_ONCE && this.outbox.waiting[0]?.stream === "event") {
      items.push(await this.outbox.take({ media: true }));
    }
    return items;
  }

  async #post(items) {
    const [first] = items;
    try {
      const answer = await (first.data ? this.calls.media(first, this.clock.correct(first)) : this.calls.events(items));
      for (const item of items) this.acked(item);
      if (typeof answer.load === "number") this.onLoad(answer.load);
    } catch (error) {
      this.#postFailed(items, error);
    }
  }

  #postFailed(items, error) {
    const { status = 0, code = "", retryAfter = 0 } = error;
    const ownFault = [400, 413, 415, 422].includes(status);
    // One bad event must not take the others of its call with it, so they are sent once more, one by one or later.
    for (const item of items) {
      if (ownFault && items.length === 1) this.outbox.refused(item.stream, item.seq);
      else this.outbox.again(item.stream, item.seq, { counted: ownFault });
    }
    if (ownFault) return;
    if (status === 429) this.rest(Math.max(REST_MS, retryAfter * 1000));
    else if (code === "wrong_state") this.hold();
    if (status !== 429) throw error instanceof HttpError ? error : new HttpError(0, "unreachable", String(error));
  }

  #mayGo(socket) {
    if (this.clock.steady() < this.restUntil || socket.readyState !== WebSocket.OPEN) return false;
    const under = [...this.outbox.inFlight.values()];
    if (under.length >= MOST_IN_FLIGHT || socket.bufferedAmount > MOST_BYTES_IN_FLIGHT / 2) return false;
    return under.reduce((sum, entry) => sum + entry.size, 0) < MOST_BYTES_IN_FLIGHT;
  }
}
