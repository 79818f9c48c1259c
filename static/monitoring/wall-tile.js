/**
 * One session on the wall: an element that is changed only where what it shows has changed.
 * @module
 */
import { span, text } from "./wall-text.js";

const QUIETEST_DB = -60;
/** An older picture says so, and is let go of soon after: the server holds none for longer either. */
const OLD_MS = 15_000;
const GONE_MS = 60_000;
const TEMPLATE = document.getElementById("wall-tile");

/** The tile of a session. */
export class Tile {
  version = "";
  shownAt = -Infinity;
  #address = "";
  #shown = new Map();
  #parts = new Map();

  /** @param {string} id @param {string} address of the session's page */
  constructor(id, address) {
    this.id = id;
    this.element = TEMPLATE.content.firstElementChild.cloneNode(true);
    this.element.dataset.id = id;
    this.#part("open").href = address;
    this.#part("no-picture").textContent = text("no_picture");
    this.#showPicture(false);
  }

  /** Show how the session stands. @param {import("./wall-sessions.js").Session} session @param {number} now */
  update(session, now) {
    const row = session.row;
    this.#attribute("data-level", row.risk_level.toLowerCase());
    this.#attribute("data-state", session.isOver ? "over" : row.status);
    this.#attribute("data-going", session.ongoing.size ? String(session.shown.severity) : "");
    this.#text("name", row.candidate);
    this.#text("level", `${text(`level_${row.risk_level}`)} ${row.risk_score.toFixed(1).replace(/\.0$/, "")}`);
    this.#class("level", `badge wall-level badge-level-${row.risk_level.toLowerCase()}`);
    this.#part("status").hidden = row.status === "active";
    this.#text("status", text(session.isOver ? "over" : `status_${row.status}`));
    if (!this.#same("menu-label", row.candidate)) this.#label("menu", text("actions_for", { name: row.candidate }));
    if (!this.#same("alt", row.candidate)) this.#part("picture").alt = text("picture_of", { name: row.candidate });
    this.#part("menu").disabled = session.isOver;
    this.signs(row);
    this.tick(session, now);
  }

  /** Show what changes by the clock alone. @param {import("./wall-sessions.js").Session} session @param {number} now */
  tick(session, now) {
    const { row, shown } = session;
    this.#text("kind", shown ? shown.label : text("nothing_found"));
    this.#class("newest", shown && session.ongoing.has(shown.id) ? `wall-newest severity-${shown.severity}` : "wall-newest");
    const began = shown ? now - Date.parse(shown.started_at) : 0;
    const going = shown && session.ongoing.has(shown.id);
    this.#text("when", !shown ? "" : going ? `${text("going_on")}, ${span(began)}` : text("ago", { time: span(began) }));
    this.#attribute("data-away", session.isAway ? "yes" : "");
    const away = row.last_seen === null ? text("never_seen") : awayFor(row, now);
    this.#text("presence-says", row.connected ? text("connected") : away);
    this.#text("left", session.isOver ? "" : timeLeft(row, now));
    this.#age();
  }

  #age() {
    const age = this.version ? performance.now() - this.shownAt : 0;
    if (age > GONE_MS) this.#showPicture(false);
    this.#text("age", age > OLD_MS && age <= GONE_MS ? text("old_picture", { time: span(age) }) : "");
  }

  /** Show how many people are seen and how loud it is. @param {{people: number|null, sound_db: number|null}} signs */
  signs({ people, sound_db: level }) {
    const counted = people === null ? "people_unknown" : people === 0 ? "nobody" : people === 1 ? "one_person" : "people";
    this.#text("people", text(counted, { count: people ?? 0 }));
    this.#attribute("data-people", people === null ? "" : people === 1 ? "one" : "odd");
    if (this.#same("sound", level)) return;
    this.#label("sound", level === null ? text("no_sound") : text("sound", { level: Math.round(level) }));
    const share = level === null ? 0 : Math.min(1, Math.max(0, 1 - level / QUIETEST_DB));
    this.#part("sound-bar").style.transform = `scaleX(${share.toFixed(3)})`;
    this.#part("sound").hidden = level === null;
  }

  /**
   * Show a picture. An image and no canvas: of those each would be a layer of its own, which on 200 tiles costs more
   * than all the rest.
   * @param {Blob} blob @param {string} version
   */
  async show(blob, version) {
    const picture = this.#part("picture");
    this.version = version; // one that cannot be shown is not asked for again
    this.shownAt = performance.now();
    this.forget();
    picture.src = this.#address = URL.createObjectURL(blob);
    await picture.decode();
    this.#showPicture(true);
  }

  /** Let go of the picture's bytes; what is painted stays until the next. */
  forget() {
    URL.revokeObjectURL(this.#address);
  }

  #showPicture(there) {
    if (!there) {
      this.version = "";
      this.forget();
    }
    if (this.#same("has picture", there)) return;
    this.#part("picture").hidden = !there;
    this.#part("no-picture").hidden = there;
  }

  #part(name) {
    let part = this.#parts.get(name);
    if (!part) this.#parts.set(name, (part = this.element.querySelector(`.wall-${name}`)));
    return part;
  }

  /** Say whether something is shown so already, and note that it is from now on. */
  #same(what, value) {
    const same = this.#shown.has(what) && this.#shown.get(what) === value;
    if (!same) this.#shown.set(what, value);
    return same;
  }

  #text(name, value) {
    if (!this.#same(name, value)) this.#part(name).textContent = value;
  }

  #class(name, value) {
    if (!this.#same(`class ${name}`, value)) this.#part(name).className = value;
  }

  #label(name, value) {
    this.#part(name).setAttribute("aria-label", value);
    this.#part(name).title = value;
  }

  #attribute(name, value) {
    if (!this.#same(name, value)) this.element.setAttribute(name, value);
  }
}

/** Return how much time the candidate has; nothing where none is set, as before the clock has begun. */
function timeLeft(row, now) {
  if (!row.deadline) return "";
  const left = Date.parse(row.deadline) - (row.paused_at ? Date.parse(row.paused_at) : now);
  return left > 0 ? text("time_left", { time: span(left, true) }) : text("time_up");
}

function awayFor(row, now) {
  return text("away_since", { time: span(now - Date.parse(row.last_seen)) });
}
