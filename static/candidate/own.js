/**
 * The small picture of one's own camera: folded away, or in another corner, by buttons or by dragging.
 * @module
 */
import { at, text } from "./dom.js";

const CORNERS = 4;
/** On a small page the picture would lie on the work, so it is folded until somebody asks for it. */
const SMALL = "(max-width: 48rem), (max-height: 30rem)";

/** Prepare the picture. */
export function prepareOwnPicture() {
  const own = at("own");
  const fold = (folded) => {
    own.classList.toggle("folded", folded);
    at("own-fold").setAttribute("aria-expanded", String(!folded));
    at("own-fold").textContent = text(folded ? "own_show" : "own_fold");
  };
  at("own-fold").onclick = () => fold(!own.classList.contains("folded"));
  const small = matchMedia(SMALL);
  small.onchange = () => fold(small.matches);
  fold(small.matches);
  at("own-move").onclick = () => {
    own.dataset.corner = String((Number(own.dataset.corner) + 1) % CORNERS);
  };
  at("own-video").onpointerdown = (down) => drag(own, down);
}

/** Follow the pointer and rest in the corner that is nearest to where it lets go. */
function drag(own, down) {
  down.preventDefault();
  const move = (event) => {
    own.style.translate = `${event.clientX - down.clientX}px ${event.clientY - down.clientY}px`;
  };
  const end = (event) => {
    removeEventListener("pointermove", move);
    removeEventListener("pointerup", end);
    removeEventListener("pointercancel", end);
    own.style.translate = "";
    const right = event.clientX > innerWidth / 2;
    const low = event.clientY > innerHeight / 2;
    own.dataset.corner = String(low ? (right ? 0 : 1) : right ? 3 : 2);
  };
  addEventListener("pointermove", move);
  addEventListener("pointerup", end);
  addEventListener("pointercancel", end);
}
