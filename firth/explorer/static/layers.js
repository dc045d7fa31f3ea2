// What each layer of a contextual model knows: how much its vectors depend on context, and how well a probe reads tags off them.

import { all, ask, asked, complain, draw, find, keep, latest, make, number, say, showPython, table, values } from "./page.js";
import { lines, offer, redrawn } from "./figure.js";

const MEASURES = ["self_similarity", "anisotropy", "self_similarity_adjusted", "intra_sentence_similarity_adjusted"];
const form = find("#ask");
let shown = [], pictures = [];

const show = latest(async (signal) => {
  const chosen = values(form).model ?? [];
  if (!chosen.length) return complain(say("no-model-chosen"));
  keep({ model: chosen });
  const found = [];
  for (const model of chosen) found.push(await ask("/api/layers", {}, { body: { model }, signal }));
  shown = found;
  find("#view").hidden = false;
  paint();
  showPython(shown.map((one) => one.python).join("\n"));
  offer({ parts: chosen.map((model) => ({ name: model, path: "/api/layers", body: { model } })), svg: sheet, caption: () => [shown.map(told).join("; "), ...shown.map((one) => one.python)],
    name: `layers-${chosen.join("-")}` });
});

/** The charts: [title, y axis, from, series]. */
function charts() {
  const measured = MEASURES.filter(() => shown.some((one) => one.layers.length)).map((measure) => [say(measure), say("mean-cosine"), 0, shown.map((one, at) => ({
    name: one.model, colour: at % 8, points: one.layers.map((layer) => [layer.layer, layer[measure] ?? null]) }))]);
  const names = [...new Set(shown.flatMap((one) => (one.probes ?? []).map((probe) => `${probe.task}: ${probe.measure}`)))];
  const probed = names.map((name) => [say("probe", { name }), name, undefined, shown.flatMap((one, at) =>
    one.probes.filter((probe) => `${probe.task}: ${probe.measure}` === name).map((probe) => ({
      name: one.model, colour: at % 8, points: probe.scores.map(({ layer, score }) => [layer, score]) })))]);
  return [...measured, ...probed];
}

/** Of which model, and in what it was measured. */
const told = ({ model, corpus, n_measured: n, seed }) =>
  n === null ? model : `${model}: ${say("measured-on", { n: number(n), corpus, seed })}`;

const chart = ([title, y, from, series], width) => lines({ width, height: 300, series, title, x: { title: say("layer"), whole: true }, y: { title: y, from } });

function paint() {
  pictures.forEach((picture) => picture.end());
  const place = find("#charts");
  const found = charts();
  place.replaceChildren(...found.map(([title]) => make("figure", {}, make("div", { class: "plot" }), make("figcaption", {}, make("b", {}, title), shown.map((one) => (one.n_measured === null ? null : make("span", {}, told(one))))))));
  pictures = found.map((one, at) => redrawn(place.children[at].firstChild, (width) => chart(one, width)));
  find("#table").replaceChildren(...shown.map((one) => table(told(one), [say("layer"), ...MEASURES.map((measure) => say(measure)), say("words"), say("sentences")],
    one.layers.map((layer) => [layer.layer, ...MEASURES.map((measure) => layer[measure] ?? null), layer.n_words ?? null, layer.n_sentences ?? null]))),
  ...shown.flatMap((one) => (one.probes ?? []).map((probe) => table(`${one.model}, ${probe.task}`, [say("layer"), probe.measure], probe.scores.map(({ layer, score }) => [layer, score])))));
}

function sheet() {
  const found = charts();
  const width = 460, height = 330;
  return draw("svg", { viewBox: `0 0 ${width * 2} ${height * Math.ceil(found.length / 2)}` }, found.map((one, at) =>
    draw("g", { transform: `translate(${(at % 2) * width} ${Math.floor(at / 2) * height})` },
      draw("text", { x: 62, y: 20, "font-size": 14, "font-weight": 600 }, one[0]),
      draw("g", { transform: "translate(0 24)" }, [...chart(one, width).children]))));
}

form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
const boxes = all('input[name="model[]"]', form);
const wanted = asked().getAll("model");
for (const box of boxes) box.checked = wanted.length ? wanted.includes(box.value) : true;
if (boxes.length) show();
else complain(say("no-contextual"));
