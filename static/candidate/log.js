/**
 * What has been noted about the candidate, and what the proctor said.
 * @module
 */
import { announce, at, make, text, timeOfDay } from "./dom.js";

const MOST_SHOWN = 200;
/** How much was typed comes every minute and says nothing; messages have a list of their own. */
const LEFT_OUT = new Set(["ACTIVITY", "PROCTOR_MESSAGE"]);

/** @typedef {{kind: string, label: string, count: number, last_at: string}} Earlier */

/**
 * Return what has been noted so far: what was reported and, as in the messages of the socket, what was found besides.
 * @param {import("./api.js").Api} api @param {string} session
 * @returns {Promise<Earlier[]>} empty where it cannot be had
 */
export async function readEarlier(api, session) {
  const read = async (list) => (await api.get(`sessions/${session}/${list}?page_size=200`)).results;
  try {
    const [logs, found] = await Promise.all([read("logs"), read("activities")]);
    const reported = new Set(logs.map(({ event_type: kind }) => kind));
    return [
      ...logs.map(({ event_type: kind, ...row }) => ({ kind, ...row })),
      ...found.filter(({ kind }) => !reported.has(kind)),
    ];
  } catch {
    return [];
  }
}

/** Show what was noted before this page was opened. @param {Earlier[]} rows */
export function showEarlier(rows) {
  const oldestFirst = [...rows].sort((one, other) => Date.parse(one.last_at) - Date.parse(other.last_at));
  for (const { kind, label, count, last_at: time } of oldestFirst) {
    if (!LEFT_OUT.has(kind)) add("log", count > 1 ? text("log_count", { event: label, count }) : label, time);
  }
}

/** Show what the server noted just now. @param {{data: {event: string, kind: string, time: string}[]}} message */
export function showNoted({ data }) {
  const told = data.filter(({ kind }) => !LEFT_OUT.has(kind));
  for (const { event, time } of told) add("log", event, time);
  if (told.length) announce(text("log_new", { event: told.map(({ event }) => event).join(", ") }));
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
