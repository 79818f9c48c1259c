/**
 * The dashboard on paper: the tables behind its pictures are opened, and closed again afterwards.
 * @module
 */

let opened = [];

addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll(".board details:not([open])")];
  for (const one of opened) one.open = true;
});
addEventListener("afterprint", () => {
  for (const one of opened) one.open = false;
});
