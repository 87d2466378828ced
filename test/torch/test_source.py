# SPDX-License-Identifier: Apache-2.0
"""Graphs printed by fxjit against what torch.fx prints of them, byte for byte, and generated Python run by torch.

usage: test_source.py FXJIT      (the program; skipped with status 77 when torch is missing)"""
import contextlib
import io
import re
import subprocess
import sys
import tempfile
import unittest

try:
    import torch
except ImportError:
    print("skipped: python3-torch is not installed")
    sys.exit(77)
import graphs

FXJIT = None


def show(path, form):
    result = subprocess.run([FXJIT, "show", "--format", form, path], capture_output=True, text=True)
    if result.returncode:
        raise AssertionError(f"fxjit show --format {form} {path}: {result.stderr}")
    return result.stdout[:-1]  # the program's final line end


def simple_table(graph):
    """tabulate's "simple" form of print_tabular's cells; functions by qualified name, overloads as torch prints them."""
    def target(node):
        if node.op != "call_function":
            return str(node.target)
        name = node._pretty_print_target(node.target)
        return name[10:] if name.startswith("torch.ops.") else name
    header = ["opcode", "name", "target", "args", "kwargs"]
    rows = [[n.op, n.name, target(n), str(n.args), str(n.kwargs)] for n in graph.nodes]
    width = [max([len(header[c]) + 2] + [len(r[c]) for r in rows]) for c in range(5)]

    def number(text):
        try:
            return float(text) is not None
        except ValueError:
            return False
    right = [bool(rows) and all(number(r[c]) for r in rows) for c in range(5)]

    def line(cells):
        return "  ".join(t.rjust(w) if r else t.ljust(w) for t, w, r in zip(cells, width, right)).rstrip()
    return "\n".join([line(header), "  ".join("-" * w for w in width)] + [line(r) for r in rows])


def equal(a, b):
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(equal(a[k], b[k]) for k in a)
    return a == b


class Printed(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def exported(self, name, gm):
        path = f"{self.folder.name}/{name}.fxm"
        graphs.export(gm, path)
        return path

    def test_text(self):
        for name, gm in graphs.printed():
            with self.subTest(name):
                self.assertEqual(show(self.exported(name, gm), "text"), str(gm.graph).replace("[#users=", "[num_users="))

    def test_table(self):
        for name, gm in graphs.printed():
            with self.subTest(name):
                ours = "\n".join(line.rstrip() for line in show(self.exported(name, gm), "table").split("\n"))
                self.assertEqual(ours, simple_table(gm.graph))

    def test_python(self):
        for name, gm in graphs.printed():
            with self.subTest(name):
                self.assertEqual(show(self.exported(name, gm), "python"), gm.code)

    def test_readable(self):
        """torch 1.13 leaves the function's name out, and cannot print children."""
        for name, gm in graphs.printed():
            if any(isinstance(child, torch.fx.GraphModule) for child in gm.children()):
                continue
            with self.subTest(name):
                theirs = io.StringIO()
                with contextlib.redirect_stdout(theirs):
                    gm.print_readable()
                ours = re.sub(r"(# File: .*:\d+) in \S+(, code)", r"\1\2", show(self.exported(name, gm), "readable"))
                self.assertEqual(ours, theirs.getvalue()[:-1])


class Executed(Printed):
    test_text = test_table = test_python = test_readable = None

    def test_function(self):
        """With the globals of torch's own code: so ours must bear the same names."""
        for name, gm, inputs in graphs.runnable():
            with self.subTest(name):
                namespace = dict(gm.graph.python_code("self").globals)
                exec(show(self.exported(name, gm), "python"), namespace)
                with torch.no_grad():
                    self.assertTrue(equal(namespace["forward"](gm, *inputs), gm(*inputs)))

    def test_module(self):
        """A file of its own, with the weights of the original."""
        for name, gm, inputs in graphs.runnable():
            if any(node.op == "call_module" for node in gm.graph.nodes):
                continue  # the children's graphs are not exported here
            with self.subTest(name):
                namespace = {"__name__": "graphs"}
                text = show(self.exported(name, gm), "module")
                exec(text, namespace)
                module = namespace[type(gm).__name__]()
                module.load_state_dict(gm.state_dict())
                for spec in ("_in_spec", "_out_spec"):  # as GraphModule sets them
                    setattr(module, spec, getattr(gm, spec, None))
                with torch.no_grad():
                    self.assertTrue(equal(module(*inputs), gm(*inputs)))


if __name__ == "__main__":
    FXJIT = sys.argv.pop(1)
    unittest.main()
