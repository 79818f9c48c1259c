/**
 * What happens in the browser beside the exam, in the words of the server. Never what was typed, copied or pasted.
 * @module
 */
import { screenCount } from "./devices.js";

/** A blur that is over so soon, or turns into a hidden tab, is none. */
const BLUR_MS = 500;
const IDLE_MS = 120_000;
/** So often keys and moves are counted up and told. */
export const COUNT_MS = 60_000;
const TOOLS_EVERY_MS = 1000;
/** Docked developer tools take at least so many pixels from the page. */
const TOOLS_PX = 160;
const TOOL_KEYS = new Set(["I", "J", "C"]);

/** Listens to the page and reports. */
export class Activity {
  #listening = new AbortController();
  #counts = { keys: 0, mouse: 0 };
  #blurredAt = null;
  #wasFullscreen = false;
  #isLeft = false;
  #toolsAt = 0;
  #toolsSeen = false;
  #size = null;

  /**
   * @param {object} options
   * @param {(event: string, detail: object, at?: number) => void} options.report `at` in ms since 1970, else now
   * @param {() => number} options.steady ms
   */
  constructor({ report, steady }) {
    Object.assign(this, { report, steady });
    this.countAt = steady() + COUNT_MS;
    this.touchedAt = steady();
    this.idleTold = false;
  }

  /** Begin to listen. */
  start() {
    this.#listenToPage();
    this.#listenToHands();
    this.#listenToScreens();
    this.#wasFullscreen = document.fullscreenElement !== null;
    if (document.visibilityState === "hidden") this.report("TAB_SWITCH", { since: "start" });
  }

  /** Do what is due; called some times a second. */
  beat() {
    const now = this.steady();
    this.#judgeBlur(now);
    this.#judgeIdle(now);
    if (now >= this.#toolsAt) this.#judgeTools(now);
    if (now >= this.countAt) this.tellCounts();
  }

  /** Report how much was typed and moved since the last time; also the sign of life where no pictures are sent. */
  tellCounts() {
    this.countAt = this.steady() + COUNT_MS;
    this.report("ACTIVITY", this.#counts);
    this.#counts = { keys: 0, mouse: 0 };
  }

  /** Stop listening, and tell the last counts. */
  stop() {
    this.#listening.abort();
    if (this.#counts.keys || this.#counts.mouse) this.tellCounts();
  }

  #on(target, name, work) {
    target.addEventListener(name, work, { signal: this.#listening.signal, capture: true, passive: true });
  }

  #listenToPage() {
    this.#on(document, "visibilitychange", () => {
      this.#blurredAt = null;
      if (document.visibilityState === "hidden" && !this.#isLeft) this.report("TAB_SWITCH", {});
    });
    // A page that is loaded again is hidden on the way; that it was left is told by the next one.
    this.#on(globalThis, "pagehide", () => (this.#isLeft = true));
    this.#on(globalThis, "pageshow", () => (this.#isLeft = false));
    this.#on(globalThis, "blur", ({ target }) => {
      if (target === globalThis) this.#blurredAt = this.steady();
    });
    this.#on(globalThis, "focus", () => (this.#blurredAt = null));
    this.#on(document, "fullscreenchange", () => {
      const is = document.fullscreenElement !== null;
      if (this.#wasFullscreen && !is) this.report("FULLSCREEN_EXIT", {});
      this.#wasFullscreen = is;
    });
    this.#on(globalThis, "beforeprint", () => this.report("PRINT", {}));
    this.#on(document, "contextmenu", () => this.report("RIGHT_CLICK", {}));
    this.#on(document, "copy", () => this.report("COPY", { characters: selectedLength() }));
    this.#on(document, "cut", () => this.report("CUT", { characters: selectedLength() }));
    this.#on(document, "paste", ({ clipboardData }) => this.report("PASTE", sizesOf(clipboardData)));
  }

  #listenToHands() {
    this.#on(document, "keydown", (event) => {
      this.#touch();
      this.#counts.keys += 1;
      if (!event.repeat) this.#judgeKeys(event);
    });
    // A print-screen key says nothing when it goes down.
    this.#on(document, "keyup", ({ key }) => key === "PrintScreen" && this.#tellKeys("PrintScreen"));
    this.#on(document, "pointermove", () => {
      this.#touch();
      this.#counts.mouse += 1;
    });
    for (const name of ["pointerdown", "wheel"]) this.#on(document, name, () => this.#touch());
  }

  #listenToScreens() {
    if (screenCount() > 1) this.report("SECOND_SCREEN", { since: "start" });
    if (!screen.addEventListener) return;
    let before = screenCount();
    this.#on(screen, "change", () => {
      const count = screenCount();
      if (count > 1 && before === 1) this.report("SECOND_SCREEN", {});
      before = count;
    });
  }

  #touch() {
    this.touchedAt = this.steady();
    this.idleTold = false;
  }

  #judgeKeys({ key, code, ctrlKey, metaKey, shiftKey, altKey }) {
    const letter = code?.startsWith("Key") ? code.slice(3) : "";
    const command = ctrlKey || metaKey;
    if (key === "F12" || (command && (shiftKey || altKey) && TOOL_KEYS.has(letter))) {
      this.report("DEVTOOLS_OPEN", { sign: "keys" });
    } else if (command && (letter === "U" || letter === "S")) this.#tellKeys(`Ctrl+${letter}`);
  }

  #tellKeys(keys) {
    this.report("KEYBOARD_SHORTCUT", { keys });
  }

  #judgeBlur(now) {
    if (this.#blurredAt === null || now - this.#blurredAt < BLUR_MS) return;
    const away = now - this.#blurredAt;
    this.#blurredAt = null;
    // Focus in a frame of the page is not away, and a hidden page is told as TAB_SWITCH.
    const within = document.hasFocus() || document.activeElement instanceof HTMLIFrameElement;
    if (!within && document.visibilityState === "visible") this.report("WINDOW_BLUR", {}, Date.now() - away);
  }

  #judgeIdle(now) {
    const idle = now - this.touchedAt;
    if (this.idleTold || idle < IDLE_MS) return;
    this.idleTold = true;
    this.report("USER_IDLE", { duration_s: Math.round(idle / 1000) }, Date.now() - idle);
  }

  /** A guess: the page became much smaller while its window and its zoom did not. */
  #judgeTools(now) {
    this.#toolsAt = now + TOOLS_EVERY_MS;
    const size = { outer: `${outerWidth} ${outerHeight} ${devicePixelRatio}`, width: innerWidth, height: innerHeight };
    const before = this.#size;
    if (!before || before.outer !== size.outer || matchMedia("(pointer: coarse)").matches) {
      this.#size = size;
      this.#toolsSeen = false;
      return;
    }
    const open = before.width - size.width > TOOLS_PX || before.height - size.height > TOOLS_PX;
    if (open && !this.#toolsSeen) this.report("DEVTOOLS_OPEN", { sign: "size" });
    this.#toolsSeen = open;
  }
}

function selectedLength() {
  const { activeElement: field } = document;
  if (typeof field?.selectionStart === "number") return field.selectionEnd - field.selectionStart;
  return String(getSelection() ?? "").length;
}

function sizesOf(data) {
  return { characters: data?.getData("text/plain").length ?? 0, files: data?.files.length ?? 0 };
}
