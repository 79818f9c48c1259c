/**
 * The system check: what camera, microphone and connection give, shown while it is measured and judged by the server.
 * @module
 */
import { Level, brightnessOf, cameraName, closeStream, screenCount } from "../proctor/devices.js";
import { openDevices, roundTrip, takePicture } from "./devices.js";
import { at, busy, make, section, show, text } from "./dom.js";
import { hideVoice, offerVoice } from "./voice.js";

const LOOK_MS = 300;
const DARK = 0.15;
const BRIGHT = 0.92;
const HEARD_DBFS = -45;
const QUIETEST_DBFS = -70;
const SLOW_MS = 500;

/** What was measured so far. */
class Measuring {
  faces = null;
  rtt = null;
  stream = null;
  level = null;

  /** Open the devices and begin to measure; raises `DeviceProblem`. */
  async open() {
    this.stream = await openDevices({ sound: true });
    this.video = at("check-video");
    this.video.srcObject = this.stream;
    await this.video.play();
    this.level = new Level(this.stream);
    this.timer = setInterval(() => this.look(), LOOK_MS);
    this.rtt = await roundTrip();
  }

  /** Measure once more and show it. */
  look() {
    const level = this.level.now();
    this.brightness = brightnessOf(this.video);
    at("check-level").value = Math.min(1, Math.max(0, 1 - level / QUIETEST_DBFS));
    this.#show();
  }

  #show() {
    const { videoWidth: width, videoHeight: height } = this.video;
    tell("camera", width ? "good" : "wait", width ? text("camera_size", { width, height }) : "");
    const dark = this.brightness !== null && this.brightness < DARK;
    const bright = this.brightness !== null && this.brightness > BRIGHT;
    tell("light", dark || bright ? "look" : "good", dark ? text("light_dark") : bright ? text("light_bright") : "");
    this.#showFaces();
    const heard = this.level.loudest >= HEARD_DBFS;
    tell("microphone", heard ? "good" : "wait", text(heard ? "mic_heard" : "mic_speak"));
    const ms = this.rtt === null ? null : Math.round(this.rtt);
    if (ms !== null) tell("network", ms > SLOW_MS ? "look" : "good", text("network_ms", { ms }));
    const screens = screenCount();
    if (screens === null) tell("screens", "unknown", "");
    else tell("screens", screens > 1 ? "look" : "good", text(screens > 1 ? "screens_more" : "screens_one"));
  }

  #showFaces() {
    if (this.faces === null) tell("face", "wait", text("face_self"));
    else if (this.faces === 1) tell("face", "good", text("face_one"));
    else tell("face", "look", this.faces ? text("face_many", { count: this.faces }) : text("face_none"));
  }

  /** How many faces the server saw in the newest picture it was sent. @param {number|null} faces */
  saw(faces) {
    this.faces = faces;
    this.#show();
  }

  /** Return what is sent to the server, which looks at the picture itself and keeps a small one of the head at most. */
  result() {
    const { videoWidth: width, videoHeight: height } = this.video;
    return {
      camera: {
        available: width > 0,
        name: cameraName(this.stream),
        width,
        height,
        brightness: this.brightness,
        picture: takePicture(this.video),
      },
      microphone: { available: this.stream.getAudioTracks().length > 0, level_dbfs: this.level.loudest },
      network: { rtt_ms: this.rtt },
      screens: screenCount(),
      browser: navigator.userAgent.slice(0, 300),
    };
  }

  /** Switch everything off. */
  close() {
    clearInterval(this.timer);
    void this.level?.close();
    closeStream(this.stream);
    at("check-video").srcObject = null;
  }
}

/**
 * Take the check until it is passed and the candidate goes on.
 * @param {import("./api.js").Api} api
 * @param {string} session
 * @param {boolean} voices whether voices are told apart in it
 * @returns {Promise<object>} what was measured, for the next step to add to
 */
export async function takeCheck(api, session, voices) {
  const measuring = new Measuring();
  reset();
  show("check");
  await pressed("check-open", () => measuring.open());
  at("check-open").hidden = true;
  at("check-send").hidden = false;
  at("check-send").focus();
  const send = () => sendCheck(api, session, measuring.result());
  if (voices) offerVoice(measuring.stream, async (voice) => {
    const measured = measuring.result();
    const answer = await sendCheck(api, session, { ...measured, microphone: { ...measured.microphone, voice } });
    showFindings(answer.findings);
    return answer;
  });
  await new Promise((resolve) => {
    at("check-send").onclick = () =>
      busy(section("check"), async () => {
        const { passed, findings, faces } = await send();
        measuring.saw(faces);
        showFindings(findings);
        // Who turns the microphone down must be able to pass; that they were heard stays known.
        measuring.level.forget(HEARD_DBFS);
        if (passed && !findings.length) resolve();
        at("check-send").textContent = text("check_again");
        at("check-anyway").hidden = !passed;
      });
    at("check-anyway").onclick = resolve;
  });
  const measured = measuring.result();
  hideVoice();
  measuring.close();
  return measured;
}

/**
 * Send what was measured and return the judgement.
 * @param {import("./api.js").Api} api @param {string} session @param {object} measured
 */
export function sendCheck(api, session, measured) {
  return api.post(`sessions/${session}/check`, measured);
}

function pressed(id, work) {
  return new Promise((resolve) => {
    at(id).onclick = () => busy(section("check"), async () => resolve(await work()));
  });
}

function reset() {
  at("check-open").hidden = false;
  at("check-send").hidden = at("check-anyway").hidden = true;
  at("check-send").textContent = text("check_continue");
  at("check-anyway").textContent = text("check_anyway");
  at("check-findings").replaceChildren();
  for (const item of document.querySelectorAll("[data-check]")) tell(item.dataset.check, "wait", "");
}

function tell(name, state, says) {
  const item = document.querySelector(`[data-check="${name}"]`);
  const whole = [text(`check_${state}`), says].filter(Boolean).join(": ");
  item.dataset.state = state;
  if (item.querySelector("span").textContent !== whole) item.querySelector("span").textContent = whole;
}

function showFindings(findings) {
  const rows = findings.map(({ finding, advice, blocks }) =>
    make("li", { className: blocks ? "blocks" : "" }, make("b", { textContent: finding }), ` ${advice}`),
  );
  at("check-findings").replaceChildren(...rows);
}
