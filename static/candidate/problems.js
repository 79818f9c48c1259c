/**
 * The problems: the list of them, the one that is worked on, and handing it in.
 * @module
 */
import { Answers } from "./answers.js";
import { at, busy, make, text, timeOfDay } from "./dom.js";
import { Editor, LANGUAGES } from "./editor.js";

const STANDING = { empty: "not_answered", draft: "not_answered", sent: "answered", changed: "changed" };

/** What the candidate works on. */
export class Desk {
  #shown = null;
  #isOpen = true;

  /** @param {import("./api.js").Api} api @param {{id: string, exam: {id: string}}} session */
  constructor(api, session) {
    this.api = api;
    this.session = session;
    this.answers = new Answers(api, session.id);
    this.answers.addEventListener("changed", ({ detail }) => this.#showStanding(detail.problem));
    addEventListener("pagehide", () => this.answers.keepNow());
  }

  /** Read problems and answers and show the first. */
  async open() {
    const { results } = await this.api.get(`exams/${this.session.exam.id}/problems?page_size=200`);
    this.problems = results;
    await Promise.all(results.map(({ number }) => this.answers.load(number)));
    this.editor = new Editor(at("editor"), (problem, code) => this.answers.change(problem, { code }));
    this.#fillLanguages();
    at("problem-list").replaceChildren(...results.map((problem) => this.#row(problem)));
    at("editor-submit").onclick = () => void this.#send();
    for (const { number } of results) this.#showStanding(number);
    if (results.length) this.#show(results[0]);
    else at("desk").classList.add("without");
  }

  /** Let the candidate write and hand in, or only read. @param {boolean} isOpen */
  allow(isOpen) {
    this.#isOpen = isOpen;
    this.editor?.allow(isOpen);
    at("editor-submit").disabled = at("editor-language").disabled = !isOpen;
  }

  /** Whether the candidate may write and hand in. */
  get isOpen() {
    return this.#isOpen;
  }

  /** Return each problem with how its answer stands, in words. @returns {string[]} */
  summary() {
    return this.problems.map(({ number, title }) => {
      const standing = text(STANDING[this.answers.standing(number)]);
      return `${text("problem_name", { number, title })}: ${standing}`;
    });
  }

  #fillLanguages() {
    const options = Object.entries(LANGUAGES).map(([value, name]) =>
      make("option", { value, textContent: name ?? text("plain_text") }),
    );
    at("editor-language").replaceChildren(...options);
    at("editor-language").onchange = ({ target }) => {
      this.answers.change(this.#shown, { language: target.value });
      this.editor.setLanguage(target.value);
    };
  }

  #row(problem) {
    const name = make("b", { textContent: text("problem_name", problem) });
    const button = make("button", { type: "button", onclick: () => this.#show(problem, { focus: true }) }, name);
    button.append(make("small"));
    button.dataset.problem = problem.number;
    return make("li", {}, button);
  }

  #show(problem, { focus = false } = {}) {
    this.#shown = problem.number;
    const answer = this.answers.of(problem.number);
    const points = text("points", { count: problem.points });
    at("problem-title").replaceChildren(text("problem_name", problem), make("small", { textContent: ` ${points}` }));
    at("problem-statement").textContent = problem.statement;
    at("editor-error").textContent = "";
    this.#languageOf(answer);
    this.editor.open(problem.number, answer);
    for (const button of at("problem-list").querySelectorAll("button")) {
      if (Number(button.dataset.problem) === problem.number) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
    this.#showStanding(problem.number);
    if (focus) at("problem-title").focus();
  }

  /** Choose the answer's language, which another client may have called as it liked. */
  #languageOf({ language }) {
    const list = at("editor-language");
    if (![...list.options].some(({ value }) => value === language)) {
      list.append(make("option", { value: language, textContent: language }));
    }
    list.value = language;
  }

  async #send() {
    const problem = this.#shown;
    at("editor-error").textContent = "";
    at("editor-state").textContent = text("sending");
    at("editor-submit").disabled = true;
    try {
      await this.answers.send(problem);
    } catch (error) {
      at("editor-error").textContent = Object.values(error.fields ?? {}).flat().join(" ") || error.detail;
    } finally {
      at("editor-submit").disabled = !this.#isOpen;
      this.#showStanding(this.#shown);
    }
  }

  #showStanding(problem) {
    const standing = this.answers.standing(problem);
    const small = at("problem-list").querySelector(`[data-problem="${problem}"] small`);
    if (small) {
      small.textContent = text(STANDING[standing]);
      small.dataset.standing = standing;
    }
    if (problem !== this.#shown) return;
    const says = this.#inWords(standing, this.answers.of(problem));
    if (at("editor-state").textContent !== says) at("editor-state").textContent = says;
  }

  #inWords(standing, { sent }) {
    if (standing === "empty") return text("draft_none");
    if (standing === "sent") return text("handed_in", { version: sent.version, time: timeOfDay(sent.time) });
    if (!this.answers.keeps) return text("draft_not_kept");
    return standing === "changed" ? text("changed_since", { version: sent.version }) : text("draft_kept");
  }
}

/**
 * Ask whether to finish, hand in what was not, and submit the session.
 * @param {import("./api.js").Api} api @param {Desk} desk
 * @param {{stop: () => Promise<void>, goOn: () => Promise<void>}} watching stopped before the end, and begun again
 *   where the end does not come
 * @returns {Promise<object|null>} the session as it ended; null if the candidate goes on working
 */
export function askToFinish(api, desk, { stop, goOn }) {
  const dialog = at("finish");
  at("finish-says").textContent = text(desk.isOpen ? "finish_says" : "finish_up");
  at("finish-no").textContent = text(desk.isOpen ? "finish_no" : "finish_wait");
  at("finish-list").replaceChildren(...desk.summary().map((line) => make("li", { textContent: line })));
  dialog.showModal();
  at("finish-no").focus();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(null);
    // Once it is being handed in there is no way back, and what was recorded offline may take minutes to be sent.
    dialog.oncancel = (event) => at("finish-no").disabled && event.preventDefault();
    at("finish-no").onclick = () => dialog.close();
    at("finish-yes").onclick = () =>
      busy(dialog, async () => {
        if (desk.isOpen) await desk.answers.sendAll();
        at("finish-no").disabled = true;
        try {
          await stop();
          const { session } = await api.post(`sessions/${desk.session.id}/final-submit`);
          desk.answers.forget();
          resolve(session);
        } catch (error) {
          await goOn();
          throw error;
        } finally {
          at("finish-no").disabled = false;
        }
        dialog.close();
      });
  });
}
