/* SPDX-License-Identifier: Apache-2.0 */
/* details.js: the column that tells all of what is chosen: a node, a module, a step, a kernel or a buffer. */
"use strict";

class Details {
  constructor(model, choose) {
    this.m = model;
    this.choose = choose;
    this.host = document.getElementById("details");
    this.texts = makeTexts();
  }

  facts(pairs) {
    const known = pairs.filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== false);
    return el("dl", { class: "facts" }, known.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
  }

  link(what, words, title) {
    return el("button", { type: "button", class: "link", title, onclick: () => this.choose(what) }, words);
  }

  nodeList(title, nodes) {
    if (!nodes.length) return [];
    const line = (index) => el("li", {}, this.link({ node: index }, nodeTitle(this.m.nodes[index]), this.m.nodes[index].n), el("span", {}, this.m.nodes[index].y.join(", ")));
    return [el("h3", {}, title), el("ul", { class: "list" }, nodes.slice(0, 60).map(line)), nodes.length > 60 ? el("p", { class: "sub" }, `and ${nodes.length - 60} more`) : null];
  }

  show(chosen) {
    const kinds = { node: "node", unit: "unit", kernel: "kernel", buffer: "buffer", group: "group" };
    const kind = chosen ? Object.keys(kinds).find((key) => chosen[key] !== undefined) : "nothing";
    this.host.replaceChildren(...[this[kind](chosen ? chosen[kind] : 0)].flat(Infinity).filter(Boolean));
    this.host.scrollTop = 0;
  }

  nothing() {
    const m = this.m, slow = [...m.steps].sort((a, b) => b.us - a.us).slice(0, 8);
    return [el("h2", {}, m.model), el("p", { class: "sub" }, m.source),
      el("h3", {}, "The model"), this.facts([["Nodes", String(m.nodes.length)], ["Steps", m.hasCode && String(m.steps.length)], ["Kernels", m.hasCode && `${m.kernels.filter((kernel) => kernel.units.length).length}, and ${m.kernels.filter((kernel) => !kernel.units.length).length} when compiling`],
        ["Work of a run", m.flop && text.flop(m.flop)], ["Expected", m.hasCode && `${text.us(m.expected)}, one thread`],
        ["Measured", m.measured && `${text.us(m.measured.wall)}, ${text.count(m.measured.threads, "thread")}, ${m.measured.runs} runs`],
        ["Outside of steps", m.measured && text.us(m.measured.entry)],
        ["Workspace", m.hasCode && text.bytes(m.workspace)], ["Constants", m.hasCode && text.bytes(m.const)], ["State", m.state > 0 && text.bytes(m.state)],
        ["Precision", m.precision], ["Target", m.target], ["Made by", m.tool]]),
      slow.length ? [el("h3", {}, "Longest steps"), el("ul", { class: "list" }, slow.map((unit) => el("li", {}, this.link({ unit: unit.index }, unit.title), el("span", {}, text.us(unit.us)))))] : [],
      m.fallback && m.fallback.length ? [el("h3", {}, "Through reference kernels"), el("ul", {}, m.fallback.map((line) => el("li", {}, line)))] : []];
  }

  node(index) {
    const m = this.m, node = m.nodes[index], units = node.units.map((u) => m.units[u]).filter((unit) => unit.leaf);
    return [el("h2", {}, node.n), el("p", { class: "sub" }, node.op === node.n ? OPCODES[node.o] : node.t),
      el("h3", {}, "Node"), this.facts([["Shape", node.y.join(", ")], ["Size", node.b > 0 && text.bytes(node.b)], ["Arguments", node.a && el("code", {}, node.a)],
        ["Module", node.path.length && this.link({ group: node.g }, pathText(node.path))], ["Source", node.l], ["Time", node.own > 0 && `${text.us(node.own)}, ${text.percent(node.own / m.us)}${node.unit && node.unit.nodes.length > 1 ? " (the step's, shared by operations)" : ""}`], ["Code", node.w]]),
      ...this.nodeList("Inputs", node.i), ...this.nodeList("Used by", node.users),
      ...units.flatMap((unit) => this.unitFacts(unit)), ...this.pairs(node),
      ...(node.unit && node.unit.kernel >= 0 ? this.kernelTexts(m.kernels[node.unit.kernel]) : [])];
  }

  unitFacts(unit) {
    const m = this.m, times = unit.times, kernel = m.kernels[unit.kernel], read = (list) => list.map((b) => m.buffers[b]);
    const buffers = (title, list) => (list.length ? [el("h3", {}, title), el("ul", { class: "list" }, list.map((b) => el("li", {}, this.link({ buffer: b.index }, b.name), el("span", {}, `${b.kind} ${b.type}`))))] : []);
    return [el("h3", {}, unit.init ? "Computed when compiling" : `Step ${unit.index}`),
      this.facts([["Nodes", unit.nodes.length > 1 && unit.title], ["Kernel", kernel && this.link({ kernel: unit.kernel }, kernel.name)], ["Called because", unit.why],
        ["Measured", times && `${text.us(times.median)} (least ${text.us(times.min)}, most ${text.us(times.max)})`], ["Balance", times && m.measured.threads > 1 && unit.chunks > 1 && `${text.percent(times.balance)} of the busiest thread, ${text.us(times.wait)} of waiting`],
        ["Expected", `${text.us(unit.expected)}, one thread`],
        ["Turns", unit.turns > 1 && String(unit.turns)], ["Work", unit.flop > 0 && text.flop(unit.flop)],
        ["Memory", `${text.bytes(unit.in)} read, ${text.bytes(unit.out)} written, ${text.bytes(unit.const)} of constants`],
        ["Flop/byte", unit.flop > 0 && unit.bytes > 0 && text.number(unit.flop / unit.bytes)], ["Speed", unit.flop > 0 && unit.each > 0 && text.rate(gflops(unit.flop, unit.each))],
        ["Bound by", unit.bound], ["Role", unit.role], ["Pieces", unit.chunks > 1 ? `${unit.chunks}, for threads` : "1, not shared among threads"]]),
      ...buffers("Reads", read(unit.reads)), ...buffers("Writes", read(unit.writes))];
  }

  pairs(node) {
    if (!node.pairs.length) return [];
    const other = (p) => (p.from === node.index ? p.to : p.from);
    return [el("h3", {}, "Neighbours"), node.pairs.map((p) => el("div", { class: "why" },
      el("span", { class: `tag ${p.joined ? "good" : "bad"}` }, p.joined ? "joined" : "apart"), " ", p.from === node.index ? "with its user " : "with its input ", this.link({ node: other(p) }, nodeTitle(this.m.nodes[other(p)]), this.m.nodes[other(p)].n),
      el("p", {}, `${p.reason}${p.saved ? ` (${text.bytes(p.saved)} of traffic)` : ""}`)))];
  }

  kernelTexts(kernel) {
    const fold = (title, fill, open) => {
      const pre = el("pre", { tabindex: "0", "aria-label": title }, "…"), box = el("details", { open }, el("summary", {}, title), pre);
      let done = false;
      const load = async () => {
        if (done || !box.open) return;
        done = true;
        try { pre.textContent = await fill(); } catch (error) { pre.textContent = `The text cannot be unpacked: ${error.message}`; }
      };
      box.addEventListener("toggle", load);
      load();
      return box;
    };
    const part = (i) => async () => ((await this.texts())[kernel.index] || [])[i] || "not part of this report";
    return [el("h3", {}, `Kernel ${kernel.name}`), fold("Stages", async () => kernel.stages, true), fold("LLVM IR", part(0)), fold("Assembly", part(1))];
  }

  unit(index) {
    const unit = this.m.units[index];
    return [el("h2", {}, unit.title), el("p", { class: "sub" }, `Step ${index} of ${this.m.steps.length}`), ...this.unitFacts(unit), ...this.nodeList("Computes", unit.nodes),
      ...(unit.kernel >= 0 ? this.kernelTexts(this.m.kernels[unit.kernel]) : [])];
  }

  kernel(index) {
    const kernel = this.m.kernels[index], us = sum(kernel.units, (u) => u.us);
    return [el("h2", {}, kernel.name), el("p", { class: "sub" }, `k_${kernel.hash}`.replace("k_k_", "k_")),
      el("h3", {}, "Kernel"), this.facts([["Emitter", kernel.emitter], ["Time of all steps", us > 0 && text.us(us)], ["Schedule", el("code", {}, kernel.schedule)], ["Precision", kernel.precision]]),
      el("h3", {}, text.count(kernel.units.length, "step")), el("ul", { class: "list" }, kernel.units.slice(0, 60).map((unit) => el("li", {}, this.link({ unit: unit.index }, unit.title), el("span", {}, text.us(unit.us))))),
      ...this.kernelTexts(kernel)];
  }

  buffer(index) {
    const m = this.m, b = m.buffers[index], users = (key) => m.steps.filter((unit) => unit[key].includes(index));
    const steps = (title, list) => (list.length ? [el("h3", {}, title), el("ul", { class: "list" }, list.map((unit) => el("li", {}, this.link({ unit: unit.index }, unit.title), el("span", {}, `step ${unit.index}`))))] : []);
    return [el("h2", {}, b.name), el("p", { class: "sub" }, `${b.kind} ${b.type}`), el("h3", {}, "Buffer"),
      this.facts([["Size", text.bytes(b.bytes)], ["Offset", b.offset >= 0 && String(b.offset)], ["Lives", b.first >= 0 && `steps ${b.first} to ${b.last}`],
        ["Node", b.node >= 0 && this.link({ node: b.node }, m.nodes[b.node].n)], ["Part of", b.parent >= 0 && this.link({ buffer: b.parent }, m.buffers[b.parent].name)],
        ["Takes the place of", b.reuses >= 0 && this.link({ buffer: b.reuses }, m.buffers[b.reuses].name)]]),
      ...steps("Written by", users("writes")), ...steps("Read by", users("reads"))];
  }

  group(index) {
    const m = this.m, group = m.groups[index], inside = m.nodes.filter((node) => node.g === index).map((node) => node.index);
    const below = m.groups.filter((g) => g.parent === index);
    return [el("h2", {}, pathText(m.pathOf(index))), el("p", { class: "sub" }, "module"), el("h3", {}, "Module"),
      this.facts([["Nodes", String(group.nodes)], ["Time of its steps", group.us > 0 && `${text.us(group.us)}, ${text.percent(group.us / m.us)}`]]),
      below.length ? [el("h3", {}, "Modules inside"), el("ul", { class: "list" }, below.map((g) => el("li", {}, this.link({ group: g.index }, g.name), el("span", {}, text.count(g.nodes, "node")))))] : [],
      ...this.nodeList("Nodes", inside)];
  }
}
