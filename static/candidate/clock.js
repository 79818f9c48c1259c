/**
 * The time left: told by the server, counted on by a clock of this machine that nobody can set.
 * @module
 */
import { announce, at, clockFace, text } from "./dom.js";

const WARN_S = [300, 60];
/** So long before the end, what was written is handed in by itself; early too: hidden pages wake once a minute. */
const LAST_CALLS_S = [90, 20];

/** Shows the time left and says when it runs out. */
export class Clock {
  #endsAt = null;
  #stoodAt = null;
  #timer = 0;
  #warned = new Set();

  /** @param {{onLastCall: () => void, onEnd: () => void}} calls */
  constructor({ onLastCall, onEnd }) {
    Object.assign(this, { onLastCall, onEnd });
  }

  /**
   * Learn from the server where the clock stands.
   * @param {number|null|undefined} leftS seconds; null for a session without end, undefined to leave it as it is
   * @param {boolean} paused
   */
  learn(leftS, paused) {
    if (leftS === undefined) return;
    this.#endsAt = leftS === null ? null : performance.now() + leftS * 1000;
    this.#stoodAt = paused ? leftS : null;
    // More time was given: what was said about the end is true no longer.
    for (const warned of this.#warned) if (leftS > warned) this.#warned.delete(warned);
    this.#timer ||= setInterval(() => this.#tick(), 500);
    this.#tick();
  }

  /** Return the seconds left; null without an end. @returns {number|null} */
  get left() {
    if (this.#stoodAt !== null) return this.#stoodAt;
    return this.#endsAt === null ? null : Math.max(0, (this.#endsAt - performance.now()) / 1000);
  }

  /** Count no longer. */
  stop() {
    clearInterval(this.#timer);
  }

  #tick() {
    const { left } = this;
    const place = at("exam-time");
    place.hidden = left === null;
    if (left === null) return;
    const says = text("time_left", { time: clockFace(left) });
    if (place.textContent !== says) place.textContent = says;
    place.classList.toggle("soon", left <= WARN_S[0]);
    if (this.#stoodAt !== null) return;
    this.#warn(left);
    for (const seconds of LAST_CALLS_S) if (left <= seconds) this.#once(seconds, this.onLastCall);
    if (left <= 0) this.#once(0, this.onEnd);
  }

  #warn(left) {
    const due = WARN_S.filter((seconds) => left <= seconds && !this.#warned.has(seconds));
    if (!due.length) return;
    for (const seconds of due) this.#warned.add(seconds);
    if (left > 0) announce(left <= 60 ? text("time_last") : text("time_warning", { minutes: Math.round(left / 60) }));
  }

  #once(seconds, call) {
    if (this.#warned.has(seconds)) return;
    this.#warned.add(seconds);
    call();
  }
}
