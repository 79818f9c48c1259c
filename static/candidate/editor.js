/**
 * The code editor (CodeMirror), in a shadow root: there its styles need no exception from the page's policy.
 * @module
 */
import * as cm from "../vendor/codemirror/codemirror.js";
import { text } from "./dom.js";

/** Languages to choose from, as they are sent and as they are called. */
export const LANGUAGES = Object.freeze({
  python: "Python",
  c: "C",
  "c++": "C++",
  go: "Go",
  java: "Java",
  javascript: "JavaScript",
  rust: "Rust",
  sql: "SQL",
  text: null,
});

const THEME = cm.EditorView.theme({
  "&": { color: "var(--text)", backgroundColor: "var(--field)", height: "100%", fontSize: "0.95rem" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "ui-monospace, Consolas, 'Liberation Mono', monospace", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--text)" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": { backgroundColor: "var(--field)", color: "var(--quiet)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--line-on)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "var(--chosen)",
  },
  ".cm-matchingBracket": { backgroundColor: "var(--chosen)", outline: "1px solid var(--edge)" },
});

const { tags } = cm;
const COLOURS = cm.HighlightStyle.define([
  { tag: [tags.keyword, tags.controlKeyword, tags.operatorKeyword], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
  { tag: tags.comment, color: "var(--quiet)", fontStyle: "italic" },
  {
    tag: [tags.function(tags.variableName), tags.function(tags.definition(tags.variableName)), tags.typeName],
    color: "var(--code-name)",
  },
]);

/** One editor for all problems; each has a state of its own, so that undo does not cross from one to another. */
export class Editor {
  #states = new Map();
  #shown = null;
  #language = new cm.Compartment();
  #open = new cm.Compartment();
  #isOpen = true;

  /**
   * @param {HTMLElement} host
   * @param {(problem: number, code: string) => void} onChange
   */
  constructor(host, onChange) {
    this.onChange = onChange;
    const root = host.shadowRoot ?? host.attachShadow({ mode: "open", delegatesFocus: true });
    const parent = document.createElement("div");
    parent.style.height = "100%";
    root.replaceChildren(parent);
    this.view = new cm.EditorView({ parent, root });
  }

  /** Show the answer to a problem. @param {number} problem @param {{code: string, language: string}} answer */
  open(problem, answer) {
    if (this.#shown !== null) this.#states.set(this.#shown, this.view.state);
    this.#shown = null;
    this.view.setState(this.#states.get(problem) ?? this.#state(problem, answer));
    this.#shown = problem;
    this.setLanguage(answer.language);
    this.#setOpen();
  }

  /** Read what is written from now on as this language. @param {string} language */
  setLanguage(language) {
    this.view.dispatch({ effects: this.#language.reconfigure(grammar(language)) });
  }

  /** Let the candidate write, or only read. @param {boolean} isOpen */
  allow(isOpen) {
    this.#isOpen = isOpen;
    this.#setOpen();
  }

  #setOpen() {
    this.view.dispatch({ effects: this.#open.reconfigure(closed(!this.#isOpen)) });
  }

  #state(problem, { code, language }) {
    const { keymap } = cm;
    return cm.EditorState.create({
      doc: code,
      extensions: [
        cm.lineNumbers(),
        cm.highlightActiveLineGutter(),
        cm.highlightSpecialChars(),
        cm.history(),
        cm.drawSelection(),
        cm.indentOnInput(),
        cm.indentUnit.of("    "),
        cm.bracketMatching(),
        cm.closeBrackets(),
        cm.highlightActiveLine(),
        cm.syntaxHighlighting(COLOURS),
        THEME,
        keymap.of([...cm.closeBracketsKeymap, ...cm.defaultKeymap, ...cm.historyKeymap, cm.indentWithTab]),
        this.#language.of(grammar(language)),
        this.#open.of([]),
        cm.EditorView.lineWrapping,
        cm.EditorView.contentAttributes.of({ "aria-label": text("editor_label", { number: problem }) }),
        cm.EditorView.updateListener.of((update) => {
          if (update.docChanged && this.#shown === problem) this.onChange(problem, update.state.doc.toString());
        }),
      ],
    });
  }
}

function grammar(language) {
  return cm.grammars[language]?.() ?? [];
}

function closed(isClosed) {
  return isClosed ? [cm.EditorState.readOnly.of(true), cm.EditorView.editable.of(false)] : [];
}
