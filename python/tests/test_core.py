# SPDX-License-Identifier: Apache-2.0
"""fxjit with numpy alone: loading, running, interpreting, printing, DLPack, errors, and memory that comes back."""
from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Callable

import numpy as np

import fxjit

DATA = Path(__file__).resolve().parents[2] / "test" / "data"

SMALL = """graph {
  %x = placeholder "x" : f32[2, 3]
  %y = placeholder "y" : f32[2, 3]
  %add = call_function "torch.ops.aten.add.Tensor"(%x, %y)
  %relu = call_function "torch.ops.aten.relu.default"(%add)
  %output = output((%relu, %add))
}
"""


def load_text(text: str) -> fxjit.Module:
    """A module of .fx text."""
    with tempfile.NamedTemporaryFile("w", suffix=".fx") as file:
        file.write(text)
        file.flush()
        return fxjit.load(file.name)


class Modules(unittest.TestCase):
    def setUp(self) -> None:
        self.module = fxjit.load(DATA / "mlp" / "model.onnx")
        self.x = np.load(DATA / "mlp" / "in" / "input0.npy")
        self.y = np.load(sorted((DATA / "mlp" / "out").glob("*.npy"))[0])

    def test_three_ways_to_run_agree_with_torch(self) -> None:
        for run in (self.module.run, self.module.interpret, self.module.compile([self.x], threads=1)):
            np.testing.assert_allclose(run(self.x), self.y, rtol=1e-4, atol=1e-5)

    def test_strided_input_is_read_in_place(self) -> None:
        wide = np.zeros((self.x.shape[0], 2 * self.x.shape[1]), np.float32)
        wide[:, ::2] = self.x
        np.testing.assert_array_equal(self.module.run(wide[:, ::2]), self.module.run(self.x))

    def test_several_outputs_are_a_tuple(self) -> None:
        x, y = np.float32([[1, -2, 3], [-4, 5, -6]]), np.ones((2, 3), np.float32)
        relu, total = load_text(SMALL).run(x, y)
        np.testing.assert_array_equal(total, x + y)
        np.testing.assert_array_equal(relu, np.maximum(x + y, 0))

    def test_printing(self) -> None:
        module = load_text(SMALL)
        self.assertIn("%relu : [num_users=1] = call_function[target=torch.ops.aten.relu.default](args = (%add,), kwargs = {})",
                      str(module))
        self.assertIn("placeholder", module.table)
        self.assertIn("digraph", module.dot)
        self.assertIn("kernel", module.text("program"))
        self.assertEqual(module.inputs, ["x", "y"])
        self.assertEqual(module.input_types[0], ("f32", (2, 3)))

    def test_parameters_are_views(self) -> None:
        parameters = self.module.parameters
        first = next(iter(parameters))
        self.assertIn(first, parameters)
        self.assertEqual(parameters[first].__array_interface__["data"][0], parameters[first].__array_interface__["data"][0])
        self.assertFalse(parameters[first].flags.writeable)
        with self.assertRaises(KeyError):
            parameters["no.such.tensor"]

    def test_views_keep_the_module_alive(self) -> None:
        view = next(iter(fxjit.load(DATA / "mlp" / "model.onnx").parameters.values()))
        gc.collect()
        self.assertTrue(np.isfinite(view).all())

    def test_facts_of_compiled_code(self) -> None:
        compiled = self.module.compile([self.x])
        self.assertEqual(compiled.fallbacks, [])
        self.assertGreater(compiled.kernel_count, 0)
        self.assertGreater(compiled.flop, 0)
        self.assertEqual(compiled.code_hash, self.module.compile([self.x]).code_hash)
        self.assertIn("int32_t", compiled.prototype)

    def test_progress_can_cancel(self) -> None:
        with self.assertRaisesRegex(fxjit.Error, "cancelled"):
            self.module.compile([self.x], progress=lambda phase, percent: False)

    def test_compiled_code_outlives_its_module(self) -> None:
        compiled = fxjit.load(DATA / "mlp" / "model.onnx").compile([self.x])
        gc.collect()
        np.testing.assert_allclose(compiled(self.x), self.y, rtol=1e-4, atol=1e-5)


class Errors(unittest.TestCase):
    def test_missing_file(self) -> None:
        with self.assertRaises(fxjit.Error) as caught:
            fxjit.load("/nowhere/model.onnx")
        self.assertEqual(caught.exception.status, "E_IO")
        self.assertTrue(caught.exception.diagnostics)

    def test_all_problems_of_a_text_are_told(self) -> None:
        with self.assertRaises(fxjit.Error) as caught:
            load_text(SMALL.replace("%y =", "%z =").replace("relu.default\"(%add)", "relu.default\"(%sum)"))
        self.assertGreaterEqual(len(caught.exception.diagnostics), 2)

    def test_wrong_input(self) -> None:
        compiled = load_text(SMALL).compile()
        good, other = np.zeros((2, 3), np.float32), np.zeros((3, 3), np.float32)
        with self.assertRaisesRegex(fxjit.Error, "`y`") as caught:
            compiled(good, other)
        self.assertEqual(caught.exception.status, "E_SHAPE")
        with self.assertRaises(fxjit.Error) as caught:
            compiled(good, good.astype(np.float64))
        self.assertEqual(caught.exception.status, "E_TYPE")
        with self.assertRaises(fxjit.Error):
            compiled(good)
        np.testing.assert_array_equal(compiled(good, good)[0], good)

    def test_unknown_options(self) -> None:
        with self.assertRaises(TypeError):
            load_text(SMALL).compile(speed=3)
        with self.assertRaisesRegex(fxjit.Error, "precision"):
            load_text(SMALL).compile(precision="double")

    def test_element_type_that_fxjit_lacks(self) -> None:
        with self.assertRaises(fxjit.Error) as caught:
            load_text(SMALL).run(np.zeros((2, 3), np.complex64), np.zeros((2, 3), np.float32))
        self.assertEqual(caught.exception.status, "E_TYPE")


class DLPack(unittest.TestCase):
    def test_both_ways_share_memory(self) -> None:
        array = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]
        tensor = fxjit.from_dlpack(array)
        self.assertEqual((tensor.dtype, tensor.shape, tensor.strides), ("f32", (3, 2), (4, 2)))
        array[1, 1] = 70
        self.assertEqual(tensor.numpy()[1, 1], 70)
        back = np.from_dlpack(tensor)
        self.assertEqual(back[1, 1], 70)
        self.assertEqual(tensor.__dlpack_device__(), (1, 0))

    def test_negative_strides_and_empty_tensors(self) -> None:
        array = np.arange(6, dtype=np.int64)[::-1]
        np.testing.assert_array_equal(fxjit.Tensor.numpy(fxjit.from_dlpack(array.copy())), array)
        self.assertEqual(fxjit.from_dlpack(np.zeros((0, 4), np.float32)).numpy().shape, (0, 4))

    def test_capsules_free_what_they_hold(self) -> None:
        from fxjit import tensors
        tensor = fxjit.from_dlpack(np.zeros(4, np.float32))
        before = len(tensors._exported)
        consumed, dropped = np.from_dlpack(tensor), tensor.__dlpack__()
        self.assertEqual(len(tensors._exported), before + 2)
        del consumed, dropped
        gc.collect()
        self.assertEqual(len(tensors._exported), before)

    def test_results_have_dlpack(self) -> None:
        x = np.ones((2, 3), np.float32)
        relu, _ = load_text(SMALL).run(fxjit.from_dlpack(x), x)
        np.testing.assert_array_equal(np.from_dlpack(relu), 2 * x)


class Resources(unittest.TestCase):
    def growth(self, work: Callable[[], None], times: int) -> int:
        """By how many bytes the process grows while `work` is repeated."""
        for _ in range(5):
            work()
        gc.collect()
        before = resident_bytes()
        for _ in range(times):
            work()
        gc.collect()
        return resident_bytes() - before

    def test_memory_of_compiled_graphs_comes_back(self) -> None:
        def work() -> None:
            x = np.zeros((2, 3), np.float32)
            load_text(SMALL).compile(threads=1)(x, x)
        self.assertLess(self.growth(work, 40), 2 << 20)  # one takes more than 100 KiB

    def test_memory_of_modules_comes_back(self) -> None:
        def work() -> None:
            module, x = load_text(SMALL), np.zeros((2, 3), np.float32)
            module.interpret(x, x)
            with self.assertRaises(fxjit.Error):
                module.run(x)
        self.assertLess(self.growth(work, 1500), 4 << 20)  # one module or context takes more than 8 KiB

    def test_threads_run_at_once(self) -> None:
        compiled = load_text(SMALL).compile(threads=1)
        failures: list[str] = []

        def work(value: float) -> None:
            x = np.full((2, 3), value, np.float32)
            for _ in range(200):
                if not np.array_equal(compiled(x, x)[1], 2 * x):
                    failures.append("wrong result")
        threads = [threading.Thread(target=work, args=(value,)) for value in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_torch_is_not_imported(self) -> None:
        script = ("import sys, fxjit, numpy as np; fxjit.load(sys.argv[1]).run(np.load(sys.argv[2]));"
                  "assert 'torch' not in sys.modules")
        subprocess.run([sys.executable, "-c", script, DATA / "mlp" / "model.onnx", DATA / "mlp" / "in" / "input0.npy"], check=True,
                       env=child())

    def test_library_that_is_not_there(self) -> None:
        environment = dict(child(), FXJIT_LIBRARY="/nowhere/libfxjit.so")
        done = subprocess.run([sys.executable, "-c", "import fxjit; fxjit.version()"], env=environment, stderr=subprocess.PIPE,
                              text=True)
        self.assertIn("ImportError", done.stderr)
        self.assertIn("FXJIT_LIBRARY", done.stderr)


def child() -> dict[str, str]:
    """The environment of a Python process that finds this package."""
    return dict(os.environ, PYTHONPATH=os.pathsep.join([str(Path(fxjit.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))


def resident_bytes() -> int:
    """Memory of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    unittest.main()
