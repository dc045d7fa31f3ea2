// Drawings in SVG, of which the reader may take a copy: lines, a heat map; and the buttons that save what is shown.

import { address, ask, colour, complain, copy, draw, find, make, number, rounded, say, tell } from "./page.js";

const COPIED = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "font-family",
  "font-size", "font-weight", "text-anchor", "opacity"];
const CAPTION_PX = 12;
const SCALE_PX = 84; // of what stands beside the scale of a heat map

// --- what is taken away

/**
 * Fills the page's place for it with all that can be taken: CSV, JSON, SVG, PNG and the address.
 * `path`, `parameters`, `body`: the question whose answer is shown; with a body it is posted.
 * `parts`: where several answers are shown, a question for each, with its `name`; `json()` gives what the page itself holds of it.
 * `svg`: gives the drawing; `caption`: the lines that say below it what it shows. `name`: of the files.
 */
export function offer({ path, parameters, body, parts = [{ path, parameters, body }], svg, caption, name }) {
  const buttons = parts.flatMap((part) => taken(part, parts.length > 1 ? part.name : "", name));
  if (svg) {
    buttons.push(
      button("SVG", () => save(new Blob([framed(svg(), caption())], { type: "image/svg+xml" }), `${safe(name)}.svg`)),
      button("PNG", async () => save(await png(framed(svg(), caption())), `${safe(name)}.png`)),
    );
  }
  const link = button(say("copy-link"), async () => {
    await copy(location.href);
    link.textContent = say("copied");
    setTimeout(() => { link.textContent = say("copy-link"); }, 1500);
  });
  find("#take").replaceChildren(make("span", { class: "label" }, say("take")), ...buttons, link);
}

/** The buttons that save one answer; `which` says of what it is, where there are several. */
function taken({ path, parameters = {}, body, json }, which, name) {
  return ["csv", "json"].map((format) => {
    const asked = format === "csv" ? { ...parameters, format } : parameters;
    const file = `${safe(which ? `${name}-of-${which}` : name)}.${format}`;
    const label = `${format.toUpperCase()}${which ? ` · ${which}` : ""}`;
    if (format === "json" && json) return button(label, () => save(new Blob([JSON.stringify(json())], { type: "application/json" }), file));
    if (body === undefined) return make("a", { class: "button small", href: address(path, asked), download: file }, label);
    return button(label, async () => {
      const found = await ask(path, asked, { body, raw: true });
      save(new Blob([found]), file);
    });
  });
}

const button = (text, work) => make("button", { type: "button", class: "small", on: { click: async () => {
  try { await work(); } catch (error) { tell(""); complain(error.message, error.advice ?? ""); }
} } }, text);
const safe = (name) => name.replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 80);

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A drawing as the text of a file that needs nothing else: colours and fonts written out, the caption below. */
export function framed(svg, lines) {
  const copy = svg.cloneNode(true);
  if (!svg.isConnected) find("#workbench").append(svg);
  inlined(svg, copy);
  if (svg.parentNode === find("#workbench")) svg.remove();
  const [width, height] = svg.getAttribute("viewBox").split(" ").slice(2).map(Number);
  const wrapped = lines.flatMap((line) => wrap(line, width - 24));
  const whole = height + 14 + wrapped.length * CAPTION_PX * 1.45;
  for (const [key, value] of Object.entries({ viewBox: `0 0 ${width} ${whole}`, width, height: whole, xmlns: "http://www.w3.org/2000/svg" })) copy.setAttribute(key, value);
  const font = getComputedStyle(document.body).fontFamily;
  copy.prepend(draw("rect", { width, height: whole, fill: colour("panel") }));
  copy.append(draw("g", { fill: colour("faint"), "font-family": font, "font-size": CAPTION_PX },
    wrapped.map((line, at) => draw("text", { x: 12, y: height + 12 + at * CAPTION_PX * 1.45 }, line))));
  return new XMLSerializer().serializeToString(copy);
}

function inlined(from, to) {
  const style = getComputedStyle(from);
  for (const name of COPIED) {
    const value = style.getPropertyValue(name);
    if (value) to.setAttribute(name, value);
  }
  for (const name of ["class", "tabindex", "role"]) to.removeAttribute(name);
  [...from.children].forEach((child, at) => inlined(child, to.children[at]));
}

/** A line broken into lines of at most so many pixels, at blanks where there are some. */
export function wrap(line, pixels) {
  const lines = [];
  for (let rest = Array.from(line); rest.length;) {
    let cut = rest.length, most = 0;
    for (let wide = 0; most < rest.length && (wide += widthOf(rest[most])) <= pixels;) most++;
    most = Math.max(1, most);
    if (cut > most) {
      const blank = rest.slice(0, most).lastIndexOf(" ");
      cut = blank > most / 2 ? blank + 1 : most;
    }
    lines.push(rest.slice(0, cut).join(""));
    rest = rest.slice(cut);
  }
  return lines;
}

async function png(text) {
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = make("canvas", { width: image.width * 2, height: image.height * 2 });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  } finally {
    URL.revokeObjectURL(url);
  }
}

// --- lines

/** How the lines of each colour are broken, for those who do not see colours. */
const DASHES = ["", "7 3", "2 3", "9 3 2 3", "12 4", "4 4", "1 3", "14 3 2 3 2 3"];

/** About `count` round numbers from `low` to `high`. */
export function ticks(low, high, count = 6) {
  if (!(high > low)) return [low];
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at++) found.push(at * step);
  return found;
}

/**
 * A drawing of lines. `series`: [{name, colour (0 to 7), points: [[x, y], ...], dots, dash}]; a y that is null leaves a gap.
 * `x`, `y`: {title, from, whole (ticks are whole numbers)}.
 */
export function lines({ width, height = 380, series, x, y, title }) {
  const shown = series.filter((one) => one.points.some((point) => point[1] !== null));
  const rows = legendRows(shown, width - 76);
  const edge = { left: 62, right: 14, top: 14 + rows.length * 20, bottom: 46 };
  const inner = { width: Math.max(40, width - edge.left - edge.right), height: height - edge.top - edge.bottom };
  const points = shown.flatMap((one) => one.points).filter((point) => point[1] !== null);
  const [left, right] = extent(points.map((point) => point[0]), x.from, 0);
  const [low, high] = extent(points.map((point) => point[1]), y.from, 0.06);
  const placeX = (value) => edge.left + ((value - left) / (right - left || 1)) * inner.width;
  const placeY = (value) => edge.top + inner.height - ((value - low) / (high - low || 1)) * inner.height;
  const marksX = x.whole
    ? [...new Set(ticks(left, right, Math.min(13, inner.width / 36)).map(Math.round))].filter((mark) => mark >= left && mark <= right)
    : ticks(left, right, Math.max(2, inner.width / 90));
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": title },
    draw("g", { "font-size": 12 },
      ticks(low, high, Math.max(3, inner.height / 48)).map((mark) => [
        draw("line", { class: "grid", x1: edge.left, x2: edge.left + inner.width, y1: placeY(mark), y2: placeY(mark) }),
        draw("text", { class: "soft", x: edge.left - 8, y: placeY(mark) + 4, "text-anchor": "end" }, rounded(tidy(mark))),
      ]),
      marksX.map((mark) => [
        draw("line", { class: "axis", x1: placeX(mark), x2: placeX(mark), y1: edge.top + inner.height, y2: edge.top + inner.height + 5 }),
        draw("text", { class: "soft", x: placeX(mark), y: edge.top + inner.height + 19, "text-anchor": "middle" }, rounded(tidy(mark))),
      ]),
      draw("line", { class: "axis", x1: edge.left, x2: edge.left + inner.width, y1: edge.top + inner.height, y2: edge.top + inner.height }),
      draw("text", { class: "soft", x: edge.left + inner.width / 2, y: height - 6, "text-anchor": "middle" }, x.title),
      draw("text", { class: "soft", transform: `translate(14 ${edge.top + inner.height / 2}) rotate(-90)`, "text-anchor": "middle" }, y.title)),
    draw("g", { "font-size": 12.5 }, rows.flatMap((row, at) => row.map(({ one, from }) => [
      draw("line", { x1: 62 + from, x2: 62 + from + 24, y1: 14 + at * 20, y2: 14 + at * 20, stroke: colour(`c${one.colour}`), "stroke-width": 2.2, "stroke-dasharray": one.dash ?? DASHES[one.colour] }),
      draw("text", { x: 62 + from + 30, y: 18 + at * 20 }, one.name),
    ]))),
    shown.map((one) => {
      const stroke = colour(`c${one.colour}`);
      return draw("g", {},
        draw("path", { d: pathOf(one.points, placeX, placeY), fill: "none", stroke, "stroke-width": 2, "stroke-dasharray": one.dash ?? DASHES[one.colour] }),
        one.dots === false ? [] : one.points.filter((point) => point[1] !== null).map((point) =>
          draw("circle", { cx: placeX(point[0]), cy: placeY(point[1]), r: 3, fill: stroke })));
    }));
  followed(svg, shown, { placeX, placeY, edge, inner, width, x });
  return svg;
}

const tidy = (value) => Number(value.toPrecision(10));

function extent(found, from, room) {
  let low = Infinity, high = -Infinity;
  for (const value of found) { if (value < low) low = value; if (value > high) high = value; }
  if (low > high) [low, high] = [0, 1];
  if (from !== undefined) low = Math.min(low, from);
  const more = (high - low || Math.abs(high) || 1) * room;
  return [from !== undefined && low === from ? low : low - more, high + more];
}

function pathOf(points, placeX, placeY) {
  let path = "", isDown = false;
  for (const [at, value] of points) {
    if (value === null) { isDown = false; continue; }
    path += `${isDown ? "L" : "M"}${placeX(at).toFixed(2)} ${placeY(value).toFixed(2)}`;
    isDown = true;
  }
  return path;
}

const widthOf = (text) => [...text].reduce((sum, letter) => sum + (letter.codePointAt(0) > 0x2e7f ? 13 : 7), 0);

function legendRows(series, width) {
  const rows = [[]];
  let from = 0;
  for (const one of series) {
    const needed = 44 + widthOf(one.name);
    if (from && from + needed > width) { rows.push([]); from = 0; }
    rows.at(-1).push({ one, from });
    from += needed;
  }
  return rows;
}

/** The values under the pointer, beside a line that follows it. */
function followed(svg, series, { placeX, placeY, edge, inner, width, x }) {
  const layer = draw("g", { "font-size": 12, "pointer-events": "none" });
  svg.append(draw("rect", { x: edge.left, y: edge.top, width: inner.width, height: inner.height, fill: "transparent" }), layer);
  svg.addEventListener("pointerleave", () => layer.replaceChildren());
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * width;
    const near = series.flatMap((one) => {
      const point = nearest(one.points, (value) => Math.abs(placeX(value) - at));
      return point ? [{ one, point }] : [];
    });
    if (!near.length) return;
    const middle = placeX(near.reduce((best, next) => (Math.abs(placeX(next.point[0]) - at) < Math.abs(placeX(best.point[0]) - at) ? next : best)).point[0]);
    const told = near.map(({ one, point }) => `${one.name}: ${number(point[1], Math.abs(point[1]) < 100 ? 3 : 1)}`);
    const head = `${x.title}: ${rounded(tidy(near[0].point[0]))}`;
    const wide = Math.max(...[head, ...told].map(widthOf)) * 0.93 + 18;
    const left = middle + wide + 16 > width ? middle - wide - 8 : middle + 8;
    layer.replaceChildren(
      draw("line", { class: "axis", x1: middle, x2: middle, y1: edge.top, y2: edge.top + inner.height }),
      ...near.map(({ one, point }) => draw("circle", { cx: placeX(point[0]), cy: placeY(point[1]), r: 4.5, fill: colour(`c${one.colour}`) })),
      draw("rect", { x: left, y: edge.top + 2, width: wide, height: 12 + 17 * (told.length + 1), rx: 4, fill: colour("panel"), stroke: colour("strong-line") }),
      ...[head, ...told].map((line, row) => draw("text", { x: left + 9, y: edge.top + 20 + row * 17, "font-weight": row ? 400 : 600 }, line)));
  });
}

function nearest(points, distance) {
  let best = null, least = Infinity;
  for (const point of points) {
    const far = point[1] === null ? Infinity : distance(point[0]);
    if (far < least) [best, least] = [point, far];
  }
  return best;
}

// --- a heat map

const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
export const mixed = (from, to, share) => {
  const [a, b] = [rgb(from), rgb(to)];
  return `rgb(${a.map((value, at) => Math.round(value + (b[at] - value) * share)).join(" ")})`;
};
const luminance = (text) => {
  const [r, g, b] = text.match(/\d+/g).map((value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const inkOn = (fill) => (luminance(fill) > 0.22 ? "#111318" : "#ffffff");

/** A drawing of a square of numbers from -1 to 1, with their labels. `names`: as drawn; long ones are shortened. */
export function heat({ width, names, cells, title, about }) {
  const shortened = names.map((name) => (Array.from(name).length > 26 ? `${Array.from(name).slice(0, 25).join("")}…` : name));
  const room = Math.min(230, 20 + 1.15 * Math.max(20, ...shortened.map(widthOf)));
  const bar = 46;
  const size = Math.max(11, Math.min(64, Math.floor((width - room - 14) / names.length)));
  const scale = Math.min(240, size * names.length);
  const whole = { width: Math.max(width, room + Math.max(size * names.length, scale + SCALE_PX) + 14), height: room + size * names.length + bar };
  const [below, low, high] = ["below", "low", "high"].map(colour);
  const fill = (value) => (value === null ? colour("sunk") : value < 0 ? mixed(low, below, Math.min(1, -value)) : mixed(low, high, Math.min(1, value)));
  const left = Math.max(room, (whole.width - size * names.length) / 2);
  const top = room;
  const svg = draw("svg", { viewBox: `0 0 ${whole.width} ${whole.height}`, width: whole.width, height: whole.height, role: "img", "aria-label": title });
  const told = draw("text", { "font-size": 12.5, x: left, y: top + size * names.length + 36 });
  svg.append(
    draw("g", { "font-size": Math.min(13, Math.max(9, size - 2)) }, shortened.map((name, at) => [
      draw("text", { x: left - 7, y: top + size * (at + 0.5) + 4, "text-anchor": "end" }, name),
      draw("text", { transform: `translate(${left + size * (at + 0.5) + 4} ${top - 8}) rotate(-90)` }, name),
    ])),
    draw("g", { "font-size": Math.min(12.5, size / 2.9), "text-anchor": "middle" }, cells.flatMap((row, from) => row.map((value, to) => {
      const ink = fill(value);
      return draw("g", { on: { pointerenter: () => { told.textContent = about(from, to, value); } } },
        draw("rect", { x: left + size * to, y: top + size * from, width: size - 1, height: size - 1, fill: ink }, draw("title", {}, about(from, to, value))),
        size >= 30 ? draw("text", { x: left + size * (to + 0.5), y: top + size * (from + 0.5) + 4, fill: ink.startsWith("rgb") ? inkOn(ink) : null, look: { fill: inkOn(ink.startsWith("rgb") ? ink : "rgb(128 128 128)") } }, number(value, 2)) : []);
    }))),
    ...scaleBar(left, top + size * names.length + 10, scale, fill), told);
  return svg;
}

function scaleBar(x, y, width, fill) {
  const steps = 41, each = width / steps;
  return [
    draw("g", { transform: `translate(${x} ${y})` },
      Array.from({ length: steps }, (_, at) => draw("rect", { x: at * each, width: each + 0.5, height: 8, fill: fill((at / (steps - 1)) * 2 - 1) })),
      draw("g", { "font-size": 11, transform: `translate(${width + 8} 8)` }, draw("text", { class: "soft" }, "−1 … 0 … 1"))),
  ];
}

/** Draws now, and again when the place gets another width or the theme changes. */
export function redrawn(place, drawing) {
  let width = 0;
  const paint = (isNew) => {
    const now = Math.floor(place.clientWidth);
    if (now && (isNew || now !== width)) { width = now; place.replaceChildren(drawing(now)); }
  };
  const observer = new ResizeObserver(() => paint(false));
  observer.observe(place);
  const again = () => paint(true);
  addEventListener("themechange", again);
  paint(true);
  return { paint: again, end: () => { observer.disconnect(); removeEventListener("themechange", again); } };
}
