/**
 * The text that one agrees to before anything is recorded.
 * @module
 */
import { at, busy, make, section, show, text } from "./dom.js";

const PURPOSE = "proctoring";

/**
 * Return once the candidate has agreed to the text that counts now; who does not agree stays on a friendly page.
 * @param {import("./api.js").Api} api
 */
export async function askConsent(api) {
  const current = await standing(api);
  if (current.agreed) return;
  await new Promise((resolve) => {
    let asked = current;
    present(asked);
    at("consent-no").onclick = () => show("declined");
    at("consent-again").onclick = () => present(asked);
    at("consent-yes").onclick = () =>
      busy(section("consent"), async () => {
        try {
          await api.post("auth/me/consents", { purpose: PURPOSE, version: asked.version, agree: true });
        } catch (error) {
          // The institution published another text meanwhile: that one has to be read.
          if (error.code === "outdated_text") present((asked = await standing(api)));
          throw error;
        }
        resolve();
      });
  });
}

async function standing(api) {
  const { current } = await api.get("auth/me/consents");
  return current.find((item) => item.purpose === PURPOSE);
}

function present({ title, text: body, version }) {
  at("consent-title").textContent = title;
  at("consent-version").textContent = text("consent_version", { version });
  at("consent-text").replaceChildren(...body.split(/\n\s*\n/).map((part) => make("p", { textContent: part.trim() })));
  show("consent");
}
