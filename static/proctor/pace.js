/**
 * How fast to try again, to send and to capture; pure.
 * @module
 */

/** Waiting times that double, with full jitter: a hall of candidates must not come back in the same second. */
export class Backoff {
  /**
   * @param {{first?: number, most?: number, least?: number, random?: () => number}} [options] times in ms
   */
  constructor({ first = 1000, most = 30_000, least = 100, random = Math.random } = {}) {
    Object.assign(this, { first, most, least, random });
    this.failures = 0;
  }

  /**
   * Count a failure and return how many ms to wait.
   * @returns {number}
   */
  next() {
    const ceiling = Math.min(this.most, this.first * 2 ** this.failures);
    this.failures += 1;
    return Math.max(this.least, this.random() * ceiling);
  }

  /** Begin anew after a success. */
  reset() {
    this.failures = 0;
  }
}

/** A bucket that fills at `rate` per second up to `burst`. */
export class TokenBucket {
  /**
   * @param {number} rate per second
   * @param {number} burst
   * @param {number} now ms
   */
  constructor(rate, burst, now) {
    Object.assign(this, { rate, burst, tokens: burst, at: now });
  }

  /**
   * Take one; false if there is none yet.
   * @param {number} now ms
   * @returns {boolean}
   */
  take(now) {
    this.tokens = Math.min(this.burst, this.tokens + (Math.max(0, now - this.at) / 1000) * this.rate);
    this.at = now;
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }
}

/** Items per second at most while catching up; a server refuses some thirty. */
export const CATCH_UP_RATE = 12;
const SLOWEST_RATE = 2;

/**
 * Return how many items per second may be sent at this load of the server (0 to 10).
 * @param {number} load
 * @returns {number}
 */
export function sendingRate(load) {
  return Math.max(SLOWEST_RATE, CATCH_UP_RATE * (1 - load / 10));
}

/**
 * Return how many ms lie between two pictures.
 * @param {number} fps what the exam asks for
 * @param {number} load of the server, 0 to 10: from 6 on pictures become rarer
 * @returns {number}
 */
export function pictureInterval(fps, load) {
  const slower = load >= 10 ? 3 : load >= 8 ? 2 : load >= 6 ? 1.5 : 1;
  return (1000 / Math.min(10, Math.max(0.05, fps))) * slower;
}

/** Picture sizes from best to smallest: longest side in pixels and bytes aimed at. */
export const LEVELS = Object.freeze([
  Object.freeze({ side: 640, bytes: 40_000 }),
  Object.freeze({ side: 640, bytes: 25_000 }),
  Object.freeze({ side: 480, bytes: 16_000 }),
  Object.freeze({ side: 320, bytes: 9_000 }),
]);

const SLOW_MS = 2500;
const QUICK_MS = 600;
const CALM_MS = 20_000;
const SETTLE_MS = 4000;

/** Chooses size and quality of pictures from how large they become and how long the line takes for them. */
export class PictureQuality {
  constructor() {
    this.level = 0;
    this.quality = 0.75;
    this.latency = 0;
    this.changedAt = 0;
  }

  /** Longest side and JPEG quality of the next picture. @returns {{side: number, quality: number}} */
  get next() {
    return { side: LEVELS[this.level].side, quality: this.quality };
  }

  /**
   * Learn how large the newest picture became.
   * @param {number} bytes
   */
  encoded(bytes) {
    const factor = Math.min(1.15, Math.max(0.7, LEVELS[this.level].bytes / Math.max(1, bytes)));
    this.quality = Math.min(0.85, Math.max(0.35, this.quality * (0.5 + 0.5 * factor)));
  }

  /**
   * Learn how long an item took from sending to its acknowledgement.
   * @param {number} ms
   * @param {number} now ms
   */
  acknowledged(ms, now) {
    this.latency = this.latency ? this.latency * 0.8 + ms * 0.2 : ms;
    const since = now - this.changedAt;
    if (this.latency > SLOW_MS && since > SETTLE_MS) this.#change(+1, now);
    else if (this.latency < QUICK_MS && since > CALM_MS) this.#change(-1, now);
  }

  #change(step, now) {
    this.level = Math.min(LEVELS.length - 1, Math.max(0, this.level + step));
    this.changedAt = now;
  }
}
