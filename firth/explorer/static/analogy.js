// A is to B as C is to what? The answers of each matrix, and the true rank of the word that is expected.

import { address, ask, colour, complain, draw, find, latest, make, number, partsOf, say, showPython, table, values } from "./page.js";
import { fieldOf, noColumn, titleOf, worked } from "./choices.js";
import { offer } from "./figure.js";

const SIZE = { width: 300, height: 210 };
const FIELDS = ["a", "b", "c", "expected"];
const form = find("#ask");
let shown = null;

const show = latest(async (signal) => {
  if (noColumn(form)) return complain(say("no-matrix"));
  const { a, b, c, expected, of } = values(form);
  if (![a, b, c].every((word) => word.trim())) return;
  const parameters = { a: a.trim(), b: b.trim(), c: c.trim(), expected: expected.trim(), of, topn: 8 };
  shown = await ask("/api/analogy", parameters, { signal });
  find("#view").hidden = false;
  paint();
  const python = shown.columns.map((column) => column.python).filter(Boolean).join("\n");
  showPython(python);
  offer({ path: "/api/analogy", parameters, svg: sheet, caption: () => [question(), ...shown.columns.map((column) => `${titleOf(column)}: ${verdict(column)}`), python],
    name: `analogy-${shown.a}-${shown.b}-${shown.c}` });
});

const question = () => say("analogy-is", { a: shown.a, b: shown.b, c: shown.c, expected: shown.expected || "?" });

function verdict(column) {
  if (!column.known) { // without a near spelling, which parts of it are
    return [say("expected-unknown", { word: column.word }), column.spellings?.length ? "" : partsOf(column)].filter(Boolean).join(" · ");
  }
  if (!shown.expected) return "";
  const [expected, ...given] = column.picture.words.toReversed(); // as the vocabulary writes them
  if (column.rank === null) {
    const word = shown.expected;
    return given.includes(expected) ? say("expected-given", { word }) : say("expected-unknown", { word });
  }
  return say("true-rank", { word: shown.expected, rank: number(column.rank), of: number(column.of_words) });
}

function paint() {
  find("#answers").replaceChildren(...shown.columns.map((column) => make("section", { class: "card" },
    make("h2", {}, titleOf(column)), make("p", {}, verdict(column)),
    column.known ? [
      make("ol", {}, column.answers.map(({ word, cosine, count }) => make("li", {},
        make("a", { href: address("/neighbours", { word, of: column.of }) }, word === shown.expected ? make("mark", {}, word) : word),
        make("span", { class: "faint" }, ` ${number(cosine, 3)}${count === null || count === undefined ? "" : ` · ${number(count)}`}`)))),
      column.picture ? [parallelogram(column), make("p", {}, say("plane-explains", { share: number(column.picture.explained * 100, 0) }))] : [],
    ] : spellings(column))));
  find("#table").replaceChildren(table(question(), [say("model"), say("place"), say("word"), say("cosine"), say("count")],
    shown.columns.flatMap((column) => (column.answers ?? []).map(({ word, cosine, count }, at) => [titleOf(column), at + 1, word, cosine, count ?? null]))));
}

const spellings = (column) => make("div", { class: "chips" }, (column.spellings ?? []).map((word) =>
  make("button", { type: "button", class: "small", on: { click: () => {
    const field = fieldOf(form, FIELDS, column);
    if (!field) return;
    form.elements[field].value = word;
    go();
  } } }, word)));

/** The four words on their plane of greatest variance: a picture, not the judge; the rank is. */
function parallelogram({ picture, ...column }) {
  const { width, height } = SIZE;
  const spread = (axis) => picture.points.map((point) => point[axis]);
  const reach = Math.max(...[0, 1].map((axis) => Math.max(...spread(axis)) - Math.min(...spread(axis)))) || 1;
  const middle = [0, 1].map((axis) => (Math.max(...spread(axis)) + Math.min(...spread(axis))) / 2);
  const scale = (height - 56) / reach;
  const at = ([x, y]) => [width / 2 + (x - middle[0]) * scale, height / 2 - (y - middle[1]) * scale];
  const points = picture.points.map(at);
  const arrow = (from, to) => draw("line", { x1: points[from][0], y1: points[from][1], x2: points[to][0], y2: points[to][1], stroke: colour("c0"), "stroke-width": 1.6 });
  const across = (from, to) => draw("line", { class: "grid", x1: points[from][0], y1: points[from][1], x2: points[to][0], y2: points[to][1], "stroke-dasharray": "4 4" });
  return draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `${question()} ${titleOf(column)}` },
    arrow(0, 1), across(0, 2), points[3] ? [arrow(2, 3), across(1, 3)] : [],
    points.map(([x, y], which) => [
      draw("circle", { cx: x, cy: y, r: 4, fill: colour(which === 3 ? "c1" : "c0") }),
      draw("text", { x: Math.min(width - 8, Math.max(8, x)), y: y > height / 2 ? y + 18 : y - 9, "font-size": 13, "text-anchor": x < 50 ? "start" : x > width - 50 ? "end" : "middle" }, picture.words[which]),
    ]));
}

/** All columns on one sheet, to be saved. */
function sheet() {
  const columns = shown.columns.filter((column) => column.known);
  const rows = Math.max(1, ...columns.map((column) => column.answers.length));
  const width = Math.max(320, columns.length * (SIZE.width + 16)), height = 54 + rows * 20 + SIZE.height;
  return draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height }, columns.map((column, at) => {
    const picture = column.picture ? parallelogram(column) : null;
    return draw("g", { transform: `translate(${at * (SIZE.width + 16) + 12} 0)`, "font-size": 13 },
      draw("text", { y: 22, "font-weight": 600 }, titleOf(column)), draw("text", { class: "soft", y: 40, "font-size": 12 }, verdict(column)),
      column.answers.map(({ word, cosine }, row) => draw("text", { y: 62 + row * 20 }, `${row + 1}. ${word}  ${number(cosine, 3)}`)),
      picture ? draw("g", { transform: `translate(0 ${50 + rows * 20})` }, [...picture.children]) : []);
  }));
}

addEventListener("themechange", () => { if (shown) paint(); });
const go = worked(form, FIELDS, show);
