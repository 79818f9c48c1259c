/**
 * The newest picture of a session that runs: asked for every few seconds while the page is in front, since asking is what
 * makes it be made.
 * @module
 */

const EVERY_MS = 3000;
const LONGEST_MS = 30_000;

/** Begin to renew the picture of now, if the session runs. @param {HTMLElement} desk */
export function renewNow(desk) {
  const face = desk.querySelector(".face[data-live]");
  if (!face) return;
  let wait = EVERY_MS;
  let asked = 0;
  const turn = async () => {
    if (!document.hidden) {
      asked += 1;
      wait = (await show(face, `${face.dataset.live}?asked=${asked}`)) ? EVERY_MS : Math.min(LONGEST_MS, wait * 2);
    }
    setTimeout(turn, document.hidden ? EVERY_MS : wait);
  };
  document.addEventListener("visibilitychange", () => (wait = EVERY_MS));
  setTimeout(turn, EVERY_MS);
}

/** Put the picture in the place of the one before, once it is whole; without one, say so of the last. */
async function show(face, address) {
  const image = new Image();
  image.src = address;
  try {
    await image.decode();
  } catch {
    if (face.dataset.shown !== undefined) tell(face, face.dataset.gone, true);
    return false;
  }
  image.alt = face.dataset.alt;
  const link = document.createElement("a");
  link.href = face.dataset.live;
  link.target = "_blank";
  link.rel = "noopener";
  link.append(image);
  const had = face.contains(document.activeElement);
  face.querySelector(".face-picture").replaceChildren(link);
  if (had) link.focus({ preventScroll: true });
  face.dataset.shown = "";
  tell(face, face.dataset.says, false);
  return true;
}

function tell(face, words, isGone) {
  face.classList.toggle("is-gone", isGone);
  const [first, ...more] = face.querySelectorAll(".face-says");
  for (const line of more) line.remove();
  if (first.textContent !== words) first.textContent = words;
}
