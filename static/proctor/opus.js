/**
 * The microphone's sound as Opus in WebM, a tenth of the bytes: chunks of a few seconds, each a complete file.
 * @module
 */
import { CHUNK_S } from "./sound.js";

/** What is recorded: enough for speech. */
const BITS_PER_SECOND = 24_000;
const TYPE = "audio/webm;codecs=opus";
const FLUSH_MS = 500;
/** A file of less may hold no sound at all, and be taken for damaged. */
const SHORTEST_MS = 300;

/** Hands out chunks of one microphone; offers what `Sound` does. */
export class OpusSound {
  /** Whether this browser can do it. @returns {boolean} */
  static get isSupported() {
    return "MediaRecorder" in globalThis && MediaRecorder.isTypeSupported(TYPE);
  }

  /**
   * @param {object} options
   * @param {(chunk: {data: ArrayBuffer, at: number, media: string}) => void} options.onChunk `media` is the type of the
   *   file; `at` is when it began, ms since 1970
   * @param {() => number} options.steady ms
   */
  constructor({ onChunk, steady }) {
    Object.assign(this, { onChunk, steady, recorder: null, stream: null, cutAt: Infinity });
  }

  /** Listen to this track from now on. @param {MediaStreamTrack} track */
  async open(track) {
    this.#stop();
    this.stream = new MediaStream([track]);
    this.#begin();
  }

  /** Begin a new chunk when it is time. */
  beat() {
    if (this.steady() < this.cutAt || !this.stream.active) return;
    const before = this.recorder;
    // The next one begins first: what is heard twice does no harm, what is not heard at all might.
    this.#begin();
    before.stop();
  }

  /** Hand out what there is of the chunk that has begun. @returns {Promise<void>} */
  async flush() {
    const { recorder } = this;
    if (recorder?.state !== "recording") return;
    const flushed = new Promise((resolve) => (this.flushed = resolve));
    this.#stop();
    await Promise.race([flushed, new Promise((resolve) => setTimeout(resolve, FLUSH_MS))]);
  }

  /** Stop listening; the track stays as it is. */
  async close() {
    this.onChunk = () => {};
    this.#stop();
  }

  #begin() {
    const recorder = new MediaRecorder(this.stream, { mimeType: TYPE, audioBitsPerSecond: BITS_PER_SECOND });
    const at = Date.now();
    const begun = this.steady();
    recorder.ondataavailable = async ({ data }) => {
      const isLong = this.steady() - begun > SHORTEST_MS;
      if (isLong) this.onChunk({ data: await data.arrayBuffer(), at, media: "audio/webm" });
      this.flushed?.();
    };
    recorder.start();
    this.recorder = recorder;
    this.cutAt = this.steady() + CHUNK_S * 1000;
  }

  #stop() {
    if (this.recorder?.state === "recording") this.recorder.stop();
    this.recorder = null;
    this.cutAt = Infinity;
  }
}
