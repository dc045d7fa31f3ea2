// What every view needs: words in the reader's language, elements, questions to the server, the address, messages.
// Text from models and corpora only ever becomes text nodes and attributes: no function here takes markup.

const data = (id) => JSON.parse(document.getElementById(id).textContent);

export const words = data("words");
export const models = data("models");
export const corpus = data("corpus");
export const limits = data("limits");

/** The words for a key in the page's language; `{name}` in them is what `values` has. */
export function say(key, values = {}) {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

const language = document.documentElement.lang;
const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
const decimals = [0, 1, 2, 3, 4].map(
  (digits) => new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }),
);
const short = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });

/** A number as people read it; `digits` behind the point, or none for a count. */
export function number(value, digits = 0) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return (digits ? decimals[digits] : whole).format(value).replace("-", "−");
}

/** A number of any size in three digits. */
export const rounded = (value) => short.format(value).replace("-", "−");

const SVG = "http://www.w3.org/2000/svg";
const OF_SVG = new Set(
  "svg g path line rect circle text tspan title desc polyline polygon defs clipPath style a".split(" "),
);

/** An element with its attributes and children. `on` holds listeners; a child that is not a node becomes text. */
export function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for a drawing. */
export function draw(tag, attributes = {}, ...children) {
  if (!OF_SVG.has(tag)) throw new Error(`no element ${tag} in drawings`);
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "look") Object.assign(element.style, value);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const find = (selector, within = document) => within.querySelector(selector);
export const all = (selector, within = document) => [...within.querySelectorAll(selector)];

/** A colour of the sheet, as the theme has it now. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
export const N_COLOURS = 8;

// --- questions

/** What the server answered when it could not do what was asked, in the page's language where its texts have it. */
export class Refusal extends Error {
  constructor(status, answer) {
    const code = answer.code ?? (status === 503 ? "fault-busy" : null); // the server sheds connections without a word
    const values = Object.fromEntries(Object.entries(answer.values ?? {}).map(([name, value]) =>
      [name, typeof value === "number" ? number(value) : name === "field" ? labelOf(value) : value]));
    super(code in words ? say(code, values) : answer.error ?? say("failed", { status }));
    this.status = status;
    this.word = answer.word ?? null; // the unknown one
    this.spellings = answer.spellings ?? [];
    if (this.word !== null) this.advice = this.spellings.length ? "" : partsOf(answer);
    else this.advice = code in words ? say(`${code}-advice`, values) : answer.what_to_do ?? "";
  }
}

const FIELDS = { of: "models-and-layers", most: "at-most", topn: "how-many" };

/** What the page calls a field of a question, as `sentences.3`, which is the fourth of them. */
function labelOf(field) {
  const [name, place] = field.split(".");
  const label = FIELDS[name] ?? name;
  return `${words[label] ?? name}${/^\d+$/.test(place ?? "") ? ` ${number(Number(place) + 1)}` : ""}`;
}

/** Which parts of an unknown word are known, where it is written without spaces. */
export const partsOf = ({ parts }) => (parts?.length ? say("known-parts", { parts: parts.join(" + ") }) : "");

/** The address of a question: lists are given name by name, and what is empty is left out. */
export function address(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") query.append(name, one);
    }
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

const WAIT_MS = 700;

/** What is being done, as the server calls it, in the page's language. */
function doing(what) {
  const key = `doing-${what.replaceAll(" ", "-")}`;
  return key in words ? words[key] : say("working");
}

/** The answer to a question. One that is still being computed is asked for again; unless quiet, the page says how far it is. */
export async function ask(path, parameters = {}, { body, signal, raw = false, isQuiet = false } = {}) {
  const how = body === undefined ? { signal } : postOf(body, signal);
  let isTold = false;
  for (let busy = 0; ; ) {
    let response;
    try {
      response = await fetch(address(path, parameters), how);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refusal(0, { error: say("unreachable"), what_to_do: say("unreachable-advice") });
    }
    if (response.status === 202) {
      const { what, done } = await response.json();
      if (!isQuiet) tell(doing(what), done);
      isTold = !isQuiet;
      await pause(WAIT_MS, signal);
      continue;
    }
    if (response.status === 503 && busy++ < 5) {
      await pause(1000 * Math.min(5, Number(response.headers.get("Retry-After")) || 1), signal);
      continue;
    }
    if (isTold && !signal?.aborted) tell("");
    if (!response.ok) throw new Refusal(response.status, await response.json().catch(() => ({})));
    return raw ? response.arrayBuffer() : response.json();
  }
}

const postOf = (body, signal) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
  signal,
});

export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new DOMException("stopped", "AbortError"));
    if (signal?.aborted) return stop();
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); stop(); }, { once: true });
  });
}

/** Work of which only the latest counts: what was begun before is given up, and what fails is shown on the page. */
export function latest(work) {
  let running = null;
  return async (...given) => {
    running?.abort();
    const mine = (running = new AbortController());
    const waiting = setTimeout(() => { if (running === mine) tell(say("working")); }, 250);
    try {
      document.body.setAttribute("aria-busy", "true");
      clearMessage();
      await work(mine.signal, ...given);
      if (running === mine) tell("");
    } catch (error) {
      if (error.name === "AbortError" || running !== mine) return;
      tell("");
      if (!(error instanceof Refusal)) console.error(error);
      message(error);
    } finally {
      clearTimeout(waiting);
      if (running === mine) document.body.removeAttribute("aria-busy");
    }
  };
}

/** Says in the page's line of state how things stand; with a fraction as a bar. */
export function tell(text, fraction = null) {
  const place = find("#state");
  if (!place) return;
  place.replaceChildren(text);
  if (fraction !== null) place.append(" ", make("progress", { max: 1, value: fraction, "aria-label": text }));
}

let onSpelling = () => {};
/** What is done with a spelling that was offered for an unknown word; it is told the error that offered it too. */
export function whenSpelt(listener) { onSpelling = listener; }

function message(error) {
  const place = find("#message");
  place.replaceChildren(make("p", {}, make("b", {}, error.message)), error.advice ? make("p", {}, error.advice) : "");
  if (error.spellings?.length) {
    const offered = error.spellings.map((word) =>
      make("button", { type: "button", class: "small", on: { click: () => onSpelling(word, error) } }, word));
    place.append(make("p", {}, say("did-you-mean")), make("div", { class: "chips" }, offered));
  }
  place.hidden = false;
}

export function clearMessage() { const place = find("#message"); place.hidden = true; place.replaceChildren(); }

/** A message of our own, as errors are shown. */
export const complain = (text, advice = "", spellings = [], word = null) => message({ message: text, advice, spellings, word });

// --- the address of a view

/** Chooses the model that the address names for a select; false where there is none of the name, which is said. */
export function chosenByAddress(select) {
  const name = asked().get(select.name);
  const names = [...select.options].map((option) => option.value);
  if (name === null) return true;
  if (names.includes(name)) select.value = name;
  else complain(say("fault-model", { name }), say("fault-model-advice", { names: names.filter(Boolean).join(", ") }));
  return names.includes(name);
}

/** What the page's address asks for. */
export const asked = () => new URLSearchParams(location.search);

let written = location.search; // what the page last wrote or was opened with

/** Whether the reader has gone back or forth to another question than the one shown; not so within the page. */
export const isElsewhere = () => location.search !== written;

/** Writes what is shown into the address, so that it can be passed on; `fragment` is what no server is to be asked with. */
export function keep(parameters, { push = false, fragment = "" } = {}) {
  const kept = asked().get("lang");
  const url = address(location.pathname, { ...parameters, lang: kept }) + (fragment ? `#${fragment}` : "");
  if (url !== location.pathname + location.search + location.hash) history[push ? "pushState" : "replaceState"](null, "", url);
  written = location.search;
}

// --- forms

/** The values of a form's fields by name; several of one name as a list under `name[]`. */
export function values(form) {
  const found = {};
  for (const [name, value] of new FormData(form)) {
    if (name.endsWith("[]")) (found[name.slice(0, -2)] ??= []).push(value);
    else found[name] = value;
  }
  return found;
}

/** Fills a select with [value, text] pairs, keeping what is chosen where it is still there. */
export function options(select, pairs, chosen = select.value) {
  select.replaceChildren(...pairs.map(([value, text]) => make("option", { value }, text)));
  if (pairs.some(([value]) => String(value) === String(chosen))) select.value = chosen;
}

/** Completion below a field: `look(text, signal)` gives [{word, count}]; `take(word)` is told what was chosen. */
export function complete(input, look, take) {
  const list = make("ul", { role: "listbox", id: `${input.id}-list`, hidden: true, "aria-label": say("completions") });
  input.parentElement.append(list);
  for (const [name, value] of Object.entries({
    role: "combobox", "aria-autocomplete": "list", "aria-controls": list.id, "aria-expanded": "false",
    autocomplete: "off", autocapitalize: "off", spellcheck: "false",
  })) input.setAttribute(name, value);
  let place = -1;
  let running = null;
  const close = () => {
    list.hidden = true;
    place = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const choose = (word) => { running?.abort(); input.value = word; close(); take(word); };
  const point = (next) => {
    const items = [...list.children];
    if (!items.length) return;
    place = (next + items.length) % items.length;
    items.forEach((item, at) => item.setAttribute("aria-selected", at === place));
    items[place].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", items[place].id);
  };
  input.addEventListener("input", async () => {
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    const text = input.value.trim();
    if (!text) return close();
    try {
      await pause(90, signal);
      const found = await look(text, signal);
      if (signal.aborted) return;
      list.replaceChildren(...found.map(({ word, count }, at) =>
        make("li", { role: "option", id: `${input.id}-${at}`, "aria-selected": "false",
          on: { mousedown: (event) => { event.preventDefault(); choose(word); } } },
        make("span", {}, word), count === null || count === undefined ? "" : make("span", { class: "faint" }, number(count)))));
      place = -1;
      list.hidden = !found.length;
      input.setAttribute("aria-expanded", String(found.length > 0));
    } catch { close(); }
  });
  input.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown") { event.preventDefault(); point(place + 1); }
    else if (event.key === "ArrowUp") { event.preventDefault(); point(place - 1); }
    else if (event.key === "Escape") { event.preventDefault(); close(); }
    else if (event.key === "Enter" && place >= 0) { event.preventDefault(); choose(list.children[place].firstChild.textContent); }
  });
  input.addEventListener("blur", close);
  input.form?.addEventListener("submit", () => { running?.abort(); close(); });
}

/** Puts text where it can be pasted from; also where the browser keeps its clipboard from a page without https. */
export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const before = document.activeElement;
  const field = make("textarea", { class: "hidden-label" });
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
  before?.focus();
}

/** Lines of Python that give the same numbers, to be copied. */
export function showPython(text) {
  const place = find("#python");
  if (!place) return;
  const button = make("button", { type: "button", class: "small", on: { click: async () => {
    await copy(text);
    button.textContent = say("copied");
    setTimeout(() => { button.textContent = say("copy"); }, 1500);
  } } }, say("copy"));
  place.replaceChildren(make("pre", { tabindex: 0, "aria-label": "Python" }, text), button);
}

/** A table of rows of cells; a cell that is a number stands to the right. */
export function table(caption, head, rows) {
  const isNumber = head.map((_, at) => rows.length > 0 && rows.every((row) => typeof row[at] === "number" || row[at] === null));
  const cell = (value, at) =>
    make("td", { class: isNumber[at] ? "number" : null },
      value === null || value === undefined ? "" : typeof value === "number" && !Number.isInteger(value) ? number(value, 4)
        : typeof value === "number" ? number(value) : value);
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    make("table", {}, make("caption", {}, caption),
      make("thead", {}, make("tr", {}, head.map((name, at) => make("th", { scope: "col", class: isNumber[at] ? "number" : null }, name)))),
      make("tbody", {}, rows.map((row) => make("tr", {}, row.map(cell))))));
}

// --- the frame

const toggle = find("#theme");
toggle?.addEventListener("click", () => {
  const { dataset } = document.documentElement; // theme.js has set it
  dataset.theme = dataset.theme === "dark" ? "light" : "dark";
  dispatchEvent(new Event("themechange"));
  try {
    localStorage.setItem("firth-theme", dataset.theme);
  } catch { /* a browser that keeps nothing of pages: the choice holds for this one */ }
});

for (const link of all("a[data-lang]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const query = asked();
    query.set("lang", link.dataset.lang);
    location.search = query.toString();
  });
}
