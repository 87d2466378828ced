# SPDX-License-Identifier: Apache-2.0
"""Explanations, profiles, mismatches, NaN and the machine, as Python objects."""
from __future__ import annotations

import dataclasses
import gc
import math
import os
import tempfile
import unittest
from pathlib import Path

import numpy as np

import fxjit

DATA = Path(__file__).resolve().parents[2] / "test" / "data"

LOG = """graph {
  %x = placeholder "x" : f32[4, 8]
  %y = call_function "torch.ops.aten.relu.default"(%x)
  %l = call_function "torch.ops.aten.log.default"(%y)
  %output = output(%l)
}
"""

FUSED = """graph {
  %x = placeholder "x" : f32[4, 8]
  %y = placeholder "y" : f32[4, 8]
  %e = call_function "torch.ops.aten.exp.default"(%x)
  %m = call_function "torch.ops.aten.mul.Tensor"(%e, %y)
  %a = call_function "torch.ops.aten.add.Tensor"(%m, %y)
  %r = call_function "torch.ops.aten.relu.default"(%a)
  %output = output(%r)
}
"""


def module_of(text: str) -> fxjit.Module:
    """A module of .fx text."""
    with tempfile.NamedTemporaryFile("w", suffix=".fx") as file:
        file.write(text)
        file.flush()
        return fxjit.load(file.name)


class Explanations(unittest.TestCase):
    def setUp(self) -> None:
        self.compiled = fxjit.load(DATA / "convnet" / "model.onnx").compile(threads=1)

    def test_dictionary_and_text(self) -> None:
        found = self.compiled.explain()
        self.assertEqual(len(found["kernels"]), self.compiled.kernel_count)
        self.assertEqual(found["flop"], self.compiled.flop)
        self.assertEqual(found["fallbacks"], [])
        self.assertTrue({pair["joined"] for pair in found["pairs"]} == {True, False})
        self.assertIn(found["kernels"][0]["name"], str(found))

    def test_filters(self) -> None:
        whole, some = self.compiled.explain(), self.compiled.explain(node="*Relu*")
        self.assertLess(0, len(some["units"]))
        self.assertLess(len(some["units"]), len(whole["units"]))
        for unit in some["units"]:
            self.assertTrue(any("Relu" in node["name"] for node in unit["nodes"]))
        self.assertEqual([kernel["name"] for kernel in self.compiled.explain(kernel="k1")["kernels"]], ["k1"])

    def test_kernels(self) -> None:
        self.assertIn("ret", self.compiled.kernel_text("k0"))
        self.assertEqual(self.compiled.kernel_text(0, "llvm"), self.compiled.kernel_text("k0", "llvm"))
        for bad in ((99,), ("k99",), ("stem",), ("k0", "obj")):
            with self.assertRaises(fxjit.Error) as caught:
                self.compiled.kernel_text(*bad)
            self.assertEqual(caught.exception.status, "E_ARG")


class Profiles(unittest.TestCase):
    def setUp(self) -> None:
        self.module = fxjit.load(DATA / "convnet" / "model.onnx")
        self.x = np.random.default_rng(1).random((2, 3, 16, 16), np.float32)

    def test_rows(self) -> None:
        compiled = self.module.compile(threads=1, profile=True)
        profile = compiled.profile(self.x, runs=20)
        self.assertGreaterEqual(profile.runs, 20)
        self.assertEqual(len(profile.units), sum(not unit["init"] for unit in compiled.explain()["units"]))
        self.assertLessEqual(profile.wall_min_us, profile.wall_us)
        self.assertGreater(sum(unit.share for unit in profile.units), 0.3)
        rows = profile.rows()
        self.assertEqual([row["own_us"] for row in rows], sorted((row["own_us"] for row in rows), reverse=True))
        self.assertEqual(sum(unit.flop for unit in profile.units), compiled.flop)
        self.assertIn(rows[0]["label"], str(profile).splitlines()[3])
        for unit in profile.units:
            self.assertEqual(unit.runs, profile.runs)
            self.assertLessEqual(unit.min_us, unit.median_us)
            self.assertEqual(len(unit.busy_us), 1)
        with self.assertRaises(dataclasses.FrozenInstanceError):
            profile.runs = 1

    def test_code_that_was_not_compiled_for_it(self) -> None:
        with self.assertRaisesRegex(fxjit.Error, "profil"):
            self.module.compile(threads=1).profile(self.x)

    def test_inputs_that_do_not_fit(self) -> None:
        with self.assertRaises(fxjit.Error) as caught:
            self.module.compile(threads=1, profile=True).profile(self.x[:1])
        self.assertEqual(caught.exception.status, "E_SHAPE")


class WrongNumbers(unittest.TestCase):
    def test_nothing_differs(self) -> None:
        module, x = fxjit.load(DATA / "mlp" / "model.onnx"), np.load(DATA / "mlp" / "in" / "input0.npy")
        self.assertIsNone(module.bisect(x, threads=1))
        self.assertIsNone(module.bisect(x, threads=1, against={"precision": "strict"}))

    def test_a_difference_is_found_and_saved(self) -> None:
        module, phases = module_of(FUSED), set()
        x, y = np.random.default_rng(2).random((2, 4, 8), np.float32)
        found = module.bisect(x, y, threads=1, against={"precision": "strict", "fusion": False, "threads": 1}, ulp=0,
                              progress=lambda phase, _percent: phases.add(phase))
        self.assertIn("comparing", phases)
        self.assertTrue(found.node and found.op and found.nodes)
        self.assertNotEqual(found.actual, found.expected)
        self.assertGreater(found.ulp, 0)
        self.assertIn(found.node, str(found))
        del module
        gc.collect()
        with tempfile.TemporaryDirectory() as folder:
            found.save(Path(folder) / "repro")
            self.assertIn("model.fxm", os.listdir(Path(folder) / "repro"))
            self.assertGreater(len(str(fxjit.load(Path(folder) / "repro" / "model.fxm"))), 0)

    def test_a_search_is_cancelled(self) -> None:
        module, x = fxjit.load(DATA / "mlp" / "model.onnx"), np.load(DATA / "mlp" / "in" / "input0.npy")
        with self.assertRaises(fxjit.Cancelled):
            module.bisect(x, progress=lambda *_: False)

        def fail(*_now: object) -> None:
            raise ZeroDivisionError
        with self.assertRaises(ZeroDivisionError):
            module.bisect(x, progress=fail)

    def test_where_infinity_arises(self) -> None:
        x = np.arange(-16, 16, dtype=np.float32).reshape(4, 8)
        for engine in ("compiled", "interpreter"):
            found, = module_of(LOG).find_nonfinite(x, engine=engine)
            self.assertEqual((found.node, found.op, found.is_nan, found.value), ("l", "log", False, -math.inf))
            self.assertEqual((found.position, found.count, found.size), ((0, 0), 17, 32))
            self.assertEqual((found.operands[0].name, found.operands[0].value, found.operands[0].most), ("y", 0, 15))
            self.assertIn("infinity arises in l (log)", str(found))
        self.assertEqual(module_of(LOG).find_nonfinite(np.ones((4, 8), np.float32)), [])
        with self.assertRaisesRegex(fxjit.Error, "engine"):
            module_of(LOG).find_nonfinite(x, engine="native")


class Machines(unittest.TestCase):
    def test_it_is_kept(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            before = os.environ.get("XDG_CACHE_HOME")
            os.environ["XDG_CACHE_HOME"] = folder
            try:
                first, second = fxjit.machine(), fxjit.machine()
            finally:
                del os.environ["XDG_CACHE_HOME"]
                if before is not None:
                    os.environ["XDG_CACHE_HOME"] = before
        self.assertEqual(first.measured, second.measured)
        self.assertTrue(first.cpu and first.gflops[0] > 0 and first.levels[0].name == "L1")


if __name__ == "__main__":
    unittest.main()
