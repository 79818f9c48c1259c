/**
 * Five points of the screen that the candidate looks at; a picture taken at each lets the server measure head and eyes.
 * @module
 */
import { closeStream } from "../proctor/devices.js";
import { openDevices, takePicture } from "./devices.js";
import { at, busy, section, show, text } from "./dom.js";

const POINTS = Object.freeze([
  [0.5, 0.5],
  [0.08, 0.1],
  [0.92, 0.1],
  [0.92, 0.9],
  [0.08, 0.9],
]);

/** @typedef {{x: number, y: number, picture: string}} Point place as share of the window, and a data: URL */

/**
 * Return once the points were looked at and seen well enough, or the step was skipped.
 * @param {(points: Point[]) => Promise<{findings: {code: string, finding: string, advice: string}[]}>} send
 */
export async function calibrate(send) {
  show("calibrate");
  await new Promise((resolve) => {
    at("calibrate-skip").onclick = resolve;
    at("calibrate-go").onclick = () =>
      busy(section("calibrate"), async () => {
        const points = await lookAtPoints();
        if (!points) return;
        const { findings } = await send(points);
        const unseen = findings.find(({ code }) => code === "eyes_unseen");
        if (!unseen) return resolve();
        throw Object.assign(new Error(unseen.code), { detail: `${unseen.finding} ${unseen.advice}` });
      });
  });
}

async function lookAtPoints() {
  const stream = await openDevices({ sound: false });
  try {
    const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true, srcObject: stream });
    await video.play();
    return await askPoints(() => takePicture(video));
  } finally {
    closeStream(stream);
  }
}

/** Show one point after another; null if the candidate gives up with Escape. @param {() => string} take a picture */
function askPoints(take) {
  const dialog = at("points");
  const point = at("point");
  const looked = [];
  dialog.hidden = false;
  return new Promise((resolve) => {
    const end = (points) => {
      dialog.hidden = true;
      point.onclick = dialog.onkeydown = null;
      at("calibrate-go").focus();
      resolve(points);
    };
    const next = () => {
      const [x, y] = POINTS[looked.length];
      point.style.left = `${x * 100}%`;
      point.style.top = `${y * 100}%`;
      const label = text("point", { number: looked.length + 1, count: POINTS.length });
      point.setAttribute("aria-label", label);
      point.focus();
    };
    point.onclick = () => {
      const box = point.getBoundingClientRect();
      const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
      looked.push({ x: share(x, innerWidth), y: share(y, innerHeight), picture: take() });
      if (looked.length === POINTS.length) end(looked);
      else next();
    };
    dialog.onkeydown = (event) => {
      if (event.key === "Escape") end(null);
      // There is nothing else to go to while the points are shown.
      if (event.key === "Tab") event.preventDefault();
    };
    next();
  });
}

function share(pixel, size) {
  return Math.min(1, Math.max(0, Number((pixel / size).toFixed(4))));
}
