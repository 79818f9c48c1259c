/**
 * What goes over the wire to a proctoring server: headers, messages, addresses; pure, no browser needed.
 * @module
 */

/** Streams that are numbered apart from one another. @type {readonly ["frame", "audio", "event"]} */
export const STREAMS = Object.freeze(["frame", "audio", "event"]);

/** Bytes before every picture and every chunk of sound. */
export const HEADER_BYTES = 20;

const HEADER_VERSION = 1;
const STREAM_BYTE = { frame: 0, audio: 1 };

/** Why a server closes a socket. */
export const Close = Object.freeze({
  BAD_TICKET: 4401,
  NOT_YOURS: 4403,
  NO_SESSION: 4404,
  GONE_QUIET: 4408,
  TAKEN_OVER: 4409,
  ENDED: 4410,
  FLOOD: 4429,
  UNAVAILABLE: 4503,
});

const FINAL = new Set([Close.NOT_YOURS, Close.NO_SESSION, Close.TAKEN_OVER, Close.ENDED]);

/**
 * Tell whether a socket that was closed with this code is not to be opened again.
 * @param {number} code
 * @returns {boolean}
 */
export function isFinal(code) {
  return FINAL.has(code);
}

/**
 * @typedef {object} Item
 * @property {"frame"|"audio"|"event"} stream
 * @property {number} seq number within its stream; a number is taken once, so that sending again is harmless
 * @property {number} at when it was captured, ms since 1970 by this machine's clock
 * @property {number|null} offset what has to be added to `at` to get the server's time; null if not known then
 * @property {ArrayBuffer} [data] encoded picture or sound
 * @property {string} [media] type of the sound's file, if it is no WAV
 * @property {string} [event] kind of event
 * @property {object} [detail] of an event
 */

/**
 * Return the bytes of a picture or a chunk of sound with its header (big-endian: version u8, stream u8, 0 u16,
 * number u64, time of capture in ms u64).
 * @param {Item} item
 * @param {number} capturedAt ms since 1970 by the server's clock
 * @returns {ArrayBuffer}
 */
export function encodeBinary(item, capturedAt) {
  const bytes = new Uint8Array(HEADER_BYTES + item.data.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, HEADER_VERSION);
  view.setUint8(1, STREAM_BYTE[item.stream]);
  view.setBigUint64(4, BigInt(item.seq));
  view.setBigUint64(12, BigInt(Math.max(0, Math.round(capturedAt))));
  bytes.set(new Uint8Array(item.data), HEADER_BYTES);
  return bytes.buffer;
}

/**
 * Return the text message of an event.
 * @param {Item} item
 * @param {number} capturedAt ms since 1970 by the server's clock
 * @returns {string}
 */
export function encodeEvent(item, capturedAt) {
  const { seq, event, detail } = item;
  return JSON.stringify({ type: "event", seq, captured_at: Math.round(capturedAt), event, detail });
}

/**
 * Return an event as the HTTP call takes it.
 * @param {Item} item
 * @param {number} capturedAt ms since 1970 by the server's clock
 * @returns {{event_type: string, seq: number, occurred_at: string, detail: object}}
 */
export function eventForHttp(item, capturedAt) {
  const occurred = new Date(Math.round(capturedAt)).toISOString();
  return { event_type: item.event, seq: item.seq, occurred_at: occurred, detail: item.detail };
}

/**
 * Return 16-bit samples as a WAV file, so that the sound says itself what it is.
 * @param {Int16Array} samples one channel
 * @param {number} rate samples per second
 * @returns {ArrayBuffer}
 */
export function wavOf(samples, rate) {
  const bytes = new ArrayBuffer(44 + samples.length * 2);
  const view = new DataView(bytes);
  const name = (at, text) => [...text].forEach((char, index) => view.setUint8(at + index, char.charCodeAt(0)));
  name(0, "RIFF");
  view.setUint32(4, 36 + samples.length * 2, true);
  name(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  name(36, "data");
  view.setUint32(40, samples.length * 2, true);
  for (let index = 0; index < samples.length; index += 1) view.setInt16(44 + index * 2, samples[index], true);
  return bytes;
}

/**
 * Return the address of a session's socket.
 * @param {string} origin such as `https://exams.example.org`
 * @param {string} session
 * @param {string} ticket
 * @returns {string}
 */
export function socketAddress(origin, session, ticket) {
  const url = new URL(`/ws/proctoring/${session}/`, origin);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.searchParams.set("ticket", ticket);
  return url.href;
}

/**
 * Read a text message; null for what is no message.
 * @param {unknown} text
 * @returns {{type: string, [key: string]: any}|null}
 */
export function parseMessage(text) {
  if (typeof text !== "string") return null;
  try {
    const message = JSON.parse(text);
    return message && typeof message === "object" && typeof message.type === "string" ? message : null;
  } catch {
    return null;
  }
}
