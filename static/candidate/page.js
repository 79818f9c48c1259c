/**
 * The candidate page: from signing in to the outcome, one step after another.
 * @module
 */
import { Api } from "./api.js";
import { calibrate } from "./calibrate.js";
import { sendCheck, takeCheck } from "./check.js";
import { askConsent } from "./consent.js";
import { at, busy, dayAndTime, make, notice, section, show, text } from "./dom.js";
import { askToBegin, warn } from "./exam.js";
import { isOver, showOutcome } from "./outcome.js";
import { prepareSignIn } from "./signin.js";

const api = new Api();
const code = document.body.dataset.exam;
/** The exam that is being sat, and by whom. */
let running = null;

/** @typedef {{id: string, full_name: string, email: string, roles: string[]}} User */

/** Go on after signing in: with the exam that is being sat, or from the beginning. @param {User} user */
async function signedIn(user) {
  if (!running) return attempt(() => enter(user));
  if (user.id === running.user.id) {
    showUser(user);
    return running.sitting.comeBack();
  }
  // Somebody else must not sit on in it. What was not sent yet waits for whose it is.
  removeEventListener("beforeunload", warn);
  return location.reload();
}

function showUser(user) {
  at("who").textContent = user.full_name || user.email;
  at("who").hidden = at("sign-out").hidden = false;
}

/** Begin with who has signed in. @param {User} user */
async function enter(user) {
  showUser(user);
  if (await alignLanguage(user)) return undefined;
  if (!user.roles.includes("candidate")) return wrong(text("not_candidate"));
  const [exams, sessions] = await Promise.all([
    api.get(`exams?page_size=200${code ? `&code=${encodeURIComponent(code)}` : ""}`),
    api.get(`sessions?page_size=200&ordering=-created_at${code ? `&exam=${encodeURIComponent(code)}` : ""}`),
  ]);
  const own = exams.results.filter((exam) => exam.seen_as === "candidate");
  if (!code) return showExams(own, sessions.results);
  if (!own.length) return wrong(text("no_such_exam"));
  return sit(user, own[0], sessions.results);
}

function wrong(says) {
  at("wrong-text").textContent = says;
  show("wrong");
}

function showExams(exams, sessions) {
  at("exam-none").hidden = exams.length > 0;
  at("exam-list").replaceChildren(...exams.map((exam) => row(exam, sessions)));
  show("exams");
}

function row(exam, sessions) {
  const own = sessions.filter((session) => session.exam.id === exam.id);
  const facts = [
    text("minutes", { count: exam.minutes_allowed }),
    text("problems", { count: exam.problem_count }),
    exam.opens_at && Date.parse(exam.opens_at) > Date.now() ? text("opens", { time: dayAndTime(exam.opens_at) }) : "",
    exam.closes_at ? text("closes", { time: dayAndTime(exam.closes_at) }) : "",
  ];
  const open = own.some((session) => !isOver(session));
  const spent = !open && exam.max_attempts !== null && own.length >= exam.max_attempts;
  const links = [link(exam, "", open ? "go_on" : spent ? "see_outcome" : "start")];
  if (own.length && !open && !spent) links.push(link(exam, "#outcome", "see_outcome"));
  const about = make("p", { className: "quiet", textContent: facts.filter(Boolean).join(" · ") });
  const title = make("h2", { textContent: exam.title });
  return make("li", {}, make("div", {}, title, about), make("div", { className: "actions" }, ...links));
}

function link(exam, part, name) {
  const address = `${document.querySelector(".brand").getAttribute("href")}${encodeURIComponent(exam.code)}/${part}`;
  const made = make("a", { className: "button", href: address, textContent: text(name) });
  made.setAttribute("aria-label", `${text(name)}: ${exam.title}`);
  return made;
}

/** Sit an exam, or show what came of it. */
async function sit(user, exam, sessions) {
  const open = sessions.find((session) => !isOver(session));
  const spent = exam.max_attempts !== null && sessions.length >= exam.max_attempts;
  if (!open && sessions.length && (spent || location.hash === "#outcome")) return showOutcome(api, sessions[0]);
  const session = open ? await api.get(`sessions/${open.id}`) : await create(exam);
  const began = session.status === "active" || session.status === "paused";
  if (!began && exam.requires_check) await prepare(session);
  const sitting = await askToBegin(api, await api.get(`sessions/${session.id}`), exam);
  return showOutcome(api, await run(sitting, user));
}

async function run(sitting, user) {
  running = { sitting, user };
  try {
    return await sitting.run();
  } finally {
    running = null;
  }
}

async function create(exam) {
  await askConsent(api);
  return api.post("sessions", { exam: exam.code });
}

/** System check and, where gaze is examined, the five points. */
async function prepare(session) {
  await askConsent(api);
  const measured = await takeCheck(api, session.id, session.policy.senses.includes("speakers"));
  if (!session.policy.senses.some((sense) => sense === "head" || sense === "eyes")) return;
  // The last check counts, so it looks at the camera's picture too.
  const looking = (points) => ({ ...measured.camera, picture: points[0].picture });
  await calibrate((points) => {
    return sendCheck(api, session.id, { ...measured, camera: looking(points), calibration: { points } });
  });
}

/** Do something that shows its own steps; what goes wrong is told in place of them. */
async function attempt(work) {
  try {
    await work();
  } catch (error) {
    if (error.status === 401) return;
    if (!error.detail) console.error(error);
    wrong(error.detail ?? text("failed"));
  }
}

/**
 * Have page and profile speak one language, since the server's sentences follow the profile: the language that was
 * chosen on this page, or else that of the profile, in which the page is then loaded again. A profile without any
 * takes that of the page.
 * @returns {Promise<boolean>} whether it is
 */
async function alignLanguage(user) {
  const own = document.documentElement.lang;
  if (user.language === own) return false;
  if (!user.language || "chosen" in document.body.dataset) {
    await api.call("PATCH", "auth/me", { language: own });
    return false;
  }
  at("language").dataset.told = user.language;
  at("language").requestSubmit(at("language").querySelector(`[value="${user.language}"]`));
  return true;
}

function prepareLanguages() {
  at("language").addEventListener("submit", (event) => {
    const chosen = event.submitter?.value;
    if (!api.access || event.target.dataset.told === chosen) return;
    event.preventDefault();
    const go = () => {
      event.target.dataset.told = chosen;
      event.target.requestSubmit(event.submitter);
    };
    // The server's own sentences, such as those of the socket, follow the profile.
    api.call("PATCH", "auth/me", { language: chosen }).then(go, go);
  });
}

async function begin() {
  prepareLanguages();
  prepareSignIn(api, signedIn);
  at("sign-out").addEventListener("click", () => busy(section("signin"), async () => {
    await api.signOut();
    location.reload();
  }));
  api.addEventListener("signedout", () => {
    running?.sitting.stepAside();
    at("who").hidden = at("sign-out").hidden = true;
    show("signin");
    notice(text("signed_out"));
  });
  if (!api.mayReturn) return show("signin");
  return attempt(async () => enter(await api.get("auth/me")));
}

void begin();
