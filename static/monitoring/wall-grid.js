/**
 * The grid: which tiles stand on the page, and in which order; nothing moves under the mouse.
 * @module
 */
import { ordered, staying, withPinned } from "./wall-sessions.js";
import { serverTime } from "./wall-text.js";
import { Tile } from "./wall-tile.js";

const SORT_MS = 2000;
const TICK_MS = 1000;
/** A mouse that lies still for so long holds only the tile that it points at. */
const STILL_MS = 20_000;

/** Tells `order` (detail: shown, all, hidden, moved) whenever that may have changed. */
export class Grid extends EventTarget {
  wanted = { name: "", level: "", state: "", quiet: false };
  size = Infinity;
  inSight = new Set();
  #list;
  #sessions;
  #addressOf;
  #tiles = new Map();
  #shown = [];
  #dirty = new Set();
  #painting = false;
  #pointed = "";
  #movedAt = -STILL_MS;
  #held = false;
  #watch;

  /** @param {HTMLElement} list @param {import("./wall-sessions.js").Sessions} sessions @param {(id: string) => string} addressOf */
  constructor(list, sessions, addressOf) {
    super();
    this.#list = list;
    this.#sessions = sessions;
    this.#addressOf = addressOf;
    this.#watch = new IntersectionObserver((entries) => this.#note(entries), { rootMargin: "50px" });
    list.addEventListener("pointermove", (event) => this.#point(event));
    list.addEventListener("pointerleave", () => this.#point(null));
    setInterval(() => this.sort(), SORT_MS);
    setInterval(() => this.#tick(), TICK_MS);
  }

  /** Have a session painted anew, with all others that change before the next frame. @param {string} id */
  change(id) {
    this.#dirty.add(id);
    if (this.#painting) return;
    this.#painting = true;
    requestAnimationFrame(() => this.#paint());
  }

  /** Return the tile of a session, if it has one. @param {string} id @returns {Tile | undefined} */
  tile(id) {
    return this.#tiles.get(id);
  }

  /** Keep everything where it is, as while a dialog is open. @param {boolean} held */
  hold(held) {
    this.#held = held;
  }

  /** Sort, unless somebody is about to click; `now` sorts in any case. @param {{now?: boolean}} [how] */
  sort({ now = false } = {}) {
    const moment = serverTime();
    this.#sessions.forgetOver(moment);
    const order = ordered(this.#sessions, this.wanted, moment);
    const frozen = !now && this.#isFrozen();
    const next = frozen ? this.#keptOrder(order) : withPinned(this.#shown, order, now ? "" : this.#pointed);
    const moved = frozen ? countMoved(next, order) : 0;
    this.#place(next.slice(0, this.size));
    const all = this.#sessions.all.size;
    const detail = { shown: this.#shown.length, matching: order.length, all, moved };
    this.dispatchEvent(new CustomEvent("order", { detail }));
  }

  #isFrozen() {
    // Who goes through the wall by keyboard has the focus somewhere in it.
    if (this.#held || this.#list.querySelector(":focus-visible")) return true;
    return this.#pointed !== "" && performance.now() - this.#movedAt < STILL_MS;
  }

  /** The order as it is: what is new comes last, and what no longer matches stays until things may move. */
  #keptOrder(order) {
    const known = new Set(this.#shown);
    const there = this.#shown.filter((id) => this.#sessions.all.has(id));
    return [...there, ...order.filter((id) => !known.has(id))];
  }

  #point(event) {
    this.#movedAt = performance.now();
    this.#pointed = event?.target.closest?.(".wall-tile")?.dataset.id ?? "";
  }

  /** Put the tiles into this order with as few moves as that takes. */
  #place(ids) {
    const wanted = new Set(ids);
    for (const id of this.#shown) if (!wanted.has(id)) this.#remove(id);
    for (const [id, tile] of this.#tiles) {
      if (this.#sessions.all.has(id)) continue;
      tile.forget();
      this.#tiles.delete(id);
    }
    const stay = staying(this.#shown, ids);
    let next = null;
    for (const id of ids.toReversed()) {
      const { element } = this.#tileOf(id);
      const isNew = !element.isConnected;
      if (isNew || !stay.has(id)) this.#list.insertBefore(element, next);
      if (isNew) this.#watch.observe(element);
      next = element;
    }
    this.#shown = ids;
  }

  #tileOf(id) {
    let tile = this.#tiles.get(id);
    if (!tile) {
      tile = new Tile(id, this.#addressOf(id));
      this.#tiles.set(id, tile);
    }
    if (!tile.element.isConnected) tile.update(this.#sessions.all.get(id), serverTime());
    return tile;
  }

  #remove(id) {
    const tile = this.#tiles.get(id);
    if (!tile) return;
    this.#watch.unobserve(tile.element);
    this.inSight.delete(id);
    tile.element.remove();
  }

  #paint() {
    this.#painting = false;
    const now = serverTime();
    for (const id of this.#dirty) {
      const session = this.#sessions.all.get(id);
      const tile = this.#tiles.get(id);
      if (session && tile?.element.isConnected) tile.update(session, now);
    }
    this.#dirty.clear();
  }

  #tick() {
    const now = serverTime();
    for (const id of this.inSight) {
      const session = this.#sessions.all.get(id);
      if (session) this.#tiles.get(id)?.tick(session, now);
    }
  }

  #note(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.inSight.add(target.dataset.id);
      else this.inSight.delete(target.dataset.id);
    }
  }
}

/** Return how many sessions would stand somewhere else. */
function countMoved(before, after) {
  const places = new Map(after.map((id, place) => [id, place]));
  return before.filter((id, place) => places.get(id) !== place).length;
}
