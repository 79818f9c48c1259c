/**
 * Opening camera and microphone, and measuring once what they give.
 * @module
 */

const VIDEO = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 15 }, facingMode: "user" };
// What makes a call pleasant would take away the whisper in the background.
const AUDIO = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: true };
const FAULTS = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  NotReadableError: "busy",
  AbortError: "busy",
};
const LISTEN_MS = 1000;
const LEAST_DBFS = -100;
const SAMPLE = Object.freeze({ width: 64, height: 48 });
const LISTEN_EVERY_MS = 30;
const LONGEST_NAME = 200;

/** Camera or microphone that cannot be opened; `code` is `denied`, `missing`, `busy`, `insecure` or `failed`. */
export class DeviceError extends Error {
  /** @param {string} code @param {unknown} [cause] */
  constructor(code, cause) {
    super(code, { cause });
    this.code = code;
  }
}

/**
 * Open camera, microphone or both.
 * @param {{video: boolean, audio: boolean}} wanted
 * @returns {Promise<MediaStream>}
 * @throws {DeviceError}
 */
export async function openStream({ video, audio }) {
  // Browsers hide the devices from pages that did not come by https.
  if (!navigator.mediaDevices?.getUserMedia) throw new DeviceError("insecure");
  try {
    return await navigator.mediaDevices.getUserMedia({ video: video && VIDEO, audio: audio && AUDIO });
  } catch (error) {
    throw new DeviceError(FAULTS[error.name] ?? "failed", error);
  }
}

/** Switch a stream off. @param {MediaStream|null} stream */
export function closeStream(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/**
 * Return the name that the browser gives the camera of this stream; empty without one.
 * @param {MediaStream} stream
 * @returns {string}
 */
export function cameraName(stream) {
  return (stream.getVideoTracks()[0]?.label ?? "").slice(0, LONGEST_NAME);
}

/** Return how many cameras and microphones there are. @returns {Promise<{cameras: number, microphones: number}>} */
export async function countDevices() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  const count = (kind) => devices.filter((device) => device.kind === kind).length;
  return { cameras: count("videoinput"), microphones: count("audioinput") };
}

/** Return how many screens there seem to be; null where the browser does not tell. @returns {number|null} */
export function screenCount() {
  return typeof screen.isExtended === "boolean" ? (screen.isExtended ? 2 : 1) : null;
}

/**
 * Measure for a second what a stream gives, in the words of the system check.
 * @param {MediaStream} stream
 * @returns {Promise<{camera: object, microphone: object, screens: number|null}>} `brightness` 0 to 1, `level_dbfs` the
 *   loudest; null where nothing was measured
 */
export async function measure(stream) {
  const [camera, microphone] = await Promise.all([measureCamera(stream), measureMicrophone(stream)]);
  return { camera, microphone, screens: screenCount() };
}

/**
 * Return what a camera shows now, not mirrored.
 * @param {HTMLVideoElement} video
 * @param {{width: number, height: number}} [size] in pixels, else that of the camera
 * @returns {HTMLCanvasElement}
 */
export function drawn(video, size = { width: video.videoWidth, height: video.videoHeight }) {
  const canvas = Object.assign(document.createElement("canvas"), size);
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(video, 0, 0, size.width, size.height);
  return canvas;
}

/**
 * Return how bright the picture is, from 0 (black) to 1 (white).
 * @param {HTMLVideoElement} video
 * @returns {number|null} null before the first picture
 */
export function brightnessOf(video) {
  if (!video.videoWidth) return null;
  const { data } = drawn(video, SAMPLE).getContext("2d").getImageData(0, 0, SAMPLE.width, SAMPLE.height);
  let sum = 0;
  for (let at = 0; at < data.length; at += 4) sum += 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
  return sum / (data.length / 4) / 255;
}

/** Listens to a microphone: how loud it is now, and how loud it was at most, in dBFS. */
export class Level {
  loudest = LEAST_DBFS;

  /** @param {MediaStream} stream */
  constructor(stream) {
    this.context = new AudioContext();
    this.analyser = this.context.createAnalyser();
    this.context.createMediaStreamSource(stream).connect(this.analyser);
    this.samples = new Float32Array(this.analyser.fftSize);
  }

  /** Return the peak of the newest moment. @returns {number} */
  now() {
    this.analyser.getFloatTimeDomainData(this.samples);
    const peak = this.samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    const level = Math.min(0, Math.max(LEAST_DBFS, 20 * Math.log10(peak || 1e-9)));
    this.loudest = Math.max(this.loudest, level);
    return level;
  }

  /** Forget what was louder than this. @param {number} dbfs */
  forget(dbfs) {
    this.loudest = Math.min(this.loudest, dbfs);
  }

  /** Stop listening. @returns {Promise<void>} */
  close() {
    return this.context.close();
  }
}

async function measureCamera(stream) {
  if (!stream.getVideoTracks().length) return { available: false };
  const video = Object.assign(document.createElement("video"), { srcObject: stream, muted: true, playsInline: true });
  await video.play();
  const { videoWidth: width, videoHeight: height } = video;
  const brightness = brightnessOf(video);
  video.srcObject = null;
  return { available: width > 0, width, height, brightness };
}

async function measureMicrophone(stream) {
  if (!stream.getAudioTracks().length) return { available: false };
  const level = new Level(stream);
  await level.context.resume();
  const until = performance.now() + LISTEN_MS;
  while (performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, LISTEN_EVERY_MS));
    level.now();
  }
  await level.close();
  return { available: true, level_dbfs: level.loudest };
}
