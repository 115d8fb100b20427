// The pages work without this: it ticks all boxes at once, and looks again while a record is on its way.
"use strict";

for (const all of document.querySelectorAll("input[data-ticks]")) {
  const boxes = () => document.querySelectorAll(`input[name="${all.dataset.ticks}"]`);
  all.closest("label").hidden = false;
  all.addEventListener("change", () => boxes().forEach((box) => { box.checked = all.checked; }));
}

const again = document.querySelector("[data-look-again]");
if (again) {
  setTimeout(() => {
    if (!document.querySelector("details[open] :focus, input:checked")) location.replace(location.pathname);
  }, 1000 * Number(again.dataset.lookAgain));
}
