// Cosines of chosen words or sentences, each with each, in one layer.

import { ask, asked, complain, find, chosenByAddress, keep, latest, make, models, number, options, say, showPython, table, values, whenSpelt } from "./page.js";
import { heat, offer, redrawn } from "./figure.js";

const form = find("#ask");
let shown = null, picture = null, order = [], answered = null; // answered: what is shown, as it was asked
const MOST_IN_QUERY = 4_000; // letters; what is longer stands in the fragment, for servers refuse long addresses

const lines = () => [...new Set(form.elements.text.value.split("\n").map((line) => line.trim()).filter(Boolean))];

/** Offers what there is of a model: words have its matrices, sentences are read by the layers of its network, if it has one. */
function layersOf() {
  const model = models.find((one) => one.name === form.elements.model.value);
  const isWords = model?.has_vectors ?? true;
  form.elements.kind.options[0].disabled = !isWords;
  if (!isWords) form.elements.kind.value = "sentences";
  const isRead = form.elements.kind.value === "sentences" && model?.network_layers.length;
  const layers = (isRead ? model.network_layers : model?.layers) ?? [];
  options(form.elements.layer, layers.map((layer) => [layer, layer]), layers.at(-1));
}

const show = latest(async (signal) => {
  const query = values(form);
  const given = query.kind === "words" && lines().length < 2 ? lines().flatMap((line) => line.split(/[\s,，、]+/)).filter(Boolean) : lines();
  if (given.length < 2) return complain(say("two-at-least"));
  whenSpelt((word, error) => {
    form.elements.text.value = given.map((one) => (one === error.word ? word : one)).join("\n");
    show();
  });
  const body = { of: query.layer ? `${query.model}:${query.layer}` : query.model, [query.kind]: given };
  shown = await ask("/api/heatmap", {}, { body, signal });
  answered = { ...query, text: given.join("\n") };
  remember();
  find("#view").hidden = false;
  paint();
  showPython(shown.python);
  offer({ path: "/api/heatmap", body, svg: () => drawing(Math.max(420, find("#plot").clientWidth)), caption: () => [`${shown.model} · ${say("layer")} ${shown.layer} · ${say("cosine")}`, shown.python],
    name: `cosines-${shown.model}-${shown.layer}` });
  const [first] = shown.unknown ?? [];
  if (first) {
    complain(say("unknown-words", { words: shown.unknown.map((one) => one.word).join(", ") }), "", first.spellings, first.word);
  }
});

function remember() {
  const { text, ...rest } = { ...answered, order: form.elements.order.value };
  const isLong = encodeURIComponent(text).length > MOST_IN_QUERY;
  keep(isLong ? rest : { ...rest, text }, { fragment: isLong ? new URLSearchParams({ text }).toString() : "" });
}

function paint() {
  order = form.elements.order.value === "alike" ? alike(shown.cosines) : shown.labels.map((_, at) => at);
  if (picture) picture.paint();
  else picture = redrawn(find("#plot"), drawing);
  find("#caption").replaceChildren(...[make("b", {}, shown.model), `${say("layer")} ${shown.layer}`, say("original-space")].map((part) => make("span", {}, part)));
  find("#table").replaceChildren(table(say("cosine"), ["", ...order.map((at) => shown.labels[at])], order.map((from) => [shown.labels[from], ...order.map((to) => shown.cosines[from][to])])));
}

function drawing(width) {
  return heat({
    width, names: order.map((at) => shown.labels[at]), cells: order.map((from) => order.map((to) => shown.cosines[from][to])),
    title: `${say("title-heatmap")}: ${shown.labels.join(", ")}`, about: (from, to, value) => `${shown.labels[order[from]]} – ${shown.labels[order[to]]}: ${number(value, 3)}`,
  });
}

/** An order in which each is followed by the one that is nearest of those left: like words stand together. */
function alike(cosines) {
  const left = new Set(cosines.keys());
  const found = [];
  for (let at = 0; left.size; ) {
    left.delete(at);
    found.push(at);
    let best = -1;
    for (const next of left) if (best < 0 || cosines[at][next] > cosines[at][best]) best = next;
    at = best;
  }
  return found;
}

form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
for (const name of ["model", "kind"]) form.elements[name].addEventListener("change", layersOf);
form.elements.order.addEventListener("change", () => { if (shown) { paint(); remember(); } });
const isThere = chosenByAddress(form.elements.model);
for (const name of ["kind", "order", "text", "layer"]) {
  if (name === "layer") layersOf(); // there are as many as the kind has
  const value = asked().get(name) ?? new URLSearchParams(location.hash.slice(1)).get(name);
  if (value !== null) form.elements[name].value = value;
}
if (isThere && form.elements.text.value.trim()) show();
