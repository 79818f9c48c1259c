/**
 * What was captured and is not acknowledged yet: numbered, bounded, kept on disk while the line is down.
 * @module
 */
import { STREAMS } from "./wire.js";

/** What may wait at most: bytes, ms, events; and bytes where nothing but memory keeps them. */
export const LIMITS = Object.freeze({
  bytes: 200 * 1024 ** 2,
  ms: 2 * 3600 * 1000,
  events: 20_000,
  memory: 32 * 1024 ** 2,
});

const STEPS_PER_MS = 100;
/** An item at which the server stumbles waits so long at first and at last, so that it does not hold up the others. */
const AGAIN_MS = Object.freeze({ first: 2000, most: 60_000 });

/**
 * Choose which of many pictures stay, so that they still cover the whole time evenly; pure.
 * @template {{at: number}} T
 * @param {T[]} items in order of time
 * @param {number} keep how many may stay at most
 * @returns {T[]} those that stay, the first and (from two on) the last among them
 */
export function thinEvenly(items, keep) {
  if (items.length <= keep) return [...items];
  if (keep < 2) return items.slice(0, Math.max(0, keep));
  const [first, last] = [items[0].at, items.at(-1).at];
  const slot = (last - first) / (keep - 1) || 1;
  const stay = [];
  let next = first;
  for (const item of items.slice(0, -1)) {
    if (item.at < next || stay.length === keep - 1) continue;
    stay.push(item);
    next = first + slot * (Math.floor((item.at - first) / slot) + 1);
  }
  return [...stay, items.at(-1)];
}

/** Holds items from capture to acknowledgement, oldest first. */
export class Outbox {
  /**
   * @param {object} options
   * @param {string} options.session
   * @param {import("./storage.js").MemoryStorage} options.storage
   * @param {import("./server-clock.js").ServerClock} options.clock
   * @param {Partial<typeof LIMITS>} [options.limits]
   * @param {(from: number, to: number) => void} [options.onGap] called with the ms (own clock) of which all is lost
   * @param {() => void} [options.onFull] called when the browser keeps no more on disk
   */
  constructor({ session, storage, clock, limits = {}, onGap = () => {}, onFull = () => {} }) {
    Object.assign(this, { session, storage, clock, onGap, onFull, limits: { ...LIMITS, ...limits } });
    this.waiting = [];
    this.inFlight = new Map();
    this.bytes = 0;
    this.keeping = false;
    this.counts = { acked: 0, sent: 0, lost: 0, refused: 0, bytes: 0 };
    // Numbers begin with the time, in steps far finer than capture: a lost storage or another machine never reuses one.
    // They stay below 10^15, from where on the server numbers what comes without a number.
    this.numbers = Object.fromEntries(STREAMS.map((stream) => [stream, Math.round(clock.now()) * STEPS_PER_MS]));
  }

  /** How many items are not acknowledged yet. */
  get length() {
    return this.waiting.length + this.inFlight.size;
  }

  /** The highest number of each stream up to which everything was acknowledged. @returns {Record<string, number>} */
  get lastAcked() {
    const least = { ...this.numbers };
    for (const { stream, seq } of [...this.waiting, ...this.inFlight.values()]) {
      least[stream] = Math.min(least[stream], seq);
    }
    return Object.fromEntries(STREAMS.map((stream) => [stream, least[stream] - 1]));
  }

  /** When the oldest item that waits or is under way was captured, by the steady clock; null if there is none. */
  get oldest() {
    const entries = [...this.inFlight.values(), ...this.waiting.slice(0, 1)];
    return entries.length ? Math.min(...entries.map((entry) => entry.bornAt)) : null;
  }

  /** From when to when the pictures and sounds were captured that are not acknowledged; null if there are none. */
  get span() {
    const media = [...this.inFlight.values(), ...this.waiting].filter((entry) => entry.stream !== "event");
    const times = media.map((entry) => entry.at);
    return times.length ? { from: Math.min(...times), to: Math.max(...times) } : null;
  }

  /** Take up what an earlier page of this session left behind. */
  async load() {
    for (const found of await this.storage.list(this.session)) {
      this.raise({ [found.stream]: found.seq });
      this.#enter({ ...found, data: null, stored: true, tries: 0 });
    }
    this.#bound();
  }

  /**
   * Number from above what the server knows.
   * @param {Record<string, number>} known newest number by stream
   */
  raise(known) {
    for (const stream of STREAMS) {
      const number = Number(known?.[stream]);
      if (Number.isSafeInteger(number)) this.numbers[stream] = Math.max(this.numbers[stream], number + 1);
    }
  }

  /**
   * Take an item in.
   * @param {"frame"|"audio"|"event"} stream
   * @param {{at?: number, data?: ArrayBuffer, event?: string, detail?: object}} fields
   * @returns {import("./wire.js").Item}
   */
  add(stream, fields) {
    const size = fields.data?.byteLength ?? JSON.stringify(fields.detail ?? {}).length;
    const at = fields.at ?? this.clock.now();
    const item = { ...fields, stream, seq: this.numbers[stream]++, at, offset: this.clock.offset, size };
    const entry = { ...item, stored: false, tries: 0 };
    this.#enter(entry);
    if (this.keeping) void this.#keep([entry]);
    this.#bound();
    return item;
  }

  /**
   * Return the item that `take` would give, as it waits; null if there is none.
   * @param {readonly string[]} [streams] of which it may be
   * @returns {import("./wire.js").Item & {alone?: boolean}|null}
   */
  next(streams = STREAMS) {
    const now = this.clock.steady();
    return this.waiting.find((entry) => streams.includes(entry.stream) && !(entry.notBefore > now)) ?? null;
  }

  /**
   * Return the oldest item that is to be sent, with its bytes, and count it as under way; null if there is none.
   * @param {readonly string[]} [streams] of which it may be
   * @returns {Promise<import("./wire.js").Item|null>}
   */
  async take(streams = STREAMS) {
    for (;;) {
      const entry = this.next(streams);
      if (!entry) return null;
      this.waiting.splice(this.waiting.indexOf(entry), 1);
      entry.sentAt = this.clock.steady();
      this.inFlight.set(idOf(entry), entry);
      if (entry.stream !== "event" && !entry.data) entry.data = await this.#body(entry);
      // What was unknown at capture may be known by now; the server's refusal means something else then.
      entry.timed = (entry.offset ?? this.clock.offset) !== null;
      if (entry.stream === "event" || entry.data) {
        this.counts.sent += 1;
        return entry;
      }
      this.#dropWhole([entry]);
    }
  }

  /** Whether the server's time was known when an item was sent. @returns {boolean} */
  wasTimed(stream, seq) {
    return this.inFlight.get(idOf({ stream, seq }))?.timed ?? true;
  }

  /**
   * Let go of an item that the server has stored.
   * @param {string} stream
   * @param {number} seq
   * @returns {number|null} how many ms it took; null for an item that was not under way
   */
  acked(stream, seq) {
    const underWay = this.inFlight.get(idOf({ stream, seq }));
    // What was put back when the line broke may have arrived all the same.
    const entry = underWay ?? this.waiting.find((one) => one.seq === seq && one.stream === stream);
    if (!entry) return null;
    if (!underWay) this.waiting.splice(this.waiting.indexOf(entry), 1);
    const size = entry.size;
    this.#leave(entry);
    this.counts.acked += 1;
    this.counts.bytes += size;
    return underWay ? this.clock.steady() - entry.sentAt : null;
  }

  /** Let go of an item that the server will never take. @returns {boolean} whether it was under way */
  refused(stream, seq) {
    const entry = this.inFlight.get(idOf({ stream, seq }));
    if (!entry) return false;
    this.#leave(entry);
    this.counts.refused += 1;
    this.counts.lost += 1;
    return true;
  }

  /**
   * Put an item back that is to be sent again: at once, or later each time where it is the item that does not go.
   * @param {string} stream
   * @param {number} seq
   * @param {{later?: boolean, alone?: boolean}} [options] `alone`: no other item may go in the same call
   */
  again(stream, seq, { later = false, alone = false } = {}) {
    const entry = this.inFlight.get(idOf({ stream, seq }));
    if (!entry) return;
    if (later) {
      entry.notBefore = this.clock.steady() + Math.min(AGAIN_MS.most, AGAIN_MS.first * 2 ** entry.tries);
      entry.tries += 1;
    }
    entry.alone ||= alone;
    this.inFlight.delete(idOf(entry));
    this.#insert(entry);
  }

  /** Put everything back that is under way: the line broke. */
  allAgain() {
    for (const entry of [...this.inFlight.values()]) this.again(entry.stream, entry.seq);
  }

  /**
   * Put back what has waited too long for an answer; no answer is no refusal.
   * @param {number} ms
   */
  expire(ms) {
    const before = this.clock.steady() - ms;
    for (const entry of [...this.inFlight.values()]) {
      if (entry.sentAt < before) this.again(entry.stream, entry.seq);
    }
  }

  /**
   * Keep items on disk from now on, or only in memory again.
   * @param {boolean} keeping
   */
  async keep(keeping) {
    this.keeping = keeping;
    if (keeping) await this.#keep([...this.waiting, ...this.inFlight.values()].filter((entry) => !entry.stored));
  }

  /** Give everything up, as when the session is over; counts what was not acknowledged as lost. */
  async giveUp() {
    this.#drop([...this.waiting, ...this.inFlight.values()]);
    await this.storage.clear(this.session).catch(() => {});
  }

  async #body(entry) {
    return this.storage.body(this.session, entry).catch(() => null);
  }

  async #keep(entries) {
    if (!entries.length || !this.storage.durable) return;
    const plain = entries.map(plainOf);
    try {
      await this.storage.put(this.session, plain);
    } catch {
      // The disk is full, or the browser gives no more: memory has to do, so less may wait.
      this.limits.bytes = Math.min(this.limits.bytes, this.limits.memory);
      this.onFull();
      this.#bound();
      return;
    }
    for (const entry of entries) {
      entry.stored = true;
      if (this.keeping && !this.inFlight.has(idOf(entry))) entry.data = null;
    }
    const gone = entries.filter((entry) => entry.left);
    if (gone.length) await this.storage.remove(this.session, gone).catch(() => {});
  }

  #enter(entry) {
    // Age is counted by a clock that nobody sets, or a step of the other would make everything old at once.
    entry.bornAt = this.clock.steady() - Math.max(0, this.clock.now() - entry.at);
    this.bytes += entry.size;
    this.#insert(entry);
  }

  #insert(entry) {
    let index = this.waiting.length;
    while (index > 0 && this.waiting[index - 1].at > entry.at) index -= 1;
    this.waiting.splice(index, 0, entry);
  }

  #leave(entry) {
    this.inFlight.delete(idOf(entry));
    this.bytes -= entry.size;
    entry.left = true;
    entry.data = null;
    if (entry.stored) void this.storage.remove(this.session, [entry]).catch(() => {});
  }

  #drop(entries) {
    const gone = new Set(entries);
    this.waiting = this.waiting.filter((entry) => !gone.has(entry));
    for (const entry of entries) this.#leave(entry);
    this.counts.lost += entries.length;
  }

  #bound() {
    this.#boundAge();
    const most = this.storage.durable ? this.limits.bytes : Math.min(this.limits.bytes, this.limits.memory);
    if (this.bytes > most) this.#thin();
    if (this.bytes > most) this.#shorten(most);
    const events = this.waiting.filter((entry) => entry.stream === "event");
    if (events.length > this.limits.events) this.#dropWhole(events.slice(0, events.length - this.limits.events));
  }

  #boundAge() {
    const before = this.clock.steady() - this.limits.ms;
    if (!(this.waiting[0]?.bornAt < before)) return;
    const old = this.waiting.filter((entry) => entry.stream !== "event" && entry.bornAt < before);
    this.#dropWhole(old);
  }

  #thin() {
    const frames = this.waiting.filter((entry) => entry.stream === "frame");
    const stay = new Set(thinEvenly(frames, Math.ceil(frames.length / 2)));
    this.#drop(frames.filter((entry) => !stay.has(entry)));
  }

  #shorten(most) {
    const old = [];
    let left = this.bytes;
    for (const entry of this.waiting) {
      if (left <= most * 0.9) break;
      if (entry.stream === "event") continue;
      old.push(entry);
      left -= entry.size;
    }
    this.#dropWhole(old);
  }

  #dropWhole(entries) {
    if (!entries.length) return;
    this.#drop(entries);
    this.onGap(entries[0].at, entries.at(-1).at);
  }
}

/** What of an item is worth keeping: the rest holds for this page only. */
function plainOf({ stream, seq, at, offset, size, data, media, event, detail }) {
  return { stream, seq, at, offset, size, data, media, event, detail };
}

function idOf({ stream, seq }) {
  return `${stream} ${seq}`;
}
