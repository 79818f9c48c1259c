/**
 * Sentences and times of the live wall, in the reader's language.
 * @module
 */

const TEXTS = JSON.parse(document.getElementById("wall-texts").textContent);
const LANGUAGE = document.documentElement.lang || "en";
const NUMBER = new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 1 });

/**
 * Return a sentence; `%(name)s` is filled in.
 * @param {string} name
 * @param {Record<string, string|number>} [values]
 * @returns {string}
 */
export function text(name, values = {}) {
  return (TEXTS[name] ?? name).replace(/%\((\w+)\)s/g, (whole, key) => {
    const value = values[key];
    return typeof value === "number" ? NUMBER.format(value) : String(value ?? whole);
  });
}

/**
 * Return a span of time in words, as coarse as it is long; hours with their minutes where it matters.
 * @param {number} ms @param {boolean} [exact]
 */
export function span(ms, exact = false) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  // Steps of five seconds: a number that changes every second on each of 200 tiles is noise.
  if (seconds < 60) return text("seconds", { count: seconds - (seconds % 5) });
  if (seconds < 3600) return text("minutes", { count: Math.floor(seconds / 60) });
  const hours = text("hours", { count: Math.floor(seconds / 3600) });
  return exact ? `${hours} ${text("minutes", { count: Math.floor((seconds % 3600) / 60) })}` : hours;
}

let ahead = 0;

/** Note what the server's clock shows, so that ages are right on a computer whose clock is not. @param {number} ms */
export function setServerTime(ms) {
  ahead = ms - Date.now();
}

/** Return the server's time in ms since 1970. */
export function serverTime() {
  return Date.now() + ahead;
}
