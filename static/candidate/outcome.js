/**
 * After the end: what was handed in, what a human decided and by which moments, and what the candidate says to it.
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
    present(api, session, outcome);
    presentAppeal(outcome);
    return outcome.decided && outcome.appeal?.state !== "open";
  };
  const again = async () => {
    const decided = await look().catch(() => false);
    if (!decided) setTimeout(again, AGAIN_MS);
  };
  at("outcome-again").onclick = () => busy(section("outcome"), look);
  at("appeal-form").onsubmit = (event) => {
    event.preventDefault();
    busy(at("appeal-form"), async () => {
      await api.post(`sessions/${session.id}/appeal`, { text: at("appeal-text").value });
      await look();
      at("appeal-says").scrollIntoView({ block: "nearest" });
      setTimeout(again, AGAIN_MS);
    });
  };
  showScores(session);
  void showAnswers(api, session);
  await again();
}

function present(api, session, { decided, sentence, reason, decided_at: decidedAt, activities }) {
  if (at("outcome-sentence").textContent !== sentence) at("outcome-sentence").textContent = sentence;
  at("outcome-reason").textContent = decided && reason ? text("reason", { reason }) : "";
  at("outcome-about").textContent = decided ? text("decided_on", { time: dayAndTime(decidedAt) }) : "";
  at("outcome-counted").hidden = !decided;
  // Looking again must not take away a sound that plays.
  const shown = JSON.stringify(activities);
  if (at("outcome-activities").dataset.shown === shown) return;
  at("outcome-activities").dataset.shown = shown;
  for (const file of document.querySelectorAll("#outcome-activities :is(img, audio)")) URL.revokeObjectURL(file.src);
  const rows = activities.map(({ id, label, explanation, evidence, started_at: time }) => {
    const name = make("b", { textContent: ` ${label}. ` });
    const row = make("li", {}, make("time", { textContent: dayAndTime(time) }), name, explanation);
    if (evidence) void showEvidence(api, row, `sessions/${session.id}/outcome/evidence/${id}`, evidence, label);
    return row;
  });
  const none = make("li", { textContent: text("nothing_counted") });
  at("outcome-activities").replaceChildren(...(rows.length ? rows : [none]));
}

/** Put a kept picture or sound into its row; it is fetched as the candidate, since no address alone gives it away. */
async function showEvidence(api, row, path, { media_type: type }, event) {
  const file = await api.file(path).catch(() => null);
  if (!file) {
    // The next look tries it again.
    delete at("outcome-activities").dataset.shown;
    return;
  }
  const source = URL.createObjectURL(file);
  const alternative = text("evidence_of", { event });
  if (type.startsWith("audio/")) {
    const sound = make("audio", { controls: true, src: source });
    sound.setAttribute("aria-label", alternative);
    row.append(sound);
  } else {
    row.append(make("img", { src: source, alt: alternative }));
  }
}

function presentAppeal({ appeal, may_appeal: may, appeal_until: until }) {
  at("appeal").hidden = !appeal && !until;
  at("appeal-form").hidden = !may;
  at("appeal-sent").hidden = !appeal;
  const over = until ? text(may ? "appeal_until" : "appeal_over", { time: dayAndTime(until) }) : "";
  const says = appeal?.sentence ?? over;
  if (at("appeal-says").textContent !== says) at("appeal-says").textContent = says;
  if (!appeal) return;
  const when = make("p", { className: "quiet", textContent: text("appeal_again", { time: dayAndTime(appeal.sent_at) }) });
  at("appeal-sent").replaceChildren(when, make("p", { className: "statement", textContent: appeal.text }));
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
