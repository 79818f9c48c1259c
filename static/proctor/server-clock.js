/**
 * The server's time, estimated from answers to pings; pure.
 * @module
 */

const KEPT = 8;
const STEP_MS = 2000;

/**
 * Estimates what to add to this machine's clock: of the last answers the quickest is believed, because it leaves the
 * least room for error. When somebody sets this machine's clock, what was learnt before is forgotten.
 */
export class ServerClock {
  /** @param {{wall?: () => number, steady?: () => number}} [clocks] ms; `steady` is never set by anybody */
  constructor({ wall = () => Date.now(), steady = () => performance.now() } = {}) {
    Object.assign(this, { wall, steady, samples: [], ratio: wall() - steady() });
  }

  /** This machine's time in ms since 1970. @returns {number} */
  now() {
    this.#notice();
    return this.wall();
  }

  /** Server's time less this machine's in ms; null while unknown. @returns {number|null} */
  get offset() {
    this.#notice();
    if (!this.samples.length) return null;
    return this.samples.reduce((best, sample) => (sample.rtt < best.rtt ? sample : best)).offset;
  }

  /**
   * Learn from one answer.
   * @param {number} sent when the question left, by `steady`
   * @param {number} serverTime ms since 1970
   * @param {number} [granularity] how coarse the server's time is, in ms
   */
  learn(sent, serverTime, granularity = 0) {
    this.#notice();
    const rtt = this.steady() - sent;
    if (!Number.isFinite(serverTime) || rtt < 0) return;
    const offset = serverTime + granularity / 2 + rtt / 2 - this.wall();
    // A coarse time says nothing of a small difference.
    const told = Math.abs(offset) <= granularity ? 0 : offset;
    this.samples = [...this.samples, { rtt: rtt + granularity, offset: told }].slice(-KEPT);
  }

  /**
   * Return when an item was captured by the server's clock, as well as that is known.
   * @param {{at: number, offset: number|null}} item
   * @returns {number} ms since 1970
   */
  correct(item) {
    return item.at + (item.offset ?? this.offset ?? 0);
  }

  #notice() {
    const ratio = this.wall() - this.steady();
    // A machine that slept looks the same as one whose clock was set; asking again is cheap.
    if (Math.abs(ratio - this.ratio) > STEP_MS) this.samples = [];
    this.ratio = ratio;
  }
}
