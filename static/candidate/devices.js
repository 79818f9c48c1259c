/**
 * Camera and microphone before the exam: opening them, and measuring what they give.
 * @module
 */
import { text } from "./dom.js";

const VIDEO = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" };
const FAULTS = { NotAllowedError: "camera_denied", NotFoundError: "camera_missing", NotReadableError: "camera_busy" };
const LEAST_DBFS = -100;

/** Camera or microphone that cannot be opened; `detail` says what to do. */
export class DeviceProblem extends Error {
  /** @param {string} name of the sentence */
  constructor(name) {
    super(name);
    this.detail = text(name);
    this.missing = name === "camera_missing";
  }
}

/**
 * Open camera and, if asked for, microphone; raises `DeviceProblem`.
 * @param {{sound: boolean}} wanted
 * @returns {Promise<MediaStream>}
 */
export async function openDevices({ sound }) {
  if (!navigator.mediaDevices) throw new DeviceProblem("insecure");
  try {
    return await navigator.mediaDevices.getUserMedia({ video: VIDEO, audio: sound });
  } catch (error) {
    throw new DeviceProblem(FAULTS[error.name] ?? "device_failed");
  }
}

/** Switch everything of a stream off. @param {MediaStream|null} stream */
export function closeDevices(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/**
 * Return one picture as the camera sees it, not mirrored.
 * @param {HTMLVideoElement} video
 * @returns {string} a data: URL
 */
export function takePicture(video) {
  const canvas = drawn(video, video.videoWidth, video.videoHeight);
  return canvas.toDataURL("image/jpeg", 0.92);
}

/**
 * Return how bright the picture is, from 0 (black) to 1 (white).
 * @param {HTMLVideoElement} video
 * @returns {number|null} null before the first picture
 */
export function brightnessOf(video) {
  if (!video.videoWidth) return null;
  const { data } = drawn(video, 64, 48).getContext("2d").getImageData(0, 0, 64, 48);
  let sum = 0;
  for (let at = 0; at < data.length; at += 4) sum += 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
  return sum / (data.length / 4) / 255;
}

/** Listens to a microphone: how loud it is now, and how loud it was at most. */
export class Level {
  loudest = LEAST_DBFS;

  /** @param {MediaStream} stream */
  constructor(stream) {
    this.context = new AudioContext();
    this.analyser = this.context.createAnalyser();
    this.context.createMediaStreamSource(stream).connect(this.analyser);
    this.samples = new Float32Array(this.analyser.fftSize);
  }

  /** Return the peak of the newest moment. @returns {number} dBFS */
  now() {
    this.analyser.getFloatTimeDomainData(this.samples);
    const peak = this.samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    const level = Math.max(LEAST_DBFS, 20 * Math.log10(peak || 1e-9));
    this.loudest = Math.max(this.loudest, level);
    return level;
  }

  /** Forget what was louder than this. @param {number} dbfs */
  forget(dbfs) {
    this.loudest = Math.min(this.loudest, dbfs);
  }

  /** Stop listening. */
  close() {
    void this.context.close();
  }
}

/** Return how long the server's answer takes, in ms: the best of three, null without one. */
export async function roundTrip() {
  let best = null;
  for (let turn = 0; turn < 3; turn += 1) {
    const begun = performance.now();
    try {
      await fetch("/health", { credentials: "omit", cache: "no-store", signal: AbortSignal.timeout(10_000) });
    } catch {
      return best;
    }
    const took = performance.now() - begun;
    best = best === null ? took : Math.min(best, took);
  }
  return best;
}

/** Return how many screens there seem to be; null where the browser does not tell. @returns {number|null} */
export function screenCount() {
  return typeof screen.isExtended === "boolean" ? (screen.isExtended ? 2 : 1) : null;
}

function drawn(video, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(video, 0, 0, width, height);
  return canvas;
}
