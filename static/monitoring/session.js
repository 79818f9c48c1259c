/**
 * The reviewer's desk: without scripts every form and link of the page works; with them come keys, zoom and pictures
 * along the timeline.
 * @module
 */

import { pickTogether } from "./session-bulk.js";
import { Sender } from "./session-decide.js";
import { Keys } from "./session-keys.js";
import { renewNow } from "./session-now.js";
import { Scrubber } from "./session-scrub.js";
import { clock, Timeline } from "./session-timeline.js";

const desk = document.getElementById("session-desk");
const says = document.getElementById("session-says");
const timeline = new Timeline(document.getElementById("timeline"), (seconds) => scrubber.show(seconds));
const scrubber = new Scrubber(document.querySelector(".scrub"), (seconds) => {
  timeline.pointAt(seconds);
  scrubber.show(seconds);
});
const bulk = pickTogether(desk);
let currentId = "";

const cards = () => [...desk.querySelectorAll(".card")];
const current = () => (currentId ? document.getElementById(currentId) : null);
const titleOf = (card) => card.querySelector("h3").firstChild.textContent.trim();

/** Make an activity the current one: seen, in focus, and pointed at in the timeline. */
function select(card) {
  if (!card) return;
  for (const other of desk.querySelectorAll(".card.is-current")) other.classList.remove("is-current");
  card.classList.add("is-current");
  currentId = card.id;
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
  const at = Number(card.dataset.shot ?? card.dataset.start);
  timeline.pointAt(at);
  scrubber.show(at);
}

function step(by) {
  const all = cards();
  const at = all.indexOf(current());
  select(at < 0 ? all[by > 0 ? 0 : all.length - 1] : all[Math.min(Math.max(at + by, 0), all.length - 1)]);
}

/** Choose a verdict for the current activity and ask for its reason; Enter then sends it. */
function arm(verdict) {
  if (!current()) step(1);
  const form = current()?.querySelector(`form button[value="${verdict}"]`)?.form;
  if (!form) return;
  for (const button of form.querySelectorAll("button[name=verdict]")) {
    button.classList.toggle("is-armed", button.value === verdict);
  }
  form.elements.namedItem("reason").focus();
  form.elements.namedItem("reason").select();
}

function leave() {
  for (const button of desk.querySelectorAll(".is-armed")) button.classList.remove("is-armed");
  current()?.focus();
}

/** Go to the outcome, which is decided when the activities are. */
function outcome() {
  document.getElementById("verdict").scrollIntoView({ block: "center" });
  document.getElementById("reason-session")?.focus();
}

function play() {
  const sound = current()?.querySelector("audio");
  if (!sound) {
    says.textContent = says.dataset.silent;
  } else if (sound.paused) {
    // It may be stopped before it began, or be gone; the player itself says so.
    sound.play().catch(() => undefined);
  } else {
    sound.pause();
  }
}

/** Write a note in a dialog of its own, on the current activity and at the moment pointed at. */
function note() {
  const form = document.getElementById("note-form");
  if (!form) return;
  const card = current();
  form.elements.namedItem("activity").value = card?.dataset.id ?? "";
  form.elements.namedItem("at").value = clock(card ? Number(card.dataset.start) : timeline.moment);
  const about = form.querySelector(".note-about");
  about.textContent = card ? about.dataset.about.replace("%(what)s", titleOf(card)) : "";
  const dialog = document.createElement("dialog");
  dialog.className = "note-dialog";
  dialog.setAttribute("aria-labelledby", "notes-title");
  const home = document.getElementById("notes");
  dialog.append(form);
  desk.append(dialog);
  dialog.addEventListener("close", () => {
    if (document.getElementById("notes") === home) home.append(form);
    form.reset();
    form.elements.namedItem("activity").value = "";
    about.textContent = "";
    dialog.remove();
    current()?.focus();
  });
  dialog.showModal();
  form.elements.namedItem("text").focus();
}

/** After a decision: draw what the server draws now, say what was decided and go on to the next undecided activity. */
function goOn(page, decided, card) {
  desk.querySelector(".note-dialog")?.remove();
  const drawn = page.querySelector("svg.timeline");
  if (drawn) timeline.take(document.adoptNode(drawn));
  scrubber.read();
  bulk.count();
  if (!decided || decided.dataset.verdict === undefined || decided.querySelector(".errornote")) {
    select(card ?? current());
    return;
  }
  const all = cards();
  const at = all.indexOf(decided);
  const next = [...all.slice(at + 1), ...all.slice(0, at)].find((one) => one.dataset.verdict === undefined);
  const told = { what: titleOf(decided), verdict: decided.querySelectorAll(".badge")[1]?.textContent ?? "" };
  const pattern = next ? says.dataset.decided : says.dataset.all;
  says.textContent = pattern
    .replace("%(what)s", told.what)
    .replace("%(verdict)s", told.verdict)
    .replace("%(next)s", next ? titleOf(next) : "");
  select(next ?? decided);
}

desk.addEventListener("focusin", (event) => {
  const card = event.target.closest(".card");
  if (card && card.id !== currentId && !event.target.matches(".card")) {
    for (const other of desk.querySelectorAll(".card.is-current")) other.classList.remove("is-current");
    card.classList.add("is-current");
    currentId = card.id;
  }
});
desk.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.matches(".card input[name=reason]")) return;
  const armed = event.target.form.querySelector(".is-armed");
  if (armed) {
    event.preventDefault();
    event.target.form.requestSubmit(armed);
  }
});
desk.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#activity-"]');
  if (!link) return;
  event.preventDefault();
  select(document.getElementById(link.getAttribute("href").slice(1)));
});

renewNow(desk);
new Sender(desk, { onChange: goOn });
new Keys(
  {
    j: () => step(1),
    k: () => step(-1),
    c: () => arm("confirmed"),
    d: () => arm("dismissed"),
    e: () => arm("escalated"),
    u: () => arm("withdrawn"),
    n: note,
    x: () => bulk.toggle(current()),
    o: outcome,
    " ": play,
    "+": () => timeline.zoom(1 / 2),
    "-": () => timeline.zoom(2),
    0: () => timeline.whole(),
  },
  leave,
);
if (window.location.hash.startsWith("#activity-")) select(document.getElementById(window.location.hash.slice(1)));
document.documentElement.dataset.desk = "ready";
