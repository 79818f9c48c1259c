/**
 * The kept picture nearest to a moment: others do not exist.
 * @module
 */

import { clock } from "./session-timeline.js";

/** The viewer beneath the timeline; calls `onMoment` with seconds when its slider is moved. */
export class Scrubber {
  /**
   * @param {HTMLElement} panel
   * @param {(seconds: number) => void} onMoment
   */
  constructor(panel, onMoment) {
    this.panel = panel;
    this.slider = panel.querySelector("input");
    this.image = panel.querySelector("img");
    this.time = panel.querySelector(".scrub-time");
    this.what = panel.querySelector(".scrub-what");
    this.slider.addEventListener("input", () => onMoment(Number(this.slider.value)));
    panel.hidden = false;
    this.read();
    this.show(0);
  }

  /** Look for the pictures among the activities; they may have changed. */
  read() {
    this.pictures = [...document.querySelectorAll(".card[data-shot]")]
      .filter((card) => card.querySelector("img"))
      .map((card) => ({
        at: Number(card.dataset.shot),
        source: card.querySelector("img").getAttribute("src"),
        label: card.querySelector("h3").firstChild.textContent.trim(),
      }))
      .sort((one, other) => one.at - other.at);
  }

  /** Show the picture nearest to the moment, and how far from it it was taken. @param {number} seconds */
  show(seconds) {
    this.slider.value = String(seconds);
    this.slider.setAttribute("aria-valuetext", clock(seconds));
    this.time.textContent = clock(seconds);
    const nearest = this.#nearest(seconds);
    this.image.hidden = nearest === null;
    if (nearest === null) {
      this.what.textContent = this.panel.dataset.none;
      return;
    }
    if (this.image.getAttribute("src") !== nearest.source) this.image.src = nearest.source;
    this.what.textContent = this.#sentence(nearest, seconds);
    this.image.alt = this.what.textContent;
  }

  #nearest(seconds) {
    const distance = (picture) => Math.abs(picture.at - seconds);
    return this.pictures.reduce((best, one) => (best && distance(best) <= distance(one) ? best : one), null);
  }

  #sentence({ at, label }, seconds) {
    const apart = Math.round(Math.abs(at - seconds));
    const { before, after, now } = this.panel.dataset;
    const pattern = apart === 0 ? now : at < seconds ? before : after;
    return pattern.replace("%(label)s", `${label}, ${clock(at)}`).replace("%(seconds)s", String(apart));
  }
}
