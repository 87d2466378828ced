# SPDX-License-Identifier: Apache-2.0
"""`fxjit report` and `fxjit show --format html` in a browser: what is clicked, typed and drawn. report.py FXJIT DATA [MODEL...]

Models beside the small ones are opened too and held against the limits of size and time. Pictures are kept in FXJIT_SHOTS when set."""

import os
import re
import struct
import subprocess
import sys
import tempfile
import time
import zlib

import webdriver

MAX_BYTES = 3_000_000  # of a page
MAX_DRAWN_MS = 2000  # from opening to the drawn graph
MAX_LAYOUT_MS = 300  # a graph of a thousand nodes with every module open; the best of seven
HOSTILE = "<img src=x onerror=document.title='taken'>"


def big_graph(blocks, *, hostile=False):
    """A graph text of transformer-like blocks, about 12 nodes each, whose modules come from names in a file."""
    where = HOSTILE if hostile else "net.onnx"
    lines = ["graph {", '  %x = placeholder "x" : f32[8, 64]']
    value = "x"

    def call(name, target, *arguments, path):
        lines.append(f'  %{name} = call_function "torch.ops.aten.{target}"({", ".join(arguments)}) @ "{where}" in "/{path}/Op"')
        return name

    for b in range(blocks):
        top = f"layers.{b}" + ("" if not hostile else "/</script><script>document.title='taken'</script>")
        q, k, v = (call(f"{p}{b}", "mul.Tensor", f"%{value}", "1.5", path=f"{top}/attention/{p}") for p in "qkv")
        s = call(f"score{b}", "mul.Tensor", f"%{q}", f"%{k}", path=f"{top}/attention")
        s = call(f"soft{b}", "softmax.int", f"%{s}", "1", path=f"{top}/attention")
        s = call(f"mix{b}", "mul.Tensor", f"%{s}", f"%{v}", path=f"{top}/attention")
        r = call(f"rest{b}", "add.Tensor", f"%{s}", f"%{value}", path=top)
        u = call(f"up{b}", "exp.default", f"%{r}", path=f"{top}/up")
        u = call(f"act{b}", "relu.default", f"%{u}", path=f"{top}/up")
        d = call(f"down{b}", "tanh.default", f"%{u}", path=f"{top}/down")
        value = call(f"out{b}", "add.Tensor", f"%{d}", f"%{r}", path=top)
    return "\n".join([*lines, f"  %output = output(%{value})", "}", ""])


def different_rows(png):
    """The number of different rows of a picture, of eight bits per channel as browsers write it."""
    at, packed = 8, b""
    while at < len(png):
        (length,) = struct.unpack(">I", png[at:at + 4])
        kind, body = png[at + 4:at + 8], png[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
        packed += body if kind == b"IDAT" else b""
        at += 12 + length
    assert depth == 8, depth
    row, plain = width * {2: 3, 6: 4}[colour] + 1, zlib.decompress(packed)
    return len({plain[y * row:(y + 1) * row] for y in range(height)})


class Checks:
    def __init__(self, program, folder):
        self.program, self.folder, self.failed, self.browser = program, folder, 0, webdriver.Browser()
        os.environ["XDG_CACHE_HOME"] = folder  # where the machine's measurement is kept

    def make(self, name, *arguments):
        path = os.path.join(self.folder, name)
        subprocess.run([self.program, *arguments, "-o", path], check=True, stdout=subprocess.DEVNULL)
        return path

    def is_true(self, what, value):
        if not value:
            self.failed += 1
            print(f"FAIL: {what}")

    def shot(self, name):
        png = self.browser.screenshot()
        if os.environ.get("FXJIT_SHOTS"):
            with open(os.path.join(os.environ["FXJIT_SHOTS"], f"{name}.png"), "wb") as file:
                file.write(png)
        self.is_true(f"{name}: the picture is blank", different_rows(png) > 50)

    def open(self, path, *, dark=False):
        b = self.browser
        b.media(dark)
        b.log()
        b.open(path)
        for _ in range(100):
            drawn = b.script("return document.documentElement.dataset.drawn")
            if drawn:
                return int(drawn)
            time.sleep(0.05)
        self.is_true(f"{path} is not drawn: {b.log()}", False)
        return 0

    def quiet(self, what):
        log = self.browser.log()
        self.is_true(f"{what}: the console says {log}", not log)

    def size(self, path):
        with open(path, encoding="utf-8") as file:
            page = file.read()
        self.is_true(f"{path} has {len(page)} bytes", len(page) < MAX_BYTES)
        outside = re.findall(r"(?:src|href)\s*=\s*[\"'](?!#|data:)[^\"']*|url\([^)]*\)|@import", page.split('<script type="application/json"')[0])
        self.is_true(f"{path} asks for {outside}", not outside)

    def chosen(self):
        return self.browser.script("return document.querySelector('#details h2').textContent")


def index_of(c, name):
    return c.browser.script("return page.m.nodes.find((node) => node.n === arguments[0]).index", name)


def use_graph(c):
    """Click, search, keys, modules, weights, themes and details, on the small model."""
    b = c.browser
    place = b.script("return page.graph.centre(arguments[0])", index_of(c, "_Relu_output_0"))
    b.click_at(*place)
    c.is_true("a click chooses the node", c.chosen() == "_Relu_output_0")
    b.keys("ArrowUp")
    c.is_true("up goes to an input", c.chosen() == "_hidden_Gemm_output_0")
    b.keys("ArrowDown")
    b.keys("ArrowDown")
    c.is_true("down goes to a user", c.chosen() == "_out_Gemm_output_0")
    b.keys("Escape")
    c.is_true("escape chooses nothing", b.script("return page.graph.chosen") is None)
    b.keys("/")
    b.keys("gemm")
    c.is_true("search counts", b.script("return document.getElementById('found').textContent") == "2 found")
    b.keys("Enter")
    c.is_true("enter goes to the first", c.chosen() == "_hidden_Gemm_output_0")
    b.keys("Enter")
    c.is_true("enter goes to the next", c.chosen() == "_out_Gemm_output_0")
    b.keys("Enter", shift=True)
    c.is_true("shift and enter go back", c.chosen() == "_hidden_Gemm_output_0")
    b.keys("Escape")
    c.is_true("escape leaves the search", b.script("return document.activeElement.id") == "graph")
    b.click("#weights")
    c.is_true("weights are drawn", bool(b.script("return page.graph.centre(arguments[0])", index_of(c, "hidden_weight"))))
    before = b.script("return page.graph.view.k")
    b.wheel(*place, -300)
    c.is_true("the wheel zooms in", b.script("return page.graph.view.k") > before)
    c.is_true("a module of one node is no frame", b.script("return page.graph.drawing.groups.length") == 0)
    for colour in ("time", "bound", "op", "kernel"):
        b.script("const s = document.getElementById('colour'); s.value = arguments[0]; s.dispatchEvent(new Event('change'))", colour)
    c.shot("small")


def use_modules(c):
    """Of the graph of a thousand nodes, all modules open: opening and closing by keys, buttons and a click on a title."""
    b, closed = c.browser, "return page.graph.closed.size"
    c.is_true("modules begin closed", b.script(closed) == 95 * 3)
    b.click("#expand")
    c.is_true("expand all", b.script(closed) == 0)
    b.script("page.select({node: arguments[0]})", index_of(c, "act1"))
    b.script("document.getElementById('graph').focus()")
    b.keys("Space")
    c.is_true("space closes the module", b.script(closed) == 1 and c.chosen() == "layers.1.up")
    b.keys("Space")
    c.is_true("space opens it again", b.script(closed) == 0)
    frame = b.script("""const g = page.graph, v = g.view, item = g.itemOf(g.chosen), box = g.canvas.getBoundingClientRect();
      return [box.left + (item.x + 14) * v.k + v.x, box.top + (item.y + 14) * v.k + v.y];""")
    b.click_at(*frame)
    c.is_true("a click at a title closes the module", b.script(closed) == 1)
    b.script("page.search('act7'); page.step(1)")
    c.is_true("what is found is opened", c.chosen() == "act7" and b.script("return page.graph.centre(arguments[0])", index_of(c, "act7")))
    b.click("#collapse")
    c.is_true("collapse all", b.script(closed) == 95 * 3)
    c.shot("modules")
    b.click("#expand")


def use_details(c):
    b = c.browser
    b.script("page.select({node: arguments[0]})", index_of(c, "_hidden_Gemm_output_0"))
    text = b.script("return document.getElementById('details').innerText")
    for word in ("f32[3, 32]", "hidden_weight", "/hidden/Gemm", "_Relu_output_0", "Bound by", "joined"):
        c.is_true(f"details tell {word}", word in text)
    b.script("for (const d of document.querySelectorAll('#details details')) d.open = true")
    time.sleep(0.3)
    texts = b.script("return [...document.querySelectorAll('#details pre')].map((p) => p.textContent)")
    c.is_true("stages, LLVM IR and assembly are there", len(texts) == 3 and "define" in texts[1] and "ret" in texts[2])


def use_views(c, name):
    b = c.browser
    for key, view in enumerate(("graph", "kernels", "roofline", "memory", "fusion"), 1):
        b.script("document.activeElement.blur()")
        b.keys(str(key))
        c.is_true(f"key {key} opens {view}", b.script("return page.view") == view)
        c.shot(f"{name}_{view}")
    b.script("page.open('kernels')")
    b.script("document.querySelectorAll('#view-kernels th button')[1].click()")
    c.is_true("tables sort", b.script("return document.querySelector('#view-kernels th[aria-sort]').getAttribute('aria-sort')") in ("ascending", "descending"))
    stops = b.script("return document.querySelectorAll('#view-kernels tbody tr[tabindex=\"0\"]').length")
    c.is_true(f"a table is {stops} stops of Tab", stops == 1)
    b.script("document.querySelector('#view-kernels tbody tr').focus()")
    b.keys("Enter")
    c.is_true("enter chooses a row", b.script("return document.querySelectorAll('#view-kernels tr[aria-selected]').length") == 1)
    for view in ("roofline", "memory"):
        b.script("page.open(arguments[0]); document.querySelector(`#view-${arguments[0]} .mark-item`).focus()", view)
        tip = b.script("return document.querySelector(`#view-${arguments[0]} .tip`).textContent", view)
        c.is_true(f"a mark of {view} tells what it is when it has the focus", len(tip) > 10)
        b.keys("Enter")
        c.is_true(f"enter chooses a mark of {view}", len(c.chosen()) > 0 and c.chosen() != "mlp")
    smallest = b.script("return Math.min(...[...document.querySelectorAll('svg text')].map((t) => t.getBoundingClientRect().height).filter((h) => h > 0))")
    c.is_true(f"words in plots are {smallest} high", smallest >= 12)
    before = b.script("return document.documentElement.dataset.theme")
    b.script("document.activeElement.blur()")
    b.keys("t")
    c.is_true("t changes the theme", b.script("return document.documentElement.dataset.theme") != before)
    b.script("page.open('graph')")


def contrast(c):
    """Words on what they stand on: 4.5 to 1 in both themes, for the page's colours and for every colour of a node."""
    worst = c.browser.script("""
      const rgb = (colour) => { const pen = new OffscreenCanvas(1, 1).getContext("2d"); pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); return [...pen.getImageData(0, 0, 1, 1).data]; };
      const light = (colour) => { const [r, g, b] = rgb(colour).map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
      const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
      let worst = [99, ""];
      const check = (ink, ground, words) => { const r = ratio(ink, ground); if (r < worst[0]) worst = [r, words]; };
      for (const theme of ["light", "dark"]) {
        page.theme(theme);
        const p = page.graph.palette, css = getComputedStyle(document.documentElement), of = (name) => css.getPropertyValue("--" + name).trim();
        for (const ink of ["ink", "soft", "accent", "good", "bad"]) for (const ground of ["paper", "ground"]) check(of(ink), of(ground), `${theme} ${ink} on ${ground}`);
        check(of("on-accent"), of("accent"), `${theme} on accent`);
        for (let k = 0; k < 60; k++) check(p.ink, p.kernel(k), `${theme} kernel ${k}`);
        for (let t = 0; t <= 1; t += 0.05) check(p.ink, p.heat(t), `${theme} heat ${t}`);
        for (const [name, colour] of Object.entries(p.bound)) check(p.ink, colour, `${theme} bound ${name}`);
      }
      return worst;""")
    c.is_true(f"contrast of {worst}", worst[0] >= 4.5)


def small_model(c, data):
    path = c.make("small.html", "report", os.path.join(data, "mlp", "model.onnx"))
    c.size(path)
    c.is_true("the small report is slow", c.open(path) < MAX_DRAWN_MS)
    use_graph(c)
    use_details(c)
    use_views(c, "small")
    contrast(c)
    c.quiet("small report")


def graph_only(c, data):
    path = c.make("only.html", "show", "--format", "html", os.path.join(data, "mlp", "model.onnx"))
    c.open(path, dark=True)
    c.is_true("a graph alone has no other views", c.browser.script("return document.getElementById('tabs').hidden"))
    c.is_true("dark as the system wishes", c.browser.script("return document.documentElement.dataset.theme") == "dark")
    c.shot("only_dark")
    c.quiet("graph alone")


def thousand_nodes(c):
    model = os.path.join(c.folder, "big.fx")
    with open(model, "w", encoding="utf-8") as file:
        file.write(big_graph(95))
    path = c.make("big.html", "show", "--format", "html", model)
    drawn = c.open(path)
    c.is_true(f"a thousand nodes are drawn in {drawn} ms", drawn < MAX_DRAWN_MS)
    c.is_true("a thousand nodes", c.browser.script("return page.m.nodes.length") > 1000)
    took = c.browser.script("""const g = page.graph; g.all(false); g.closeAll(); const closed = new Set(g.closed); g.closed.clear(); let best = Infinity;
      for (let i = 0; i < 7; i++) { const t = performance.now(); g.layout(); best = Math.min(best, performance.now() - t); } g.paint(); page.kept = closed; return best;""")
    c.is_true(f"layout of a thousand nodes takes {took:.0f} ms", took < MAX_LAYOUT_MS)
    overlap = c.browser.script("""const items = page.graph.drawing.nodes.filter((item) => item); let n = 0;
      for (const a of items) for (const b of items)
        if (a.node < b.node && a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h) n++;
      return n;""")
    c.is_true(f"{overlap} pairs of nodes overlap", overlap == 0)
    crossed = c.browser.script("""const g = page.graph.drawing, boxes = g.nodes.filter((item) => item); let n = 0;
      for (const edge of g.edges) for (let i = 1; i < edge.points.length; i++) {
        const [ax, ay] = edge.points[i - 1], [bx, by] = edge.points[i];
        if (Math.abs(ax - bx) < 0.5)
          for (const b of boxes) if (b !== edge.from && b !== edge.to && ax > b.x && ax < b.x + b.w && ay < b.y + b.h && by > b.y) n++;
      }
      return n;""")
    c.is_true(f"{crossed} edges run through nodes that they do not touch", crossed == 0)
    upward = c.browser.script("return page.graph.drawing.edges.filter((edge) => edge.from.y + edge.from.h > edge.to.y).length")
    c.is_true(f"{upward} edges go upwards", upward == 0)
    c.browser.script("page.graph.closed = page.kept; page.graph.layout()")
    use_modules(c)
    c.quiet("a thousand nodes")
    return drawn, took


def hostile_names(c):
    model = os.path.join(c.folder, f"{HOSTILE.replace('/', '')}.fx")
    with open(model, "w", encoding="utf-8") as file:
        file.write(big_graph(2, hostile=True))
    path = c.make("hostile.html", "report", model)
    c.open(path)
    c.browser.script("page.graph.all(false); page.select({node: page.m.nodes[3].index})")
    for view in ("kernels", "roofline", "memory", "fusion"):
        c.browser.script("page.open(arguments[0])", view)
    time.sleep(0.2)
    c.is_true("names stay text", c.browser.script("return document.title !== 'taken' && document.images.length === 0"))
    c.is_true("names are shown", HOSTILE in c.browser.script("return document.body.innerText"))
    c.quiet("hostile names")


def measured(c, data):
    """Not timed on purpose: what was measured is shown, whatever it was."""
    path = c.make("measured.html", "report", "--measure=0", "--no-code", os.path.join(data, "convnet", "model.onnx"))
    c.open(path)
    text = c.browser.script("page.open('kernels'); page.select({unit: 0}); return document.body.innerText")
    for word in ("measured", "Medians of 10 runs", "Measured"):
        c.is_true(f"a measured report tells {word}", word in text)
    c.is_true("roofs of the machine", "peak" in c.browser.script("page.open('roofline'); return document.getElementById('view-roofline').innerText"))
    c.shot("measured")
    c.quiet("measured report")


def given_model(c, model):
    path = c.make("given.html", "report", model)
    c.size(path)
    drawn = c.open(path)
    c.is_true(f"{model} is drawn in {drawn} ms", drawn < MAX_DRAWN_MS)
    c.shot(f"given_{os.path.basename(os.path.dirname(model))}")
    c.quiet(model)
    print(f"{model}: {os.path.getsize(path) / 1e6:.2f} MB, drawn in {drawn} ms")


def main(program, data, *models):
    if not webdriver.installed():
        print("skipped: the report is not opened in a browser, since chromium and chromium-driver are not installed")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        c = Checks(program, folder)
        try:
            small_model(c, data)
            graph_only(c, data)
            drawn, took = thousand_nodes(c)
            hostile_names(c)
            measured(c, data)
            for model in models:
                given_model(c, model)
        finally:
            c.browser.close()
    print(f"{c.failed} failed; a thousand nodes drawn in {drawn} ms, laid out in {took:.0f} ms")
    return 1 if c.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
