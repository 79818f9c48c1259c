/**
 * Camera and microphone of a running session: pictures at the server's pace, sound in chunks, and what is said when one
 * of them stops or comes back.
 * @module
 */
import { Camera } from "./camera.js";
import { cameraName, closeStream, countDevices, openStream } from "./devices.js";
import { OpusSound } from "./opus.js";
import { PictureQuality, pictureInterval } from "./pace.js";
import { Sound } from "./sound.js";

/** A camera that gives nothing for so long is off; some do so for a moment when they adjust. */
const MUTED_MS = 3000;
const AGAIN_MS = 10_000;
const KINDS = Object.freeze({
  video: Object.freeze({ on: "CAMERA_ON", off: "CAMERA_OFF", lost: "camera_lost", back: "camera_back" }),
  audio: Object.freeze({ on: "MIC_ON", off: "MIC_OFF", lost: "microphone_lost", back: "microphone_back" }),
});

/** Watches by the devices it was given, and opens them again when they were lost. */
export class Watching {
  #listening = new AbortController();
  #known = null;
  #pictureAt = 0;

  /**
   * @param {object} options
   * @param {import("./background.js").Background} options.background
   * @param {import("./server-clock.js").ServerClock} options.clock
   * @param {HTMLVideoElement|null} options.shown where the page shows the camera
   * @param {boolean} options.opus whether sound is sent as Opus, where the browser can
   * @param {(stream: "frame"|"audio", item: {data: ArrayBuffer, at: number, media?: string}) => void} options.onItem
   * @param {(event: string, detail: object) => void} options.report
   * @param {(code: string) => void} options.onProblem
   */
  constructor({ background, clock, shown, opus, onItem, report, onProblem }) {
    Object.assign(this, { clock, shown, onItem, report, onProblem });
    const steady = () => clock.steady();
    this.quality = new PictureQuality();
    this.camera = new Camera({ background, steady });
    const onChunk = (chunk) => this.running && this.wantsSound && this.onItem("audio", chunk);
    const onBlocked = (blocked) => onProblem(blocked ? "sound_blocked" : "sound_unblocked");
    this.sound = opus && OpusSound.isSupported ? new OpusSound({ onChunk, steady }) : new Sound({ onChunk, onBlocked });
    this.fps = 1;
    this.load = 0;
    /** Nothing is captured while the session stands still. */
    this.running = true;
    this.wantsSound = true;
    this.tracks = { video: null, audio: null };
    /** Which devices an earlier page of the session told to be on. @type {string[]} */
    this.toldOn = [];
    background.onAlone = () => void this.#readOnPage();
  }

  /** Which devices are on. @returns {string[]} */
  get on() {
    return Object.keys(this.tracks).filter((kind) => this.tracks[kind] && !this.tracks[kind].lost);
  }

  /** Begin with these devices. @param {MediaStream} stream */
  async start(stream) {
    this.stream = stream;
    const options = { signal: this.#listening.signal };
    navigator.mediaDevices.addEventListener("devicechange", () => void this.#devicesChanged(), options);
    this.#known = await countDevices().catch(() => null);
    for (const kind of ["video", "audio"]) {
      const [track] = stream.getTracks().filter((one) => one.kind === kind);
      if (track) await this.#use(kind, track, { first: true });
    }
  }

  /** Do what is due; called some times a second. */
  beat() {
    const now = this.clock.steady();
    for (const kind of ["video", "audio"]) this.#judge(kind, now);
    this.sound.beat?.();
    if (!this.running || !this.fps || now < this.#pictureAt || this.camera.busy) return;
    const interval = pictureInterval(this.fps, this.load);
    this.#pictureAt = Math.max(this.#pictureAt + interval, now + interval / 2);
    void this.#takePicture();
  }

  /** Take no more, hand out the sound that has begun, and leave the devices on. */
  async stop() {
    this.#listening.abort();
    await this.sound.flush();
    this.running = false;
    this.camera.close();
    await this.sound.close();
  }

  /** Switch the devices off. */
  close() {
    closeStream(this.stream);
    if (this.shown?.srcObject === this.stream) this.shown.srcObject = null;
  }

  async #takePicture() {
    const picture = await this.camera.take(this.quality.next);
    if (!picture || !this.running) return;
    this.quality.encoded(picture.data.byteLength);
    this.onItem("frame", picture);
  }

  async #use(kind, track, { first = false } = {}) {
    this.tracks[kind] = { track, lost: false, mutedAt: null, againAt: 0 };
    const options = { signal: this.#listening.signal };
    track.addEventListener("ended", () => this.#lose(kind, track, "ended"), options);
    try {
      if (kind === "video") await this.camera.open(track, this.shown);
      else await this.sound.open(track);
    } catch (error) {
      // The device is there, but this browser cannot take pictures or sound of it: nothing to wait for.
      this.#lose(kind, track, error.name || "failed");
      this.tracks[kind] = null;
      return;
    }
    // Loading the page again is no switching off and on.
    if (!first || !this.toldOn.includes(kind)) this.report(KINDS[kind].on, this.#named(kind));
    if (!first) this.onProblem(KINDS[kind].back);
  }

  /** The worker that read the camera is no more. */
  async #readOnPage() {
    const used = this.tracks.video;
    if (!used || this.camera.isOnPage || this.#listening.signal.aborted) return;
    try {
      await this.camera.open(used.track, this.shown);
    } catch (error) {
      this.#lose("video", used.track, error.name || "failed");
      this.tracks.video = null;
    }
  }

  #judge(kind, now) {
    const used = this.tracks[kind];
    if (!used) return;
    const { track } = used;
    // Some browsers do not tell of a track that ends, such as after the permission was taken away.
    if (!used.lost && track.readyState === "ended") this.#lose(kind, track, "ended");
    used.mutedAt = track.muted ? (used.mutedAt ?? now) : null;
    if (!used.lost && used.mutedAt !== null && now - used.mutedAt > MUTED_MS) this.#lose(kind, track, "muted");
    if (!used.lost) return;
    if (track.readyState === "live" && !track.muted) this.#found(kind);
    else if (track.readyState === "ended" && now > used.againAt) void this.#openAgain(kind, now);
  }

  #lose(kind, track, reason) {
    const used = this.tracks[kind];
    if (used?.track !== track || used.lost) return;
    used.lost = true;
    this.report(KINDS[kind].off, { reason });
    this.onProblem(KINDS[kind].lost);
  }

  #found(kind) {
    this.tracks[kind].lost = false;
    this.report(KINDS[kind].on, this.#named(kind));
    this.onProblem(KINDS[kind].back);
  }

  /** Which camera it is: a program that shows recordings often says so by its name. */
  #named(kind) {
    const label = kind === "video" ? cameraName(this.stream) : "";
    return label ? { label } : {};
  }

  async #openAgain(kind, now) {
    this.tracks[kind].againAt = now + AGAIN_MS;
    const opened = await openStream({ video: kind === "video", audio: kind === "audio" }).catch(() => null);
    const [track] = opened?.getTracks() ?? [];
    if (!track) return;
    if (this.#listening.signal.aborted) {
      track.stop();
      return;
    }
    this.stream.removeTrack(this.tracks[kind].track);
    this.stream.addTrack(track);
    await this.#use(kind, track);
  }

  async #devicesChanged() {
    for (const used of Object.values(this.tracks)) if (used) used.againAt = 0;
    const before = this.#known;
    const now = await countDevices().catch(() => null);
    if (!before || !now || (before.cameras === now.cameras && before.microphones === now.microphones)) return;
    this.#known = now;
    this.report("DEVICE_CHANGE", { ...now, cameras_before: before.cameras, microphones_before: before.microphones });
  }
}
