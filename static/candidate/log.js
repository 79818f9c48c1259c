/**
 * What has been noted about the candidate, and what the proctor said.
 * @module
 */
import { announce, at, make, text, timeOfDay } from "./dom.js";

const MOST_SHOWN = 200;

/** Show what was noted before this page was opened. @param {{label: string, count: number, last_at: string}[]} rows */
export function showEarlier(rows) {
  const newestFirst = [...rows].sort((one, other) => (one.last_at < other.last_at ? 1 : -1));
  for (const { label, count, last_at: time } of newestFirst.reverse()) {
    add("log", count > 1 ? text("log_count", { event: label, count }) : label, time);
  }
}

/** Show what the server noted just now. @param {{data: {event: string, time: string}[]}} message */
export function showNoted({ data }) {
  for (const { event, time } of data) add("log", event, time);
  if (data.length) announce(text("log_new", { event: data.map(({ event }) => event).join(", ") }));
}

/** Show a message of the proctor, on top until it is closed if it is new. */
export function showMessage({ text: says, time }, { isNew }) {
  at("messages-title").hidden = false;
  add("messages", says, time);
  if (isNew) say(text("message_new", { text: says }));
}

/** Say something across the page until it is closed. @param {string} says @param {string} [about] see `unsay` */
export function say(says, about = "") {
  at("says-text").textContent = says;
  at("says").dataset.about = about;
  at("says").hidden = false;
  at("says-close").onclick = () => {
    at("says").hidden = true;
    at("exam-title").focus();
  };
}

/** Take away what was said about something, if that still stands there. @param {string} about */
export function unsay(about) {
  if (at("says").dataset.about === about) at("says").hidden = true;
}

function add(list, says, time) {
  const entry = make("li", {}, make("time", { textContent: timeOfDay(time), dateTime: String(time) }), " ", says);
  at(list).prepend(entry);
  while (at(list).children.length > MOST_SHOWN) at(list).lastElementChild.remove();
  if (list === "log") at("log-none").hidden = true;
}
