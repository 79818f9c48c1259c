/**
 * The live wall of an exam: hears of its sessions, keeps the urgent ones in front, and lets staff act on them.
 * @module
 */
import { Actions } from "./wall-actions.js";
import { watchGlimpses } from "./wall-glimpses.js";
import { Grid } from "./wall-grid.js";
import { Line } from "./wall-line.js";
import { Sessions } from "./wall-sessions.js";
import { serverTime, span, text } from "./wall-text.js";

const KEPT = "proctoring.wall";
const at = (id) => /** @type {any} */ (document.getElementById(id));

const addresses = JSON.parse(at("wall-addresses").textContent);
const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
const sessions = new Sessions();
const line = new Line(addresses);
const grid = new Grid(at("wall"), sessions, (id) => addresses.session.replace(addresses.nil, id));
const tools = at("wall-tools");

// --- what is heard --------------------------------------------------------------------------------------------------

const HEAR = {
  wall: ({ sessions: rows }) => {
    sessions.takeAll(rows, serverTime());
    for (const id of sessions.all.keys()) grid.change(id);
    grid.sort();
  },
  session: ({ session, turned }) => {
    const isNew = !sessions.all.has(session.id);
    sessions.take(session, serverTime());
    grid.change(session.id);
    if (turned) at("wall-news").textContent = text("turned_high", { name: session.candidate });
    if (isNew) grid.sort();
  },
  activity: ({ session, activity }) => {
    sessions.note(session, activity);
    grid.change(session);
  },
};

line.addEventListener("message", ({ detail }) => HEAR[detail.type]?.(detail));

function showLine() {
  at("wall-line").dataset.state = line.state;
  setText("wall-line-says", text(`line_${line.state}`));
  // Beside what is read out when it changes: nobody wants to hear an age every few seconds.
  const isOld = line.state === "lost" && line.heardAt;
  setText("wall-line-age", isOld ? text("line_age", { time: span(serverTime() - line.heardAt) }) : "");
}

line.addEventListener("state", showLine);
setInterval(showLine, 5000);

// --- what is shown --------------------------------------------------------------------------------------------------

grid.addEventListener("order", ({ detail: { shown, matching, all, moved } }) => {
  const hidden = all - matching; // by the filters, not for want of room
  const parts = [
    text("shown", { shown, all }),
    ...(hidden > 0 ? [text("hidden_quiet", { count: hidden })] : []),
  ];
  setText("wall-count", all ? parts.join(" · ") : "");
  at("wall-reorder").hidden = moved === 0;
  if (moved) setText("wall-reorder", text("reorder", { count: moved }));
  at("wall-empty").hidden = shown > 0 || !line.heardAt;
  setText("wall-empty", all === 0 ? text("none_open") : text(onlyQuiet() ? "all_quiet" : "none_match"));
});

function setText(id, words) {
  if (at(id).textContent !== words) at(id).textContent = words;
}

function onlyQuiet() {
  const { name, level, state, quiet } = grid.wanted;
  return quiet && !name && !level && !state;
}

function takeTools() {
  const chosen = new FormData(tools);
  const size = String(chosen.get("size") ?? "all");
  grid.wanted = {
    name: String(chosen.get("name")).trim(),
    level: String(chosen.get("level")),
    state: String(chosen.get("state")),
    quiet: chosen.has("quiet"),
  };
  grid.size = size === "all" ? Infinity : Number(size);
  at("wall").dataset.size = size;
  grid.sort({ now: true });
  localStorage.setItem(KEPT, JSON.stringify({ size, quiet: grid.wanted.quiet }));
}

/** Show the wall as this browser showed it last. */
function recallTools() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    const size = tools.querySelector(`[name=size][value="${Number(kept.size) || "all"}"]`);
    if (size) size.checked = true;
    tools.elements.quiet.checked = kept.quiet === true;
  } catch {
    // Something else wrote there; the wall is shown as it comes.
  }
}

tools.addEventListener("input", takeTools);
tools.addEventListener("submit", (event) => event.preventDefault());
at("wall-reorder").addEventListener("click", () => grid.sort({ now: true }));

// --- begin ----------------------------------------------------------------------------------------------------------

new Actions(at("wall"), sessions, {
  addressOf: (id, verb) => addresses.action.replace(addresses.nil, id).replace(/pause$/, verb),
  token,
  done: () => line.state !== "live" && line.ask(),
  hold: (held) => grid.hold(held),
});
recallTools();
takeTools();
showLine();
line.open();
watchGlimpses(addresses.glimpses, token, grid, sessions);
