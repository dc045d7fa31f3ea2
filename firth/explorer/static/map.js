// The map of a vocabulary: each word a point, labels where there is room; two models side by side, moving together.

import { ask, asked, colour, complain, complete, draw, find, chosenByAddress, keep, latest, make, models, number, options, pause, say, showPython, table,
  tell, values, whenSpelt } from "./page.js";
import { offer } from "./figure.js";
import { Camera, nearest, placeTip, Plane } from "./plane.js";

const CELL = 9; // pixels of a cell of the grid in which labels find room
const LABEL_PX = 12.5;
const MOST_LABELS = 260, MOST_LABELS_MOVING = 90, MOST_TRIED = 30_000;
const SIZES = 5; // of points, by frequency
const NEIGHBOURS = 15;
const form = find("#ask");
const camera = new Camera();
let panes = [];
let answered = null; // what they were asked for by
let chosen = null; // the word that was clicked or searched
let near = []; // its neighbours in the space of the vectors
let pointed = null;

// --- asking

const show = latest(async (signal) => {
  const query = asking();
  const first = await load(query.model, query.layer, query.method, null, signal);
  const second = query.beside ? await load(query.beside, layerFor(query.beside, query.layer), query.method, `${query.model}:${query.layer}:${query.method}`, signal) : null;
  for (const pane of panes) pane.end();
  camera.planes = [];
  camera.reset();
  find("#view").hidden = false;
  const place = find("#maps");
  place.classList.toggle("two", Boolean(second));
  panes = [first, second].filter(Boolean).map((found) => new Pane(found, place));
  answered = query;
  const n = Math.max(...panes.map((pane) => pane.n));
  for (const field of [form.elements.from, form.elements.to]) field.max = n;
  if (!Number(form.elements.to.value) || !asked().get("to")) form.elements.to.value = n;
  remember();
  showPython(panes.map((pane) => pane.python).join("\n"));
  judged(signal).catch((error) => { if (error.name !== "AbortError") complain(error.message, error.advice ?? ""); });
  offer({ parts: panes.map((pane) => pane.taken()), svg: drawing, caption: () => [...panes.map((pane) => pane.told()), ...panes.map((pane) => pane.python)],
    name: `map-${panes.map((pane) => pane.model).join("-")}` });
  await Promise.all([movers(signal), chosen ? choose(chosen, false) : null]);
});

/** Waits for the trustworthiness of the maps, which takes longer than the maps. */
async function judged(signal) {
  for (const pane of panes) {
    while (pane.head.judging) {
      await pause(1000, signal);
      Object.assign(pane.head, await ask("/api/map", pane.parameters, { signal }));
      pane.tell();
    }
  }
}

const asking = () => ({ model: form.elements.model.value, layer: form.elements.layer.value, method: form.elements.method.value, beside: form.elements.beside.value });

const layerFor = (name, layer) => {
  const layers = models.find((model) => model.name === name)?.layers ?? [0];
  return layers.includes(Number(layer)) ? layer : layers.at(-1);
};

async function load(model, layer, method, onto, signal) {
  const parameters = { model, layer, method, onto };
  let head = await ask("/api/map", parameters, { signal });
  if (head.state !== "ready") {
    await ask("/api/map", {}, { body: { model, layer: Number(layer), method }, signal });
    head = await ask("/api/map", parameters, { signal });
  }
  const [points, listed] = await Promise.all([ask(head.points, {}, { signal, raw: true }), ask(head.words, {}, { signal })]);
  return { ...head, parameters, points: new Float32Array(points), words: listed.words, counts: listed.counts };
}

function remember() {
  if (!answered) return;
  const n = panes[0].n;
  const [from, to] = [Number(form.elements.from.value), Number(form.elements.to.value)];
  keep({ ...answered, word: chosen, from: from > 1 ? from : "", to: to < n ? to : "" });
}

// --- one map

class Pane {
  constructor(found, place) {
    Object.assign(this, { model: found.model, layer: found.layer, words: found.words, counts: found.counts, python: found.python, head: found, parameters: found.parameters });
    this.n = this.words.length;
    this.xs = new Float32Array(this.n);
    this.ys = new Float32Array(this.n);
    for (let at = 0; at < this.n; at++) { this.xs[at] = found.points[2 * at]; this.ys[at] = found.points[2 * at + 1]; }
    this.places = new Map(this.words.map((word, at) => [word, at]));
    this.sizes = Uint8Array.from(this.words, (_, at) => Math.max(0, SIZES - 1 - Math.floor(Math.log10(1 + at / 40) * 1.6)));
    this.widths = new Map();
    this.canvas = make("canvas", { tabindex: 0, role: "img" });
    this.tip = make("div", { class: "tip", hidden: true });
    const fit = make("button", { type: "button", class: "small", on: { click: () => camera.reset() } }, say("fit"));
    this.figure = make("figure", {}, make("div", { class: "plot tall" }, this.canvas, make("div", { class: "buttons" }, fit), this.tip),
      make("figcaption"));
    this.tell();
    place.append(this.figure);
    this.plane = new Plane(this.canvas, {
      camera, paint: (context, plane, isStill) => this.paint(context, plane, isStill),
      point: (at) => point(at ? this.under(at) : null, this, at),
      click: (at) => { const word = this.under(at); if (word !== null) choose(word); },
    });
  }

  /** What is known of the map, below it. */
  tell() {
    this.canvas.setAttribute("aria-label", this.told());
    find("figcaption", this.figure).replaceChildren(...this.told().split(" · ").map((part, at) => make("span", {}, at ? part : make("b", {}, part))));
  }

  end() { this.plane.end(); this.figure.remove(); }

  /** What of it can be saved: words with their places and counts. */
  taken() {
    const { model, layer, method, parameters } = this.head;
    return { name: `${model} ${layer} ${method}`, path: "/api/map", parameters,
      json: () => ({ ...this.head, parameters: undefined, words: this.words, counts: this.counts, points: Array.from(this.xs, (x, at) => [x, this.ys[at]]) }) };
  }

  told() {
    const { model, layer, method, trustworthiness, judging, k, sample, explained, seed } = this.head;
    return [model, `${say("layer")} ${layer}`, String(method).toUpperCase(), `${number(this.n)} ${say("words")}`,
      trustworthiness === null || trustworthiness === undefined ? (judging ? say("no-trust") : say("no-trust-of-few")) : say("trust-of-sample", { value: number(trustworthiness, 2), k, sample: number(sample) }),
      explained ? say("explains", { share: number(100 * (explained[0] + explained[1]), 0) }) : null, seed === undefined ? null : `${say("seed")} ${seed}`].filter(Boolean).join(" · ");
  }

  /** Which ranks are shown: from the first to one before the last. */
  get range() {
    return [Math.max(0, (Number(form.elements.from.value) || 1) - 1), Math.min(this.n, Number(form.elements.to.value) || this.n)];
  }

  under(at) {
    const [first, stop] = this.range;
    const found = nearest(this.plane, this.xs, this.ys, at, 14, (place) => place >= first && place < stop);
    return found < 0 ? null : this.words[found];
  }

  paint(context, plane, isStill) {
    const paper = colour("panel"), ink = colour("ink"), accent = colour("c0"), warm = colour("c1");
    const image = this.stamped(plane, paper, near.length ? colour("c7") : accent);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.putImageData(image, 0, 0);
    context.setTransform(plane.ratio, 0, 0, plane.ratio, 0, 0);
    const marked = this.marked();
    if (panes.length === 2 && chosen !== null) this.trail(context, plane, warm);
    for (const [at, isCentre] of marked) {
      context.beginPath();
      context.arc(plane.x(this.xs[at]), plane.y(this.ys[at]), isCentre ? 6 : 4, 0, 2 * Math.PI);
      context.fillStyle = isCentre ? warm : accent;
      context.fill();
      context.lineWidth = 1.5;
      context.strokeStyle = paper;
      context.stroke();
    }
    context.font = `${LABEL_PX}px ${getComputedStyle(document.body).fontFamily}`;
    context.textBaseline = "middle";
    context.lineJoin = "round";
    for (const { text, x, y, isMarked } of this.labels(context, plane, isStill ? MOST_LABELS : MOST_LABELS_MOVING, marked)) {
      context.lineWidth = 3;
      context.strokeStyle = paper;
      if (isStill || isMarked) context.strokeText(text, x, y);
      context.fillStyle = isMarked ? warm : ink;
      context.fillText(text, x, y);
    }
    if (isStill && !this.isPainted) { this.isPainted = true; performance.mark("map-painted"); }
  }

  marked() {
    const found = [];
    for (const word of near) if (this.places.has(word)) found.push([this.places.get(word), false]);
    for (const word of [pointed, chosen]) if (word !== null && this.places.has(word)) found.push([this.places.get(word), true]);
    return found;
  }

  /** From where the other map has the chosen word to where this one has it. */
  trail(context, plane, stroke) {
    const other = panes[0] === this ? panes[1] : panes[0];
    const [to, from] = [this.places.get(chosen), other.places.get(chosen)];
    if (to === undefined || from === undefined) return;
    context.beginPath();
    context.moveTo(plane.x(other.xs[from]), plane.y(other.ys[from]));
    context.lineTo(plane.x(this.xs[to]), plane.y(this.ys[to]));
    context.lineWidth = 1.6;
    context.strokeStyle = stroke;
    context.setLineDash([5, 4]);
    context.stroke();
    context.setLineDash([]);
  }

  /**
   * The points, put into pixels by hand: 50,000 small discs with soft edges, which a canvas' own paths take ten times as long for.
   * Rare words first, so that frequent ones lie above.
   */
  stamped(plane, paper, ink) {
    const { width, height } = this.canvas;
    if (!this.image || this.image.width !== width || this.image.height !== height) this.image = new ImageData(width, height);
    const pixels = new Uint32Array(this.image.data.buffer);
    const back = bytes(paper), front = bytes(ink);
    pixels.fill(packed(back));
    const grow = Math.min(2.2, Math.max(1, camera.zoom ** 0.3)) * plane.ratio;
    const [first, stop] = this.range;
    const full = Math.max(70, Math.min(215, 215 - 48 * Math.log10(Math.max(1, (stop - first) / 1500 / camera.zoom))));
    const stamps = Array.from({ length: SIZES }, (_, size) => stamp((0.55 + 0.5 * size) * grow, full + (255 - full) * (size / SIZES)));
    const unit = plane.unit * plane.ratio;
    const left = width / 2 - camera.x * unit, top = height / 2 + camera.y * unit;
    const bytesOf = this.image.data;
    for (let at = stop - 1; at >= first; at--) {
      const { reach, side, alpha } = stamps[this.sizes[at]];
      const x = Math.round(left + this.xs[at] * unit) - reach, y = Math.round(top - this.ys[at] * unit) - reach;
      if (x < 0 || y < 0 || x + side > width || y + side > height) continue;
      for (let row = 0, of = 0; row < side; row++) {
        let to = ((y + row) * width + x) * 4;
        for (let column = 0; column < side; column++, of++, to += 4) {
          const share = alpha[of];
          if (!share) continue;
          bytesOf[to] += ((front[0] - bytesOf[to]) * share) >> 8;
          bytesOf[to + 1] += ((front[1] - bytesOf[to + 1]) * share) >> 8;
          bytesOf[to + 2] += ((front[2] - bytesOf[to + 2]) * share) >> 8;
        }
      }
    }
    return this.image;
  }

  /** Labels that do not lie on one another: those of marked words first, then frequent ones. */
  labels(context, plane, most, marked) {
    const found = [];
    const taken = new Set();
    const isMarked = new Set(marked.map(([at]) => at));
    const shiftX = Math.floor(camera.x * plane.unit), shiftY = Math.floor(-camera.y * plane.unit);
    const columns = 1 << 14;
    const put = (at, force) => {
      const x = plane.x(this.xs[at]) + 6, y = plane.y(this.ys[at]);
      if (x < 0 || y < 8 || x > plane.width - 12 || y > plane.height - 8) return;
      const text = this.words[at];
      const cell = Math.floor((y + shiftY) / CELL) * columns + Math.floor((x + shiftX) / CELL);
      if (!force && taken.has(cell)) return; // before its width is measured, which takes longer
      let width = this.widths.get(at);
      if (width === undefined) this.widths.set(at, (width = context.measureText(text).width));
      const from = Math.floor((x + shiftX) / CELL), to = Math.floor((x + shiftX + width + 5) / CELL);
      const top = Math.floor((y + shiftY - 7) / CELL), bottom = Math.floor((y + shiftY + 7) / CELL);
      if (!force) for (let row = top; row <= bottom; row++) for (let column = from; column <= to; column++) if (taken.has(row * columns + column)) return;
      for (let row = top; row <= bottom; row++) for (let column = from; column <= to; column++) taken.add(row * columns + column);
      found.push({ text, x, y, at, isMarked: isMarked.has(at) });
    };
    for (const [at, isCentre] of [...marked].reverse()) put(at, isCentre);
    const [first, stop] = this.range;
    for (let at = first, tried = 0; at < stop && tried < MOST_TRIED && found.length < most; at++) {
      const x = plane.x(this.xs[at]), y = plane.y(this.ys[at]);
      if (isMarked.has(at) || x < 0 || y < 0 || x > plane.width || y > plane.height) continue;
      tried++; // of those in view alone: from near, rare words are labelled too
      put(at, false);
    }
    return found;
  }
}

const bytes = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const packed = ([red, green, blue]) => (255 << 24 | blue << 16 | green << 8 | red) >>> 0;

/** A soft disc as shares of 256, `full` in its middle. */
function stamp(radius, full) {
  const reach = Math.ceil(radius + 0.5), side = 2 * reach + 1;
  const alpha = new Uint16Array(side * side);
  for (let row = 0; row < side; row++) for (let column = 0; column < side; column++) {
    const far = Math.hypot(row - reach, column - reach);
    alpha[row * side + column] = Math.round(full * Math.min(1, Math.max(0, radius + 0.5 - far)));
  }
  return { reach, side, alpha };
}

// --- words that are pointed at or chosen

function point(word, pane, at) {
  if (word !== pointed) { pointed = word; for (const one of panes) one.plane.soon(); }
  for (const one of panes) {
    const place = word === null ? undefined : one.places.get(word);
    if (place === undefined) { one.tip.hidden = true; continue; }
    const count = one.counts?.[place];
    one.tip.replaceChildren(make("b", {}, word), make("br"), make("span", { class: "faint" }, count === undefined || count === null
      ? say("rank-is", { rank: number(place + 1) }) : say("count-and-rank", { count: number(count), rank: number(place + 1) })));
    placeTip(one.tip, one.plane, one === pane && at ? at : [one.plane.x(one.xs[place]), one.plane.y(one.ys[place])]);
  }
}

const choose = latest(async (signal, word, isVisit = true) => {
  near = [];
  mark(word, isVisit);
  const found = await ask("/api/neighbours", { word, of: panes.map((one) => `${one.model}:${one.layer}`), topn: NEIGHBOURS }, { signal });
  const known = found.columns.find((column) => column.known)?.word ?? word;
  if (known !== word) mark((word = known), isVisit); // the vocabulary writes it otherwise, as in small letters
  near = [...new Set(found.columns.flatMap((column) => column.neighbours.map((one) => one.word)))];
  for (const one of panes) one.plane.soon();
  find("#side-title").textContent = say("neighbours-of", { word });
  find("#side-note").textContent = say("original-space");
  find("#list").replaceChildren(...found.columns.flatMap((column) => [
    ...(found.columns.length > 1 ? [make("li", { class: "empty" }, column.model)] : []),
    ...column.neighbours.map((one) => make("li", {}, row(one.word, number(one.cosine, 3))))]));
  find("#table").replaceChildren(table(say("neighbours-of", { word }), [say("model"), say("word"), say("cosine"), say("count")],
    found.columns.flatMap((column) => column.neighbours.map((one) => [column.of, one.word, one.cosine, one.count ?? null]))));
});

/** Makes a word the chosen one, and looks at it where it is not to be seen. */
function mark(word, isVisit) {
  chosen = word;
  const pane = panes.find((one) => one.places.has(word));
  if (isVisit && pane) {
    const at = pane.places.get(word);
    const [x, y] = [pane.plane.x(pane.xs[at]), pane.plane.y(pane.ys[at])];
    if (x < 40 || y < 40 || x > pane.plane.width - 40 || y > pane.plane.height - 40) pane.plane.visit(pane.xs[at], pane.ys[at], 3);
  }
  form.elements.word.value = word;
  remember();
  for (const one of panes) one.plane.soon();
}

const row = (word, told) => make("button", { type: "button", class: "row pairs", on: { click: () => choose(word), pointerenter: () => point(word), pointerleave: () => point(null) } },
  make("span", {}, word), make("span", { class: "faint" }, told));

async function movers(signal) {
  const place = find("#movers");
  place.hidden = panes.length < 2;
  if (panes.length < 2) return;
  const list = find("#movers-list");
  list.replaceChildren(make("li", { class: "empty" }, say("working")));
  const [old, young] = panes;
  const body = { old: old.model, new: young.model, layer: Number(old.layer) === Number(young.layer) ? Number(old.layer) : null, topn: 40 };
  try {
    const found = await ask("/api/movers", {}, { body, signal });
    list.replaceChildren(...found.movers.map((one) => make("li", {}, row(one.word, number(one.movement, 2)))));
  } catch (error) {
    if (error.name === "AbortError") throw error;
    list.replaceChildren(make("li", { class: "empty" }, [error.message, error.advice].filter(Boolean).join(" ")));
  }
}

// --- saving and working

/** What is on the canvases, as SVG. */
function drawing() {
  const wide = panes.reduce((sum, pane) => sum + pane.plane.width + 12, -12);
  const high = Math.max(...panes.map((pane) => pane.plane.height));
  let from = 0;
  const svg = draw("svg", { viewBox: `0 0 ${wide} ${high}`, width: wide, height: high });
  panes.forEach((pane, which) => {
    const { plane } = pane;
    const paths = Array(SIZES).fill("");
    const [first, stop] = pane.range;
    for (let at = first; at < stop; at++) {
      const x = plane.x(pane.xs[at]), y = plane.y(pane.ys[at]);
      if (x > 0 && y > 0 && x < plane.width && y < plane.height) paths[pane.sizes[at]] += `M${x.toFixed(1)} ${y.toFixed(1)}h0`;
    }
    const marked = pane.marked();
    const labels = pane.labels(plane.context, plane, MOST_LABELS, marked);
    svg.append(draw("g", { transform: `translate(${from} 0)` },
      draw("clipPath", { id: `pane-${which}` }, draw("rect", { width: plane.width, height: plane.height })),
      draw("g", { "clip-path": `url(#pane-${which})` },
        paths.map((d, size) => draw("path", { d, stroke: colour(near.length ? "c7" : "c0"), "stroke-opacity": 0.7, "stroke-width": 1.6 + 0.9 * size, "stroke-linecap": "round", fill: "none" })),
        marked.map(([at, isCentre]) => draw("circle", { cx: plane.x(pane.xs[at]), cy: plane.y(pane.ys[at]), r: isCentre ? 6 : 4, fill: colour(isCentre ? "c1" : "c0") })),
        draw("g", { "font-size": LABEL_PX }, labels.map(({ text, x, y, isMarked }) => draw("text", { x, y: y + 4, "font-weight": isMarked ? 600 : 400 }, text))))));
    from += plane.width + 12;
  });
  return svg;
}

function layersOf() {
  const model = models.find((one) => one.name === form.elements.model.value);
  options(form.elements.layer, (model?.layers ?? [0]).map((layer) => [layer, layer]), model?.layers.at(-1));
}

form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
form.elements.model.addEventListener("change", () => { layersOf(); show(); });
for (const name of ["layer", "method", "beside"]) form.elements[name].addEventListener("change", () => show());
for (const name of ["from", "to"]) form.elements[name].addEventListener("input", () => { remember(); for (const pane of panes) pane.plane.soon(); });
complete(form.elements.word, async (text, signal) =>
  (await ask("/api/words", { model: form.elements.model.value, prefix: text, limit: 12 }, { signal, isQuiet: true })).words, (word) => choose(word));
form.elements.word.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.value.trim()) { event.preventDefault(); choose(event.target.value.trim()); }
});
whenSpelt((word) => choose(word));

const isThere = chosenByAddress(form.elements.model) && chosenByAddress(form.elements.beside);
layersOf();
for (const name of ["layer", "method", "from", "to"]) {
  const value = asked().get(name);
  if (value !== null) form.elements[name].value = value;
}
chosen = asked().get("word") || null;
if (!form.elements.model.value) tell(say("no-vectors"));
else if (isThere) show();
