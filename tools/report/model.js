/* SPDX-License-Identifier: Apache-2.0 */
/* model.js: the report's data with what follows from them: users, units of nodes, times, names for people; numbers as texts; making
 * elements. All text of the model reaches the page as text nodes and attributes, never as markup. */
"use strict";

const OPCODES = ["placeholder", "get_attr", "call_function", "call_method", "call_module", "output"];
const PLACEHOLDER = 0, GET_ATTR = 1, OUTPUT = 5;

/* el("p", {class: "x", onclick: f}, "text", other) */
function el(tag, attributes, ...children) {
  const made = tag.startsWith("svg:") ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4)) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

function scaled(value, step, units) {
  let unit = 0;
  while (Math.abs(value) >= step && unit < units.length - 1) { value /= step; unit++; }
  return `${value === 0 ? "0" : Math.abs(value) < 1000 ? Number(value.toPrecision(3)) : Math.round(value)}\u00a0${units[unit]}`;
}
const text = {
  bytes: (value) => scaled(value, 1000, ["B", "kB", "MB", "GB", "TB"]),
  flop: (value) => scaled(value, 1000, ["flop", "kflop", "Mflop", "Gflop", "Tflop"]),
  us: (value) => (value > 0 && value < 1 ? scaled(value * 1000, 1000, ["ns"]) : scaled(value, 1000, ["µs", "ms", "s"])),
  rate: (value) => scaled(value, 1000, ["GFLOP/s", "TFLOP/s"]),
  number: (value) => (value === 0 ? "0" : String(Number(value.toPrecision(3)))),
  percent: (value) => `${(100 * value).toFixed(value < 0.0995 ? 1 : 0)}\u00a0%`,
  count: (n, one, many) => `${n} ${n === 1 ? one : many || `${one}s`}`,
};

/* Without the words of its module and of ONNX's exporter, which say again what the frame says. */
function shortName(name, path) {
  const words = path.join("_").replace(/[^A-Za-z0-9]+/g, "_");
  let rest = name.replace(/_output_\d+$/, "").replace(/^_+/, "");
  if (words && rest.startsWith(`${words}_`)) rest = rest.slice(words.length + 1);
  return rest || name;
}

const shortTarget = (target) => target.replace(/^torch\.ops\./, "").replace(/^aten\./, "").replace(/\.default$/, "");

/* Exporters say a part of the path again in the next one: "layer1", "layer1.0" is layer1.0. */
const pathText = (path) => path.filter((word, i) => !(path[i + 1] || "").startsWith(`${word}.`)).join(".");

/* "layers.0.up: MatMul": what people call the node. */
const nodeTitle = (node) => [pathText(node.path), node.short === node.path[node.path.length - 1] ? "" : node.short].filter(Boolean).join(": ");

/* "layers.0.up: MatMul + Add + gelu": the module around all of its nodes, then what they do. */
function unitTitle(m, unit) {
  const role = unit.role && unit.role !== "compute" ? ` (${unit.role})` : "", nodes = unit.nodes.map((index) => m.nodes[index]).filter((node) => node);
  if (!nodes.length) return unit.label + role;
  let path = nodes[0].path;
  for (const node of nodes) { let n = 0; while (n < path.length && path[n] === node.path[n]) n++; path = path.slice(0, n); }
  const names = nodes.map((node) => node.short), most = 5;
  return (path.length ? `${pathText(path)}: ` : "") + names.slice(0, most).join(" + ") + (names.length > most ? ` + ${names.length - most} more` : "") + role;
}

/* Weights, and what follows from weights alone: computed once, when compiling. */
function markConstants(m) {
  for (const node of m.nodes)
    node.constant = node.o === GET_ATTR || (node.o !== PLACEHOLDER && node.o !== OUTPUT && node.i.length > 0 && !node.unit && node.i.every((input) => m.nodes[input].constant));
}

/* Whether any edge runs inside of a module, by module. */
function haveEdges(m) {
  const inside = m.groups.map(() => false), around = (g) => { const path = new Set(); for (; g >= 0; g = m.groups[g].parent) path.add(g); return path; };
  const paths = m.groups.map((group) => around(group.index));
  for (const node of m.nodes)
    for (const input of node.constant ? [] : node.i) for (let g = m.nodes[input].constant ? -1 : m.nodes[input].g; g >= 0; g = m.groups[g].parent) if (paths[node.g].has(g)) inside[g] = true;
  return inside;
}

/* A module with a single node, or with nodes that have nothing to do with each other, is no frame: the nodes stand in the frame around
 * it, under the module's name. */
function flatten(m) {
  const inside = haveEdges(m);
  const below = m.groups.map(() => 0), calls = m.groups.map(() => []);
  for (const node of m.nodes) if (!node.constant) { for (let g = node.g; g >= 0; g = m.groups[g].parent) below[g]++; calls[node.g].push(node); }
  for (const group of m.groups) {
    const over = group.index ? m.groups[group.parent].frame : 0;
    group.frame = group.index && (below[group.index] <= 1 || !inside[group.index]) ? over : group.index;
    if (group.index && group.frame === over) for (const node of calls[group.index]) if (below[group.index] === calls[group.index].length) node.short = group.name;
  }
  for (const node of m.nodes) node.frame = m.groups[node.g].frame;
}

/* A step's time belongs to its nodes by their operations; so modules add up to the whole. */
function shareTime(m, unit) {
  const nodes = unit.nodes.map((index) => m.nodes[index]), work = (node) => node.f + 1, all = nodes.reduce((total, node) => total + work(node), 0);
  for (const node of nodes) {
    const us = unit.us * work(node) / all;
    node.own += us;
    for (let g = node.g; g >= 0; g = m.groups[g].parent) {
      const group = m.groups[g];
      group.us += us;
      group.by.set(unit, (group.by.get(unit) || 0) + us);
    }
  }
}

function makeModel(data) {
  const m = { ...data };
  m.groups = data.groups.map(([parent, name], index) => ({ parent, name, index, nodes: 0, us: 0, by: new Map() }));
  m.pathOf = (group) => {
    const path = [];
    for (let g = group; g > 0; g = m.groups[g].parent) path.unshift(m.groups[g].name);
    return path;
  };
  const paths = m.groups.map((g) => m.pathOf(g.index));
  m.nodes = data.nodes.map((node, index) => ({ ...node, index, users: [], units: [], pairs: [], us: 0, own: 0, path: paths[node.g] }));
  for (const node of m.nodes) {
    node.short = shortName(node.n, node.path);
    node.op = node.o === PLACEHOLDER ? "input" : node.o === GET_ATTR ? "weight" : node.o === OUTPUT ? "output" : shortTarget(node.t);
    for (const input of node.i) m.nodes[input].users.push(node.index);
    node.words = `${node.n}\n${node.t}\n${node.y.join(" ")}\n${pathText(node.path)}\n${node.path.join("/")}\n${node.l || ""}`.toLowerCase();
  }
  const measured = data.measured;
  m.units = (data.units || []).map((unit, index) => ({ ...unit, index, times: (measured && measured.units[index]) || null }));
  for (const unit of m.units) {
    unit.each = unit.times ? unit.times.median : unit.expected;
    unit.us = unit.init ? 0 : unit.times ? unit.times.run : unit.each * unit.turns;
    unit.bytes = unit.in + unit.out + unit.const;
    unit.leaf = unit.kind === "RUN" || unit.kind === "CALL";
    for (const node of unit.nodes) m.nodes[node].units.push(unit.index);
  }
  const main = m.units.filter((unit) => unit.leaf && !unit.init);
  m.steps = main;
  m.us = main.reduce((sum, unit) => sum + unit.us, 0);
  m.kernels = (data.kernels || []).map((kernel, index) => ({ ...kernel, index, units: main.filter((unit) => unit.kernel === index) }));
  m.hasCode = m.units.length > 0;
  for (const node of m.nodes) {
    node.unit = node.units.map((u) => m.units[u]).find((unit) => unit.leaf && !unit.init) || null;
    node.us = node.unit ? node.unit.us : 0;
    if (node.unit && node.unit.kernel >= 0) node.words += `\n${m.kernels[node.unit.kernel].name}`;
  }
  markConstants(m);
  flatten(m);
  for (const unit of m.units) unit.title = unitTitle(m, unit);
  for (const node of m.nodes) for (let g = node.g; g >= 0 && !node.constant; g = m.groups[g].parent) m.groups[g].nodes++;
  for (const unit of main) shareTime(m, unit);
  (data.pairs || []).forEach((pair) => { m.nodes[pair.from].pairs.push(pair); m.nodes[pair.to].pairs.push(pair); });
  return m;
}

/* Texts of kernels lie deflated in the page: [[LLVM IR, assembly], ...]. */
function makeTexts() {
  let texts = null;
  const load = async () => {
    const packed = document.getElementById("texts").textContent.trim();
    if (!packed) return [];
    const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return JSON.parse(await new Response(stream).text());
  };
  return () => (texts ||= load());
}
