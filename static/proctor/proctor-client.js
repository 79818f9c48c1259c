/**
 * Watches a candidate who sits an exam, and sends pictures, sound and events to a proctoring server.
 *
 * No dependencies; `docs/proctor-client.md` tells how a page uses it.
 * @module
 */
import { Activity } from "./activity.js";
import { Background } from "./background.js";
import { Connection } from "./connection.js";
import { Delivery } from "./delivery.js";
import { closeStream, measure, openStream } from "./devices.js";
import { Gaps } from "./gaps.js";
import { SessionCalls } from "./http.js";
import { Outbox } from "./outbox.js";
import { ServerClock } from "./server-clock.js";
import { openStorage } from "./storage.js";
import { Watching } from "./watching.js";
import { Close } from "./wire.js";

export { DeviceError } from "./devices.js";

const BEAT_MS = 200;
const QUICK_BEAT_MS = 50;
/** From so many pictures a second on the beat is quicker. */
const QUICK_FPS = 2;
const STATS_MS = 2000;
const ALIVE_MS = 5000;
/** What is not acknowledged after so long is kept on disk, because a page may be closed at any time. */
const KEEP_AFTER_MS = 2000;
/** What waits is sent for as long as any of it gets across, and for so long after that. */
const FLUSH_MS = 20_000;
const UNREACHED_MS = 5000;
/** Where no socket tells that somebody is there, something has to be sent so often. */
const SIGN_OF_LIFE_MS = 8000;
/** With these the server will take nothing more from us, so nothing is kept. */
const OVER = new Set([Close.ENDED, Close.NO_SESSION, Close.NOT_YOURS]);
const TOLD_ON = new Set(["logs", "status", "message", "health"]);

/**
 * One page's watch over one session. Dispatches `CustomEvent`s, each with its `detail`:
 *
 * - `state` `{state, code?, reason?}`: connecting, online, offline, fallback (by HTTP) or closed, for good
 * - `logs`, `status`, `message`, `health`: what the server says, as it says it
 * - `problem` `{code}`: something that the candidate or the page should know of
 * - `stats` every two seconds: see `stats`
 */
export class ProctorClient extends EventTarget {
  #reached = 0;
  #due = { stats: 0, alive: 0 };
  #sentAt = 0;
  /** When the time is up, by the steady clock, as far as the server told. */
  #endsAt = Infinity;
  #asksSignIn = false;
  #isTakenOver = false;
  #toldProblems = new Set();
  #listening = new AbortController();

  /**
   * @param {object} options
   * @param {string} [options.baseUrl] address of the server; empty for the page's own
   * @param {string} options.session id of the session
   * @param {(refused?: string) => string|Promise<string>} options.getToken returns an access token that is good now;
   *   `refused` is one that the server did not take, so that another is wanted
   * @param {string|null} [options.ticket] for the first socket, if the page has one already
   * @param {HTMLVideoElement|null} [options.videoElement] shows the candidate their own camera
   * @param {boolean|"opus"} [options.sound] whether sound is sent: as 16-bit samples, or as Opus where that can be made
   * @param {number} [options.fps] pictures a second until the server says how many it wants
   * @param {"indexeddb"|"memory"} [options.storage] where things wait while the line is down
   * @param {string} [options.language] in which the server answers
   */
  constructor({
    baseUrl = "",
    session,
    getToken,
    ticket = null,
    videoElement = null,
    sound = true,
    fps = 1,
    storage = "indexeddb",
    language = "",
  }) {
    super();
    const { origin } = new URL(baseUrl || location.href, location.href);
    this.options = { origin, session, getToken, ticket, videoElement, sound, fps, storage, language };
    this.stream = null;
    this.state = null;
    this.status = null;
  }

  /**
   * Measure for a second what a stream gives, in the words of the call `sessions/{id}/check`.
   * @param {MediaStream} stream
   * @returns {Promise<{camera: object, microphone: object, screens: number|null}>}
   */
  static measure(stream) {
    return measure(stream);
  }

  /**
   * Open camera and microphone and show the camera; best called by a click. Nothing is sent yet.
   * @returns {Promise<MediaStream>}
   * @throws {import("./devices.js").DeviceError} with `code` denied, missing, busy, insecure or failed
   */
  async openDevices() {
    if (this.stream?.active) return this.stream;
    this.stream = await openStream({ video: true, audio: Boolean(this.options.sound) });
    const { videoElement: video } = this.options;
    if (video) {
      Object.assign(video, { srcObject: this.stream, muted: true, playsInline: true });
      await video.play().catch(() => {});
    }
    return this.stream;
  }

  /** Begin to watch and to send; opens the devices if they are not open yet. Returns once it watches. */
  async start() {
    if (this.started) return;
    this.started = true;
    await this.openDevices();
    await this.#prepare();
    this.background = await Background.open({ ms: BEAT_MS });
    this.watching = new Watching({
      background: this.background,
      clock: this.clock,
      shown: this.options.videoElement,
      opus: this.options.sound === "opus",
      onItem: (stream, item) => this.#add(stream, item),
      report: (event, detail) => this.report(event, detail),
      onProblem: (code) => this.#problem(code, { again: true }),
    });
    this.watching.fps = this.options.fps;
    this.activity = new Activity({
      report: (event, detail, at) => this.report(event, detail, at),
      steady: () => this.clock.steady(),
    });
    await this.#takeUp();
    this.#listenToPage();
    this.activity.start();
    this.connection.open();
    this.background.onBeat = () => this.#beat();
    await this.watching.start(this.stream);
  }

  /**
   * Send an event of the page's own.
   * @param {string} event name, such as TAB_SWITCH
   * @param {object} [detail] at most 8 kB as JSON
   * @param {number} [at] when, in ms since 1970 by this machine's clock; else now
   */
  report(event, detail = {}, at = undefined) {
    if (this.state !== "closed") this.#add("event", { event, detail, at });
  }

  /** Figures since the start: what waits, what was sent, acknowledged and lost, and how pictures are taken. */
  get stats() {
    const { counts, length, bytes } = this.outbox;
    const { quality, load, fps } = this.watching;
    return {
      waiting: length,
      waiting_bytes: bytes,
      sent: counts.sent,
      acked: counts.acked,
      lost: counts.lost,
      acked_bytes: counts.bytes,
      fps,
      load,
      side: quality.next.side,
      latency_ms: Math.round(quality.latency),
      clock_offset_ms: this.clock.offset,
    };
  }

  /** Try now what waits for another try, such as after signing in again. */
  reconnect() {
    this.#asksSignIn = false;
    this.connection?.hurry();
  }

  /**
   * Stop watching, switch the devices off and close the line.
   * @param {object} [options]
   * @param {boolean} [options.flush] send first what waits, for as long as any of it gets across
   * @param {number} [options.within] ms without anything getting across after which the rest is left; less where the
   *   server cannot be reached
   * @returns {Promise<{left: number}>} how many items could not be sent; they stay on this machine for the next start
   */
  stop({ flush = false, within = FLUSH_MS } = {}) {
    this.stopping ??= this.#stop(flush, within);
    return this.stopping;
  }

  /** Remove from this machine what could not be sent, once it is no longer wanted. Call it after `stop`. */
  async forget() {
    const storage = await openStorage(this.options.storage);
    await storage.clear(this.options.session);
    storage.close();
  }

  async #prepare() {
    const { origin, session, getToken, ticket, language } = this.options;
    const storage = await openStorage(this.options.storage);
    const clock = new ServerClock();
    const onSignedOut = () => this.#askSignIn();
    const calls = new SessionCalls({ origin, session, getToken, clock, language, onSignedOut });
    const outbox = new Outbox({
      session,
      storage,
      clock,
      onGap: (from, to) => {
        this.gaps.lose(from, to);
        this.#problem("lost");
      },
      onFull: () => this.#problem("storage_full"),
    });
    const delivery = new Delivery({
      outbox,
      clock,
      calls,
      onLatency: (ms) => this.watching?.quality.acknowledged(ms, clock.steady()),
      onLoad: (load) => this.#slow(load),
      onRefused: ({ code, detail }) => this.#problem("refused", { again: true, reason: code, detail }),
    });
    const onState = (state, about) => this.#line(state, about);
    const onMessage = (message) => this.#hear(message);
    this.gaps = new Gaps({ clock, report: (event, detail, at) => this.report(event, detail, at) });
    Object.assign(this, { storage, clock, outbox, delivery });
    this.connection = new Connection({ origin, session, ticket, calls, delivery, clock, onState, onMessage });
    await outbox.load().catch(() => {});
    if (this.options.storage === "indexeddb" && !storage.durable) this.#problem("storage_missing");
  }

  /** An earlier page of this session may have been closed: go on where it stood. */
  async #takeUp() {
    const note = await this.storage.noted(this.options.session).catch(() => null);
    this.watching.toldOn = note?.on ?? [];
    if (note?.status === "paused") this.#learnStatus("paused");
    else if (note?.aliveAt) this.gaps.missed(note.aliveAt);
  }

  #listenToPage() {
    const on = (target, name, work) => target.addEventListener(name, work, { signal: this.#listening.signal });
    on(globalThis, "online", () => this.connection.hurry());
    on(globalThis, "offline", () => this.connection.suspect());
    on(globalThis, "pagehide", () => {
      void this.outbox.keep(true);
      this.#noteAlive();
    });
  }

  #add(stream, fields) {
    this.outbox.add(stream, fields);
    this.#sentAt = this.clock.steady();
  }

  #beat() {
    const now = this.clock.steady();
    this.#decideRunning(now);
    this.gaps.beat(this.watching.running);
    this.connection.beat();
    if (!this.stopping && this.connection.state !== "closed") {
      this.activity.beat();
      this.watching.beat();
      this.#giveSign(now);
    }
    this.#decideKeeping(now);
    if (now >= this.#due.stats) {
      this.#due.stats = now + STATS_MS;
      this.#dispatch("stats", this.stats);
    }
    if (now >= this.#due.alive) {
      this.#due.alive = now + ALIVE_MS;
      this.#noteAlive();
    }
  }

  #giveSign(now) {
    if (this.state === "fallback" && now - this.#sentAt > SIGN_OF_LIFE_MS) this.activity.tellCounts();
  }

  #decideKeeping(now) {
    const { oldest, keeping } = this.outbox;
    const wanted = this.state !== "online" || (oldest !== null && now - oldest > KEEP_AFTER_MS);
    if (wanted !== keeping) void this.outbox.keep(wanted);
  }

  #noteAlive() {
    const note = { aliveAt: this.clock.now(), status: this.status, on: this.watching.on };
    this.storage.note(this.options.session, note).catch(() => {});
  }

  #line(state, about) {
    this.state = state;
    // Before the page is told, which may stop at once.
    this.#isTakenOver ||= about?.code === Close.TAKEN_OVER;
    if (state === "online" || state === "fallback") this.#reached = Infinity;
    if (state === "online") this.#asksSignIn = false;
    else if (this.#reached === Infinity) this.#reached = this.clock.steady();
    this.#dispatch("state", { state, ...about });
    if (state === "closed" && !this.stopping) void this.#closed(about.code);
  }

  /** The server wants no more of this page: neither may it go on watching. */
  async #closed(code) {
    if (OVER.has(code)) {
      if (this.outbox.length) this.#problem("refused", { again: true, reason: "session_over", detail: "" });
      await this.outbox.giveUp();
    }
    await this.stop({ flush: this.#isTakenOver });
  }

  #hear(message) {
    if (message.type === "hello") {
      this.outbox.raise(message.resume_from);
      this.#usePolicy(message.policy ?? {});
      this.#learnStatus(message.status, message.left_s);
    }
    if (message.type === "status") this.#learnStatus(message.session, message.left_s ?? message.time?.left_s);
    if (message.type === "health") this.#slow(message.load);
    if (TOLD_ON.has(message.type)) this.#dispatch(message.type, message);
  }

  #usePolicy({ fps, sound }) {
    if (Number.isFinite(fps)) {
      this.watching.fps = fps;
      this.background.setBeat(fps > QUICK_FPS ? QUICK_BEAT_MS : BEAT_MS);
    }
    this.watching.wantsSound = sound !== false;
  }

  #learnStatus(status, leftS = undefined) {
    const now = this.clock.steady();
    this.status = status;
    // How long a pause lasts nobody knows; what is left after it is told again.
    if (status !== "active" || leftS === null) this.#endsAt = Infinity;
    else if (leftS !== undefined) this.#endsAt = now + leftS * 1000;
    this.#decideRunning(now);
    if (status === "active") this.delivery.release();
  }

  /** Nobody is watched while the session stands still, nor once the time is up: then only what waits is sent. */
  #decideRunning(now) {
    this.watching.running = (this.status ?? "active") === "active" && now < this.#endsAt;
  }

  #slow(load) {
    this.watching.load = load;
    this.delivery.slow(load);
  }

  /** The server takes neither ticket nor token; everything is kept until the candidate has signed in again. */
  #askSignIn() {
    if (this.#asksSignIn) return;
    this.#asksSignIn = true;
    this.#problem("sign_in", { again: true });
  }

  #problem(code, { again = false, ...more } = {}) {
    if (!again && this.#toldProblems.has(code)) return;
    this.#toldProblems.add(code);
    this.#dispatch("problem", { code, ...more });
  }

  #dispatch(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  async #stop(flush, within) {
    this.#listening.abort();
    if (!this.background) {
      closeStream(this.stream);
      return { left: 0 };
    }
    await this.watching.stop();
    this.activity.stop();
    this.gaps.tellLost();
    if (flush) await this.#flush(within);
    this.watching.close();
    this.connection.close();
    this.background.close();
    return this.#leaveStorage();
  }

  /** Send what waits; where the server answers and takes no more of it, say of which time the rest is. */
  async #flush(within) {
    await this.#sendWaiting(within);
    const { span } = this.outbox;
    if (!span || this.#reached !== Infinity) return;
    this.gaps.lose(span.from, span.to);
    this.gaps.tellLost("not_taken");
    await this.#sendWaiting(UNREACHED_MS);
  }

  async #sendWaiting(within) {
    if (this.#reached !== Infinity) this.#reached = this.clock.steady();
    const isReached = () => this.#reached === Infinity || this.clock.steady() - this.#reached < UNREACHED_MS;
    let least = Infinity;
    let until = 0;
    while (this.outbox.length && isReached()) {
      if (this.outbox.length < least) until = this.clock.steady() + within;
      least = Math.min(least, this.outbox.length);
      if (this.clock.steady() >= until) return;
      // A page whose session was taken over has no line of its own any more; calls are still taken.
      await this.background.nextBeat();
      if (this.state !== "closed") continue;
      const posted = await this.delivery.post().catch(() => null);
      if (posted === null) return;
      if (posted) this.#reached = this.clock.steady();
    }
  }

  async #leaveStorage() {
    const left = this.outbox.length;
    if (left) await this.outbox.keep(true);
    // What is kept besides is of the page that took over.
    else if (!this.#isTakenOver) await this.storage.clear(this.options.session).catch(() => {});
    this.storage.close();
    return { left };
  }
}
