/**
 * Decisions without loading the page again: the form is sent as it is, and what the server shows then is taken over.
 * @module
 */

const PARTS = ["scores", "undecided", "notes"];

/** Sends the forms of the session page; calls `onChange` with the new page when something was taken over. */
export class Sender {
  /**
   * @param {HTMLElement} desk
   * @param {{onChange: (page: Document, decided: HTMLElement|null, card: HTMLElement|null) => void}} calls
   *   `decided` is the activity as it is now, null where the server refused; `card` is it in either case
   */
  constructor(desk, { onChange }) {
    this.desk = desk;
    this.onChange = onChange;
    this.says = document.getElementById("session-says");
    desk.addEventListener("submit", (event) => {
      const form = event.target;
      if (!form.matches(".card form, #note-form")) return;
      event.preventDefault();
      this.send(form, event.submitter);
    });
  }

  /** Send a form as the browser would, then take over what has changed. */
  async send(form, submitter) {
    const activity = form.elements.namedItem("activity").value;
    const card = activity ? document.getElementById(`activity-${activity}`) : null;
    const body = new FormData(form, submitter);
    for (const button of form.querySelectorAll("button")) button.disabled = true;
    card?.setAttribute("aria-busy", "true");
    try {
      const page = await this.#fetch(form.action, body);
      if (page.getElementById("session-desk") && (!card || page.getElementById(card.id))) this.#take(page, card, form);
      else window.location.reload(); // signed out, or gone: the server says so best itself
    } catch {
      for (const button of form.querySelectorAll("button")) button.disabled = button.hidden;
      card?.removeAttribute("aria-busy");
      this.#complain(form.closest("dialog") ?? card?.querySelector(".card-body"), this.says.dataset.failed);
    }
  }

  async #fetch(address, body) {
    const answer = await fetch(address, { method: "POST", body, credentials: "same-origin" });
    if (answer.status >= 500) throw new Error(answer.statusText);
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }

  #take(page, card, sent) {
    const refused = page.querySelector(".messagelist .error");
    this.#carry(page, refused ? null : sent);
    for (const id of PARTS) this.#swap(document.getElementById(id), page.getElementById(id));
    const taken = card && this.#swap(card, page.getElementById(card.id));
    if (refused) this.#complain(taken?.querySelector(".card-body"), refused.textContent.trim());
    this.onChange(page, refused ? null : taken, taken);
  }

  /** Put what is written here into the new page's forms, but for the one that was taken. */
  #carry(page, taken) {
    for (const input of page.querySelectorAll(".card input[id], #note-form input[id]")) {
      const written = document.getElementById(input.id);
      if (written && written.form !== taken) input.value = written.value;
    }
  }

  #swap(before, after) {
    if (!before || !after) return null;
    const adopted = document.adoptNode(after);
    before.replaceWith(adopted);
    return adopted;
  }

  #complain(place, sentence) {
    place ??= document.getElementById("notes");
    place.querySelector(".errornote")?.remove();
    const note = document.createElement("p");
    note.className = "errornote";
    note.setAttribute("role", "alert");
    note.textContent = sentence;
    place.prepend(note);
  }
}
