/**
 * Last pictures, people and loudness of the tiles in sight: asked for every other second while the page is in front.
 * @module
 */

const EVERY_MS = 2000;
const LONGEST_MS = 30_000;
const TIMEOUT_MS = 10_000;
const PER_FRAME = 2;

/**
 * Begin to ask.
 * @param {string} address @param {string} token against forged requests
 * @param {import("./wall-grid.js").Grid} grid @param {import("./wall-sessions.js").Sessions} sessions
 */
export function watchGlimpses(address, token, grid, sessions) {
  let wait = EVERY_MS;
  const turn = async () => {
    // Nobody looks at a page that is hidden, so nothing is made for it.
    if (!document.hidden && grid.inSight.size) wait = (await ask()) ? EVERY_MS : Math.min(LONGEST_MS, wait * 2);
    setTimeout(turn, document.hidden ? EVERY_MS : wait);
  };
  const ask = async () => {
    const tiles = [...grid.inSight].map((id) => grid.tile(id)).filter(Boolean);
    tiles.sort((a, b) => a.shownAt - b.shownAt);
    const have = Object.fromEntries(tiles.map((tile) => [tile.id, tile.version]));
    try {
      const answer = await fetch(address, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRFToken": token },
        body: JSON.stringify({ have }),
        redirect: "error",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (!answer.ok) return false;
      const { pictures, signs } = await answer.json();
      takeSigns(signs, grid, sessions);
      await showPictures(Object.entries(pictures), grid);
      return true;
    } catch {
      return false;
    }
  };
  document.addEventListener("visibilitychange", () => (wait = EVERY_MS));
  turn();
}

function takeSigns(signs, grid, sessions) {
  for (const [id, { people, sound_db: level }] of Object.entries(signs)) {
    const row = sessions.all.get(id)?.row;
    if (!row || (row.people === people && row.sound_db === level)) continue;
    Object.assign(row, { people, sound_db: level });
    grid.change(id);
  }
}

/** Show pictures a few at a time: all in one frame would hold up whoever scrolls or types. */
async function showPictures(pictures, grid) {
  for (let next = 0; next < pictures.length; next += PER_FRAME) {
    const few = pictures.slice(next, next + PER_FRAME);
    await Promise.all(few.map(([id, picture]) => showPicture(grid.tile(id), picture)));
    await new Promise(requestAnimationFrame);
  }
}

async function showPicture(tile, { version, jpeg }) {
  if (!tile) return;
  const bytes = Uint8Array.from(atob(jpeg), (letter) => letter.charCodeAt(0));
  await tile.show(new Blob([bytes], { type: "image/jpeg" }), version).catch(() => {});
}
