/**
 * The candidate reads a sentence aloud, so that the server can tell another voice from theirs; it may be left out.
 * @module
 */
import { RATE, Sound } from "../proctor/sound.js";
import { wavOf } from "../proctor/wire.js";
import { at, busy, section, text } from "./dom.js";

const READ_S = 8;
const SHOW_MS = 200;
const WAV_HEADER = 44;

/**
 * Offer to record the sentence.
 * @param {MediaStream} stream with the microphone
 * @param {(voice: string) => Promise<{voice: string|null}>} send a data: URL; the answer says what became of it
 */
export function offerVoice(stream, send) {
  const go = at("voice-go");
  at("voice").hidden = false;
  go.textContent = text("voice_go");
  say("voice_optional");
  go.onclick = () =>
    busy(section("check"), async () => {
      let known = false;
      try {
        say("voice_reading");
        const recording = await record(stream.getAudioTracks()[0]);
        say("voice_waiting");
        known = (await send(recording)).voice === "known";
      } finally {
        say(known ? "voice_known" : "voice_unknown");
        go.textContent = text("voice_again");
      }
    });
}

/** Offer it no longer. */
export function hideVoice() {
  at("voice").hidden = true;
  at("voice-go").onclick = null;
}

function say(name) {
  at("voice-says").textContent = text(name);
}

/** Return the next seconds of a microphone as a data: URL of a WAV file. @param {MediaStreamTrack} track */
async function record(track) {
  const parts = [];
  const sound = new Sound({ onChunk: ({ data }) => parts.push(new Int16Array(data, WAV_HEADER)), onBlocked() {} });
  const bar = at("voice-progress");
  bar.hidden = false;
  try {
    await sound.open(track);
    await new Promise((resolve) => {
      const begun = performance.now();
      const timer = setInterval(() => {
        bar.value = (performance.now() - begun) / 1000 / READ_S;
        if (bar.value < 1) return;
        clearInterval(timer);
        resolve();
      }, SHOW_MS);
    });
    await sound.flush();
  } finally {
    bar.hidden = true;
    await sound.close();
  }
  return asUrl(wavOf(joined(parts), RATE));
}

/** @param {Int16Array[]} parts */
function joined(parts) {
  const all = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let filled = 0;
  for (const part of parts) {
    all.set(part, filled);
    filled += part.length;
  }
  return all;
}

/** @param {ArrayBuffer} data @returns {Promise<string>} */
function asUrl(data) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(new Blob([data], { type: "audio/wav" }));
  });
}
