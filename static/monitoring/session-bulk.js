/**
 * Choosing several activities that are decided together.
 * @module
 */

/**
 * Bring the bar for deciding together to life.
 * @param {HTMLElement} desk
 * @returns {{count: () => void, toggle: (card: HTMLElement|null) => void}}
 */
export function pickTogether(desk) {
  const form = document.getElementById("bulk");
  if (!form) return { count: () => undefined, toggle: () => undefined };
  const says = form.querySelector(".bulk-count");
  const boxes = () => [...desk.querySelectorAll(".pick input")];
  const count = () => {
    const chosen = boxes().filter((box) => box.checked).length;
    says.textContent = says.dataset.one.replace("%(count)s", String(chosen));
    form.classList.toggle("is-used", chosen > 0);
  };
  form.querySelector(".bulk-pick").hidden = false;
  says.hidden = false;
  form.querySelector("#bulk-all").addEventListener("click", () => {
    const kind = form.querySelector("#bulk-kind").value;
    for (const box of boxes()) {
      const card = box.closest(".card");
      if (card.dataset.verdict === undefined && (!kind || card.dataset.kind === kind)) box.checked = true;
    }
    count();
  });
  form.querySelector("#bulk-none").addEventListener("click", () => {
    for (const box of boxes()) box.checked = false;
    count();
  });
  desk.addEventListener("change", (event) => event.target.matches(".pick input") && count());
  count();
  return {
    count,
    toggle: (card) => {
      const box = card?.querySelector(".pick input");
      if (!box) return;
      box.checked = !box.checked;
      count();
    },
  };
}
