// The program of firth's pages: sorts tables, shows and hides what controls choose. Without it all is shown.
"use strict";

const collator = new Intl.Collator(document.documentElement.lang || "en", { numeric: true });

function sortBy(table, head) {
  const place = head.cellIndex;
  const isNumber = head.classList.contains("number");
  const before = head.getAttribute("aria-sort");
  const order = before === "none" ? (isNumber ? "descending" : "ascending")
    : before === "ascending" ? "descending" : "ascending";
  const sign = order === "ascending" ? 1 : -1;
  const key = (row) => row.cells[place].dataset.value ?? row.cells[place].textContent.trim();
  const compare = (one, other) => {
    if (one === "" || other === "") return (one === "") - (other === ""); // what is missing stands last
    return sign * (isNumber ? Number(one) - Number(other) : collator.compare(one, other));
  };
  const rows = [...table.tBodies[0].rows].sort((one, other) => compare(key(one), key(other)));
  table.tBodies[0].append(...rows);
  for (const cell of head.parentElement.cells) if (cell.hasAttribute("aria-sort")) cell.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", order);
}

for (const head of document.querySelectorAll("th[aria-sort]")) {
  head.querySelector("button").addEventListener("click", () => sortBy(head.closest("table"), head));
}

// <select data-picks="cost"> shows the elements data-of="cost" whose data-pick is its value, and hides the others.
for (const select of document.querySelectorAll("select[data-picks]")) {
  const pick = () => {
    for (const part of document.querySelectorAll(`[data-of="${select.dataset.picks}"]`)) {
      part.hidden = part.dataset.pick !== select.value;
    }
  };
  select.addEventListener("change", pick);
  pick();
}

// <button data-series="2"> shows and hides what is drawn of the second variant, in all pictures.
for (const button of document.querySelectorAll("button[data-series]")) {
  button.addEventListener("click", () => {
    const isShown = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isShown));
    for (const part of document.querySelectorAll(`svg [data-series="${button.dataset.series}"]`)) {
      part.classList.toggle("off", !isShown);
    }
  });
}

// <input type="checkbox" data-widens="neighbours"> shows the columns class="more" of what has this id.
for (const box of document.querySelectorAll("input[data-widens]")) {
  const part = document.getElementById(box.dataset.widens);
  const widen = () => part.classList.toggle("narrow", !box.checked);
  box.addEventListener("change", widen);
  widen();
}

// A word that stands in several columns is marked in all of them while the pointer is on it, or the focus.
for (const table of document.querySelectorAll("table.neighbours")) {
  const mark = (event) => {
    const word = event.type === "mouseleave" || event.type === "focusout" ? null : event.target.closest("[data-word]");
    for (const one of table.querySelectorAll("[data-word]")) {
      one.classList.toggle("same", word !== null && one.dataset.word === word.dataset.word);
    }
  };
  for (const type of ["mouseover", "mouseleave", "focusin", "focusout"]) table.addEventListener(type, mark);
}

for (const button of document.querySelectorAll("button[data-copies]")) {
  button.addEventListener("click", async () => {
    const part = document.getElementById(button.dataset.copies);
    const range = document.createRange();
    range.selectNodeContents(part);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    let isCopied = false;
    try {
      await navigator.clipboard.writeText(part.textContent);
      isCopied = true;
    } catch { // a page that was opened as a file may have no clipboard: what is selected can still be copied by hand
      isCopied = document.execCommand("copy");
    }
    if (isCopied) button.textContent = button.dataset.copied;
  });
}
