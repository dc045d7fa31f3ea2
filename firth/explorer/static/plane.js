// A canvas on which points of a plane are looked at: dragged, enlarged, pointed at, encircled; by mouse, finger or keys.

const MOST_ENLARGED = 400;
const STEP = 1.25;
const CLICK_PX = 4;

/** The place that is looked at. Several planes may share one, and then move together. */
export class Camera {
  constructor() { this.x = 0; this.y = 0; this.zoom = 1; this.planes = []; }

  moved() { for (const plane of this.planes) plane.soon(); }

  reset() { Object.assign(this, { x: 0, y: 0, zoom: 1 }); this.moved(); }
}

/**
 * One canvas and how it is worked.
 * `paint(context, plane, isStill)`: draws all, in pixels of the screen; `isStill` is false while it is being moved.
 * `point(at)`: told the pixel under the pointer, null when it leaves; `click(at)`; `encircle(polygon)` in pixels.
 */
export class Plane {
  constructor(canvas, { paint, point = () => {}, click = () => {}, encircle = null, camera = new Camera(), step = null }) {
    Object.assign(this, { canvas, paint, point, click, encircle, camera, isLasso: false, polygon: [], isStill: true });
    this.context = canvas.getContext("2d", { alpha: false });
    this.held = new Map();
    this.ended = new AbortController();
    camera.planes.push(this);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(canvas.parentElement);
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.up(event));
    canvas.addEventListener("pointerleave", () => { if (!this.held.size) this.point(null); });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.enlarge(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), this.at(event));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return; // the browser's own
      const moves = { ArrowLeft: [-60, 0], ArrowRight: [60, 0], ArrowUp: [0, -60], ArrowDown: [0, 60] };
      if (step && (event.key === "n" || event.key === "p")) step(event.key === "n" ? 1 : -1);
      else if (moves[event.key]) this.shift(...moves[event.key].map((pixels) => -pixels));
      else if (event.key === "+" || event.key === "=") this.enlarge(STEP);
      else if (event.key === "-") this.enlarge(1 / STEP);
      else if (event.key === "0") this.camera.reset();
      else return;
      event.preventDefault();
    });
    addEventListener("themechange", () => this.soon(), { signal: this.ended.signal });
    this.resize();
  }

  /** Draws no more, and is held by nothing. */
  end() {
    this.ended.abort();
    this.observer.disconnect();
    clearTimeout(this.rest);
    cancelAnimationFrame(this.frame);
    this.camera.planes = this.camera.planes.filter((plane) => plane !== this);
  }

  resize() {
    const box = this.canvas.parentElement.getBoundingClientRect();
    const ratio = Math.min(2, devicePixelRatio || 1);
    this.width = Math.max(1, Math.floor(box.width));
    this.height = Math.max(1, Math.floor(box.height));
    if (this.canvas.width !== this.width * ratio || this.canvas.height !== this.height * ratio) {
      this.canvas.width = this.width * ratio;
      this.canvas.height = this.height * ratio;
    }
    this.ratio = ratio;
    this.soon();
  }

  /** Pixels of one unit of the plane: [-1, 1] fits in. */
  get unit() { return (Math.min(this.width, this.height) / 2 - 22) * this.camera.zoom; }

  x(value) { return this.width / 2 + (value - this.camera.x) * this.unit; }

  y(value) { return this.height / 2 - (value - this.camera.y) * this.unit; }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  shift(right, down) {
    this.camera.x -= right / this.unit;
    this.camera.y += down / this.unit;
    this.stir();
  }

  enlarge(factor, [x, y] = [this.width / 2, this.height / 2]) {
    const zoom = Math.min(MOST_ENLARGED, Math.max(0.3, this.camera.zoom * factor));
    const before = this.unit;
    const [right, down] = [x - this.width / 2, y - this.height / 2];
    this.camera.zoom = zoom;
    this.camera.x += right / before - right / this.unit;
    this.camera.y -= down / before - down / this.unit;
    this.stir();
  }

  /** Looks at a place from near. */
  visit(x, y, zoom) {
    Object.assign(this.camera, { x, y, zoom: Math.max(this.camera.zoom, zoom) });
    this.stir();
  }

  stir() {
    for (const plane of this.camera.planes) {
      plane.isStill = false;
      clearTimeout(plane.rest);
      plane.rest = setTimeout(() => { plane.isStill = true; plane.soon(); }, 160);
    }
    this.camera.moved();
  }

  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      this.paint(this.context, this, this.isStill);
      if (this.polygon.length > 1) this.drawLasso();
    });
  }

  down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    const at = this.at(event);
    this.held.set(event.pointerId, at);
    this.from = at;
    this.isEncircling = Boolean(this.encircle) && (this.isLasso || event.shiftKey);
    this.polygon = this.isEncircling ? [at] : [];
    this.canvas.classList.toggle("holding", !this.isEncircling);
  }

  move(event) {
    const at = this.at(event);
    const last = this.held.get(event.pointerId);
    if (!last) return this.point(at);
    const others = [...this.held].filter(([id]) => id !== event.pointerId).map(([, other]) => other);
    this.held.set(event.pointerId, at);
    if (this.isEncircling) {
      this.polygon.push(at);
      this.soon();
    } else if (others.length) {
      const far = (one) => Math.hypot(one[0] - others[0][0], one[1] - others[0][1]) || 1;
      this.enlarge(far(at) / far(last), [(at[0] + others[0][0]) / 2, (at[1] + others[0][1]) / 2]);
    } else {
      this.point(null);
      this.shift(at[0] - last[0], at[1] - last[1]);
    }
  }

  up(event) {
    if (!this.held.delete(event.pointerId)) return;
    this.canvas.classList.remove("holding");
    const at = this.at(event);
    const polygon = this.polygon;
    this.polygon = [];
    if (this.isEncircling && polygon.length > 2) this.encircle(polygon);
    else if (!this.held.size && Math.hypot(at[0] - this.from[0], at[1] - this.from[1]) < CLICK_PX) this.click(at);
    this.isEncircling = false;
    this.soon();
  }

  drawLasso() {
    const { context } = this;
    context.beginPath();
    this.polygon.forEach(([x, y], at) => (at ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.closePath();
    context.lineWidth = 1.5;
    context.setLineDash([5, 4]);
    context.strokeStyle = getComputedStyle(this.canvas).color;
    context.stroke();
    context.setLineDash([]);
  }
}

/** Which point of `xs`, `ys` is nearest to a pixel, within `most` pixels; -1 where none is. `wanted(at)` may pass some by. */
export function nearest(plane, xs, ys, [x, y], most, wanted = () => true) {
  let best = -1, least = most * most;
  for (let at = 0; at < xs.length; at++) {
    const right = plane.x(xs[at]) - x, down = plane.y(ys[at]) - y;
    const far = right * right + down * down;
    if (far < least && wanted(at)) { best = at; least = far; }
  }
  return best;
}

/** Whether a pixel is inside a polygon (even-odd rule). */
export function inside([x, y], polygon) {
  let is = false;
  for (let at = 0, last = polygon.length - 1; at < polygon.length; last = at++) {
    const [ax, ay] = polygon[at], [bx, by] = polygon[last];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) is = !is;
  }
  return is;
}

/** Puts a tip beside a pixel of its plane. */
export function placeTip(tip, plane, [x, y]) {
  tip.hidden = false;
  const { offsetWidth: width, offsetHeight: height } = tip;
  const left = x + 14 + width > plane.width ? x - width - 14 : x + 14;
  tip.style.left = `${Math.max(4, Math.min(plane.width - width - 4, left))}px`;
  tip.style.top = `${Math.max(4, Math.min(plane.height - height - 4, y + 14))}px`;
}
