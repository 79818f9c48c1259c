/**
 * Where captured items wait on the candidate's machine: IndexedDB, or memory where there is none. Both offer the same.
 * @module
 */

const NAME = "proctor";
const ITEMS = "items";
const BODIES = "bodies";
const SESSIONS = "sessions";
/** Other sessions' leftovers are removed after this time: pictures of a person must not stay on a shared machine. */
const FORGOTTEN_MS = 24 * 3600 * 1000;

/** Keeps items for as long as the page lives. */
export class MemoryStorage {
  constructor() {
    this.records = new Map();
    this.notes = new Map();
    this.durable = false;
  }

  /**
   * Keep items.
   * @param {string} session
   * @param {import("./wire.js").Item[]} items
   */
  async put(session, items) {
    for (const item of items) this.records.set(keyOf(session, item).join(), { session, ...item });
  }

  /**
   * Return what is kept of a session, oldest first, without pictures and sound.
   * @param {string} session
   * @returns {Promise<(import("./wire.js").Item & {size: number})[]>}
   */
  async list(session) {
    const own = [...this.records.values()].filter((record) => record.session === session);
    return own.map(({ data: _data, ...rest }) => rest).sort((a, b) => a.at - b.at);
  }

  /**
   * Return a picture or sound; null if it is gone.
   * @param {string} session
   * @param {{stream: string, seq: number}} item
   * @returns {Promise<ArrayBuffer|null>}
   */
  async body(session, item) {
    return this.records.get(keyOf(session, item).join())?.data ?? null;
  }

  /**
   * Remove items.
   * @param {string} session
   * @param {{stream: string, seq: number}[]} items
   */
  async remove(session, items) {
    for (const item of items) this.records.delete(keyOf(session, item).join());
  }

  /**
   * Write down a few words about a session.
   * @param {string} session
   * @param {object} note
   */
  async note(session, note) {
    this.notes.set(session, note);
  }

  /**
   * Return what was written down about a session.
   * @param {string} session
   * @returns {Promise<object|null>}
   */
  async noted(session) {
    return this.notes.get(session) ?? null;
  }

  /**
   * Remove all there is of a session.
   * @param {string} session
   */
  async clear(session) {
    await this.remove(session, await this.list(session));
    this.notes.delete(session);
  }

  /** Give up what is held open. */
  close() {}
}

/** Keeps items over reloads and crashes of the page. */
export class IndexedDbStorage {
  /**
   * Open the storage and remove what other sessions left there long ago.
   * @returns {Promise<IndexedDbStorage>} rejects where the browser gives none, as some private windows do
   */
  static async open() {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      for (const name of [ITEMS, BODIES, SESSIONS]) request.result.createObjectStore(name);
    };
    const storage = new IndexedDbStorage(await answerOf(request));
    await storage.#forget(Date.now() - FORGOTTEN_MS);
    return storage;
  }

  /** @param {IDBDatabase} database */
  constructor(database) {
    this.database = database;
    this.durable = true;
    // Another tab with a newer version of this library must not wait for us.
    database.onversionchange = () => database.close();
  }

  /** See `MemoryStorage.put`. */
  async put(session, items) {
    const transaction = this.#write(ITEMS, BODIES);
    for (const { data, ...rest } of items) {
      transaction.objectStore(ITEMS).put({ session, ...rest }, keyOf(session, rest));
      if (data) transaction.objectStore(BODIES).put(data, keyOf(session, rest));
    }
    // A page that is left has no time to wait for its requests.
    transaction.commit?.();
    await endOf(transaction);
  }

  /** See `MemoryStorage.list`. */
  async list(session) {
    const items = this.database.transaction(ITEMS).objectStore(ITEMS);
    const found = await answerOf(items.getAll(rangeOf(session)));
    return found.sort((a, b) => a.at - b.at);
  }

  /** See `MemoryStorage.body`. */
  async body(session, item) {
    const bodies = this.database.transaction(BODIES).objectStore(BODIES);
    return (await answerOf(bodies.get(keyOf(session, item)))) ?? null;
  }

  /** See `MemoryStorage.remove`. */
  async remove(session, items) {
    const transaction = this.#write(ITEMS, BODIES);
    for (const item of items) {
      transaction.objectStore(ITEMS).delete(keyOf(session, item));
      transaction.objectStore(BODIES).delete(keyOf(session, item));
    }
    await endOf(transaction);
  }

  /** See `MemoryStorage.note`. */
  async note(session, note) {
    const transaction = this.#write(SESSIONS);
    transaction.objectStore(SESSIONS).put({ ...note, writtenAt: Date.now() }, session);
    transaction.commit?.();
    await endOf(transaction);
  }

  /** See `MemoryStorage.noted`. */
  async noted(session) {
    return (await answerOf(this.database.transaction(SESSIONS).objectStore(SESSIONS).get(session))) ?? null;
  }

  /** See `MemoryStorage.clear`. */
  async clear(session) {
    const transaction = this.#write(ITEMS, BODIES, SESSIONS);
    for (const name of [ITEMS, BODIES]) transaction.objectStore(name).delete(rangeOf(session));
    transaction.objectStore(SESSIONS).delete(session);
    await endOf(transaction);
  }

  /** See `MemoryStorage.close`. */
  close() {
    this.database.close();
  }

  #write(...names) {
    return this.database.transaction(names, "readwrite", { durability: "relaxed" });
  }

  async #forget(before) {
    const transaction = this.database.transaction([ITEMS, SESSIONS]);
    const [items, notes] = [ITEMS, SESSIONS].map((name) => transaction.objectStore(name));
    // Most sessions leave nothing but a note; what is left counts by its own time.
    const asked = [notes.getAllKeys(), notes.getAll(), items.getAll()].map(answerOf);
    const [sessions, noted, waiting] = await Promise.all(asked);
    const newest = new Map(sessions.map((session, index) => [session, noted[index].writtenAt ?? 0]));
    const kept = new Map();
    for (const { session, at } of waiting) {
      kept.set(session, Math.max(at, kept.get(session) ?? 0));
    }
    for (const [session, at] of kept) newest.set(session, at);
    for (const [session, at] of newest) if (at < before) await this.clear(session);
  }
}

/**
 * Open the best storage there is.
 * @param {"indexeddb"|"memory"} wanted
 * @returns {Promise<MemoryStorage|IndexedDbStorage>}
 */
export async function openStorage(wanted) {
  if (wanted === "indexeddb" && typeof indexedDB !== "undefined") {
    try {
      return await IndexedDbStorage.open();
    } catch {
      // Nothing is kept over a reload then; the exam goes on all the same.
    }
  }
  return new MemoryStorage();
}

function keyOf(session, item) {
  return [session, item.stream, item.seq];
}

function rangeOf(session) {
  // Arrays sort after numbers and text, so this is above every stream.
  return IDBKeyRange.bound([session], [session, []]);
}

function answerOf(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("blocked"));
  });
}

function endOf(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error ?? new Error("aborted"));
  });
}
