/**
 * Small helpers for the page: elements, steps, sentences.
 * @module
 */

const TEXTS = JSON.parse(document.getElementById("texts").textContent);
const LANGUAGE = document.documentElement.lang || "en";

/**
 * Return a sentence in the reader's language; `%(name)s` is filled in.
 * @param {string} name
 * @param {Record<string, string|number>} [values]
 * @returns {string}
 */
export function text(name, values = {}) {
  return TEXTS[name].replace(/%\((\w+)\)s/g, (whole, key) => {
    const value = values[key];
    return typeof value === "number" ? number(value) : String(value ?? whole);
  });
}

/** Return a number in the reader's digits. @param {number} value */
export function number(value) {
  return new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 1 }).format(value);
}

/** Return the time of day of a moment. @param {string|number|Date} moment */
export function timeOfDay(moment) {
  return new Intl.DateTimeFormat(LANGUAGE, { hour: "2-digit", minute: "2-digit" }).format(new Date(moment));
}

/** Return date and time of a moment. @param {string|number|Date} moment */
export function dayAndTime(moment) {
  return new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "medium", timeStyle: "short" }).format(new Date(moment));
}

/** Return seconds as hours, minutes and seconds. @param {number} seconds */
export function clockFace(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const two = new Intl.NumberFormat(LANGUAGE, { minimumIntegerDigits: 2, useGrouping: false });
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => two.format(part));
  const hours = Math.floor(whole / 3600);
  return (hours ? [number(hours), ...parts] : parts).join(":");
}

/** Return the element with this id. @param {string} id @returns {any} */
export function at(id) {
  return document.getElementById(id);
}

/**
 * Make an element.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node|string)} children
 */
export function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Return the section of a step. @param {string} step @returns {any} */
export function section(step) {
  return document.querySelector(`[data-step="${step}"]`);
}

/**
 * Show one step and put the focus on its heading, so that it is read out.
 * @param {string} step
 */
export function show(step) {
  for (const other of document.querySelectorAll("[data-step]")) other.hidden = other.dataset.step !== step;
  document.body.dataset.shown = step;
  showProgress(step);
  at("notice").hidden = true;
  const heading = section(step).querySelector("h1");
  if (heading.textContent.trim()) document.title = heading.textContent.trim();
  heading.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function showProgress(step) {
  const steps = [...at("progress").children];
  const here = steps.findIndex((item) => item.dataset.of === step);
  at("progress").hidden = here < 0;
  steps.forEach((item, index) => {
    item.classList.toggle("done", index < here);
    if (index === here) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  });
}

/**
 * Say something on top of the page; nothing takes it away.
 * @param {string} says
 */
export function notice(says) {
  at("notice").textContent = says;
  at("notice").hidden = !says;
}

/** Say something to those who do not see the page, when they are done listening. @param {string} says */
export function announce(says) {
  at("polite").textContent = "";
  setTimeout(() => (at("polite").textContent = says), 50);
}

/**
 * Do something for a button or form: busy meanwhile, what goes wrong is told in its section.
 * @param {HTMLElement} place in which the error is told
 * @param {() => Promise<void>} work
 */
export async function busy(place, work) {
  const error = place.querySelector(".error");
  if (place.getAttribute("aria-busy") === "true") return;
  place.setAttribute("aria-busy", "true");
  if (error) error.textContent = "";
  try {
    await work();
  } catch (problem) {
    if (error) error.textContent = problem.detail ?? text("failed");
    if (!problem.detail) console.error(problem);
  } finally {
    place.removeAttribute("aria-busy");
  }
}
