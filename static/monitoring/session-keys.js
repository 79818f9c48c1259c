/**
 * Single keys for whoever reviews all day; they can be switched off, and do nothing while somebody writes.
 * @module
 */

const KEPT_AS = "session-keys-off";
const WRITING = "input:not([type=range]):not([type=checkbox]), textarea, select, dialog, [contenteditable]";
const PRESSED_BY_SPACE = "button, a, input, audio, summary";

/** Listens for keys and calls what stands for each in `actions`; `leave` is called by Escape. */
export class Keys {
  /**
   * @param {Record<string, () => void>} actions
   * @param {() => void} leave
   */
  constructor(actions, leave) {
    this.actions = actions;
    this.leave = leave;
    this.dialog = document.getElementById("keys");
    this.switch = document.getElementById("keys-on");
    const open = document.getElementById("keys-open");
    open.hidden = false;
    open.addEventListener("click", () => this.dialog.showModal());
    this.switch.checked = window.localStorage.getItem(KEPT_AS) === null;
    this.switch.addEventListener("change", () => this.#keep());
    this.#show();
    document.addEventListener("keydown", (event) => this.#press(event));
  }

  #keep() {
    if (this.switch.checked) window.localStorage.removeItem(KEPT_AS);
    else window.localStorage.setItem(KEPT_AS, "1");
    this.#show();
  }

  #show() {
    document.body.classList.toggle("keys-on", this.switch.checked);
  }

  #press(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape" && event.target.closest(".card form, #verdict form")) {
      this.leave();
      return;
    }
    if (!this.switch.checked || event.target.closest(WRITING)) return;
    if (event.key === " " && event.target.closest(PRESSED_BY_SPACE)) return;
    if (event.key === "?") {
      event.preventDefault();
      this.dialog.showModal();
      return;
    }
    const action = this.actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }
}
