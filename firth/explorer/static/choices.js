// The matrices that a view compares: one box for each layer of each model; and the form that asks by them.

import { all, ask, asked, complete, find, isElsewhere, keep, models, say, values, whenSpelt } from "./page.js";

const MOST = 5; // columns that are ticked without being asked for

/** Ticks what the address asks for; else the last layers of the models, and of a contextual one the first too. */
export function tick(form) {
  const wanted = asked().getAll("of").map(named);
  const boxes = all('input[name="of[]"]', form);
  const first = models.filter((model) => model.has_vectors).flatMap((model) =>
    [...new Set([model.layers[0], model.layers.at(-1)])].map((layer) => `${model.name}:${layer}`)).slice(0, MOST);
  const chosen = new Set(wanted.length ? wanted : first);
  for (const box of boxes) box.checked = chosen.has(box.value);
}

/** `MODEL` alone is its last layer. */
function named(of) {
  const model = models.find((one) => one.name === of);
  return model ? `${of}:${model.layers.at(-1)}` : of;
}

/** Whatever the form is asked: its fields in the address, `show` called; now too, if the address has them all. */
export function worked(form, fields, show) {
  tick(form);
  for (const name of [...fields, "topn"]) {
    const value = asked().get(name);
    if (value !== null && form.elements[name]) form.elements[name].value = value;
  }
  const go = ({ push = true } = {}) => { keep(values(form), { push }); show(); };
  form.addEventListener("submit", (event) => { event.preventDefault(); go(); });
  form.addEventListener("change", (event) => {
    if (event.target.name === "of[]" && form.elements[fields[0]].value.trim()) go({ push: false });
  });
  let last = fields[0];
  for (const name of fields) {
    const field = form.elements[name];
    field.addEventListener("focus", () => { last = name; });
    complete(field, async (text, signal) => {
      const of = values(form).of?.[0] ?? models.find((model) => model.has_vectors)?.name ?? "";
      return (await ask("/api/words", { model: of.replace(/:\d+$/, ""), prefix: text, limit: 12 }, { signal, isQuiet: true })).words;
    }, () => { if (fields.length === 1) go(); });
  }
  whenSpelt((word, error) => { form.elements[fieldOf(form, fields, error) ?? last].value = word; go(); });
  addEventListener("popstate", () => { if (isElsewhere()) location.reload(); });
  if (form.elements[fields[0]].value) show();
  return go;
}

/** The name of the field that holds the word an error is about. */
export function fieldOf(form, fields, error) {
  const given = fields.map((name) => form.elements[name].value.trim());
  return fields[given.indexOf(error.word)];
}

/** The name of a column, as it is shown. */
export const titleOf = (column) => {
  const model = models.find((one) => one.name === column.model);
  return model && model.layers.length < 2 ? column.model : `${column.model} · ${say("layer")} ${column.layer}`;
};

export const noColumn = (form) => !values(form).of && find('input[name="of[]"]', form);
