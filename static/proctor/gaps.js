/**
 * Time of which nothing was captured, or nothing could be kept, told to the server as one event each.
 * @module
 */

/** A page that stood still for so long captured nothing; shorter gaps the server does not mind. */
const GAP_MS = 15_000;
/** Loading a page again takes no longer, even if what it noted last got lost. */
const RELOAD_MS = 10_000;
/** What is thrown away bit by bit is told as one. */
const TOLD_MS = 60_000;

/** Notices gaps, and tells each once. */
export class Gaps {
  #lost = null;
  #steppedAt = null;

  /**
   * @param {object} options
   * @param {import("./server-clock.js").ServerClock} options.clock
   * @param {(event: string, detail: object, at: number) => void} options.report
   */
  constructor({ clock, report }) {
    Object.assign(this, { clock, report });
  }

  /** An earlier page of this session was closed, and nothing was captured until now. @param {number} from ms */
  missed(from) {
    this.#tell(from, this.clock.now(), "page_closed", RELOAD_MS);
  }

  /** What was captured in this time is lost. @param {number} from @param {number} to ms by this machine's clock */
  lose(from, to) {
    this.#lost ??= { from, to, tellAt: this.clock.steady() + TOLD_MS };
    this.#lost.from = Math.min(this.#lost.from, from);
    this.#lost.to = Math.max(this.#lost.to, to);
  }

  /** Do what is due; called some times a second. @param {boolean} captures whether anything is to be captured now */
  beat(captures) {
    const now = this.clock.steady();
    const still = now - (this.#steppedAt ?? now);
    this.#steppedAt = now;
    const until = this.clock.now();
    // A machine that slept captured nothing.
    if (still > GAP_MS && captures) this.#tell(until - still, until, "standstill", GAP_MS);
    if (now > this.#lost?.tellAt) this.tellLost();
  }

  /** Tell at once what was lost. @param {string} [reason] */
  tellLost(reason = "storage_full") {
    if (!this.#lost) return;
    const { from, to } = this.#lost;
    this.#lost = null;
    this.#tell(from, to, reason, 0);
  }

  #tell(from, to, reason, least) {
    if (!(to - from >= least)) return;
    const seconds = Math.round((to - from) / 1000);
    this.report("NETWORK_GAP", { seconds, duration_s: seconds, reason }, from);
  }
}
