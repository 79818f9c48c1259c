/**
 * Camera and microphone before the exam: what the page adds to the library that watches during it.
 * @module
 */
import { drawn, openStream } from "../proctor/devices.js";
import { text } from "./dom.js";

const SAYS = {
  denied: "camera_denied",
  missing: "camera_missing",
  busy: "camera_busy",
  insecure: "insecure",
  failed: "device_failed",
};

/** Camera or microphone that cannot be opened; `detail` says what to do. */
export class DeviceProblem extends Error {
  /** @param {{code: string}} cause what the library says */
  constructor(cause) {
    super(cause.code, { cause });
    this.detail = text(SAYS[cause.code] ?? SAYS.failed);
  }
}

/**
 * Open camera and, if asked for, microphone; raises `DeviceProblem`.
 * @param {{sound: boolean}} wanted
 * @returns {Promise<MediaStream>}
 */
export async function openDevices({ sound }) {
  try {
    return await openStream({ video: true, audio: sound });
  } catch (error) {
    throw new DeviceProblem(error);
  }
}

/**
 * Return one picture as the camera sees it, not mirrored.
 * @param {HTMLVideoElement} video
 * @returns {string} a data: URL
 */
export function takePicture(video) {
  return drawn(video).toDataURL("image/jpeg", 0.92);
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
