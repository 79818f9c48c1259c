/**
 * After the end: what was handed in, and what a human decided.
 * @module
 */
import { at, busy, dayAndTime, make, section, show, text } from "./dom.js";

const AGAIN_MS = 60_000;
const CLOSED = new Set(["submitted", "terminated", "expired"]);

/** Say whether a session is over. @param {{status: string}} session */
export function isOver(session) {
  return CLOSED.has(session.status);
}

/**
 * Show what came of a session that is over, and look again once a minute until a human has decided.
 * @param {import("./api.js").Api} api
 * @param {object} session
 */
export async function showOutcome(api, session) {
  at("outcome-title").textContent = text(session.status);
  at("outcome-ended").textContent = session.reason ? text("reason", { reason: session.reason }) : "";
  show("outcome");
  // Who loads the page again wants to see this again, and not to begin another attempt.
  history.replaceState(null, "", "#outcome");
  const look = async () => {
    const outcome = await api.get(`sessions/${session.id}/outcome`);
    present(outcome);
    return outcome.decided;
  };
  const again = async () => {
    const decided = await look().catch(() => false);
    if (!decided) setTimeout(again, AGAIN_MS);
  };
  at("outcome-again").onclick = () => busy(section("outcome"), look);
  showScores(session);
  void showAnswers(api, session);
  await again();
}

function present({ decided, sentence, reason, decided_at: decidedAt, activities }) {
  if (at("outcome-sentence").textContent !== sentence) at("outcome-sentence").textContent = sentence;
  at("outcome-reason").textContent = decided && reason ? text("reason", { reason }) : "";
  at("outcome-about").textContent = decided ? text("decided_on", { time: dayAndTime(decidedAt) }) : "";
  at("outcome-counted").hidden = !decided;
  const rows = activities.map(({ label, explanation, started_at: time }) => {
    const name = make("b", { textContent: ` ${label}. ` });
    return make("li", {}, make("time", { textContent: dayAndTime(time) }), name, explanation);
  });
  const none = make("li", { textContent: text("nothing_counted") });
  at("outcome-activities").replaceChildren(...(rows.length ? rows : [none]));
}

function showScores({ risk_score: score, risk_level: level }) {
  at("outcome-scores").textContent = score === null ? "" : text("risk", { score, level: text(`level_${level}`) });
}

async function showAnswers(api, session) {
  const [problems, final] = await Promise.all([
    api.get(`exams/${session.exam.id}/problems?page_size=200`),
    api.get(`sessions/${session.id}/submissions?final=true&page_size=1`),
  ]).catch(() => [null, null]);
  if (problems) at("outcome-answers").textContent = text("final_answers", { count: final.count, all: problems.count });
}
