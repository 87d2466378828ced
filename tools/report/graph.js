/* SPDX-License-Identifier: Apache-2.0 */
/* graph.js: the view of the graph: a canvas on which only what is visible is drawn, with zoom, search, modules that open and close,
 * colours by kernel, time or bound, and keys that follow edges. */
"use strict";

const COLOURS = { kernel: "by kernel", time: "by time", bound: "by bound", op: "by operator" };
const FONT = { name: "600 13px system-ui, 'Segoe UI', 'Liberation Sans', sans-serif", sub: "11.5px system-ui, 'Segoe UI', 'Liberation Sans', sans-serif" };

function makePalette(dark) {
  const css = getComputedStyle(document.documentElement), of = (name) => css.getPropertyValue(`--${name}`).trim();
  const hue = (k) => Math.round((k * 137.508 + 210) % 360);
  const mix = (a, b, t) => `rgb(${a.map((v, i) => Math.round(v + (b[i] - v) * t)).join(" ")})`;
  return {
    ground: of("ground"), paper: of("paper"), line: of("line"), ink: of("ink"), soft: of("soft"), accent: of("accent"), edge: of("edge"),
    sunk: of("sunk"), frame: dark ? "rgb(255 255 255 / 3.5%)" : "rgb(20 40 80 / 3.5%)",
    kernel: (k) => (dark ? `hsl(${hue(k)} 42% 29%)` : `hsl(${hue(k)} 62% 86%)`),
    heat: (t) => (dark ? mix([34, 42, 52], [170, 72, 10], t) : mix([240, 243, 247], [244, 150, 66], t)),
    bound: dark ? { compute: "#2d5a3a", memory: "#6b4517", latency: "#3c4654" } : { compute: "#cdeed6", memory: "#fbdfb8", latency: "#e4e8ee" },
  };
}

class GraphView {
  constructor(model, host) {
    this.m = model;
    this.host = host; /* {select(item, focus), spoken(text)} */
    this.canvas = document.getElementById("graph");
    this.pen = this.canvas.getContext("2d");
    this.view = { k: 1, x: 0, y: 0 };
    this.colour = model.hasCode ? "kernel" : "op";
    this.weights = false;
    this.closed = new Set();
    this.chosen = null; /* {node} or {group} */
    this.found = new Set();
    this.trail = null; /* what left and right choose among */
    this.widths = new Map();
    this.opNumbers = new Map();
    this.reading();
    this.listen();
  }

  /* When all nodes at once would be too many to read, modules start closed; the outer ones open, level by level, while few enough
   * boxes are seen. */
  reading() {
    const m = this.m, most = 48, within = m.groups.map(() => 0), depth = m.groups.map(() => 0), frames = m.groups.filter((group) => group.index && group.frame === group.index);
    if (m.nodes.filter((node) => !node.constant).length <= 60) return;
    this.closeAll();
    for (const node of m.nodes) if (!node.constant) within[node.frame]++;
    for (const group of frames) {
      const over = m.groups[group.parent].frame;
      within[over]++;
      depth[group.index] = depth[over] + 1;
    }
    for (let level = 1, seen = within[0]; ; level++) {
      const row = frames.filter((group) => depth[group.index] === level);
      seen += row.reduce((total, group) => total + within[group.index] - 1, 0);
      if (!row.length || seen > most) break;
      for (const group of row) this.closed.delete(group.index);
    }
  }

  closeAll() {
    for (const group of this.m.groups) if (group.index > 0 && group.frame === group.index) this.closed.add(group.index);
  }

  theme(dark) {
    this.palette = makePalette(dark);
    this.draw();
  }

  width(words, font) {
    const key = font + words;
    let width = this.widths.get(key);
    if (width === undefined) {
      this.pen.font = font;
      this.widths.set(key, (width = this.pen.measureText(words).width));
    }
    return width;
  }

  cut(words, font, most) {
    if (this.width(words, font) <= most) return words;
    let n = words.length;
    while (n > 1 && this.width(`${words.slice(0, n)}…`, font) > most) n--;
    return `${words.slice(0, n)}…`;
  }

  lines(node) {
    return [node.short === node.op || node.o === PLACEHOLDER || node.o === GET_ATTR ? node.short : node.op,
      [node.o === PLACEHOLDER || node.o === GET_ATTR ? node.op : node.short === node.op ? "" : node.short, node.y.join(", ")].filter(Boolean).join(" · ")];
  }

  boxOf(node) {
    if (node.constant && !this.weights) return undefined;
    node.title = this.lines(node).map((words, i) => this.cut(words, i ? FONT.sub : FONT.name, 250));
    const w = Math.max(this.width(node.title[0], FONT.name), this.width(node.title[1], FONT.sub));
    return { w: Math.ceil(Math.max(w + 24, 70)), h: 42, group: node.frame };
  }

  groupBox(g) {
    const group = this.m.groups[g];
    const sub = [text.count(group.nodes, "node"), this.m.us > 0 && group.us > 0 ? `${text.percent(group.us / this.m.us)} of time` : ""].filter(Boolean).join(" · ");
    group.title = [this.cut(group.name, FONT.name, 240), sub];
    return { w: Math.ceil(Math.max(this.width(group.title[0], FONT.name) + 46, this.width(sub, FONT.sub) + 26, 90)), h: 50 };
  }

  layout() {
    const uses = [];
    for (const node of this.m.nodes) for (const input of node.i) uses.push([input, node.index]);
    const parents = this.m.groups.map((group) => group.parent);
    this.drawing = layoutGraph(parents, (g) => !this.closed.has(g), this.m.nodes.map((node) => this.boxOf(node)), (g) => this.groupBox(g), uses);
    for (const edge of this.drawing.edges) {
      edge.box = [Infinity, Infinity, -Infinity, -Infinity];
      for (const [x, y] of edge.points) {
        edge.box = [Math.min(edge.box[0], x), Math.min(edge.box[1], y), Math.max(edge.box[2], x), Math.max(edge.box[3], y)];
      }
    }
    this.items = [...new Set([...this.drawing.nodes.filter((item) => item), ...this.drawing.groups])];
  }

  itemOf(chosen) {
    if (!chosen) return null;
    return chosen.node !== undefined ? this.drawing.nodes[chosen.node] : this.drawing.groups.find((item) => item.group === chosen.group) || null;
  }

  /* ---- Colours ---- */

  nodeColour(node) {
    const p = this.palette, unit = node.unit;
    if (this.colour === "op") {
      if (!this.opNumbers.has(node.op)) this.opNumbers.set(node.op, this.opNumbers.size);
      return p.kernel(this.opNumbers.get(node.op));
    }
    if (!unit) return p.paper;
    if (this.colour === "kernel") return unit.kernel >= 0 ? p.kernel(unit.kernel) : p.sunk;
    if (this.colour === "bound") return p.bound[unit.bound] || p.paper;
    return p.heat(this.heat(unit.us));
  }

  heat(us) {
    if (this.most === undefined) this.most = this.m.steps.reduce((most, unit) => Math.max(most, unit.us), 0);
    return this.most > 0 ? Math.sqrt(Math.min(1, us / this.most)) : 0;
  }

  /* Of a closed module: its colours, each as wide as the time in it. */
  groupStrip(g) {
    const group = this.m.groups[g], widths = new Map();
    if (this.colour === "time" || this.colour === "op" || !(group.us > 0)) return [];
    for (const [unit, us] of group.by) {
      const colour = this.colour === "bound" ? this.palette.bound[unit.bound] || this.palette.paper : unit.kernel >= 0 ? this.palette.kernel(unit.kernel) : this.palette.paper;
      widths.set(colour, (widths.get(colour) || 0) + us / group.us);
    }
    return [...widths].sort((a, b) => b[1] - a[1]);
  }

  groupColour(g) {
    if (this.colour !== "time") return this.palette.sunk;
    const total = this.m.us;
    return this.palette.heat(total > 0 ? Math.sqrt(Math.min(1, this.m.groups[g].us / total)) : 0);
  }

  legend() {
    const p = this.palette, swatch = (colour, words) => el("span", {}, el("i", { class: "swatch", style: `background:${colour}` }), words);
    const box = document.getElementById("legend");
    box.replaceChildren();
    if (this.colour === "kernel") box.append("One colour, one kernel; a closed module shows its kernels' shares of its time.", swatch(p.sunk, "reference kernel"), swatch(p.paper, "no code of its own"));
    if (this.colour === "op") box.append("Nodes of one colour are the same operator.");
    if (this.colour === "time") {
      this.heat(0);
      box.append("Time of the step that computes the node:", "0", el("i", { class: "ramp", style: `background:linear-gradient(90deg,${p.heat(0)},${p.heat(1)})` }),
        `${text.us(this.most)}, ${this.m.measured ? "measured" : "expected"}; closed modules by their share of the run`);
    }
    if (this.colour === "bound") for (const [name, colour] of Object.entries(p.bound)) box.append(swatch(colour, `bound by ${name}`));
  }

  /* ---- Drawing ---- */

  resize() {
    const box = this.canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    this.size = [box.width, box.height];
    this.canvas.width = Math.max(1, Math.round(box.width * ratio));
    this.canvas.height = Math.max(1, Math.round(box.height * ratio));
  }

  draw() {
    if (this.pending || !this.drawing) return;
    this.pending = true;
    requestAnimationFrame(() => { this.pending = false; this.paint(); });
  }

  paint() {
    const pen = this.pen, { k, x, y } = this.view, ratio = window.devicePixelRatio || 1, p = this.palette;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = p.ground;
    pen.fillRect(0, 0, ...this.size);
    pen.setTransform(ratio * k, 0, 0, ratio * k, ratio * x, ratio * y);
    this.seen = [-x / k, -y / k, (this.size[0] - x) / k, (this.size[1] - y) / k];
    const visible = (l, t, r, b) => l <= this.seen[2] && r >= this.seen[0] && t <= this.seen[3] && b >= this.seen[1];
    for (const item of this.drawing.groups) if (item.open && visible(item.x, item.y, item.x + item.w, item.y + item.h)) this.paintFrame(item);
    this.paintEdges(visible);
    this.holds = new Set([...this.found].map((index) => this.drawing.nodes[index]));
    for (const item of this.items) {
      if (item.open || !visible(item.x, item.y, item.x + item.w, item.y + item.h)) continue;
      if (item.node === undefined) this.paintClosed(item);
      else this.paintNode(item, this.m.nodes[item.node]);
    }
    this.drawn = performance.now();
  }

  paintFrame(item) {
    const pen = this.pen, p = this.palette;
    pen.beginPath();
    pen.roundRect(item.x, item.y, item.w, item.h, 10);
    pen.fillStyle = p.frame;
    pen.fill();
    pen.strokeStyle = this.isChosen(item) ? p.accent : p.line;
    pen.lineWidth = this.isChosen(item) ? 2 : 1;
    pen.stroke();
    if (this.view.k < 0.25) return;
    pen.font = FONT.name;
    pen.fillStyle = p.soft;
    pen.fillText(`−  ${this.m.groups[item.group].name}`, item.x + 12, item.y + 19, item.w - 20);
  }

  isChosen(item) {
    const c = this.chosen;
    return Boolean(c) && (item.node !== undefined ? c.node === item.node : c.group === item.group && c.node === undefined);
  }

  trace(points) {
    const pen = this.pen;
    pen.moveTo(points[0][0], points[0][1]);
    for (let i = 1; i < points.length; i++) {
      const [ax, ay] = points[i - 1], [bx, by] = points[i], bend = Math.abs(ax - bx) < 0.5 ? 0 : (by - ay) / 2;
      if (bend) pen.bezierCurveTo(ax, ay + bend, bx, by - bend, bx, by);
      else pen.lineTo(bx, by);
    }
  }

  arrow(points) {
    const pen = this.pen, [x, y] = points[points.length - 1];
    pen.moveTo(x - 3.5, y - 7);
    pen.lineTo(x, y - 0.5);
    pen.lineTo(x + 3.5, y - 7);
  }

  paintEdges(visible) {
    const pen = this.pen, p = this.palette, marked = [], item = this.itemOf(this.chosen);
    const stroke = (edges, colour, width) => {
      pen.beginPath();
      for (const edge of edges) { this.trace(edge.points); if (this.view.k > 0.3) this.arrow(edge.points); }
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.stroke();
    };
    stroke(this.drawing.edges.filter((edge) => {
      const near = item && (edge.from === item || edge.to === item);
      if (near) marked.push(edge);
      return !near && visible(...edge.box);
    }), p.edge, Math.max(1, 0.6 / this.view.k));
    stroke(marked, p.accent, Math.max(2, 1.2 / this.view.k));
    if (this.view.k > 0.4) marked.forEach((edge) => this.paintSize(edge));
  }

  /* What flows along an edge of the chosen node. */
  paintSize(edge) {
    const pen = this.pen, p = this.palette, node = this.m.nodes[edge.from.node];
    if (!node || !node.b) return;
    const words = text.bytes(node.b), [ax, ay] = edge.points[edge.points.length - 2], [bx, by] = edge.points[edge.points.length - 1];
    const w = this.width(words, FONT.sub) + 8, x = (ax + bx) / 2, y = (ay + by) / 2;
    pen.fillStyle = p.ground;
    pen.fillRect(x - w / 2, y - 8, w, 16);
    pen.font = FONT.sub;
    pen.fillStyle = p.ink;
    pen.textAlign = "center";
    pen.fillText(words, x, y + 4);
    pen.textAlign = "start";
  }

  outline(item, chosen, found, dashed) {
    const pen = this.pen, p = this.palette;
    pen.strokeStyle = chosen || found ? p.accent : p.edge;
    pen.lineWidth = chosen ? 3 : found ? 2.5 : 1;
    if (dashed) pen.setLineDash([4, 3]);
    pen.stroke();
    pen.setLineDash([]);
  }

  paintNode(item, node) {
    const pen = this.pen, p = this.palette, chosen = this.isChosen(item);
    pen.beginPath();
    pen.roundRect(item.x, item.y, item.w, item.h, node.o === PLACEHOLDER || node.o === OUTPUT ? 21 : 7);
    pen.fillStyle = this.nodeColour(node);
    pen.fill();
    const together = this.unitChosen !== undefined && node.unit && node.unit.index === this.unitChosen;
    this.outline(item, chosen, this.found.has(node.index) || together, node.constant);
    if (this.view.k < 0.3) return;
    pen.textAlign = "center";
    pen.font = FONT.name;
    pen.fillStyle = p.ink;
    pen.fillText(node.title[0], item.x + item.w / 2, item.y + (node.title[1] ? 18 : 25));
    pen.font = FONT.sub;
    if (node.title[1]) pen.fillText(node.title[1], item.x + item.w / 2, item.y + 33);
    pen.textAlign = "start";
  }

  paintClosed(item) {
    const pen = this.pen, p = this.palette, group = this.m.groups[item.group];
    pen.beginPath();
    pen.roundRect(item.x + 4, item.y + 4, item.w, item.h, 7);
    pen.fillStyle = p.line;
    pen.fill();
    pen.beginPath();
    pen.roundRect(item.x, item.y, item.w, item.h, 7);
    pen.fillStyle = this.groupColour(item.group);
    pen.fill();
    let left = item.x;
    pen.save();
    pen.clip();
    for (const [colour, share] of this.groupStrip(item.group)) {
      pen.fillStyle = colour;
      pen.fillRect(left, item.y + item.h - 6, item.w * share + 0.5, 6);
      left += item.w * share;
    }
    pen.restore();
    pen.beginPath();
    pen.roundRect(item.x, item.y, item.w, item.h, 7);
    this.outline(item, this.isChosen(item), this.holds.has(item), false);
    if (this.view.k < 0.3) return;
    pen.font = FONT.name;
    pen.fillStyle = p.ink;
    pen.fillText(`+  ${group.title[0]}`, item.x + 12, item.y + 20);
    pen.font = FONT.sub;
    pen.fillText(group.title[1], item.x + 12, item.y + 36);
  }

  /* ---- Zoom ---- */

  place(k) {
    const { w, h } = this.drawing, [width, height] = this.size, room = 20, first = this.drawing.nodes.find((item) => item);
    this.view.k = k;
    this.view.x = w * k <= width - room || !first ? (width - w * k) / 2 : Math.min(room, Math.max(width - room - w * k, width / 2 - (first.x + first.w / 2) * k));
    this.view.y = h * k <= height - room ? (height - h * k) / 2 : room;
    this.draw();
  }

  /* As large as words need to be read, even if the rest has to be scrolled to. */
  fit() {
    const { w, h } = this.drawing, [width, height] = this.size, large = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
    const all = Math.min((width - 40) / w, (height - 40) / h);
    this.place(Math.min(1.2 * large, Math.max(all, Math.min(large, Math.max(0.7 * large, (width - 40) / w)))));
  }

  whole() {
    const { w, h } = this.drawing, [width, height] = this.size;
    this.place(Math.max(0.01, Math.min(1.2, (width - 40) / w, (height - 40) / h)));
  }

  zoom(factor, at = [this.size[0] / 2, this.size[1] / 2]) {
    const k = Math.min(4, Math.max(0.01, this.view.k * factor)), real = k / this.view.k;
    this.view = { k, x: at[0] - (at[0] - this.view.x) * real, y: at[1] - (at[1] - this.view.y) * real };
    this.draw();
  }

  /* Moves so that the item is seen, with room around it. */
  reveal(item, centred) {
    if (!item) return;
    const v = this.view, room = 60;
    if (v.k < 0.4) v.k = 0.8;
    const l = item.x * v.k + v.x, t = item.y * v.k + v.y, r = l + item.w * v.k, b = t + Math.min(item.h, 60) * v.k;
    const outside = l < room || t < room || r > this.size[0] - room || b > this.size[1] - room;
    if (centred && outside) {
      v.x = this.size[0] / 2 - (item.x + item.w / 2) * v.k;
      v.y = this.size[1] / 2 - (item.y + Math.min(item.h, 60) / 2) * v.k;
    } else if (outside) {
      v.x += Math.max(0, room - l) - Math.max(0, r - this.size[0] + room);
      v.y += Math.max(0, room - t) - Math.max(0, b - this.size[1] + room);
    }
    this.draw();
  }

  /* ---- Modules ---- */

  /* Lays out anew; what stood at `anchor` (a node or a group) stays where it was on the screen. */
  again(anchor) {
    const before = anchor && this.itemOf(anchor), v = this.view, place = before && [before.x * v.k + v.x, before.y * v.k + v.y];
    this.layout();
    const after = anchor && this.itemOf(anchor);
    if (place && after) { v.x = place[0] - after.x * v.k; v.y = place[1] - after.y * v.k; }
    this.draw();
  }

  toggle(group) {
    if (group <= 0 || this.m.groups[group].frame !== group) return;
    if (!this.closed.delete(group)) this.closed.add(group);
    this.again({ group });
    this.host.spoken(`${pathText(this.m.pathOf(group))} ${this.closed.has(group) ? "collapsed" : "expanded"}`);
  }

  all(close) {
    this.closed.clear();
    if (close) this.closeAll();
    this.layout();
    this.fit();
  }

  /* Opens what hides the node. */
  open(index) {
    let changed = false;
    const node = this.m.nodes[index];
    for (let g = node.g; g > 0; g = this.m.groups[g].parent) changed = this.closed.delete(g) || changed;
    if (node.constant && !this.weights) document.getElementById("weights").checked = this.weights = changed = true;
    if (changed) this.layout();
  }

  /* ---- Selection ---- */

  choose(chosen, centred) {
    this.chosen = chosen;
    this.unitChosen = undefined;
    if (chosen && chosen.node !== undefined) this.open(chosen.node);
    if (chosen) this.reveal(this.itemOf(chosen), centred);
    this.draw();
  }

  showUnit(index) {
    const unit = this.m.units[index];
    if (unit.nodes.length) this.choose({ node: unit.nodes[unit.nodes.length - 1] }, true);
    this.unitChosen = index;
    this.draw();
  }

  at(x, y) {
    const px = (x - this.view.x) / this.view.k, py = (y - this.view.y) / this.view.k;
    const inside = (item) => px >= item.x && px <= item.x + item.w && py >= item.y && py <= item.y + item.h;
    const leaf = this.items.find((item) => !item.open && inside(item));
    if (leaf) return leaf;
    const frames = this.drawing.groups.filter((item) => item.open && inside(item) && py < item.y + SPACE.title);
    return frames[frames.length - 1] || null;
  }

  /* Where an item stands in the page, for tests and for nobody else. */
  centre(index) {
    const item = this.drawing.nodes[index], box = this.canvas.getBoundingClientRect(), v = this.view;
    return item && [box.left + (item.x + item.w / 2) * v.k + v.x, box.top + (item.y + item.h / 2) * v.k + v.y];
  }

  click(x, y) {
    const item = this.at(x, y);
    this.trail = null;
    if (!item) return this.host.select(null);
    if (item.node !== undefined) return this.host.select({ node: item.node });
    this.host.select({ group: item.group });
    const edge = (x - this.view.x) / this.view.k - item.x;
    if (edge < 30) this.toggle(item.group);
  }

  hint(node) {
    return [node.n, node.t, node.y.join(", "), node.unit && `step ${node.unit.index}, ${text.us(node.unit.us)} ${node.unit.times ? "measured" : "expected"}, bound by ${node.unit.bound}`,
      node.w].filter(Boolean).join("\n");
  }

  listen() {
    const c = this.canvas;
    let drag = null;
    const place = (event) => { const box = c.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    c.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), place(event));
    }, { passive: false });
    c.addEventListener("pointerdown", (event) => {
      drag = { from: place(event), view: { ...this.view }, moved: false };
      c.setPointerCapture(event.pointerId);
    });
    c.addEventListener("pointermove", (event) => {
      const [x, y] = place(event);
      if (!drag) {
        const item = this.at(x, y);
        c.style.cursor = item ? "pointer" : "";
        c.title = !item ? "" : item.node !== undefined ? this.hint(this.m.nodes[item.node]) : pathText(this.m.pathOf(item.group));
        return;
      }
      const dx = x - drag.from[0], dy = y - drag.from[1];
      drag.moved = drag.moved || Math.abs(dx) + Math.abs(dy) > 4;
      if (!drag.moved) return;
      c.classList.add("dragging");
      this.view = { ...drag.view, x: drag.view.x + dx, y: drag.view.y + dy };
      this.draw();
    });
    c.addEventListener("pointerup", (event) => {
      if (drag && !drag.moved) this.click(...place(event));
      drag = null;
      c.classList.remove("dragging");
    });
    c.addEventListener("pointercancel", () => { drag = null; c.classList.remove("dragging"); });
    c.addEventListener("dblclick", (event) => {
      const item = this.at(...place(event));
      if (item && item.node === undefined) this.toggle(item.group);
    });
    c.addEventListener("keydown", (event) => { if (this.key(event)) event.preventDefault(); });
    new ResizeObserver(() => { this.resize(); this.draw(); }).observe(c);
  }

  /* ---- Keys ---- */

  /* The next drawn item along edges: inputs for -1, users for 1; the trail keeps all of them for left and right. */
  along(direction) {
    const item = this.itemOf(this.chosen);
    if (!item) return this.jump(0);
    const near = this.drawing.edges.filter((edge) => (direction > 0 ? edge.from : edge.to) === item).map((edge) => (direction > 0 ? edge.to : edge.from));
    if (!near.length) return;
    near.sort((a, b) => a.x - b.x);
    let best = 0;
    near.forEach((other, i) => { if (Math.abs(other.x + other.w / 2 - item.x - item.w / 2) < Math.abs(near[best].x + near[best].w / 2 - item.x - item.w / 2)) best = i; });
    this.trail = { items: near, at: best };
    this.take(near[best]);
  }

  aside(direction) {
    const t = this.trail;
    if (t && t.items.length > 1 && t.items[t.at] === this.itemOf(this.chosen)) {
      t.at = (t.at + direction + t.items.length) % t.items.length;
      return this.take(t.items[t.at]);
    }
    const item = this.itemOf(this.chosen), order = this.leaves();
    this.jump(order.indexOf(item) + direction);
  }

  leaves() {
    return [...new Set(this.drawing.nodes.filter((item) => item))];
  }

  jump(index) {
    const order = this.leaves();
    if (order.length) this.take(order[Math.max(0, Math.min(order.length - 1, index))]);
  }

  take(item) {
    const kept = this.trail;
    this.host.select(item.node !== undefined ? { node: item.node } : { group: item.group });
    this.trail = kept;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const group = () => (this.chosen ? this.m.groups[this.chosen.group ?? this.m.nodes[this.chosen.node].g].frame : 0);
    const act = {
      ArrowDown: () => this.along(1), ArrowUp: () => this.along(-1), ArrowRight: () => this.aside(1), ArrowLeft: () => this.aside(-1),
      Home: () => this.jump(0), End: () => this.jump(Infinity), "+": () => this.zoom(1.25), "=": () => this.zoom(1.25), "-": () => this.zoom(0.8),
      0: () => this.whole(),
      " ": () => { const g = group(); if (g > 0) { this.host.select({ group: g }); this.toggle(g); } },
      Enter: () => { if (this.chosen) this.host.focusDetails(); },
      Escape: () => this.host.select(null),
    }[event.key];
    if (act) act();
    return Boolean(act);
  }
}
