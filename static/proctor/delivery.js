/**
 * Getting the outbox across, oldest first and at a bounded rate: by socket with acknowledgements, or by HTTP calls.
 * @module
 */
import { HttpError } from "./http.js";
import { TokenBucket, sendingRate } from "./pace.js";
import { STREAMS, encodeBinary, encodeEvent } from "./wire.js";

const BURST = 20;
const MOST_IN_FLIGHT = 16;
const MOST_BYTES_IN_FLIGHT = 512 * 1024;
const ANSWER_MS = 15_000;
const REST_MS = 2000;
const HOLD_MS = 10_000;
/** A stream whose queue stays full is tried again more and more rarely, or the refusals would look like a flood. */
const MOST_HOLD_MS = 30_000;
const MEDIA = Object.freeze(["frame", "audio"]);
const EVENTS_AT_ONCE = 100;
/** Refusals that pass, and that concern everything: after a rest the item is sent again. */
const PASSING = new Set(["too_fast", "server_error", "busy", "storage_unavailable", "throttled"]);

/** Moves items from the outbox to the server. */
export class Delivery {
  /**
   * @param {object} options
   * @param {import("./outbox.js").Outbox} options.outbox
   * @param {import("./server-clock.js").ServerClock} options.clock
   * @param {import("./http.js").SessionCalls} options.calls
   * @param {(ms: number) => void} options.onLatency how long an acknowledgement took
   * @param {(load: number) => void} options.onLoad
   * @param {(why: {code: string, detail: string}) => void} options.onRefused an item is given up: it is never taken
   */
  constructor({ outbox, clock, calls, onLatency, onLoad, onRefused }) {
    Object.assign(this, { outbox, clock, calls, onLatency, onLoad, onRefused });
    this.bucket = new TokenBucket(sendingRate(0), BURST, clock.steady());
    this.restUntil = 0;
    this.heldUntil = Object.fromEntries(STREAMS.map((stream) => [stream, 0]));
    this.fullFor = Object.fromEntries(STREAMS.map((stream) => [stream, REST_MS]));
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

  /**
   * Let pictures and sound wait until the session goes on, or until it is worth another try.
   * @param {string} [stream] what was refused; events are taken during a pause too, but not before the beginning
   */
  hold(stream = "frame") {
    for (const one of stream === "event" ? STREAMS : MEDIA) this.#holdStream(one, HOLD_MS);
  }

  /** The session goes on. */
  release() {
    for (const stream of STREAMS) this.heldUntil[stream] = 0;
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
        const item = await this.outbox.take(this.#streams());
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

  /** An item is stored. @param {{stream: string, seq: number}} message */
  acked({ stream, seq }) {
    this.fullFor[stream] = REST_MS;
    const ms = this.outbox.acked(stream, seq);
    if (ms !== null) this.onLatency(ms);
  }

  /**
   * An item was not taken.
   * @param {{code: string, detail?: string, stream?: string, seq?: number}} message
   */
  failed({ code, detail = "", stream, seq }) {
    if (PASSING.has(code)) this.rest();
    if (code === "wrong_state") this.hold(stream);
    if (stream === undefined || seq === undefined) return;
    if (code === "queue_full") this.#full(stream);
    if (this.#passes(code, stream, seq)) this.outbox.again(stream, seq, { later: isOfTheItem(code) });
    else this.#refuse({ stream, seq }, { code, detail });
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
      const item = await this.outbox.take(this.#streams());
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
    const mayJoin = () => {
      const next = this.outbox.next(this.#streams());
      return next?.stream === "event" && !next.alone;
    };
    while (!first.alone && items.length < EVENTS_AT_ONCE && mayJoin()) items.push(await this.outbox.take(["event"]));
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
    const { status = 0, code = "", detail = "", retryAfter = 0 } = error;
    if ([400, 413, 415, 422].includes(status)) {
      this.#notTaken(items, { code: code || String(status), detail });
      return;
    }
    // At one of these the server stumbles each time; only by itself it holds up no other.
    const stumbled = status === 500;
    for (const { stream, seq } of items) {
      this.outbox.again(stream, seq, { later: stumbled, alone: stumbled && items.length > 1 });
    }
    const ms = Math.max(REST_MS, retryAfter * 1000);
    if (code === "queue_full") this.#full(items[0].stream, ms);
    else if (status === 429) this.rest(ms);
    else if (code === "wrong_state") this.hold(items[0].stream);
    if (status !== 429) throw error instanceof HttpError ? error : new HttpError(0, "unreachable", String(error));
  }

  /** Something is wrong with one of these items, and not with the line. */
  #notTaken(items, why) {
    for (const { stream, seq } of items) {
      // One bad event must not take the others of its call with it, so from now on each goes by itself.
      if (items.length > 1) this.outbox.again(stream, seq, { alone: true });
      else if (this.#passes(why.code, stream, seq)) this.outbox.again(stream, seq, { later: true });
      else this.#refuse({ stream, seq }, why);
    }
  }

  /** Whether an item that was refused so is sent again. */
  #passes(code, stream, seq) {
    if (code === "wrong_state" || code === "queue_full" || PASSING.has(code)) return true;
    // While nobody knows the server's time, a wrong time is no fault of the item.
    return code === "bad_captured_at" && !this.outbox.wasTimed(stream, seq);
  }

  #refuse({ stream, seq }, why) {
    if (this.outbox.refused(stream, seq)) this.onRefused(why);
  }

  /** No more of this stream for a while, longer each time; the other streams go on. */
  #full(stream, least = 0) {
    if (this.clock.steady() < this.heldUntil[stream]) return;
    this.#holdStream(stream, Math.max(least, this.fullFor[stream]));
    this.fullFor[stream] = Math.min(MOST_HOLD_MS, this.fullFor[stream] * 2);
  }

  #holdStream(stream, ms) {
    this.heldUntil[stream] = Math.max(this.heldUntil[stream], this.clock.steady() + ms);
  }

  /** The streams of which something may go now. */
  #streams() {
    const now = this.clock.steady();
    return STREAMS.filter((stream) => now >= this.heldUntil[stream]);
  }

  #mayGo(socket) {
    if (this.clock.steady() < this.restUntil || socket.readyState !== WebSocket.OPEN) return false;
    const under = [...this.outbox.inFlight.values()];
    if (under.length >= MOST_IN_FLIGHT || socket.bufferedAmount > MOST_BYTES_IN_FLIGHT / 2) return false;
    return under.reduce((sum, entry) => sum + entry.size, 0) < MOST_BYTES_IN_FLIGHT;
  }
}

function isOfTheItem(code) {
  return code === "server_error" || code === "bad_captured_at";
}
