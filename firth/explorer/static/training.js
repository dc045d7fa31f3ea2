// How training went, or goes: loss and whatever else the log has, against seconds or tokens.

import { ask, asked, clearMessage, complain, find, keep, make, models, number, options, pause, say, showPython, table, tell, values } from "./page.js";
import { lines, offer, redrawn } from "./figure.js";

const POLL_MS = 2000, RUNS_MS = 6000, MOST_POINTS = 1500;
const LOSSES = ["loss_nats", "loss", "held_out_nats"]; // drawn together
const NOT_SHOWN = ["seconds", "tokens", "fraction", "epochs", ...LOSSES];
const form = find("#ask");
const logs = new Map(); // model -> {entries, next, finished}
const readings = new Map(); // model -> what is on its way
let runs = [], picture = null, drawn = [];

const chosen = () => values(form).run ?? [];

async function follow() {
  let told = 0;
  for (;;) {
    try {
      if (!told || performance.now() - told > RUNS_MS) { told = performance.now(); list((await ask("/api/runs")).runs); }
      let isNew = false;
      for (const model of chosen()) isNew = (await read(model)) || isNew;
      clearMessage();
      if (isNew) paint();
    } catch (error) { complain(error.message, error.advice ?? ""); }
    await pause(chosen().some((model) => !logs.get(model)?.finished) || !runs.length ? POLL_MS : RUNS_MS);
  }
}

/** Reads a log as far as it is written, an answer at a time; whether it brought something. Never twice at once. */
function read(model) {
  if (!readings.has(model)) readings.set(model, readOn(model).finally(() => readings.delete(model)));
  return readings.get(model);
}

async function readOn(model) {
  if (logs.get(model)?.finished && !runs.find((run) => run.model === model)?.live) return false;
  let isNew = !logs.has(model);
  while (await readNext(model)) isNew = true;
  return isNew;
}

async function readNext(model) {
  const log = logs.get(model) ?? { entries: [], next: 0, keys: [], finished: false };
  const found = await ask(`/api/runs/${encodeURIComponent(model)}/log`, { after: log.next });
  const isAgain = found.next < log.next; // it was begun anew
  log.entries = isAgain ? [] : [...log.entries, ...found.entries];
  let tokens = 0; // what was held out is told between two reports: its tokens are those of the one before
  for (const entry of log.entries) tokens = entry.tokens ??= tokens;
  Object.assign(log, { next: isAgain ? 0 : found.next, finished: found.finished, keys: [...new Set([...log.keys, ...found.keys])], python: found.python });
  logs.set(model, log);
  return found.entries.length > 0 || isAgain;
}

function list(found) {
  const told = (some) => JSON.stringify(some.map(({ model, live }) => [model, live]));
  if (told(found) === told(runs)) return;
  const before = runs.length ? new Set(chosen()) : new Set(asked().getAll("run"));
  const isFirst = !runs.length && !before.size;
  runs = found;
  find("#runs").replaceChildren(...runs.map((run) => make("label", { class: "choice" },
    make("input", { type: "checkbox", name: "run[]", value: run.model, checked: isFirst || before.has(run.model) }),
    ` ${run.model}${run.live ? ` · ${say("live")}` : ""}`)));
  if (!runs.length) tell(say("no-runs"));
}

function paint() {
  const before = drawn.join("\n");
  drawn = chosen().filter((model) => logs.get(model)?.entries.length);
  find("#view").hidden = !drawn.length;
  tell(drawn.length ? "" : say("no-runs"));
  if (!drawn.length) return;
  const found = [...new Set(drawn.flatMap((model) => logs.get(model).keys))];
  const keys = [...(found.some((key) => LOSSES.includes(key)) ? ["loss"] : []), ...found.filter((key) => !NOT_SHOWN.includes(key))];
  const shown = find("#shown");
  if (keys.join() !== [...shown.options].map((option) => option.value).join() || !picture) { // a list that is open stays so
    options(shown, keys.map((key) => [key, say(`log-${key}`) === `log-${key}` ? key : say(`log-${key}`)]), picture ? shown.value : asked().get("shown") ?? "loss");
  }
  const wished = values(form);
  keep({ run: drawn, against: wished.against, shown: wished.shown, log: wished.log });
  if (picture) picture.paint();
  else picture = redrawn(find("#plot"), drawing);
  find("#caption").replaceChildren(...drawn.map((model) => make("span", {}, make("b", {}, model), ` ${state(model)}`)));
  const tables = drawn.map((model) => {
    const { keys: all, entries } = logs.get(model);
    return table(model, all, entries.slice(-200).map((entry) => all.map((key) => entry[key] ?? null)));
  });
  if (drawn.join("\n") === before) { // the same runs went on: what has the focus keeps it
    [...find("#table").children].forEach((region, at) => region.replaceChildren(...tables[at].childNodes));
    return;
  }
  find("#table").replaceChildren(...tables);
  const python = drawn.map((model) => logs.get(model).python).filter(Boolean).join("\n");
  showPython(python);
  const parts = drawn.map((model) => ({ name: model, path: `/api/runs/${encodeURIComponent(model)}/log`, json: () => ({ model, ...logs.get(model) }) }));
  offer({ parts, svg: () => drawing(900), caption: () => [
    ...drawn.map((model) => `${model}: ${state(model)}; ${say("seed")} ${models.find((one) => one.name === model)?.seed ?? "–"}`), python], name: `training-${drawn.join("-")}` });
}

function state(model) {
  const log = logs.get(model), last = log.entries.at(-1);
  const loss = log.entries.map((entry) => entry.loss_nats ?? entry.loss).findLast((value) => typeof value === "number");
  return [log.finished ? say("finished") : say("live"), `${number(last.seconds, 1)} s`, loss === undefined ? null : `${say("loss")} ${number(loss, 3)}`].filter(Boolean).join(" · ");
}

function drawing(width) {
  const { against, shown, log } = values(form);
  const transformed = (value) => (typeof value !== "number" ? null : log ? (value > 0 ? Math.log10(value) : null) : value);
  const series = chosen().filter((model) => logs.has(model)).flatMap((model) => {
    const { entries } = logs.get(model);
    return (shown === "loss" ? LOSSES : [shown]).map((key) => {
      const some = thinned(entries.filter((entry) => entry[key] !== undefined && entry[against] !== undefined));
      const isHeldOut = key === "held_out_nats";
      return { name: isHeldOut ? `${model}, ${say("held-out")}` : model, colour: runs.findIndex((run) => run.model === model) % 8,
        dash: isHeldOut ? "1 5" : undefined, dots: isHeldOut || some.length < 40, points: some.map((entry) => [entry[against], transformed(entry[key])]) };
    });
  });
  const title = find("#shown").selectedOptions[0]?.textContent ?? shown;
  return lines({ width, height: 420, series, title: `${title}, ${say(against)}`, x: { title: say(against), from: 0 }, y: { title: log ? `log₁₀ ${title}` : title } });
}

/** Every so many entry, the last one always. */
function thinned(entries) {
  const every = Math.ceil(entries.length / MOST_POINTS);
  return every < 2 ? entries : entries.filter((_, at) => at % every === 0 || at === entries.length - 1);
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", async () => {
  try {
    for (const model of chosen()) if (!logs.has(model)) await read(model);
    paint();
  } catch (error) { complain(error.message, error.advice ?? ""); }
});
for (const name of ["against", "log"]) {
  const value = asked().get(name);
  if (value === null) continue;
  if (name === "log") form.elements.log.checked = true;
  else form.elements[name].value = value;
}
follow();
