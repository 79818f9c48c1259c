/**
 * Answers: drafts in this browser, versions at the server.
 * @module
 */
const FIRST_LANGUAGE = "python";
const PREFIX = "proctoring.draft.";
const KEEP_MS = 400;

/**
 * @typedef {object} Answer
 * @property {string} code
 * @property {string} language
 * @property {{code: string, language: string, version: number, time: string}|null} sent what the server has
 */

/** The answers of one session. Tells `changed` whenever one is another than before, or stands otherwise. */
export class Answers extends EventTarget {
  /** @type {Map<number, Answer>} */
  #answers = new Map();
  #timers = new Map();
  /** Whether this browser keeps drafts. */
  keeps = true;

  /** @param {import("./api.js").Api} api @param {string} session */
  constructor(api, session) {
    super();
    Object.assign(this, { api, session });
  }

  /** Read what the server has and what this browser kept. @param {number} problem @returns {Promise<Answer>} */
  async load(problem) {
    const known = this.#answers.get(problem);
    if (known) return known;
    const query = `problem=${problem}&ordering=-version&page_size=1`;
    const { results } = await this.api.get(`sessions/${this.session}/submissions?${query}`);
    const sent = results.length ? taken(results[0]) : null;
    const kept = this.#draft(problem) ?? { code: sent?.code ?? "", language: sent?.language ?? FIRST_LANGUAGE };
    // A second call may have been faster, and its answer may have been written on since.
    if (!this.#answers.has(problem)) this.#answers.set(problem, { ...kept, sent });
    return this.#answers.get(problem);
  }

  /** Return an answer that was read before. @param {number} problem @returns {Answer|undefined} */
  of(problem) {
    return this.#answers.get(problem);
  }

  /** Say how an answer stands. @param {number} problem @returns {"empty"|"draft"|"sent"|"changed"} */
  standing(problem) {
    const answer = this.#answers.get(problem);
    if (!answer) return "empty";
    const { code, language, sent } = answer;
    if (sent) return sent.code === code && sent.language === language ? "sent" : "changed";
    return code.trim() ? "draft" : "empty";
  }

  /** Take what was written. @param {number} problem @param {{code?: string, language?: string}} change */
  change(problem, change) {
    Object.assign(this.#answers.get(problem), change);
    clearTimeout(this.#timers.get(problem));
    this.#timers.set(problem, setTimeout(() => this.#keep(problem), KEEP_MS));
    this.#tell(problem);
  }

  /** Keep at once what waits to be kept: the page is about to go. */
  keepNow() {
    for (const problem of this.#timers.keys()) this.#keep(problem);
  }

  /** Hand an answer in; raises `ApiError`. @param {number} problem */
  async send(problem) {
    const { code, language } = this.#answers.get(problem);
    const kept = await this.api.post(`sessions/${this.session}/submissions`, { problem, language, code });
    this.#answers.get(problem).sent = taken({ ...kept, code, language });
    this.#keep(problem);
    this.#tell(problem);
  }

  /** Hand in every answer with something in it that the server does not have; raises `ApiError`. */
  async sendAll() {
    for (const [problem, { code }] of this.#answers) {
      if (code.trim() && ["draft", "changed"].includes(this.standing(problem))) await this.send(problem);
    }
  }

  /** Remove the drafts from this browser, which others may use as well. */
  forget() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    for (const problem of this.#answers.keys()) localStorage.removeItem(this.#name(problem));
  }

  #keep(problem) {
    clearTimeout(this.#timers.get(problem));
    this.#timers.delete(problem);
    const { code, language } = this.#answers.get(problem);
    try {
      localStorage.setItem(this.#name(problem), JSON.stringify({ code, language }));
      this.keeps = true;
    } catch {
      this.keeps = false;
    }
    this.#tell(problem);
  }

  #draft(problem) {
    try {
      const { code, language } = JSON.parse(localStorage.getItem(this.#name(problem)));
      return typeof code === "string" && typeof language === "string" ? { code, language } : null;
    } catch {
      return null;
    }
  }

  #name(problem) {
    return `${PREFIX}${this.session}.${problem}`;
  }

  #tell(problem) {
    this.dispatchEvent(new CustomEvent("changed", { detail: { problem } }));
  }
}

function taken({ code, language, version, submitted_at: time }) {
  return { code, language, version, time };
}
