/**
 * Signing in, by password or by face, and registering.
 * @module
 */
import { closeStream } from "../proctor/devices.js";
import { openDevices, takePicture } from "./devices.js";
import { at, busy, section, show, text } from "./dom.js";

const PICTURES_WANTED = 2;

/**
 * Prepare the three forms.
 * @param {import("./api.js").Api} api
 * @param {(user: object) => Promise<void>} onSignedIn
 */
export function prepareSignIn(api, onSignedIn) {
  const enter = async (answer) => {
    api.keep(answer);
    // What follows may be the whole exam; the form is wanted again where it is interrupted.
    await Promise.race([anotherStep(), onSignedIn(answer.user)]);
  };
  at("signin-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.target));
    void busy(event.target, async () => {
      const answer = await api.open("auth/login", given);
      event.target.reset();
      await enter(answer);
    });
  });
  at("register-form").addEventListener("submit", (event) => {
    event.preventDefault();
    void busy(event.target, () => register(api, event.target, enter));
  });
  prepareFace(api, enter);
  for (const button of document.querySelectorAll("[data-go]")) {
    button.addEventListener("click", () => show(button.dataset.go));
  }
}

/** Return once a step was shown. @returns {Promise<void>} */
function anotherStep() {
  return new Promise((resolve) => {
    const observer = new MutationObserver(() => {
      observer.disconnect();
      resolve();
    });
    observer.observe(document.body, { attributeFilter: ["data-shown"] });
  });
}

async function register(api, form, enter) {
  const given = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
  showFieldErrors(form, {});
  try {
    const answer = await api.open("auth/register", { ...given, language: document.documentElement.lang });
    form.reset();
    await enter(answer);
  } catch (error) {
    showFieldErrors(form, error.fields ?? {});
    throw error;
  }
}

function showFieldErrors(form, fields) {
  for (const input of form.elements) {
    const place = input.parentElement?.querySelector(".field-error");
    if (!place) continue;
    const wrong = fields[input.name]?.join(" ") ?? "";
    place.textContent = wrong;
    place.id = `${input.id}-error`;
    for (const [name, value] of Object.entries({ "aria-invalid": "true", "aria-describedby": place.id })) {
      if (wrong) input.setAttribute(name, value);
      else input.removeAttribute(name);
    }
  }
  form.querySelector("[aria-invalid]")?.focus();
}

/** Camera, challenge, picture from the front, picture turned; each press of the button is the next of these. */
function prepareFace(api, enter) {
  const form = at("face-form");
  const video = at("face-video");
  let state = null;
  const end = () => {
    closeStream(state?.stream ?? null);
    state = null;
    video.srcObject = null;
    at("face-preview").hidden = true;
    at("face-instruction").textContent = "";
    at("face-go").textContent = at("face-go").dataset.first ?? at("face-go").textContent;
  };
  const begin = async () => {
    at("face-go").dataset.first ??= at("face-go").textContent;
    const { email } = Object.fromEntries(new FormData(form));
    const challenge = await api.open("auth/login/face/challenge", { email });
    const stream = await openDevices({ sound: false });
    state = { email, challenge, stream, pictures: [] };
    video.srcObject = stream;
    at("face-preview").hidden = false;
    await video.play();
    ask();
  };
  const ask = () => {
    const first = state.pictures.length === 0;
    at("face-instruction").textContent = first ? text("face_first") : state.challenge.instruction;
    at("face-go").textContent = text(first ? "face_take_first" : "face_take_second");
  };
  const compare = async () => {
    at("face-instruction").textContent = text("face_wait");
    const { email, challenge, pictures } = state;
    try {
      const answer = await api.open("auth/login/face", { email, challenge: challenge.challenge, pictures });
      end();
      await enter(answer);
    } catch (error) {
      // A picture that will not do does not use the challenge up; anything else does.
      if (error.status === 422 && state) {
        state.pictures = [];
        ask();
      } else end();
      throw error;
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void busy(form, async () => {
      if (!state) return begin();
      state.pictures.push(takePicture(video));
      return state.pictures.length < PICTURES_WANTED ? ask() : compare();
    });
  });
  section("face").querySelector("[data-go]").addEventListener("click", end);
}
