// Neighbours of a word across models and layers: a column for each matrix, lines between equal words.

import { address, ask, colour, complain, draw, find, keep, latest, make, number, N_COLOURS, partsOf, say, showPython, table, values } from "./page.js";
import { noColumn, titleOf, worked } from "./choices.js";
import { offer, redrawn } from "./figure.js";

const ROW = 25, HEAD = 62, COLUMN = 190, GAP = 72, EDGE = 16, BAR = 34;
const form = find("#ask");
let shown = null, picture = null;

const show = latest(async (signal) => {
  if (noColumn(form)) return complain(say("no-matrix"));
  const query = values(form);
  const parameters = { word: query.word.trim(), of: query.of, topn: query.topn };
  shown = await ask("/api/neighbours", parameters, { signal });
  find("#view").hidden = false;
  if (picture) picture.paint();
  else picture = redrawn(find("#plot"), (width) => drawing(width));
  caption();
  tables();
  showPython(shown.python);
  offer({ path: "/api/neighbours", parameters, svg: () => drawing(0), caption: () => [...captions(), shown.python], name: `neighbours-${shown.word}` });
});

/** What a column knows of the word; without a near spelling, which parts of it. */
function told(column) {
  const { known, count, rank, spellings } = column;
  const what = known ? say("count-and-rank", { count: number(count), rank: number(rank) })
    : [say("unknown"), spellings?.length ? "" : partsOf(column)].filter(Boolean).join(" · ");
  return `${titleOf(column)}: ${what}`;
}

const captions = () => [`${say("neighbours-of", { word: shown.word })} ${shown.columns.map(told).join("; ")}`];

function caption() {
  find("#caption").replaceChildren(...[make("b", {}, shown.word), ...shown.columns.map(told)].map((part) => make("span", {}, part)));
}

/** Its width is that of its columns; they spread where there is more room. */
function drawing(room) {
  const { columns } = shown;
  const n = columns.length;
  const least = 2 * EDGE + n * COLUMN + (n - 1) * GAP;
  const gap = n > 1 ? Math.min(GAP * 2.2, GAP + Math.max(0, room - least) / (n - 1)) : 0;
  const width = Math.max(room, 2 * EDGE + n * COLUMN + (n - 1) * gap);
  const start = Math.max(EDGE, (width - n * COLUMN - (n - 1) * gap) / 2);
  const rows = Math.max(1, ...columns.map((column) => column.neighbours.length));
  const height = HEAD + rows * ROW + 12;
  const left = (at) => start + at * (COLUMN + gap);
  const middle = (row) => HEAD + (row + 0.5) * ROW;
  const shared = new Map(); // word -> in how many columns it is
  for (const column of columns) for (const { word } of column.neighbours) shared.set(word, (shared.get(word) ?? 0) + 1);
  const most = Math.max(1, ...columns.flatMap((column) => column.neighbours.map(({ count }) => count ?? 0)));
  const title = say("neighbours-of", { word: shown.word });
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": title });
  const lines = draw("g", { fill: "none" }), heads = draw("g", {}), texts = draw("g", { "font-size": 13.5 });
  svg.append(lines, heads, texts);
  columns.forEach((column, at) => {
    const x = left(at);
    heads.append(
      draw("text", { x, y: 22, "font-size": 14, "font-weight": 600 }, titleOf(column)),
      draw("text", { class: "soft", x, y: 40, "font-size": 12 }, column.known
        ? column.count === null ? "" : say("count-is", { count: number(column.count) }) : say("unknown")),
      draw("line", { class: "axis", x1: x, x2: x + COLUMN, y1: HEAD - 8, y2: HEAD - 8 }));
    if (!column.known) (column.spellings ?? []).slice(0, rows).forEach((word, row) => texts.append(entry(word, null, null, x, middle(row), most)));
    column.neighbours.forEach(({ word, cosine, count }, row) => {
      texts.append(entry(word, cosine, count, x, middle(row), most, shared.get(word) > 1));
      const next = columns[at + 1]?.neighbours.findIndex((other) => other.word === word) ?? -1;
      if (next < 0) return;
      const from = x + COLUMN + 6, to = left(at + 1) - 8, bend = (to - from) / 2;
      lines.append(draw("path", { d: `M${from} ${middle(row)}C${from + bend} ${middle(row)} ${to - bend} ${middle(next)} ${to} ${middle(next)}`,
        stroke: colour(`c${row % (N_COLOURS - 1)}`), "stroke-width": 1.8, "stroke-opacity": 0.75, data: { word } }));
    });
  });
  for (const { a, b, shared: n_shared, jaccard } of shown.overlaps) {
    const from = columns.findIndex((column) => column.of === a), to = columns.findIndex((column) => column.of === b);
    if (Math.abs(from - to) !== 1) continue;
    const x = (left(Math.min(from, to)) + COLUMN + left(Math.max(from, to))) / 2;
    heads.append(draw("text", { class: "soft", x, y: 40, "font-size": 12, "text-anchor": "middle" },
      draw("title", {}, say("overlap-is", { n: n_shared, value: number(jaccard, 2) })), `∩ ${number(jaccard, 2)}`));
  }
  const light = (word) => {
    for (const line of lines.children) line.setAttribute("stroke-opacity", word === null ? 0.75 : line.dataset.word === word ? 1 : 0.12);
    for (const one of texts.children) one.setAttribute("opacity", word === null || one.dataset.word === word ? 1 : 0.4);
  };
  for (const one of texts.children) {
    for (const event of ["pointerenter", "focus"]) one.addEventListener(event, () => light(one.dataset.word));
    for (const event of ["pointerleave", "blur"]) one.addEventListener(event, () => light(null));
  }
  return svg;
}

function entry(word, cosine, count, x, y, most, isShared = false) {
  const letters = Array.from(word);
  const text = letters.length > 14 ? `${letters.slice(0, 13).join("")}…` : word;
  const query = { ...values(form), word };
  const share = count ? Math.log1p(count) / Math.log1p(most) : 0;
  return draw("a", { href: address(location.pathname, query), data: { word },
    on: { click: (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      form.elements.word.value = word;
      keep(values(form), { push: true });
      show();
    } } },
    draw("rect", { x: x - 4, y: y - ROW / 2, width: COLUMN + 8, height: ROW, fill: "transparent", "aria-hidden": "true" },
      draw("title", {}, count === null ? word : `${word}: ${say("count-is", { count: number(count) })}`)),
    draw("text", { x, y: y + 4.5, "font-weight": isShared ? 600 : 400, look: isShared ? {} : { fill: colour("ink") } }, text),
    cosine === null ? [] : [
      draw("rect", { x: x + COLUMN - 40 - BAR * share, y: y - 1, width: BAR * share, height: 3, rx: 1.5, fill: colour("line") }),
      draw("text", { x: x + COLUMN, y: y + 4.5, "font-size": 12, "text-anchor": "end", look: { fill: colour("faint") } }, number(cosine, 2)),
    ]);
}

function tables() {
  const rows = shown.columns.flatMap((column) => column.neighbours.map(({ word, cosine, count }, at) => [titleOf(column), at + 1, word, cosine, count]));
  find("#table").replaceChildren(
    table(say("neighbours-of", { word: shown.word }), [say("model"), say("place"), say("word"), say("cosine"), say("count")], rows),
    shown.overlaps.length ? table(say("overlap"), ["", "", say("shared"), "Jaccard"], shown.overlaps.map(({ a, b, shared: n, jaccard }) => [a, b, n, jaccard])) : "");
}

worked(form, ["word"], show);
