/**
 * What is known of the sessions on the wall, and which of them are urgent; knows nothing of the page.
 * @module
 */

const RECENT_MS = 120_000;
const SHOWN_AFTER_END_MS = 10_000;
const LEVEL_POINTS = { Low: 0, Medium: 10, High: 20 };
const OPEN = new Set(["created", "checking_in", "active", "paused"]);
/** Urgency is compared in steps, so that sessions that are about as urgent do not change places all the time. */
const STEP = 5;

/** One session: its row as the server tells it, and what goes on in it right now. */
export class Session {
  /** @param {any} row @param {number} now */
  constructor(row, now) {
    this.endedAt = 0;
    this.take(row, now);
  }

  /** Take a newer row. @param {any} row @param {number} now */
  take(row, now) {
    this.row = row;
    this.name = row.candidate.toLocaleLowerCase();
    this.ongoing = new Map(row.ongoing.map((activity) => [activity.id, activity]));
    if (!OPEN.has(row.status)) this.endedAt ||= now;
    else this.endedAt = 0;
  }

  /** Note an activity that began, went on or ended. @param {any} activity */
  note(activity) {
    if (activity.ended_at === null) this.ongoing.set(activity.id, activity);
    else this.ongoing.delete(activity.id);
    const newest = this.row.newest;
    if (!newest || newest.id === activity.id || newest.started_at <= activity.started_at) this.row.newest = activity;
  }

  /** What is shown of it: the gravest that goes on, else what began last. */
  get shown() {
    const going = [...this.ongoing.values()].sort((a, b) => b.severity - a.severity);
    return going[0] ?? this.row.newest ?? null;
  }

  get isOver() {
    return this.endedAt > 0;
  }

  /** Whether the candidate should be there and is not. */
  get isAway() {
    return this.row.status === "active" && !this.row.connected;
  }

  /** Return how urgently a human should look, 0 being not at all. @param {number} now */
  urgency(now) {
    const row = this.row;
    if (this.isOver) return -STEP;
    let points = LEVEL_POINTS[row.risk_level] + Math.min(row.risk_score, 20) / 2;
    points += this.#news(now);
    if (this.isAway && row.last_seen !== null) points += 12;
    if (row.status === "active" && row.people !== null && row.people !== 1) points += 5;
    // Whoever paused it has looked already.
    return row.status === "paused" ? points / 4 : points;
  }

  #news(now) {
    if (this.ongoing.size) return 15 * Math.max(...[...this.ongoing.values()].map((one) => one.severity));
    const newest = this.row.newest;
    const age = newest ? now - Date.parse(newest.ended_at ?? newest.started_at) : RECENT_MS;
    return age < RECENT_MS ? 8 * newest.severity * (1 - age / RECENT_MS) : 0;
  }

  /** Whether nothing about it asks for a look. @param {number} now */
  isQuiet(now) {
    return this.urgency(now) < 10;
  }
}

/** All sessions of the exam. */
export class Sessions {
  all = new Map();

  /** Take the whole wall; returns the ids of all that changed or went. @param {any[]} rows @param {number} now */
  takeAll(rows, now) {
    const told = new Set(rows.map((row) => row.id));
    for (const id of this.all.keys()) if (!told.has(id) && !this.all.get(id).isOver) this.all.delete(id);
    for (const row of rows) this.take(row, now);
  }

  /** Take one row; one that is over is only taken where it stood on the wall. @param {any} row @param {number} now */
  take(row, now) {
    const known = this.all.get(row.id);
    if (known) known.take(row, now);
    else if (OPEN.has(row.status)) this.all.set(row.id, new Session(row, now));
  }

  /** Note an activity of a session. @param {string} id @param {any} activity */
  note(id, activity) {
    this.all.get(id)?.note(activity);
  }

  /** Let go of sessions that have been over for a while; says whether there were any. @param {number} now */
  forgetOver(now) {
    const before = this.all.size;
    for (const [id, one] of this.all) if (one.isOver && now - one.endedAt > SHOWN_AFTER_END_MS) this.all.delete(id);
    return this.all.size !== before;
  }
}

/**
 * Return the ids of the sessions that are wanted, the most urgent first.
 * @param {Sessions} sessions @param {{name: string, level: string, state: string, quiet: boolean}} wanted
 * @param {number} now @returns {string[]}
 */
export function ordered(sessions, wanted, now) {
  const rows = [...sessions.all.values()].filter((one) => isWanted(one, wanted, now));
  const ranked = rows.map((one) => ({ one, step: Math.floor(one.urgency(now) / STEP) }));
  ranked.sort(
    (a, b) => b.step - a.step || b.one.row.risk_score - a.one.row.risk_score || compare(a.one, b.one),
  );
  return ranked.map(({ one }) => one.row.id);
}

const STATES = {
  going: (one) => one.ongoing.size > 0,
  away: (one) => one.isAway,
  paused: (one) => one.row.status === "paused",
  checking: (one) => one.row.status === "created" || one.row.status === "checking_in",
};

/** Say whether a session passes the filters. */
function isWanted(one, wanted, now) {
  if (wanted.name && !one.name.includes(wanted.name.toLocaleLowerCase())) return false;
  if (wanted.level && one.row.risk_level !== wanted.level) return false;
  if (wanted.state && !STATES[wanted.state](one)) return false;
  return !(wanted.quiet && one.isQuiet(now));
}

function compare(a, b) {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return a.row.id < b.row.id ? -1 : 1;
}

/**
 * Return a new order in which one of the sessions stays at the place it has: the one under the mouse.
 * @param {string[]} before @param {string[]} after @param {string} pinned
 */
export function withPinned(before, after, pinned) {
  const place = before.indexOf(pinned);
  if (place < 0 || !after.includes(pinned)) return after;
  const rest = after.filter((id) => id !== pinned);
  return [...rest.slice(0, place), pinned, ...rest.slice(place)];
}

/**
 * Return the most that can stay where it is when one order becomes another (a longest increasing run of places).
 * @param {string[]} before @param {string[]} after @returns {Set<string>}
 */
export function staying(before, after) {
  const places = new Map(before.map((id, place) => [id, place]));
  const known = after.filter((id) => places.has(id));
  const ends = []; // of the runs of each length, the one that ends first
  const cameFrom = new Map();
  for (const id of known) {
    const place = places.get(id);
    let length = ends.findIndex((end) => places.get(end) >= place);
    if (length < 0) length = ends.length;
    cameFrom.set(id, ends[length - 1]);
    ends[length] = id;
  }
  const stay = new Set();
  for (let id = ends.at(-1); id !== undefined; id = cameFrom.get(id)) stay.add(id);
  return stay;
}
