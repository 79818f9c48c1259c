/**
 * What can be done with a session: pause and resume, a message, more time, its end.
 * @module
 */
import { text } from "./wall-text.js";

const TIMEOUT_MS = 15_000;
const SHOWN_MS = 6000;
/** Of each action: the fields that it asks for; those with a star are needed. */
const FIELDS = {
  message: ["text*"],
  pause: ["reason"],
  resume: [],
  extend: ["minutes*", "reason"],
  terminate: ["reason*"],
};

const at = (id) => /** @type {any} */ (document.getElementById(id));

/** The menu of a tile and the dialog of an action. */
export class Actions {
  #sessions;
  #addressOf;
  #token;
  #done;
  #hold;
  #id = "";
  #verb = "";
  #saying = 0;

  /**
   * @param {HTMLElement} list @param {import("./wall-sessions.js").Sessions} sessions
   * @param {{addressOf: (id: string, verb: string) => string, token: string, done: () => void, hold: (held: boolean) => void}} more
   */
  constructor(list, sessions, { addressOf, token, done, hold }) {
    this.#sessions = sessions;
    this.#addressOf = addressOf;
    this.#token = token;
    this.#done = done;
    this.#hold = hold;
    list.addEventListener("click", (event) => {
      const button = event.target.closest(".wall-menu");
      if (button) this.#openMenu(button);
    });
    at("wall-actions").addEventListener("toggle", () => this.#holdWhileOpen());
    at("wall-dialog").addEventListener("close", () => this.#holdWhileOpen());
    at("wall-dialog-no").addEventListener("click", () => at("wall-dialog").close());
    at("wall-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  #holdWhileOpen() {
    this.#hold(at("wall-dialog").open || at("wall-actions").matches(":popover-open"));
  }

  #openMenu(button) {
    this.#id = button.closest(".wall-tile").dataset.id;
    const session = this.#sessions.all.get(this.#id);
    if (!session) return;
    const menu = at("wall-actions");
    const running = session.row.status === "active" || session.row.status === "paused";
    const turn = session.row.status === "paused" ? "resume" : "pause";
    const verbs = ["message", ...(running ? [turn] : []), "extend", "terminate"];
    menu.replaceChildren(...verbs.map((verb) => this.#button(verb)));
    menu.showPopover();
    const { right, bottom, top } = button.getBoundingClientRect();
    const under = bottom + menu.offsetHeight < innerHeight;
    menu.style.left = `${Math.max(8, right - menu.offsetWidth)}px`;
    menu.style.top = `${under ? bottom + 4 : Math.max(8, top - menu.offsetHeight - 4)}px`;
    menu.firstElementChild.focus();
  }

  #button(verb) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: `wall-action-${verb}`, textContent: text(verb) });
    button.addEventListener("click", () => this.#openDialog(verb));
    return button;
  }

  #openDialog(verb) {
    this.#verb = verb;
    const name = this.#sessions.all.get(this.#id)?.row.candidate ?? "";
    at("wall-actions").hidePopover();
    at("wall-form").reset();
    at("wall-dialog-title").textContent = text(`${verb}_title`, { name });
    at("wall-dialog-says").textContent = text(`${verb}_says`);
    at("wall-dialog-wrong").textContent = "";
    at("wall-dialog-yes").disabled = false;
    at("wall-dialog-yes").textContent = text(verb);
    at("wall-dialog-yes").className = verb === "terminate" ? "grave" : "primary";
    for (const field of document.querySelectorAll("#wall-form [data-field]")) this.#prepare(field, FIELDS[verb]);
    at("wall-dialog").showModal();
    this.#holdWhileOpen();
  }

  #prepare(field, wanted) {
    const name = field.dataset.field;
    const needed = wanted.includes(`${name}*`);
    const input = field.querySelector("input, textarea");
    field.hidden = !needed && !wanted.includes(name);
    input.disabled = field.hidden;
    input.required = needed;
    if (name === "reason") at("wall-reason-optional").hidden = needed;
  }

  async #send() {
    const [id, verb] = [this.#id, this.#verb];
    const name = this.#sessions.all.get(id)?.row.candidate ?? "";
    const sent = Object.fromEntries(new FormData(at("wall-form")));
    if (sent.minutes !== undefined) sent.minutes = Number(sent.minutes);
    at("wall-dialog-yes").disabled = true;
    const wrong = await this.#post(this.#addressOf(id, verb), sent);
    // The dialog may have been put away meanwhile, and opened for something else.
    const isSame = at("wall-dialog").open && this.#id === id && this.#verb === verb;
    if (isSame) at("wall-dialog-yes").disabled = false;
    if (wrong) {
      const says = text("failed", { detail: wrong });
      if (isSame) at("wall-dialog-wrong").textContent = says;
      else this.#say(name ? `${name}: ${says}` : says);
      return;
    }
    if (isSame) at("wall-dialog").close();
    this.#say(text(`done_${verb}`, { name }));
    this.#done();
  }

  /** Return why it did not work, in a sentence; empty if it did. */
  async #post(address, sent) {
    try {
      const answer = await fetch(address, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRFToken": this.#token },
        body: JSON.stringify(sent),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (answer.ok) return "";
      const told = await answer.json().catch(() => ({}));
      const fields = Object.values(told.fields ?? {}).flat();
      return String(fields[0] ?? told.detail ?? answer.status);
    } catch {
      return text("unreachable");
    }
  }

  #say(sentence) {
    const place = at("wall-done");
    place.textContent = sentence;
    place.dataset.shown = "yes";
    clearTimeout(this.#saying);
    this.#saying = setTimeout(() => (place.dataset.shown = ""), SHOWN_MS);
  }
}
