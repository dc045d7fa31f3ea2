// A word in its contexts: every occurrence a point, layer by layer.

import { all, ask, asked, chosenByAddress, colour, complete, corpus, draw, find, keep, latest, limits, make, models, N_COLOURS, number, options,
  say, showPython, tell, values, whenSpelt } from "./page.js";
import { offer } from "./figure.js";
import { inside, nearest, placeTip, Plane } from "./plane.js";

const MOVE_MS = 700;
const AROUND = 110; // characters of a sentence on either side of the word, in the list
const RADIUS = 5;
const form = find("#ask"), canvas = find("#canvas"), slider = find("#layer"), list = find("#list"), tip = find("#tip");
const isCalm = matchMedia("(prefers-reduced-motion: reduce)");

/** The model that is looked at first: of a corpus that comes with words to try, the one that tells their senses apart best. */
const first = () => [...(corpus?.tried.models ?? []).map((name) => models.find((model) => model.name === name)),
  models.find((model) => model.in_context), models[0]].find(Boolean);

let shown = null; // the answer that is on the page
let answered = null; // what it was asked for by
let xs = new Float64Array(0), ys = xs; // where the points are now, also on their way
let place = 0; // of the layer in the list of layers
let pointed = -1;
let selection = null; // places that were encircled or chosen in the legend; null is all
let chosen = []; // for each occurrence, whether it is in the selection and the list
let classes = []; // for each occurrence, which colour it has
let moving;

const plane = new Plane(canvas, {
  paint,
  point: (at) => pointAt(at ? nearest(plane, xs, ys, at, 16) : -1, at),
  click: (at) => {
    const found = nearest(plane, xs, ys, at, 16);
    if (found >= 0) rowOf(found)?.scrollIntoView({ block: "nearest" });
    else select(null);
  },
  encircle: (polygon) => select(Array.from(xs, (_, at) => at).filter((at) => inside([plane.x(xs[at]), plane.y(ys[at])], polygon))),
  step: (by) => { if (shown) pointAt((pointed + by + shown.shown) % shown.shown, null); },
});

// --- asking

const show = latest(async (signal) => {
  const query = values(form);
  const body = {
    word: query.word.trim(), model: query.model, most: Number(query.most) || 500, seed: Number(query.seed) || 0,
    senses: query.senses ? Number(query.senses) : null,
  };
  const kept = shown?.model === body.model ? shown.layers[place] : NaN; // another model has other layers
  const layer = shown ? kept : Number(asked().get("layer") ?? NaN);
  tell(say("working"));
  const found = await ask("/api/occurrences", {}, { body, signal });
  const isNew = !shown || shown.word !== found.word || shown.model !== found.model;
  const reach = Math.max(1e-9, ...found.points.flat(2).map(Math.abs)); // one for all layers: what spreads is seen to
  found.points = found.points.map((layer) => layer.map((point) => point.map((value) => value / reach)));
  shown = found;
  if (isNew) plane.camera.reset();
  begin(layer);
  answered = { ...body, senses: body.senses ?? "" };
  find("#view").hidden = false;
  plane.resize();
  address();
  showPython(found.python);
  offer({
    path: "/api/occurrences", body, svg: drawing, caption, name: `contexts-${found.word}-${found.model}`,
  });
});

function begin(layer) {
  const layers = shown.layers;
  place = layers.includes(layer) ? layers.indexOf(layer) : layers.length - 1;
  slider.max = layers.length - 1;
  find("#slider").hidden = layers.length < 2;
  find("#ticks").replaceChildren(...layers.map((number) => make("span", {}, String(number))));
  const columns = Object.keys(shown.columns ?? {});
  options(find("#colour"), [["", say("sense")], ...columns.map((name) => [name, name])], asked().get("colour") ?? undefined);
  selection = null;
  pointed = -1;
  recolour();
  xs = Float64Array.from(shown.points[place], (point) => point[0]);
  ys = Float64Array.from(shown.points[place], (point) => point[1]);
  goTo(place);
}

function address() {
  if (shown) keep({ ...answered, layer: shown.layers[place], colour: find("#colour").value });
}

// --- layers

function goTo(next) {
  place = next;
  slider.value = next;
  const layer = shown.layers[next];
  const told = shown.kind === "around" ? say("words-around") : say("layer-of", { layer, last: shown.layers.at(-1) });
  find("#layer-told").textContent = told;
  slider.setAttribute("aria-valuetext", told);
  const facts = [
    [make("b", {}, shown.word), ` · ${shown.model}`],
    [told],
    [say("shown-of", { shown: number(shown.shown), total: number(shown.total), seed: shown.seed })],
    shown.trustworthiness?.[next] === null || shown.trustworthiness === undefined ? null : [say("trustworthiness", { value: number(shown.trustworthiness[next], 2) })],
    shown.self_similarity?.[next] === null || shown.self_similarity === undefined ? null : [say("self-similarity-is", { value: number(shown.self_similarity[next], 2) })],
    shown.senses?.n > 1 ? [say("senses-are", { n: shown.senses.n, layer: shown.senses.layer, value: number(shown.senses.silhouette, 2) })] : null,
  ].filter(Boolean);
  find("#caption").replaceChildren(...facts.map((parts) => make("span", {}, parts)));
  canvas.setAttribute("aria-label", say("contexts-picture", { word: shown.word, shown: shown.shown, model: shown.model, layer: told }));
  travel(shown.points[next]);
}

/** Moves every point from where it is to where it belongs, along a straight line. */
function travel(target) {
  cancelAnimationFrame(moving);
  const fromX = xs.slice(), fromY = ys.slice();
  const arrive = (share) => {
    const eased = share < 0.5 ? 4 * share ** 3 : 1 - (2 - 2 * share) ** 3 / 2;
    for (let at = 0; at < target.length; at++) {
      xs[at] = fromX[at] + (target[at][0] - fromX[at]) * eased;
      ys[at] = fromY[at] + (target[at][1] - fromY[at]) * eased;
    }
    plane.soon();
  };
  if (isCalm.matches) return arrive(1);
  const begun = performance.now();
  const step = (now) => {
    const share = Math.min(1, (now - begun) / MOVE_MS);
    arrive(share);
    if (share < 1) moving = requestAnimationFrame(step);
  };
  moving = requestAnimationFrame(step);
}

// --- colours and choice

function recolour() {
  const by = find("#colour").value;
  const isSense = !by;
  const names = isSense ? (shown.senses?.of ?? []).map((sense) => sense.sense) : shown.columns[by] ?? [];
  const top = names.slice(0, N_COLOURS - 1);
  classes = shown.occurrences.map((one) => {
    const found = top.indexOf(isSense ? one.sense : one.columns?.[by]);
    return found >= 0 ? found : N_COLOURS - 1;
  });
  const counts = Array(N_COLOURS).fill(0);
  for (const one of classes) counts[one]++;
  const entries = top.map((name, at) => [at, isSense
    ? `${at + 1} · ${number(counts[at])}${shown.senses.of[at].words?.length ? ` · ${shown.senses.of[at].words.slice(0, 4).join(", ")}` : ""}`
    : `${name} · ${number(counts[at])}`]);
  if (counts[N_COLOURS - 1] && !top.length) entries.push([N_COLOURS - 1, number(counts[N_COLOURS - 1])]);
  else if (counts[N_COLOURS - 1]) entries.push([N_COLOURS - 1, `${say("other")} · ${number(counts[N_COLOURS - 1])}`]);
  find("#legend").replaceChildren(...entries.map(([kind, text]) => {
    const button = make("button", { type: "button", "aria-pressed": "false", data: { kind }, on: { click: () => {
      const isOn = button.getAttribute("aria-pressed") === "true";
      all("#legend button").forEach((other) => other.setAttribute("aria-pressed", "false"));
      button.setAttribute("aria-pressed", String(!isOn));
      select(isOn ? null : classes.flatMap((one, at) => (one === kind ? [at] : [])), true);
    } } }, swatch(kind), text);
    return button;
  }));
  select(null);
}

function select(places, isOfLegend = false) {
  selection = places && new Set(places);
  if (!isOfLegend) all("#legend button").forEach((button) => button.setAttribute("aria-pressed", "false"));
  fillList();
  plane.soon();
}

const isChosen = (at) => (selection === null || selection.has(at)) && matches(at);

function matches(at) {
  const filter = find("#filter").value.trim().toLocaleLowerCase();
  return !filter || shown.occurrences[at].text.toLocaleLowerCase().includes(filter);
}

// --- the list

/** A sentence with the word marked; `most` characters on either side. */
function sentence(one, most = Infinity) {
  const letters = Array.from(one.text);
  const before = letters.slice(0, one.start), after = letters.slice(one.end);
  return [
    before.length > most ? `…${before.slice(-most).join("")}` : before.join(""),
    make("mark", {}, letters.slice(one.start, one.end).join("")),
    after.length > most ? `${after.slice(0, most).join("")}…` : after.join(""),
  ];
}

function fillList() {
  chosen = shown.occurrences.map((_, at) => isChosen(at));
  const order = shown.occurrences.map((_, at) => at).filter((at) => chosen[at]).sort((a, b) => classes[a] - classes[b] || a - b);
  list.replaceChildren(...order.map((at) => make("li", {}, make("button", { type: "button", class: "row", data: { at },
    on: { focus: () => pointAt(at, null, false), pointerenter: () => pointAt(at, null, false), pointerleave: () => pointAt(-1) } },
    swatch(classes[at]), make("span", {}, sentence(shown.occurrences[at], AROUND), whence(shown.occurrences[at]))))));
  if (!order.length) list.append(make("li", { class: "empty" }, say("none-match")));
  find("#chosen").textContent = say("chosen-of", { chosen: number(order.length), shown: number(shown.shown) });
}

function whence(one) {
  const told = Object.values(one.columns ?? {}).filter((value) => value !== null && value !== "");
  return told.length ? make("span", { class: "faint" }, ` — ${told.join(" · ")}`) : null;
}

const rowOf = (at) => find(`button[data-at="${at}"]`, list);

function pointAt(at, where = null, inList = true) {
  if (!shown || (at === pointed && !where)) return;
  rowOf(pointed)?.classList.remove("near");
  pointed = at;
  plane.soon();
  if (at < 0) { tip.hidden = true; return; }
  if (inList) rowOf(at)?.classList.add("near");
  const one = shown.occurrences[at];
  tip.replaceChildren(...sentence(one, 200), whence(one) ?? "");
  placeTip(tip, plane, where ?? [plane.x(xs[at]), plane.y(ys[at])]);
}

// --- drawing

const SHAPES = [
  (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`,
  (r) => `M${-r * 0.9} ${-r * 0.9}h${r * 1.8}v${r * 1.8}h${-r * 1.8}z`,
  (r) => `M0 ${-r * 1.2}L${r * 1.1} ${r * 0.8}H${-r * 1.1}z`,
  (r) => `M0 ${-r * 1.25}L${r * 1.25} 0L0 ${r * 1.25}L${-r * 1.25} 0z`,
  (r) => `M0 ${r * 1.2}L${r * 1.1} ${-r * 0.8}H${-r * 1.1}z`,
  (r) => `M${-r * 0.4} ${-r * 1.1}h${r * 0.8}v${r * 0.7}h${r * 0.7}v${r * 0.8}h${-r * 0.7}v${r * 0.7}h${-r * 0.8}v${-r * 0.7}h${-r * 0.7}v${-r * 0.8}h${r * 0.7}z`,
  (r) => `M0 ${-r * 1.2}L${r * 1.15} ${-r * 0.35}L${r * 0.7} ${r}H${-r * 0.7}L${-r * 1.15} ${-r * 0.35}z`,
  (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0M${-r / 2} 0a${r / 2} ${r / 2} 0 1 1 ${r} 0a${r / 2} ${r / 2} 0 1 1 ${-r} 0`,
];
const paths = SHAPES.map((shape) => new Path2D(shape(RADIUS)));
const large = SHAPES.map((shape) => new Path2D(shape(RADIUS * 1.7)));

const swatch = (kind) => draw("svg", { viewBox: "-7 -7 14 14", class: "swatch", "aria-hidden": "true" }, draw("path", { d: SHAPES[kind](RADIUS), fill: colour(`c${kind}`) }));

function paint(context, { width, height }) {
  context.fillStyle = colour("panel");
  context.fillRect(0, 0, width, height);
  if (!shown) return;
  const colours = Array.from({ length: N_COLOURS }, (_, at) => colour(`c${at}`));
  const edge = colour("panel"), dull = colour("line");
  const mark = (at, path, fill, opacity) => {
    context.save();
    context.translate(plane.x(xs[at]), plane.y(ys[at]));
    context.globalAlpha = opacity;
    context.fillStyle = fill;
    context.fill(path);
    context.globalAlpha = 1;
    context.lineWidth = 0.8;
    context.strokeStyle = edge;
    context.stroke(path);
    context.restore();
  };
  chosen.forEach((is, at) => { if (!is) mark(at, paths[classes[at]], dull, 1); });
  chosen.forEach((is, at) => { if (is && at !== pointed) mark(at, paths[classes[at]], colours[classes[at]], 0.82); });
  if (pointed >= 0 && pointed < xs.length) mark(pointed, large[classes[pointed]], colours[classes[pointed]], 1);
}

/** What is on the canvas, as SVG. */
function drawing() {
  const svg = draw("svg", { viewBox: `0 0 ${plane.width} ${plane.height}`, width: plane.width, height: plane.height },
    draw("rect", { width: plane.width, height: plane.height, fill: colour("panel") }),
    draw("g", {}, Array.from(xs, (_, at) => draw("path", { d: SHAPES[classes[at]](RADIUS),
      transform: `translate(${plane.x(xs[at]).toFixed(1)} ${plane.y(ys[at]).toFixed(1)})`,
      fill: chosen[at] ? colour(`c${classes[at]}`) : colour("line"), "fill-opacity": 0.85, stroke: colour("panel"), "stroke-width": 0.8 }))),
    draw("g", { "font-size": 12.5 }, all("#legend button").map((button, at) => [
      draw("path", { d: SHAPES[button.dataset.kind](RADIUS), transform: `translate(18 ${20 + at * 20})`, fill: colour(`c${button.dataset.kind}`) }),
      draw("text", { x: 30, y: 24 + at * 20 }, button.textContent),
    ])));
  return svg;
}

const caption = () => [
  all("#caption > span").map((span) => span.textContent).join(" · "), say("pca-of-layer"), shown.python,
];

// --- working it

form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
for (const name of ["model", "senses"]) form.elements[name].addEventListener("change", () => { if (form.elements.word.value.trim()) form.requestSubmit(); });
slider.addEventListener("input", () => { goTo(Number(slider.value)); address(); });
find("#colour").addEventListener("change", () => { recolour(); address(); });
find("#filter").addEventListener("input", () => { fillList(); plane.soon(); });
find("#fit").addEventListener("click", () => plane.camera.reset());
find("#lasso").addEventListener("click", (event) => {
  plane.isLasso = !plane.isLasso;
  event.currentTarget.setAttribute("aria-pressed", String(plane.isLasso));
  canvas.classList.toggle("lassoing", plane.isLasso);
});
addEventListener("themechange", () => { if (shown) { recolour(); } });
whenSpelt((word) => { form.elements.word.value = word; show(); });
complete(form.elements.word, async (text, signal) => (corpus ? (await ask("/api/words", { prefix: text, limit: 12 }, { signal, isQuiet: true })).words : []),
  () => show());

for (const [name, value] of asked()) {
  const field = form.elements[name];
  if (field && !["layer", "model"].includes(name)) field.value = value;
}
form.elements.model.value = first()?.name ?? "";
form.elements.most.max = limits.occurrences;
const isThere = chosenByAddress(form.elements.model);
if (!corpus) tell(`${say("fault-no-corpus")} ${say("fault-no-corpus-advice")}`);
else if (isThere && form.elements.word.value) show();
if (corpus?.tried.words.length) {
  find("#try").hidden = false;
  find("#try").append(...corpus.tried.words.map((word) =>
    make("button", { type: "button", class: "small", on: { click: () => { form.elements.word.value = word; show(); } } }, word)));
}
