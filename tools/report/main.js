/* SPDX-License-Identifier: Apache-2.0 */
/* main.js: puts the page together: views, search, themes, keys. */
"use strict";

const VIEWS = { graph: "Graph", kernels: "Kernels", roofline: "Roofline", memory: "Memory", fusion: "Fusion" };

class Page {
  constructor() {
    this.m = makeModel(JSON.parse(document.getElementById("model-data").textContent));
    this.view = "graph";
    this.drawn = new Set(["graph"]);
    this.matches = [];
    this.match = -1;
    this.details = new Details(this.m, (what) => this.select(what));
    this.graph = new GraphView(this.m, {
      select: (what) => this.select(what),
      spoken: (words) => { document.getElementById("spoken").textContent = words; },
      focusDetails: () => document.getElementById("details").focus(),
    });
    this.header();
    this.makeTabs();
    this.controls();
    this.followSize();
    this.theme(this.storedTheme());
    this.graph.resize();
    this.graph.layout();
    this.graph.fit();
    if (this.m.chosen === undefined) this.select(null);
    else this.goTo(this.m.chosen);
    document.addEventListener("keydown", (event) => { if (this.key(event)) event.preventDefault(); });
  }

  header() {
    const m = this.m, fact = (words, value) => (value ? el("li", {}, `${words} `, el("b", {}, value)) : null);
    document.title = `${m.model} – fxjit`;
    document.getElementById("model").textContent = m.model;
    document.getElementById("facts").append(...[fact("nodes", String(m.nodes.length)), fact("steps", m.hasCode && String(m.steps.length)),
      fact("kernels", m.hasCode && String(m.kernels.filter((kernel) => kernel.units.length).length)),
      fact("measured", m.measured && text.us(m.measured.wall)), fact("expected", m.hasCode && text.us(m.expected)), fact("work", m.flop > 0 && text.flop(m.flop)),
      fact("workspace", m.hasCode && text.bytes(m.workspace)), fact("weights", m.const > 0 && text.bytes(m.const))].filter(Boolean));
  }

  /* ---- Views ---- */

  makeTabs() {
    const names = Object.keys(VIEWS).filter((name) => name === "graph" || this.m.hasCode), host = document.getElementById("tabs");
    this.tabs = names;
    if (names.length === 1) host.hidden = true;
    names.forEach((name) => host.append(el("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `view-${name}`, onclick: () => this.open(name) }, VIEWS[name])));
    host.addEventListener("keydown", (event) => {
      const at = names.indexOf(this.view), to = { ArrowRight: at + 1, ArrowLeft: at - 1 + names.length, Home: 0, End: names.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.open(names[to % names.length]);
      document.getElementById(`tab-${this.view}`).focus();
    });
    this.open("graph");
  }

  open(name) {
    this.view = name;
    for (const other of this.tabs) {
      const tab = document.getElementById(`tab-${other}`);
      tab.setAttribute("aria-selected", String(other === name));
      tab.tabIndex = other === name ? 0 : -1;
      document.getElementById(`view-${other}`).hidden = other !== name;
    }
    if (this.drawn.has(name)) return;
    this.drawn.add(name);
    const host = document.getElementById(`view-${name}`), choose = (what) => this.select(what), palette = () => this.graph.palette;
    ({ kernels: kernelsView, roofline: rooflineView, memory: memoryView, fusion: fusionView })[name](host, this.m, choose, palette);
  }

  /* ---- Selection ---- */

  select(what) {
    this.details.show(what);
    const g = this.graph;
    if (!what) g.choose(null);
    else if (what.node !== undefined || what.group !== undefined) g.choose(what);
    else if (what.unit !== undefined) g.showUnit(what.unit);
    else if (what.kernel !== undefined && this.m.kernels[what.kernel].units.length) g.showUnit(this.m.kernels[what.kernel].units[0].index);
    const words = document.querySelector("#details h2");
    document.getElementById("spoken").textContent = what ? words.textContent : "";
  }

  /* ---- Search ---- */

  search(words) {
    const wanted = words.trim().toLowerCase().split(/\s+/).filter(Boolean);
    this.matches = wanted.length ? this.m.nodes.filter((node) => wanted.every((word) => node.words.includes(word))).map((node) => node.index) : [];
    this.match = -1;
    this.graph.found = new Set(this.matches);
    document.getElementById("found").textContent = wanted.length ? (this.matches.length ? `${this.matches.length} found` : "none found") : "";
    this.graph.draw();
  }

  step(direction) {
    const n = this.matches.length;
    if (!n) return;
    this.match = this.match < 0 ? (direction > 0 ? 0 : n - 1) : (this.match + direction + n) % n;
    document.getElementById("found").textContent = `${this.match + 1} of ${n}`;
    this.goTo(this.matches[this.match]);
  }

  goTo(node) {
    this.select({ node });
    this.graph.choose({ node }, true);
  }

  /* ---- Controls ---- */

  controls() {
    const by = (id) => document.getElementById(id), g = this.graph, search = by("search"), colour = by("colour");
    search.addEventListener("input", () => this.search(search.value));
    search.addEventListener("keydown", (event) => {
      const step = { Enter: event.shiftKey ? -1 : 1, ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) { this.step(step); event.preventDefault(); }
      if (event.key === "Escape") { search.value = ""; this.search(""); by("graph").focus(); }
      event.stopPropagation();
    });
    const words = Object.entries(COLOURS).filter(([name]) => name === "op" || this.m.hasCode);
    colour.append(...words.map(([value, label]) => el("option", { value }, label)));
    colour.addEventListener("change", () => { g.colour = colour.value; g.legend(); g.draw(); });
    by("weights").addEventListener("change", (event) => { g.weights = event.target.checked; g.again(g.chosen); });
    const grouped = this.m.groups.length > 1;
    by("collapse").parentNode.hidden = !grouped;
    by("collapse").addEventListener("click", () => g.all(true));
    by("expand").addEventListener("click", () => g.all(false));
    by("zoom-in").addEventListener("click", () => g.zoom(1.25));
    by("zoom-out").addEventListener("click", () => g.zoom(0.8));
    by("zoom-fit").addEventListener("click", () => g.whole());
    by("theme").addEventListener("click", () => this.toggleTheme());
    by("help").addEventListener("click", () => by("keys").showModal());
  }

  /* A page that is opened as a file may have no storage. */
  storedTheme() {
    try {
      const kept = localStorage.getItem("fxjit-theme");
      if (kept) return kept;
    } catch { /* then the system's wish counts */ }
    return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }

  theme(name) {
    document.documentElement.dataset.theme = name;
    document.getElementById("theme").textContent = name === "dark" ? "Light" : "Dark";
    this.graph.theme(name === "dark");
    this.graph.legend();
    this.drawAgain();
  }

  drawAgain() {
    this.drawn = new Set(["graph"]);
    if (this.view !== "graph") this.open(this.view);
  }

  /* Plots are drawn for the width that they have, so that their words keep their size. */
  followSize() {
    let width = innerWidth, waiting = 0;
    addEventListener("resize", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => { if (innerWidth !== width) { width = innerWidth; this.drawAgain(); } }, 150);
    });
  }

  toggleTheme() {
    const name = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    this.theme(name);
    try { localStorage.setItem("fxjit-theme", name); } catch { /* it lasts as long as the page */ }
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return false;
    if (document.getElementById("keys").open) return false;
    if (event.key === "/") { this.open("graph"); document.getElementById("search").focus(); }
    else if (event.key === "t") this.toggleTheme();
    else if (event.key === "?") document.getElementById("keys").showModal();
    else if (event.key >= "1" && event.key <= String(this.tabs.length)) this.open(this.tabs[Number(event.key) - 1]);
    else if (event.key === "Escape" && document.getElementById("details").contains(event.target)) { this.open("graph"); document.getElementById("graph").focus(); }
    else return false;
    return true;
  }
}

const begun = performance.now();
const page = new Page();
requestAnimationFrame(() => requestAnimationFrame(() => {
  document.documentElement.dataset.drawn = String(Math.round(performance.now()));
  document.documentElement.dataset.script = String(Math.round(performance.now() - begun));
}));
