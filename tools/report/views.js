/* SPDX-License-Identifier: Apache-2.0 */
/* views.js: the views beside the graph: table of kernels and steps, roofline, memory over time, and why nodes were joined or not.
 * Marks in plots can be reached by keys: Tab to the plot, arrows among its marks, Enter to choose. */
"use strict";

const panel = (title, note, ...children) => el("div", { class: "panel" }, el("h2", {}, title), note ? el("p", { class: "note" }, note) : null, ...children);

/* ---- Tables ---- */

/* columns: {name, of(row) -> value to sort by, show(row), number, label, hint}. The rows are one stop of Tab; arrows go among them. */
function makeTable(columns, rows, sorted, choose) {
  const body = el("tbody"), heads = [], state = { column: sorted, down: columns[sorted].number };
  const fill = () => {
    const of = columns[state.column].of, sign = state.down ? -1 : 1;
    const order = [...rows].sort((a, b) => sign * (of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : 0));
    heads.forEach((head, i) => {
      if (i === state.column) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    body.replaceChildren(...order.map((row) => el("tr", { tabindex: "-1", onclick: (event) => pick(event.currentTarget, row),
      onkeydown: (event) => move(event, row) },
    columns.map((column) => el("td", { class: column.number ? "number" : column.label ? "label" : null }, column.show(row))))));
    if (body.firstChild) body.firstChild.tabIndex = 0;
  };
  const stop = (line) => {
    for (const other of body.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
    line.tabIndex = 0;
  };
  const pick = (line, row) => {
    stop(line);
    for (const other of body.children) other.removeAttribute("aria-selected");
    line.setAttribute("aria-selected", "true");
    choose(row);
  };
  const move = (event, row) => {
    const line = event.currentTarget, to = { ArrowDown: line.nextSibling, ArrowUp: line.previousSibling, Home: body.firstChild, End: body.lastChild }[event.key];
    if (to) { stop(to); to.focus(); }
    if (event.key === "Enter") pick(line, row);
    if (to || event.key === "Enter") event.preventDefault();
  };
  columns.forEach((column, i) => {
    const sort = () => {
      state.down = state.column === i ? !state.down : Boolean(column.number);
      state.column = i;
      fill();
    };
    heads.push(el("th", { class: column.number ? "number" : null, scope: "col", title: column.hint }, el("button", { type: "button", onclick: sort }, column.name)));
  });
  fill();
  return el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, heads)), body));
}

const sum = (items, of) => items.reduce((total, item) => total + of(item), 0);
const gflops = (flop, us) => (us > 0 ? flop / us / 1000 : 0);

function shareCell(value) {
  return [el("span", { class: "share", style: `width:${Math.max(1, Math.round(60 * value))}px`, "aria-hidden": "true" }), text.percent(value)];
}

function timeColumns(m, of) {
  const total = m.us || 1, word = m.measured ? "Measured" : "Expected";
  const columns = [
    { name: word, number: true, of: (r) => of(r).us, show: (r) => text.us(of(r).us) },
    { name: "Share", number: true, of: (r) => of(r).us, show: (r) => shareCell(of(r).us / total) },
    { name: "GFLOP/s", number: true, of: (r) => gflops(of(r).flop, of(r).us), show: (r) => text.number(gflops(of(r).flop, of(r).us)) },
    { name: "Memory", number: true, of: (r) => of(r).bytes, show: (r) => text.bytes(of(r).bytes) },
    { name: "Flop/byte", number: true, of: (r) => of(r).flop / (of(r).bytes || 1), show: (r) => text.number(of(r).flop / (of(r).bytes || 1)) },
  ];
  if (m.measured) columns.splice(1, 0, { name: "Expected", number: true, of: (r) => of(r).expected, show: (r) => text.us(of(r).expected) });
  return columns;
}

function kernelTable(m, choose) {
  const of = (k) => (k.all ||= { us: sum(k.units, (u) => u.us), flop: sum(k.units, (u) => u.flop * u.turns), bytes: sum(k.units, (u) => u.bytes * u.turns),
    expected: sum(k.units, (u) => u.expected * u.turns) });
  const label = (k) => (k.units.length ? k.units[0].title : "only when compiling");
  return makeTable([
    { name: "Kernel", of: (k) => k.index, show: (k) => el("code", {}, k.name) },
    { name: "First step", label: true, of: label, show: label },
    ...timeColumns(m, of),
    { name: "Steps", number: true, of: (k) => k.units.length, show: (k) => String(k.units.length) },
    { name: "Emitter", of: (k) => k.emitter, show: (k) => k.emitter },
  ], m.kernels, 2, (k) => choose({ kernel: k.index }));
}

function stepTable(m, choose) {
  const of = (u) => ({ us: u.us, flop: u.flop * u.turns, bytes: u.bytes * u.turns, expected: u.expected * u.turns });
  const kernel = (u) => (u.kernel >= 0 ? m.kernels[u.kernel].name : "call");
  return makeTable([
    { name: "Step", number: true, of: (u) => u.index, show: (u) => String(u.index) },
    { name: "Nodes", label: true, of: (u) => u.title, show: (u) => u.title },
    ...timeColumns(m, of),
    { name: "Bound by", of: (u) => u.bound, show: (u) => u.bound },
    { name: "Role", of: (u) => u.role, show: (u) => u.role },
    { name: "Kernel", of: kernel, show: (u) => el("code", {}, kernel(u)) },
  ], m.steps, 0, (u) => choose({ unit: u.index }));
}

function kernelsView(host, m, choose) {
  const place = el("div"), show = (make, button) => {
    place.replaceChildren(make(m, choose));
    for (const other of button.parentNode.children) other.setAttribute("aria-pressed", String(other === button));
  };
  const kernels = el("button", { type: "button", onclick: (e) => show(kernelTable, e.currentTarget) }, "Kernels");
  const steps = el("button", { type: "button", onclick: (e) => show(stepTable, e.currentTarget) }, "Steps in order");
  const note = m.measured ? `Medians of ${m.measured.runs} runs with ${text.count(m.measured.threads, "thread")}. `
    : "Times are what the compiler's cost model expects of one thread; nothing was measured. ";
  host.replaceChildren(panel("Kernels and steps", `${note}${text.count(m.steps.length, "step")} run ${text.count(m.kernels.filter((k) => k.units.length).length, "kernel")}; those without steps ran when compiling.`,
    el("span", { class: "group", style: "margin:10px 0" }, kernels, steps), place));
  show(kernelTable, kernels);
}

/* ---- Plots ---- */

/* Arrow keys go from mark to mark, so that a plot is one stop of Tab; what a mark is stands beside it while it is pointed at. */
function rove(svg, width) {
  const marks = [...svg.querySelectorAll(".mark-item")], tip = el("svg:g", { class: "tip", "aria-hidden": "true" });
  const tell = (mark) => {
    const lines = mark.dataset.tip.split("\n").map((line) => (line.length > 70 ? `${line.slice(0, 69)}…` : line)), box = mark.getBBox();
    tip.replaceChildren(...lines.map((line, i) => el("svg:text", { x: 10, y: 18 + 17 * i }, line)));
    const w = Math.max(...[...tip.children].map((line) => line.getComputedTextLength())) + 20, h = 17 * lines.length + 12;
    const right = box.x + box.width + 8, x = right + w < width ? right : Math.max(0, box.x - 8 - w);
    tip.prepend(el("svg:rect", { width: w, height: h, rx: 6 }));
    tip.setAttribute("transform", `translate(${x},${Math.max(0, box.y + box.height / 2 - h / 2)})`);
  };
  marks.forEach((mark, i) => {
    mark.setAttribute("tabindex", i ? "-1" : "0");
    for (const event of ["focus", "pointerenter"]) mark.addEventListener(event, () => tell(mark));
    for (const event of ["blur", "pointerleave"]) mark.addEventListener(event, () => tip.replaceChildren());
    mark.addEventListener("keydown", (event) => {
      const to = { ArrowRight: i + 1, ArrowDown: i + 1, ArrowLeft: i - 1, ArrowUp: i - 1, Home: 0, End: -1 }[event.key];
      if (event.key === "Enter" || event.key === " ") mark.dispatchEvent(new Event("click"));
      else if (to === undefined) return;
      event.preventDefault();
      const next = marks[((to ?? i) + marks.length) % marks.length];
      for (const other of marks) other.setAttribute("tabindex", other === next ? "0" : "-1");
      next.focus();
    });
  });
  svg.append(tip);
}

/* 1, 2 and 5 of every power of ten; labelled are all of them when the powers are few. */
function logTicks(low, high) {
  const ticks = [], few = Math.log10(high / low) < 2.5;
  for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++)
    for (const digit of [1, 2, 5]) {
      const value = digit * 10 ** e;
      if (value >= low && value <= high) ticks.push({ value, label: digit === 1 || few, strong: digit === 1 });
    }
  return ticks;
}

/* Steps of 1, 2 or 5 times a power of ten, so that about `wanted` of them reach `most`. */
function linearTicks(most, wanted, whole) {
  const raw = most / wanted, power = 10 ** Math.floor(Math.log10(raw)), ticks = [];
  const step = Math.max(whole ? 1 : 0, power * [1, 2, 5, 10].find((digit) => digit * power >= raw));
  for (let value = 0; value <= most; value += step) ticks.push(value);
  return ticks;
}

const plotWidth = (host) => Math.max(360, host.clientWidth - 74);

function rooflinePoints(m) {
  return m.kernels.map((k) => ({ k, flop: sum(k.units, (u) => u.flop * u.turns), bytes: sum(k.units, (u) => u.bytes * u.turns), us: sum(k.units, (u) => u.us) }))
    .filter((p) => p.flop > 0 && p.bytes > 0 && p.us > 0)
    .map((p) => ({ ...p, x: p.flop / p.bytes, y: gflops(p.flop, p.us) })).sort((a, b) => b.us - a.us);
}

function rooflineView(host, m, choose, palette) {
  const points = rooflinePoints(m);
  if (!points.length) { host.replaceChildren(panel("Roofline", "No kernel of this model counts floating-point work.")); return; }
  const real = m.machine, peak = real ? real.gflops : Math.max(...points.map((p) => p.y));
  const levels = real ? [...real.levels].reverse() : [], bandwidth = real ? levels[0][1] : Math.max(...points.map((p) => p.y / p.x));
  const W = plotWidth(host), H = Math.round(Math.min(560, Math.max(380, W * 0.55))), left = 64, right = 16, top = 24, bottom = 54;
  const xs = [...points.map((p) => p.x), peak / bandwidth], ys = [...points.map((p) => p.y), peak];
  const lowX = Math.min(...xs) / 2.5, highX = Math.max(...xs) * 2.5, lowY = Math.min(...ys) / 2.5, highY = Math.max(...ys) * 2;
  const X = (v) => left + (W - left - right) * Math.log(v / lowX) / Math.log(highX / lowX);
  const Y = (v) => H - bottom - (H - top - bottom) * Math.log(v / lowY) / Math.log(highY / lowY);
  const slope = Math.atan2(Y(1) - Y(2), X(2) - X(1)) * 180 / Math.PI;
  /* Where two lines run close together, the second one's name stands further along. */
  const shift = (i) => (i > 0 && levels[i][1] / levels[i - 1][1] < 1.4 ? 118 - shift(i - 1) : 0);
  const roof = (gbs, name, dashed, along) => {
    const ridge = Math.min(peak / gbs, highX), start = Math.max(lowX, lowY / gbs), x = X(start) + 8 * Math.cos(slope * Math.PI / 180), y = Y(start * gbs) - 8 * Math.sin(slope * Math.PI / 180);
    return { line: el("svg:path", { class: `roof ${dashed ? "dashed" : ""}`, d: `M${X(start)},${Y(start * gbs)}L${X(ridge)},${Y(ridge * gbs)}` }),
      name: X(ridge) - X(start) > 40 ? el("svg:text", { class: "over", transform: `translate(${x},${y}) rotate(${-slope}) translate(${4 + along},-5)` }, `${name} ${text.number(gbs)} GB/s`) : null };
  };
  const roofs = real ? levels.map(([n, v], i) => roof(v, n, i > 0, shift(i))) : [roof(bandwidth, "highest here", true, 0)];
  const grid = [
    ...logTicks(lowX, highX).map((t) => [el("svg:line", { class: t.strong ? "axis" : "axis minor", x1: X(t.value), x2: X(t.value), y1: top, y2: H - bottom }),
      t.label ? el("svg:text", { x: X(t.value), y: H - bottom + 18, "text-anchor": "middle" }, text.number(t.value)) : null]),
    ...logTicks(lowY, highY).map((t) => [el("svg:line", { class: t.strong ? "axis" : "axis minor", x1: left, x2: W - right, y1: Y(t.value), y2: Y(t.value) }),
      t.label ? el("svg:text", { x: left - 8, y: Y(t.value) + 4, "text-anchor": "end" }, text.number(t.value)) : null])].flat();
  const most = points[0].us;
  const marks = points.map((p) => {
    const words = [`${p.k.name}: ${p.k.units[0].title}`, `${text.number(p.x)} flop per byte, ${text.rate(p.y)}`,
      `${text.us(p.us)} ${m.measured ? "measured" : "expected"} in ${text.count(p.k.units.length, "step")}, ${text.percent(p.us / (m.us || 1))} of the run`];
    return el("svg:circle", { class: "mark-item", cx: X(p.x), cy: Y(p.y), r: 5 + 15 * Math.sqrt(p.us / most), fill: palette().kernel(p.k.index), role: "button", "fill-opacity": "0.85",
      onclick: () => choose({ kernel: p.k.index }), "aria-label": words.join(", "), "data-tip": words.join("\n") });
  });
  const svg = el("svg:svg", { class: "plot", width: W, height: H, viewBox: `0 0 ${W} ${H}`, role: "group", "aria-label": "Roofline of the kernels" }, grid, roofs.map((r) => r.line),
    el("svg:line", { class: `roof ${real ? "" : "dashed"}`, x1: X(Math.max(lowX, peak / Math.max(bandwidth, ...levels.map(([, v]) => v)))), x2: W - right, y1: Y(peak), y2: Y(peak) }), marks,
    el("svg:text", { class: "over", x: W - right, y: Y(peak) - 8, "text-anchor": "end" }, `${real ? "peak" : "highest here"} ${text.rate(peak)}`), roofs.map((r) => r.name),
    el("svg:text", { x: (W + left) / 2, y: H - 12, "text-anchor": "middle" }, "flop per byte of memory"),
    el("svg:text", { x: -(H - bottom) / 2, y: 16, transform: "rotate(-90)", "text-anchor": "middle" }, "GFLOP/s"));
  rove(svg, W);
  const above = real && points.some((p) => p.y > peak), note = `One circle per kernel, coloured as in the graph, its area the time of all its steps${m.measured ? ", measured" : ", expected"}. ` +
    (real ? `The lines are what ${real.cpu} did at best with ${text.count(real.threads, "thread")}: reading from memory (drawn through) and from its caches (dashed).` : "The dashed lines join the best of these kernels; they are no limits of the machine. `fxjit report --measure` draws those.") +
    (above && !m.measured ? " What the compiler expects may lie above what this machine was measured to do." : "");
  host.replaceChildren(panel("Roofline", note, svg));
}

function memoryView(host, m, choose, palette) {
  const buffers = (m.buffers || []).filter((b) => b.kind === "workspace" && b.offset >= 0 && b.first >= 0 && b.parent < 0);
  const facts = el("dl", { class: "facts" }, [["Workspace", m.workspace], ["of it, for threads' own", m.scratch], ["Constants", m.const], ["State", m.state]]
    .filter(([, v]) => v > 0).flatMap(([k, v]) => [el("dt", {}, k), el("dd", {}, text.bytes(v))]));
  if (!buffers.length) { host.replaceChildren(panel("Memory", "No value waits in the workspace.", facts)); return; }
  const steps = Math.max(1, ...buffers.map((b) => b.last + 1)), size = Math.max(1, ...buffers.map((b) => b.offset + b.bytes));
  const W = plotWidth(host), H = Math.round(Math.min(460, Math.max(320, W * 0.45))), left = 76, right = 12, top = 12, bottom = 46;
  const X = (v) => left + (W - left - right) * v / steps, Y = (v) => H - bottom - (H - top - bottom) * v / size;
  const grid = [...linearTicks(size, H / 60).map((v) => [el("svg:line", { class: "axis", x1: left, x2: W - right, y1: Y(v), y2: Y(v) }),
    el("svg:text", { x: left - 8, y: Y(v) + 4, "text-anchor": "end" }, text.bytes(v))]),
  ...linearTicks(steps - 1, W / 90, true).map((v) => el("svg:text", { x: X(v + 0.5), y: H - bottom + 18, "text-anchor": "middle" }, String(v)))].flat();
  const marks = buffers.map((b) => {
    const unit = m.steps.find((u) => u.writes.includes(b.index)), words = [b.node >= 0 ? nodeTitle(m.nodes[b.node]) : b.name, `${b.type}, ${text.bytes(b.bytes)} at byte ${b.offset}`, `steps ${b.first} to ${b.last}`];
    return el("svg:rect", { class: "mark-item", x: X(b.first), width: Math.max(2, X(b.last + 1) - X(b.first)), y: Y(b.offset + b.bytes), height: Math.max(2, Y(b.offset) - Y(b.offset + b.bytes)),
      rx: 2, role: "button", fill: unit && unit.kernel >= 0 ? palette().kernel(unit.kernel) : palette().sunk, "aria-label": words.join(", "), "data-tip": words.join("\n"), onclick: () => choose({ buffer: b.index }) });
  });
  const svg = el("svg:svg", { class: "plot", width: W, height: H, viewBox: `0 0 ${W} ${H}`, role: "group", "aria-label": "Workspace over time" }, grid, marks,
    el("svg:text", { x: (W + left) / 2, y: H - 10, "text-anchor": "middle" }, "step of the run"),
    el("svg:text", { x: -(H - bottom) / 2, y: 14, transform: "rotate(-90)", "text-anchor": "middle" }, "place in the workspace"));
  rove(svg, W);
  const alone = sum(buffers, (b) => b.bytes);
  host.replaceChildren(panel("Memory", `Every rectangle is a value in the workspace: from the step that makes it to the last that reads it, at its place, in the colour of the kernel that writes it. ` +
    `Without sharing, the ${text.count(buffers.length, "value")} would take ${text.bytes(alone)}; they share ${text.bytes(size)}.`, svg, facts),
  panel("Buffers", "", makeTable([
    { name: "Buffer", label: true, of: (b) => b.name, show: (b) => el("code", {}, b.name) },
    { name: "Kind", of: (b) => b.kind, show: (b) => b.kind },
    { name: "Type", of: (b) => b.type, show: (b) => b.type },
    { name: "Size", number: true, of: (b) => b.bytes, show: (b) => text.bytes(b.bytes) },
    { name: "Offset", number: true, of: (b) => b.offset, show: (b) => (b.offset >= 0 ? String(b.offset) : "–") },
    { name: "First step", number: true, of: (b) => b.first, show: (b) => (b.first >= 0 ? String(b.first) : "–") },
    { name: "Last step", number: true, of: (b) => b.last, show: (b) => (b.last >= 0 ? String(b.last) : "–") },
    { name: "Takes the place of", of: (b) => b.reuses, show: (b) => (b.reuses >= 0 ? el("code", {}, m.buffers[b.reuses].name) : "") },
  ], m.buffers, 3, (b) => choose({ buffer: b.index }))));
}

function fusionView(host, m, choose) {
  const pairs = m.pairs || [], joined = pairs.filter((p) => p.joined), names = (p) => `${nodeTitle(m.nodes[p.from])} → ${nodeTitle(m.nodes[p.to])}`;
  const list = m.fallback && m.fallback.length ? panel("Calls", "Nodes that run through their reference kernel, and why.", el("ul", {}, m.fallback.map((line) => el("li", {}, line)))) : null;
  host.replaceChildren(panel("Fusion", `${joined.length} of ${text.count(pairs.length, "pair")} of neighbours share a kernel, which saves ${text.bytes(sum(joined, (p) => p.saved))} of memory traffic.`,
    makeTable([
      { name: "Joined", of: (p) => (p.joined ? 1 : 0), show: (p) => el("span", { class: `tag ${p.joined ? "good" : "bad"}` }, p.joined ? "joined" : "apart") },
      { name: "Nodes", label: true, of: names, show: names },
      { name: "Verdict", of: (p) => p.verdict, show: (p) => el("code", {}, p.verdict) },
      { name: "Reason", label: true, of: (p) => p.reason, show: (p) => p.reason },
      { name: "Traffic", hint: "bytes written and read again: saved where joined, at stake where apart", number: true, of: (p) => p.saved, show: (p) => (p.saved ? text.bytes(p.saved) : "") },
    ], pairs, 4, (p) => choose({ node: p.to }))), ...(list ? [list] : []));
}
