/**
 * The timeline that the server drew, made to zoom, to move and to point at a moment. Nothing is drawn anew but the
 * marks of the clock: every part tells its times, and is put where they lie in the part of the session that is shown.
 * @module
 */

const SVG = "http://www.w3.org/2000/svg";
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
const NARROWEST = 720;
const MARGIN = 18;
const SHORTEST_S = 10;
const LEAST_WIDTH = { "tl-bar": 4, "tl-mark": 3 };

/** Return time into the session as m:ss or h:mm:ss. @param {number} seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds + 0.5));
  const two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  const hours = Math.floor(minutes / 60);
  return hours ? `${hours}:${two(minutes % 60)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Return a new part of a picture. @param {string} name @param {Record<string, string|number>} attributes */
function part(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/** The timeline of one session; calls `onMoment` with seconds whenever somebody points at another moment. */
export class Timeline {
  /**
   * @param {HTMLElement} section
   * @param {(seconds: number) => void} onMoment
   */
  constructor(section, onMoment) {
    this.section = section;
    this.onMoment = onMoment;
    this.length = Math.max(Number(section.dataset.length), 1);
    this.from = 0;
    this.to = this.length;
    this.moment = 0;
    this.frame = section.querySelector(".timeline-scroll");
    this.says = section.querySelector(".zoom-says");
    section.querySelector(".zoom").hidden = false;
    section.querySelector(".zoom").addEventListener("click", (event) => this.#press(event));
    this.frame.addEventListener("pointerdown", (event) => this.#point(event));
    this.frame.addEventListener("pointermove", (event) => event.buttons === 1 && this.#point(event));
    this.frame.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    new ResizeObserver(() => this.draw()).observe(this.frame);
    this.take(this.frame.querySelector("svg"));
  }

  /** Take a picture that the server drew, in place of the one before. @param {SVGSVGElement} svg */
  take(svg) {
    const before = this.frame.querySelector("svg");
    if (before !== svg) before.replaceWith(svg);
    this.svg = svg;
    const { left, right, top, bottom, duration } = svg.dataset;
    [this.left, this.top, this.bottom] = [Number(left), Number(top), Number(bottom)];
    const perUnit = Math.max(Number(duration), 0.001) / (Number(right) - this.left);
    this.parts = [...svg.querySelectorAll("[data-s]")].map((shape) => ({
      shape,
      holder: shape.closest("a") ?? shape,
      start: Number(shape.dataset.s),
      end: Number(shape.dataset.e),
      least: Object.entries(LEAST_WIDTH).find(([name]) => shape.classList.contains(name))?.[1] ?? 0.5,
    }));
    this.curves = [...svg.querySelectorAll("polyline")].map((curve) => ({
      curve,
      points: (curve.getAttribute("points") ?? "")
        .split(" ")
        .filter(Boolean)
        .map((pair) => pair.split(",").map(Number))
        .map(([x, y]) => [(x - this.left) * perUnit, y]),
    }));
    this.rules = [...svg.querySelectorAll("line")].filter((line) => !line.closest("g, defs"));
    this.ticks = svg.querySelector(".tl-ticks");
    this.head = part("line", { class: "tl-head", y1: this.top, y2: this.bottom + 4 });
    svg.append(this.head);
    this.draw();
  }

  /** Put everything where it lies in the part that is shown. */
  draw() {
    const width = Math.max(NARROWEST, Math.floor(this.frame.clientWidth));
    this.right = width - MARGIN;
    const height = this.svg.viewBox.baseVal.height;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    for (const rule of this.rules) rule.setAttribute("x2", String(this.right));
    for (const one of this.parts) this.#place(one);
    for (const { curve, points } of this.curves) this.#bend(curve, points);
    this.#drawTicks();
    const shown = this.from <= this.moment && this.moment <= this.to;
    this.head.setAttribute("visibility", shown ? "visible" : "hidden");
    this.head.setAttribute("x1", String(this.#x(this.moment)));
    this.head.setAttribute("x2", String(this.#x(this.moment)));
    this.says.textContent = `${clock(this.from)} – ${clock(this.to)}`;
  }

  /** Show so many times as much time, around the moment if it is in view. @param {number} factor */
  zoom(factor) {
    const inView = this.from <= this.moment && this.moment <= this.to;
    this.#show(inView ? this.moment : (this.from + this.to) / 2, (this.to - this.from) * factor);
  }

  /** Show the whole session. */
  whole() {
    this.#show(this.length / 2, this.length);
  }

  /** Point at a moment, and bring it into view. @param {number} seconds */
  pointAt(seconds) {
    this.moment = Math.min(Math.max(seconds, 0), this.length);
    const span = this.to - this.from;
    if (this.moment < this.from || this.moment > this.to) this.#window(this.moment - span / 2, span);
    else this.draw();
  }

  #x(seconds) {
    return this.left + ((this.right - this.left) * (seconds - this.from)) / (this.to - this.from);
  }

  #place({ shape, holder, start, end, least }) {
    const outside = end < this.from || start > this.to;
    holder.toggleAttribute("data-out", outside);
    if (outside) return;
    const from = Math.max(this.#x(start), this.left);
    const width = Math.max(least, Math.min(this.#x(end), this.right) - from);
    shape.setAttribute("x", String(Math.min(from, this.right - width)));
    shape.setAttribute("width", String(width));
  }

  #bend(curve, points) {
    const span = this.to - this.from;
    const near = points.filter(([at]) => at >= this.from - span / 50 && at <= this.to + span / 50);
    const inside = near.map(([at, y]) => `${Math.min(Math.max(this.#x(at), this.left), this.right).toFixed(1)},${y}`);
    curve.setAttribute("points", inside.join(" "));
  }

  #drawTicks() {
    const span = this.to - this.from;
    const room = Math.max(4, Math.floor((this.right - this.left) / 90));
    const step = STEPS_S.find((seconds) => span / seconds <= room) ?? STEPS_S.at(-1);
    const made = [];
    for (let at = Math.ceil(this.from / step) * step; at <= this.to; at += step) {
      const x = this.#x(at).toFixed(1);
      const says = part("text", { class: "tl-quiet", x, y: this.bottom + 17, "text-anchor": "middle" });
      says.textContent = clock(at);
      made.push(part("line", { class: "tl-rule", x1: x, x2: x, y1: this.top, y2: this.bottom }), says);
    }
    this.ticks.replaceChildren(...made);
  }

  #show(around, span) {
    const wanted = Math.min(Math.max(span, SHORTEST_S), this.length);
    const share = (around - this.from) / (this.to - this.from);
    this.#window(around - wanted * share, wanted);
  }

  #window(from, span) {
    this.from = Math.min(Math.max(from, 0), Math.max(this.length - span, 0));
    this.to = Math.min(this.from + span, this.length);
    this.draw();
  }

  #press(event) {
    const what = event.target.closest("[data-zoom]")?.dataset.zoom;
    const span = this.to - this.from;
    if (what === "in") this.zoom(1 / 2);
    if (what === "out") this.zoom(2);
    if (what === "all") this.whole();
    if (what === "earlier") this.#window(this.from - span / 2, span);
    if (what === "later") this.#window(this.from + span / 2, span);
  }

  #seconds(event) {
    const box = this.svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.svg.viewBox.baseVal.width;
    if (x < this.left) return null;
    return this.from + ((x - this.left) / (this.right - this.left)) * (this.to - this.from);
  }

  #point(event) {
    const seconds = event.target.closest("a") ? null : this.#seconds(event);
    if (seconds === null || event.button > 0) return;
    this.pointAt(Math.min(Math.max(seconds, this.from), this.to));
    this.onMoment(this.moment);
  }

  #wheel(event) {
    const span = this.to - this.from;
    const around = this.#seconds(event);
    if (event.ctrlKey && around !== null) {
      event.preventDefault();
      this.#show(around, span * Math.exp(event.deltaY / 300));
    } else if (span < this.length && Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      this.#window(this.from + (event.deltaX / 800) * span, span);
    }
  }
}
