/**
 * The worker beside the page, and what does its work where a page may have none.
 * @module
 */

/** @typedef {{side: number, quality: number}} PictureSettings longest side in pixels, JPEG quality 0 to 1 */

/** Gives a beat that goes on while the page is hidden, and pictures without holding up the page. */
export class Background {
  #asked = new Map();
  #newest = 0;
  #waiting = [];
  /** Called at each beat. */
  onBeat = () => {};
  /** Called when the worker broke: what it was given to read is gone with it. */
  onAlone = () => {};

  /**
   * Start the worker, and return when it is known whether there is one.
   * @param {{ms: number}} options how often to beat
   * @returns {Promise<Background>}
   */
  static async open({ ms }) {
    const background = new Background();
    try {
      // Beside this file, so that a page whose policy allows workers of its own host needs no more than that.
      background.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
      background.worker.onmessage = ({ data }) => background.#hear(data);
      background.worker.onerror = () => background.#goOnAlone();
    } catch {
      background.worker = null;
    }
    background.setBeat(ms);
    await background.nextBeat();
    return background;
  }

  /** Whether pictures can be made in the worker. @returns {boolean} */
  get encodes() {
    return this.worker !== null && "OffscreenCanvas" in globalThis && "convertToBlob" in OffscreenCanvas.prototype;
  }

  /** Beat so often. @param {number} ms */
  setBeat(ms) {
    this.ms = ms;
    clearInterval(this.timer);
    if (this.worker) this.worker.postMessage({ type: "beat", ms });
    else this.timer = setInterval(() => this.#beat(), ms);
  }

  /** Return after the next beat. @returns {Promise<void>} */
  nextBeat() {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Give the worker the camera's frames to read. @param {ReadableStream} readable is moved there */
  readFrames(readable) {
    this.worker.postMessage({ type: "frames", readable }, [readable]);
  }

  /**
   * Return the next picture, or the one in `bitmap`.
   * @param {PictureSettings} settings
   * @param {ImageBitmap} [bitmap] is moved to the worker
   * @returns {Promise<{data: ArrayBuffer, at: number}|null>} `at` ms since 1970; null where there is none
   */
  picture(settings, bitmap) {
    const id = (this.#newest += 1);
    this.worker.postMessage({ type: "picture", id, ...settings, bitmap }, bitmap ? [bitmap] : []);
    return new Promise((resolve) => this.#asked.set(id, resolve));
  }

  /** Stop; nobody gets a picture any more. */
  close() {
    clearInterval(this.timer);
    this.worker?.terminate();
    this.onBeat = this.onAlone = () => {};
    this.#answerAll();
  }

  #hear(message) {
    if (message.type === "beat") this.#beat();
    if (message.type !== "picture") return;
    const { id, data, at } = message;
    this.#asked.get(id)?.(data && { data, at });
    this.#asked.delete(id);
  }

  #beat() {
    this.onBeat();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #goOnAlone() {
    this.worker?.terminate();
    this.worker = null;
    this.setBeat(this.ms);
    this.#answerAll();
    this.onAlone();
  }

  #answerAll() {
    for (const resolve of this.#asked.values()) resolve(null);
    this.#asked.clear();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
