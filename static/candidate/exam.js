/**
 * Sitting the exam: camera, sound and events stream, the clock runs, answers are written.
 * @module
 */
import { Clock } from "./clock.js";
import { DeviceProblem } from "./devices.js";
import { announce, at, busy, section, show, text, timeOfDay } from "./dom.js";
import { readEarlier, say, showEarlier, showMessage, showNoted, unsay } from "./log.js";
import { isOver } from "./outcome.js";
import { prepareOwnPicture } from "./own.js";
import { Desk, askToFinish } from "./problems.js";

const CLIENT = "../proctor/proctor-client.js";
const ASK_MS = 60_000;
/** The server closes a session whose time is up within half a minute. */
const ASK_AT_END_MS = 5000;
const DEVICE = "device";
/** What the candidate is told of a problem, and what was only about a problem that is over. */
const PROBLEMS = {
  camera_lost: "camera_lost",
  microphone_lost: "camera_lost",
  sound_blocked: "sound_blocked",
  storage_full: "storage_full",
};
const OVER = new Set(["camera_back", "microphone_back", "sound_unblocked"]);
/** Less than this is no time that was given, but clocks that differ. */
const LEAST_GAIN_S = 30;
const ENDED = 4410;
const TAKEN_OVER = 4409;
/** So much is sent within seconds, and needs no words. */
const MANY = 30;

/** One sitting, from the beginning (or from coming back) to the end. */
export class Sitting {
  #messages = new Set();
  /** Whether the messages of before are shown; what comes after them is new. */
  greeted = false;
  stopped = false;
  over = false;
  isUp = false;
  isEnded = false;

  /** @param {import("./api.js").Api} api @param {object} session as `GET sessions/{id}` tells it */
  constructor(api, session) {
    this.api = api;
    this.session = session;
    this.ended = new Promise((resolve) => (this.end = resolve));
  }

  /** Open the devices and the line; raises what has a `detail`. Nothing has begun for the server yet. */
  async openDevices() {
    const { ProctorClient } = await import(CLIENT).catch(() => {
      throw Object.assign(new Error(), { detail: text("no_client") });
    });
    this.client = new ProctorClient({
      baseUrl: "",
      session: this.session.id,
      getToken: (refused) => this.api.token(refused),
      ticket: null,
      videoElement: at("own-video"),
      sound: true,
      fps: this.session.policy.frames_per_second,
      storage: "indexeddb",
      language: document.documentElement.lang,
    });
    try {
      await this.client.openDevices();
    } catch (error) {
      throw new DeviceProblem(error);
    }
  }

  /** Show the exam and send until it is over. @returns {Promise<object>} the session as it ended */
  async run() {
    this.desk = new Desk(this.api, this.session);
    this.clock = new Clock({
      onLastCall: () => void this.desk.answers.sendAll().catch(() => {}),
      onEnd: () => void this.#timeIsUp(),
    });
    try {
      await this.#begin();
      return await this.ended;
    } finally {
      this.over = true;
      await this.#close();
    }
  }

  /** Make room for signing in again; all goes on meanwhile. */
  stepAside() {
    // What is modal would keep everybody from the form.
    if (at("finish").open) at("finish").close();
  }

  /** Show the exam again, after the same candidate has signed in again. */
  comeBack() {
    show("exam");
    this.client.reconnect();
    void this.ask();
  }

  /** Ask the server how the session stands. */
  async ask() {
    try {
      this.#learn(await this.api.get(`sessions/${this.session.id}`));
    } catch {
      // The line's own state says that the server is not reached.
    }
  }

  async #begin() {
    at("exam-title").textContent = this.session.exam.title;
    this.#prepareButtons();
    prepareOwnPicture();
    const [earlier] = await Promise.all([readEarlier(this.api, this.session.id), this.desk.open()]);
    showEarlier(earlier);
    show("exam");
    addEventListener("beforeunload", warn);
    this.#askEvery(ASK_MS);
    this.#learn(this.session);
    this.#listen();
    await this.client.start();
  }

  #askEvery(ms) {
    clearInterval(this.asking);
    this.asking = setInterval(() => void this.ask(), ms);
  }

  #listen() {
    const on = (name, work) => this.client.addEventListener(name, ({ detail }) => work(detail));
    on("state", (detail) => this.#line(detail));
    on("logs", showNoted);
    on("stats", ({ waiting }) => this.stopped && showLeft(waiting));
    on("message", ({ text: says, time }) => this.#message({ text: says, time }, { isNew: true }));
    on("status", ({ reason = "" }) => {
      this.reason = reason;
      void this.ask();
    });
    on("problem", ({ code }) => {
      if (code === "sign_in") this.api.giveUp();
      else if (code in PROBLEMS) say(text(PROBLEMS[code]), DEVICE);
      else if (OVER.has(code)) unsay(DEVICE);
    });
  }

  #line({ state, code }) {
    at("exam-line").dataset.state = state;
    this.#showLine();
    if (state === "online") void this.ask();
    if (state !== "closed") return;
    if (code === TAKEN_OVER) this.#leaveToOther();
    else if (code === ENDED || code === undefined) void this.ask();
  }

  /** The newer window has the camera and the line; here nothing can be done but to take them back. */
  #leaveToOther() {
    this.isLeft = true;
    removeEventListener("beforeunload", warn);
    this.desk.allow(false);
    at("own").hidden = at("exam-pause").hidden = at("exam-finish").hidden = true;
    this.#cover({ title: text("other_window"), says: text("taken_over"), button: text("continue_here") });
    at("exam-resume").onclick = () => location.reload();
  }

  #learn(session) {
    const before = this.session.status;
    this.session = { ...this.session, ...session };
    if (isOver(session)) {
      this.#end({ ...session, reason: this.reason });
      return;
    }
    const paused = session.status === "paused";
    const gained = session.time.left_s - this.clock.left;
    this.clock.learn(session.time.left_s, paused);
    if (this.isLeft) return;
    if (this.greeted && gained > LEAST_GAIN_S) say(text("more_time", { minutes: Math.round(gained / 60) }));
    const isUp = !paused && session.time.left_s === 0;
    this.desk.allow(!paused && !isUp);
    for (const { text: says, sent_at: time } of session.messages ?? []) {
      this.#message({ text: says, time }, { isNew: this.greeted });
    }
    this.greeted = true;
    if (isUp) this.#showTimeUp();
    else this.#showPause(paused, before);
    if (this.isUp && !isUp) this.#askEvery(ASK_MS);
    this.isUp = isUp;
  }

  #showTimeUp() {
    at("exam-pause").hidden = true;
    this.#cover({ title: text("time_up"), says: text("time_up_waits"), button: "" }, { focus: !this.isUp });
    this.isUp = true;
    this.#showLine();
  }

  #showLine() {
    const { state } = at("exam-line").dataset;
    if (!state) return;
    // Nobody who has no time left can go on working.
    at("exam-line").textContent = text(this.isUp && state === "offline" ? "line_connecting" : `line_${state}`);
  }

  #showPause(paused, before) {
    const { policy, time } = this.session;
    at("exam-pause").hidden = paused || !(policy.candidate_may_pause || time.break_left_s > 0);
    at("paused").hidden = !paused;
    at("desk").inert = paused;
    if (!paused) {
      if (before === "paused") announce(text("going_on"));
      return;
    }
    const own = this.ownPause || time.pause_ends_at !== null;
    const until = time.pause_ends_at && text("paused_until", { time: timeOfDay(time.pause_ends_at) });
    const says = until || text(own ? "paused_by_you" : "paused_by_proctor");
    const reason = !own && this.reason ? text("reason", { reason: this.reason }) : "";
    const button = own || policy.candidate_may_pause ? text("go_on") : "";
    this.#cover({ title: text("paused"), says: `${says} ${reason}`.trim(), button }, { focus: before !== "paused" });
  }

  /** Say in place of the work why there is none now; without a name for the button there is none. */
  #cover({ title, says, button }, { focus = true } = {}) {
    at("paused-title").textContent = title;
    at("paused-text").textContent = says;
    at("exam-resume").textContent = button;
    at("exam-resume").hidden = !button;
    at("paused").hidden = false;
    at("desk").inert = true;
    if (focus) at("paused-title").focus();
  }

  #prepareButtons() {
    const step = (name) => async () => {
      this.ownPause = name === "pause";
      this.#learn(await this.api.post(`sessions/${this.session.id}/${name}`));
    };
    const told = (work) => () => work().catch((error) => say(error.detail ?? text("failed")));
    at("exam-pause").onclick = told(step("pause"));
    at("exam-resume").onclick = told(step("resume"));
    at("exam-finish").onclick = () => void this.#finish();
  }

  async #finish() {
    const ended = await askToFinish(this.api, this.desk, {
      // What waits must reach the server before the session is over: nothing is taken after that.
      stop: () => this.#stop(),
      goOn: () => this.#startAgain(),
    });
    if (ended) this.#end(ended);
  }

  #end(session) {
    this.isEnded = true;
    this.end(session);
  }

  async #stop() {
    if (this.stopped) return;
    this.stopped = true;
    await this.client.stop({ flush: true });
    at("finish-left").textContent = "";
  }

  /** The end did not come: go on watching. */
  async #startAgain() {
    if (!this.stopped || this.over) return;
    await this.openDevices();
    this.stopped = false;
    this.#listen();
    await this.client.start();
  }

  async #timeIsUp() {
    this.desk.allow(false);
    announce(text("time_up"));
    this.#showTimeUp();
    await this.ask();
    if (!this.isEnded) this.#askEvery(ASK_AT_END_MS);
  }

  async #close() {
    removeEventListener("beforeunload", warn);
    clearInterval(this.asking);
    this.clock.stop();
    this.desk.allow(false);
    if (at("finish").open) at("finish").close();
    await this.#stop().catch(() => {});
    if (this.isEnded) await this.client.forget().catch(() => {});
  }

  #message({ text: says, time }, options) {
    const key = `${says} ${Date.parse(time)}`;
    if (this.#messages.has(key)) return;
    this.#messages.add(key);
    showMessage({ text: says, time }, options);
  }
}

/** Say how much is still to be sent of what was recorded while the line was down. @param {number} count */
function showLeft(count) {
  if (count < MANY) return;
  const says = text("finish_left", { count });
  if (!at("finish-left").textContent) announce(says);
  at("finish-left").textContent = says;
}

/** Ask whether the exam is really to be left. @param {Event} event */
export function warn(event) {
  event.preventDefault();
}

/**
 * Tell what awaits the candidate, and return the sitting once they begin or come back.
 * @param {import("./api.js").Api} api @param {object} session @param {object} exam
 * @returns {Promise<Sitting>}
 */
export async function askToBegin(api, session, exam) {
  const running = session.status === "active" || session.status === "paused";
  at("ready-title").textContent = exam.title;
  const { allowed_s: allowed, left_s: left } = session.time;
  const breaks = Math.round(session.time.break_left_s / 60);
  const time = running && left !== null
    ? text(left === 0 ? "time_up" : "time_warning", { minutes: Math.ceil(left / 60) })
    : text("your_time", { minutes: Math.round(allowed / 60) });
  const lines = [time, breaks ? text("break_time", { minutes: breaks }) : ""];
  at("ready-time").textContent = lines.filter(Boolean).join(" ");
  at("ready-instructions").textContent = exam.instructions ?? "";
  at("ready-go").textContent = text(running ? "resume_exam" : "begin");
  show("ready");
  return new Promise((resolve) => {
    at("ready-go").onclick = () =>
      busy(section("ready"), async () => {
        const sitting = new Sitting(api, session);
        // The clock must not run while the browser still asks for the camera.
        await sitting.openDevices();
        try {
          if (!running) sitting.session = await api.post(`sessions/${session.id}/begin`);
        } catch (error) {
          await sitting.client.stop();
          throw error;
        }
        resolve(sitting);
      });
  });
}
