/**
 * Runs beside the page: keeps the beat, which timers of a hidden page lose, and turns frames into JPEG.
 *
 * In: `{type: "beat", ms}`, `{type: "frames", readable}`, `{type: "picture", id, side, quality, bitmap?}`.
 * Out: `{type: "beat"}`, `{type: "picture", id, data, at}` (`data` null where there is no picture).
 */
let timer = 0;
let reader = null;
let canvas = null;

const WORK = { beat: setBeat, frames: readFrames, picture: takePicture };

globalThis.onmessage = ({ data }) => void WORK[data.type]?.(data);

function setBeat({ ms }) {
  clearInterval(timer);
  timer = setInterval(() => postMessage({ type: "beat" }), ms);
}

function readFrames({ readable }) {
  void reader?.cancel().catch(() => {});
  reader = readable.getReader();
}

async function takePicture({ id, side, quality, bitmap }) {
  let data = null;
  let at = Date.now();
  let source = bitmap ?? null;
  try {
    source ??= await freshFrame();
    at = bitmap ? at : Date.now();
    data = source && (await encode(source, side, quality));
  } catch {
    // A frame that cannot be read is a picture less; that there are none is noticed by the page and by the server.
  }
  source?.close();
  postMessage({ type: "picture", id, data, at }, data ? [data] : []);
}

/** One frame has waited since the last picture; the one after it is new. */
async function freshFrame() {
  const { value } = await reader.read();
  value?.close();
  return (await reader.read()).value ?? null;
}

async function encode(source, side, quality) {
  const [width, height] = [source.displayWidth ?? source.width, source.displayHeight ?? source.height];
  const scale = Math.min(1, side / Math.max(width, height));
  fit(Math.round(width * scale), Math.round(height * scale));
  // Kept in memory and not on the graphics card, from which it would have to be read back each time.
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality });
  return blob.arrayBuffer();
}

function fit(width, height) {
  if (canvas?.width === width && canvas.height === height) return;
  canvas = new OffscreenCanvas(width, height);
}
