/**
 * The microphone's sound in chunks of a few seconds, each a complete file.
 * @module
 */
import { wavOf } from "./wire.js";

/** Samples per second: what analyses of speech use. */
export const RATE = 16_000;
/** Length of a chunk. */
export const CHUNK_S = 4;
const FLUSH_MS = 500;

/** Hands out chunks of one microphone. */
export class Sound {
  /**
   * @param {object} options
   * @param {(chunk: {data: ArrayBuffer, at: number}) => void} options.onChunk WAV, 16 bits, one
   *   channel; `at` is when it began, ms since 1970
   * @param {(blocked: boolean) => void} options.onBlocked the browser waits for the first click or key
   */
  constructor({ onChunk, onBlocked }) {
    Object.assign(this, { onChunk, onBlocked, context: null, source: null, filter: null });
    this.unblock = () => void this.context?.resume();
  }

  /** Listen to this track from now on. @param {MediaStreamTrack} track */
  async open(track) {
    const stream = new MediaStream([track]);
    this.source?.disconnect();
    if (this.context) this.source = this.context.createMediaStreamSource(stream);
    else {
      // Most browsers turn the microphone's rate into this one; where one refuses, the worklet does it.
      await this.#prepare(stream, { sampleRate: RATE }).catch(() => this.#prepare(stream, {}));
    }
    this.source.connect(this.filter ?? this.node);
    await this.#wake();
  }

  /** Hand out what there is of the chunk that has begun. @returns {Promise<void>} */
  async flush() {
    if (this.context?.state !== "running") return;
    const flushed = new Promise((resolve) => (this.flushed = resolve));
    this.node.port.postMessage("flush");
    await Promise.race([flushed, new Promise((resolve) => setTimeout(resolve, FLUSH_MS))]);
  }

  /** Stop listening; the track stays as it is. */
  async close() {
    this.#listenForClick(false);
    this.source?.disconnect();
    const { context } = this;
    this.context = this.source = null;
    if (context && context.state !== "closed") await context.close();
  }

  async #prepare(stream, options) {
    const context = new AudioContext(options);
    try {
      this.source = context.createMediaStreamSource(stream);
      await context.audioWorklet.addModule(new URL("sound-worklet.js", import.meta.url));
    } catch (error) {
      void context.close();
      throw error;
    }
    const processorOptions = { rate: RATE, seconds: CHUNK_S };
    const oneChannel = { channelCount: 1, channelCountMode: "explicit", numberOfOutputs: 0 };
    this.context = context;
    this.node = new AudioWorkletNode(context, "chunks", { ...oneChannel, processorOptions });
    this.node.port.onmessage = ({ data }) => (data ? this.#hand(data) : this.flushed?.());
    // What lies above half of the new rate would come back as tones that nobody made.
    const lowpass = { type: "lowpass", frequency: RATE * 0.45, Q: 0.7 };
    this.filter = context.sampleRate > RATE ? new BiquadFilterNode(context, lowpass) : null;
    this.filter?.connect(this.node);
  }

  async #wake() {
    // Without a click there is no promise that this ever returns.
    void this.context.resume();
    await Promise.race([
      new Promise((resolve) => this.context.addEventListener("statechange", resolve, { once: true })),
      new Promise((resolve) => setTimeout(resolve, FLUSH_MS)),
    ]);
    if (this.context?.state !== "suspended") return;
    this.onBlocked(true);
    this.#listenForClick(true);
    this.context.addEventListener("statechange", () => {
      if (this.context?.state !== "running") return;
      this.#listenForClick(false);
      this.onBlocked(false);
    });
  }

  #listenForClick(listen) {
    for (const name of ["pointerdown", "keydown"]) {
      if (listen) document.addEventListener(name, this.unblock, true);
      else document.removeEventListener(name, this.unblock, true);
    }
  }

  #hand(samples) {
    this.onChunk({ data: wavOf(samples, RATE), at: Date.now() - (samples.length / RATE) * 1000 });
  }
}
