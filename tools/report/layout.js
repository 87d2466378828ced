/* SPDX-License-Identifier: Apache-2.0 */
/* layout.js: places of nodes. Every module that is open is a layered drawing of its own, inside which the modules below are boxes.
 * One level: layers by longest paths, long edges as chains of waypoints (one chain per source), few crossings by barycentres, and
 * places within a layer that lie nearest to those of the neighbours (pooling of adjacent violators). Cost: nearly linear in nodes,
 * edges and waypoints. */
"use strict";

const SPACE = { item: 26, way: 12, layer: 46, port: 22, pad: 10, title: 26 };

/* An order in which edges go forward, but for those that close a circle of modules. */
function forwardOrder(n, edges) {
  const out = Array.from({ length: n }, () => []), waiting = new Int32Array(n), order = [], seen = new Uint8Array(n);
  for (const [a, b] of edges) { out[a].push(b); waiting[b]++; }
  const ready = [];
  for (let v = n - 1; v >= 0; v--) if (!waiting[v]) ready.push(v);
  for (let next = 0; order.length < n;) {
    if (!ready.length) {
      while (seen[next]) next++;
      ready.push(next);
    }
    const v = ready.pop();
    if (seen[v]) continue;
    seen[v] = 1;
    order.push(v);
    for (const w of out[v]) if (--waiting[w] === 0 && !seen[w]) ready.push(w);
  }
  return order;
}

/* Layers of items; edges are turned so that they go down. Ports (1: edges come in, -1: they go out) stand before and behind all. */
function assignLayers(items, edges) {
  const n = items.length;
  const order = forwardOrder(n, edges), rank = new Int32Array(n), layer = new Int32Array(n);
  order.forEach((v, i) => { rank[v] = i; });
  const down = edges.map(([a, b]) => (rank[a] < rank[b] ? [a, b] : [b, a]));
  const ins = Array.from({ length: n }, () => []), outs = Array.from({ length: n }, () => []);
  for (const [a, b] of down) { ins[b].push(a); outs[a].push(b); }
  for (const v of order) for (const w of outs[v]) layer[w] = Math.max(layer[w], layer[v] + 1);
  for (let i = n - 1; i >= 0; i--) {
    const v = order[i];
    if (!ins[v].length && outs[v].length) layer[v] = Math.min(...outs[v].map((w) => layer[w])) - 1;
  }
  const own = [...layer].filter((l, v) => !items[v].port), first = Math.min(...own), last = Math.max(...own);
  items.forEach((item, v) => { if (item.port) layer[v] = item.port > 0 ? first - 1 : last + 1; });
  return { layer, down };
}

/* Cells: the items, then waypoints of edges that cross layers. */
function makeCells(items, edges) {
  const { layer, down } = assignLayers(items, edges);
  const cells = items.map((item, i) => ({ item, solid: !item.port, layer: layer[i], w: item.w, h: item.h, up: [], down: [], x: 0, pos: 0 }));
  const chains = new Map();
  const routes = down.map(([a, b], i) => {
    if (!chains.has(a)) chains.set(a, []);
    const chain = chains.get(a), span = layer[b] - layer[a] - 1;
    for (let k = chain.length; k < span; k++) {
      const way = { item: null, solid: false, layer: layer[a] + 1 + k, w: 4, h: 0, up: [], down: [], x: 0, pos: 0 }, before = k ? chain[k - 1] : cells[a];
      way.up.push(before);
      before.down.push(way);
      chain.push(way);
      cells.push(way);
    }
    const last = span > 0 ? chain[span - 1] : cells[a];
    last.down.push(cells[b]);
    cells[b].up.push(last);
    return { chain: chain.slice(0, Math.max(span, 0)), turned: a !== edges[i][0] };
  });
  return { cells, routes };
}

function sortLayers(layers) {
  const settle = (row) => row.forEach((cell, i) => { cell.pos = i; });
  const sweep = (row, side) => {
    for (const cell of row) {
      const near = cell[side];
      let sum = 0;
      for (const other of near) sum += (other.pos + 0.5) / layers[other.layer].length;
      cell.key = near.length ? sum / near.length : (cell.pos + 0.5) / row.length;
    }
    row.sort((a, b) => a.key - b.key || a.pos - b.pos);
    settle(row);
  };
  layers.forEach(settle);
  for (let turn = 0; turn < 4; turn++) {
    for (let l = 1; l < layers.length; l++) sweep(layers[l], "up");
    for (let l = layers.length - 2; l >= 0; l--) sweep(layers[l], "down");
  }
  for (let l = 1; l < layers.length; l++) sweep(layers[l], "up");
}

/* Least squares with the order kept: cells that want to be nearer than they may become one block, at their weighted mean. */
function placeRow(row, wanted) {
  const blocks = [];
  let offset = 0;
  row.forEach((cell, i) => {
    if (i) offset += (row[i - 1].w + cell.w) / 2 + (row[i - 1].solid && cell.solid ? SPACE.item : SPACE.way);
    cell.shift = offset;
    const weight = cell.solid ? 1 : 3;
    blocks.push({ from: i, to: i, weight, sum: weight * (wanted[i] - offset) });
    for (let k = blocks.length - 1; k > 0 && blocks[k - 1].sum / blocks[k - 1].weight > blocks[k].sum / blocks[k].weight; k--) {
      const b = blocks.pop(), a = blocks[k - 1];
      a.to = b.to;
      a.weight += b.weight;
      a.sum += b.sum;
    }
  });
  for (const block of blocks)
    for (let i = block.from; i <= block.to; i++) row[i].x = block.sum / block.weight + row[i].shift;
}

/* How much an edge's end draws: waypoints keep long edges straight and leave items to their own neighbours. */
const pull = (a, b) => (a.solid && b.solid ? 4 : a.solid || b.solid ? 1 : 8);

function placeAcross(layers) {
  const wish = (cell, sides) => {
    let sum = 0, weight = 0;
    for (const side of sides) for (const other of cell[side]) { const p = pull(cell, other); sum += p * other.x; weight += p; }
    return weight ? sum / weight : cell.x;
  };
  const towards = (row, sides) => placeRow(row, row.map((cell) => wish(cell, sides)));
  for (const row of layers) placeRow(row, row.map(() => 0));
  for (let turn = 0; turn < 3; turn++) {
    for (let l = 1; l < layers.length; l++) towards(layers[l], ["up"]);
    for (let l = layers.length - 2; l >= 0; l--) towards(layers[l], ["down"]);
  }
  for (let turn = 0; turn < 4; turn++) {
    for (let l = layers.length - 1; l >= 0; l--) towards(layers[l], ["up", "down"]);
    for (let l = 0; l < layers.length; l++) towards(layers[l], ["up", "down"]);
  }
}

/* Places items ({w, h}; x, y are set to their corners) and gives the size of all and the waypoints of every edge. */
function layoutLevel(items, edges) {
  if (!items.length) return { w: 0, h: 0, routes: [] };
  const { cells, routes } = makeCells(items, edges);
  const least = cells.reduce((low, cell) => Math.min(low, cell.layer), 0), layers = [];
  for (const cell of cells) (layers[cell.layer -= least] ||= []).push(cell);
  for (let l = 0; l < layers.length; l++) layers[l] ||= [];
  sortLayers(layers);
  placeAcross(layers);
  let left = Infinity, right = -Infinity, y = 0;
  for (const cell of cells) { left = Math.min(left, cell.x - cell.w / 2); right = Math.max(right, cell.x + cell.w / 2); }
  let bottom = 0;
  layers.forEach((row, l) => {
    const height = row.reduce((most, cell) => Math.max(most, cell.h), 0);
    for (const cell of row) {
      cell.y = y + height / 2;
      cell.half = height / 2;
      if (cell.item) { cell.item.x = cell.x - cell.w / 2 - left; cell.item.y = y + (height - cell.h) / 2; }
    }
    bottom = y + height;
    const ports = (other) => other && other.some((cell) => cell.item && cell.item.port);
    y = bottom + (ports(row) || ports(layers[l + 1]) ? SPACE.port : SPACE.layer);
  });
  const points = routes.map(({ chain, turned }) => {
    const route = chain.flatMap((way) => [[way.x - left, way.y - way.half], [way.x - left, way.y + way.half]]);
    return turned ? route.reverse() : route;
  });
  return { w: right - left, h: bottom, routes: points };
}

/* The whole drawing. parents: of groups, 0 is all. open(g): whether the module shows what is inside. boxes: by node index, {w, h, group};
 * undefined: not drawn. groupBox(g): {w, h} of a module that is closed. uses: pairs of node indices. Gives boxes with x and y of nodes,
 * groups (open: true for frames) and edges with points. */
function layoutGraph(parents, open, boxes, groupBox, uses) {
  const count = parents.length, children = parents.map(() => []), items = parents.map(() => []), inner = parents.map(() => []);
  const shown = parents.map(() => null), holder = new Int32Array(count); /* the outermost closed module around a group, or -1 */
  for (let g = 0; g < count; g++) {
    const above = g ? holder[parents[g]] : -1;
    holder[g] = above >= 0 ? above : g && !open(g) ? g : -1;
    if (g) children[parents[g]].push(g);
  }
  const filled = new Uint8Array(count);
  boxes.forEach((box) => { for (let g = box ? box.group : -1; g >= 0 && !filled[g]; g = parents[g]) filled[g] = 1; });
  for (let g = 1; g < count; g++) {
    if (!filled[g] || (holder[g] >= 0 && holder[g] !== g)) continue;
    shown[g] = holder[g] === g ? { group: g, open: false, ...groupBox(g) } : { group: g, open: true };
  }
  const drawn = boxes.map((box, i) => {
    if (!box) return null;
    const g = box.group;
    if (holder[g] >= 0) return shown[holder[g]];
    return { node: i, ...box };
  });
  /* Items in the order of their first node, so that drawings begin in the order of the program. */
  const parentOf = (item) => (item.node === undefined ? parents[item.group] : item.group), listed = new Set();
  const list = (item) => {
    for (; !listed.has(item); item = shown[parentOf(item)]) {
      listed.add(item);
      items[parentOf(item)].push(item);
      if (parentOf(item) === 0) break;
    }
  };
  for (const item of drawn) if (item) list(item);
  const depth = new Int32Array(count);
  for (let g = 1; g < count; g++) depth[g] = depth[parents[g]] + 1;
  const edges = [], known = new Set(), number = new Map();
  for (const item of listed) number.set(item, number.size);
  /* Where edges from a source pass the border of a module, so that they go around what is inside. */
  const ports = new Map(), port = (g, from, side) => {
    const key = `${g} ${number.get(from)} ${side}`;
    if (!ports.has(key)) {
      ports.set(key, { port: side, w: 4, h: 0 });
      items[g].push(ports.get(key));
    }
    return ports.get(key);
  };
  for (const [from, to] of uses) {
    const a = drawn[from], b = drawn[to], key = a && b ? number.get(a) * number.size + number.get(b) : -1;
    if (!a || !b || a === b || known.has(key)) continue;
    known.add(key);
    const edge = { from: a, to: b, parts: [] }, ins = [];
    let x = a, y = b;
    while (parentOf(x) !== parentOf(y)) {
      const g = depth[parentOf(x)] >= depth[parentOf(y)] ? parentOf(x) : -1;
      if (g >= 0) { edge.parts.push({ g, top: x, bottom: port(g, a, -1) }); x = shown[g]; }
      else { ins.push({ g: parentOf(y), top: port(parentOf(y), a, 1), bottom: y }); y = shown[parentOf(y)]; }
    }
    edge.parts.push({ g: parentOf(x), top: x, bottom: y }, ...ins.reverse());
    for (const part of edge.parts) inner[part.g].push(part);
    edges.push(edge);
  }
  items.forEach((row) => row.forEach((item, i) => { item.at = i; }));
  for (let g = count - 1; g >= 0; g--) {
    if (g && !(shown[g] && shown[g].open)) continue;
    const seen = new Map(), pairs = [];
    for (const part of inner[g]) {
      const key = part.top.at * items[g].length + part.bottom.at;
      if (!seen.has(key)) { seen.set(key, pairs.length); pairs.push([part.top.at, part.bottom.at]); }
      part.pair = seen.get(key);
    }
    const size = layoutLevel(items[g], pairs);
    for (const part of inner[g]) part.points = size.routes[part.pair];
    const frame = g ? shown[g] : { w: 0, h: 0 };
    frame.w = Math.max(size.w, g ? groupBox(g).w - 2 * SPACE.pad : 0) + 2 * SPACE.pad;
    frame.h = size.h + 2 * SPACE.pad + SPACE.title;
    frame.dx = (frame.w - size.w) / 2;
    if (!g) shown[0] = frame;
  }
  const origin = parents.map(() => [0, 0]);
  for (let g = 0; g < count; g++) {
    if (!shown[g] || (g && !shown[g].open)) continue;
    if (g) origin[g] = [shown[g].x + shown[g].dx, shown[g].y + SPACE.pad + SPACE.title];
    for (const item of items[g]) { item.x += origin[g][0]; item.y += origin[g][1]; }
  }
  for (const edge of edges) {
    edge.points = [[edge.from.x + edge.from.w / 2, edge.from.y + edge.from.h]];
    for (const { g, top, bottom, points } of edge.parts) {
      if (top.port) edge.points.push([top.x + 2, shown[g].y], [top.x + 2, top.y]);
      for (const [x, y] of points) edge.points.push([x + origin[g][0], y + origin[g][1]]);
      if (bottom.port) edge.points.push([bottom.x + 2, bottom.y], [bottom.x + 2, shown[g].y + shown[g].h]);
    }
    edge.points.push([edge.to.x + edge.to.w / 2, edge.to.y]);
  }
  return { nodes: drawn, groups: shown.slice(1).filter((item) => item && item.x !== undefined), edges, w: shown[0].w, h: shown[0].h };
}
