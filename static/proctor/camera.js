/**
 * Pictures of the camera, one at a time when they are asked for, also while the page is hidden.
 * @module
 */

const LATE_MS = 5000;

/** Takes pictures by the best way the browser has; one asked for while another is made is not made. */
export class Camera {
  #asked = 0;
  #frames = 0;

  /** @param {{background: import("./background.js").Background, steady: () => number}} options `steady` in ms */
  constructor({ background, steady }) {
    Object.assign(this, { background, steady, video: null });
  }

  /**
   * Take pictures of this track from now on.
   * @param {MediaStreamTrack} track
   * @param {HTMLVideoElement|null} shown where the page shows it already
   */
  async open(track, shown) {
    this.close();
    this.track = track;
    if (this.background.encodes && "MediaStreamTrackProcessor" in globalThis) {
      // Frames go from the camera to the worker; the page has nothing to do with them. Only the newest is kept.
      const { readable } = new globalThis.MediaStreamTrackProcessor({ track, maxBufferSize: 1 });
      this.background.readFrames(readable);
      return;
    }
    this.video = shown ?? document.createElement("video");
    if (shown) return;
    Object.assign(this.video, { srcObject: new MediaStream([track]), muted: true, playsInline: true });
    await this.video.play();
  }

  /** Whether the page reads the camera itself. @returns {boolean} */
  get isOnPage() {
    return this.video !== null;
  }

  /** Whether a picture is being made, and not stuck. @returns {boolean} */
  get busy() {
    return this.#asked > 0 && this.steady() - this.#asked < LATE_MS;
  }

  /**
   * Take one picture.
   * @param {import("./background.js").PictureSettings} settings
   * @returns {Promise<{data: ArrayBuffer, at: number}|null>} JPEG, and when it was taken, ms since 1970; null if none
   */
  async take(settings) {
    if (this.busy || this.track?.readyState !== "live" || this.track.muted) return null;
    this.#asked = this.steady();
    try {
      return await this.#take(settings);
    } catch {
      return null;
    } finally {
      this.#asked = 0;
    }
  }

  /** Take no more pictures; the track stays as it is. */
  close() {
    this.track = this.video = null;
  }

  /** Whether the video shows another frame than it did for the last picture: hidden, some browsers stop it. */
  #hasNewFrame() {
    const frames = this.video.getVideoPlaybackQuality?.().totalVideoFrames;
    const isNew = !frames || frames !== this.#frames;
    this.#frames = frames;
    return isNew;
  }

  async #take(settings) {
    if (!this.video) return this.background.picture(settings);
    if (!this.video.videoWidth || !this.#hasNewFrame()) return null;
    if (this.background.encodes) return this.background.picture(settings, await createImageBitmap(this.video));
    return encode(this.video, settings);
  }
}

function encode(video, { side, quality }) {
  const at = Date.now();
  const scale = Math.min(1, side / Math.max(video.videoWidth, video.videoHeight));
  const size = { width: Math.round(video.videoWidth * scale), height: Math.round(video.videoHeight * scale) };
  const canvas = Object.assign(document.createElement("canvas"), size);
  canvas.getContext("2d", { alpha: false }).drawImage(video, 0, 0, size.width, size.height);
  return new Promise((resolve) => {
    canvas.toBlob(async (blob) => resolve(blob && { data: await blob.arrayBuffer(), at }), "image/jpeg", quality);
  });
}
