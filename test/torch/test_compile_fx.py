# SPDX-License-Identifier: Apache-2.0
"""compile_fx and the backend: calling convention, pytrees, shapes, fallbacks, errors, memory."""
from __future__ import annotations

import gc
import resource
import threading
import unittest
import warnings
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

import fxjit


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.register_buffer("scale", torch.tensor([1.0, 2.0, 3.0]))

    def forward(self, x: torch.Tensor, y: Any = None, gain: float = 2.0) -> torch.Tensor:
        return F.relu(self.linear(x) * self.scale) * gain + torch.tensor([0.5, 0.0, 0.0])


def function(code: Any, **concrete: Any) -> torch.fx.GraphModule:
    """A traced function."""
    return torch.fx.symbolic_trace(code, concrete_args=concrete or None)


class Calling(unittest.TestCase):
    def setUp(self) -> None:
        torch.manual_seed(1)
        self.net, self.x = Net().eval(), torch.randn(2, 4)
        self.graph = torch.fx.symbolic_trace(self.net)

    def close(self, got: Any, want: Any) -> None:
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-6)

    def test_positional_keyword_and_default(self) -> None:
        fast = fxjit.compile_fx(self.graph, (self.x,))
        want = self.net(self.x).detach()
        self.close(fast(self.x), want)
        self.close(fast(x=self.x), want)
        self.close(fast(self.x, None, gain=2.0), want)
        with self.assertRaises(TypeError):
            fast(self.x, colour=1)
        with self.assertRaises(TypeError):
            fast()

    def test_other_constants_are_guarded_or_compiled(self) -> None:
        with self.assertRaises(fxjit.Error) as caught:
            fxjit.compile_fx(self.graph, (self.x,))(self.x, gain=3.0)
        self.assertEqual(caught.exception.status, "E_GUARD")
        fast = fxjit.compile_fx(self.graph, (self.x,), dynamic=False)
        self.close(fast(self.x, gain=3.0), self.net(self.x, gain=3.0).detach())
        self.assertEqual(fast.variants, 2)

    def test_weights_are_borrowed(self) -> None:
        from fxjit.exporter import describe
        tensors = describe(self.graph, (self.x,)).tensors
        self.assertEqual(tensors["linear.weight"].data_ptr(), self.net.linear.weight.data_ptr())

    def test_strided_inputs_and_no_copies(self) -> None:
        fast = fxjit.compile_fx(self.graph, (self.x,))
        wide = torch.randn(4, 2)
        self.close(fast(wide.t()), self.net(wide.t()).detach())

    def test_other_shapes(self) -> None:
        other = torch.randn(5, 4)
        with self.assertRaisesRegex(fxjit.Error, "dimension 0 of input `x` is 5, expected 2"):
            fxjit.compile_fx(self.graph, (self.x,))(other)
        anew = fxjit.compile_fx(self.graph, (self.x,), dynamic=False)
        for shape in (5, 7, 5):
            x = torch.randn(shape, 4)
            self.close(anew(x), self.net(x).detach())
        self.assertEqual(anew.variants, 3)

    def test_symbolic_sizes(self) -> None:
        fast = fxjit.compile_fx(self.graph, (self.x,), dynamic={"x": {0: fxjit.Dim("batch", 1, 64)}})
        for size in (1, 5, 64):
            x = torch.randn(size, 4)
            self.close(fast(x), self.net(x).detach())
        with self.assertRaises(fxjit.Error) as caught:
            fast(torch.randn(65, 4))
        self.assertEqual(caught.exception.status, "E_GUARD")
        with self.assertRaisesRegex(fxjit.Error, "no tensor input"):
            fxjit.compile_fx(self.graph, (self.x,), dynamic={"z": {0: "n"}})
        with self.assertRaisesRegex(fxjit.Error, "dimensions"):
            fxjit.compile_fx(self.graph, (self.x,), dynamic={"x": {2: "n"}})

    def test_structured_inputs_and_outputs(self) -> None:
        def code(d: dict, pair: tuple) -> dict:
            return {"sum": d["a"] + pair[0], "rest": [pair[1] * 2, (d["a"], None, 3)]}
        d, pair = {"a": torch.randn(3)}, (torch.randn(3), torch.randn(2))
        fast = fxjit.compile_fx(function(code), (d, pair))
        self.same_structure(fast(d, pair), code(d, pair))

    def test_a_graph_that_flattens_its_inputs(self) -> None:
        def code(d: dict) -> list:
            return [d["a"] + d["b"], {"c": d["a"] * 2}]
        graph = torch.fx.symbolic_trace(code, concrete_args={"d": {"a": torch.fx.PH, "b": torch.fx.PH}})
        d = {"a": torch.randn(3), "b": torch.randn(3)}
        self.same_structure(fxjit.compile_fx(graph, (d,))(d), code(d))

    def same_structure(self, got: Any, want: Any) -> None:
        self.assertIs(type(got), type(want))
        if isinstance(want, dict):
            self.assertEqual(list(got), list(want))
            got, want = list(got.values()), list(want.values())
        if isinstance(want, (list, tuple)):
            self.assertEqual(len(got), len(want))
            for one, other in zip(got, want):
                self.same_structure(one, other)
        elif isinstance(want, torch.Tensor):
            self.close(got, want)
        else:
            self.assertEqual(got, want)

    def test_sizes_as_arguments(self) -> None:
        def code(x: torch.Tensor) -> torch.Tensor:
            batch, width = x.size(0), x.shape[1]
            return x.view(batch, width // 2, 2).flatten(1) + x.size(1)
        self.close(fxjit.compile_fx(function(code), (self.x,))(self.x), code(self.x))

    def test_one_result_twice_and_a_number(self) -> None:
        def code(x: torch.Tensor, n: int) -> tuple:
            y = x + n
            return y, y, n + 1
        fast = fxjit.compile_fx(function(code), (self.x, 4))
        one, two, three = fast(self.x, 4)
        self.assertEqual(len(fast.compiled.run([self.x])), 1)
        self.close(one, self.x + 4)
        self.close(two, one)
        self.assertEqual(three, 5)

    def test_element_types(self) -> None:
        for dtype in (torch.float64, torch.float16, torch.bfloat16, torch.int32, torch.bool):
            x = torch.ones(2, 3).to(dtype)
            graph = function(lambda x: torch.logical_not(x)) if dtype is torch.bool else function(lambda x: x + x)
            got = fxjit.compile_fx(graph, (x,))(x)
            self.assertEqual(got.dtype, dtype)
            self.assertTrue(torch.equal(got, graph(x)))

    def test_options_are_checked(self) -> None:
        for wrong in ({"speed": 1}, {"fallback": "maybe"}, {"dynamic": True}, {"precision": "double"}):
            with self.assertRaises(fxjit.Error):
                fxjit.compile_fx(self.graph, (self.x,), **wrong)

    def test_modules_are_traced(self) -> None:
        self.close(fxjit.compile_fx(self.net, (self.x,), threads=2)(self.x), self.net(self.x).detach())


class Changes(unittest.TestCase):
    def test_compiling_changes_nothing(self) -> None:
        def code(x: torch.Tensor) -> torch.Tensor:
            return x.add_(1) * 2
        x, norm = torch.zeros(2), nn.BatchNorm1d(4)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fxjit.compile_fx(function(code), (x,))
        fxjit.compile_fx(nn.Sequential(norm), (torch.rand(3, 4),))
        self.assertTrue(torch.equal(x, torch.zeros(2)))
        self.assertTrue(torch.equal(norm.running_mean, torch.zeros(4)))

    def test_changes_of_inputs_reach_the_caller(self) -> None:
        def code(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            y.mul_(7)
            return x.add_(1) * y
        fast = fxjit.compile_fx(function(code), (torch.zeros(2), torch.zeros(2)))
        x, y = torch.zeros(2), torch.ones(2, 2)[:, 0]
        self.assertEqual(fast(x, y).tolist(), [7, 7])
        self.assertEqual((x.tolist(), y.tolist()), ([1, 1], [7, 7]))

    def test_state_of_a_loaded_module(self) -> None:
        import os
        import tempfile
        net, x = nn.Sequential(nn.BatchNorm1d(4)), torch.rand(3, 4)
        with tempfile.TemporaryDirectory() as folder:
            fxjit.export(net, os.path.join(folder, "net.fxm"), (x,))
            compiled = fxjit.load(os.path.join(folder, "net.fxm")).compile([x])
        for _ in range(3):
            torch.testing.assert_close(compiled(x), net(x).detach(), rtol=1e-4, atol=1e-5)
        self.assertEqual(sorted(compiled.state), ["0.num_batches_tracked", "0.running_mean", "0.running_var"])
        torch.testing.assert_close(compiled.state["0.running_mean"].torch(), net[0].running_mean, rtol=1e-4, atol=1e-5)
        self.assertEqual(compiled.state["0.num_batches_tracked"].numpy(), 3)
        compiled.reset()
        self.assertEqual(compiled.state["0.num_batches_tracked"].numpy(), 0)

    def test_training_updates_torch_s_buffers(self) -> None:
        nets = [nn.Sequential(nn.BatchNorm1d(4)) for _ in range(2)]
        fast = fxjit.compile_fx(nets[0], (torch.rand(3, 4),))
        for _ in range(3):
            x = torch.rand(3, 4)
            torch.testing.assert_close(fast(x), nets[1](x).detach(), rtol=1e-4, atol=1e-5)
        for got, want in zip(nets[0].buffers(), nets[1].buffers()):
            torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


@torch.fx.wrap
def halve(x: torch.Tensor, by: float = 2.0) -> torch.Tensor:
    """A function that torch.fx does not look into."""
    if x.shape[0] > 1:
        return x / by
    return x


class Parts(unittest.TestCase):
    def test_wrapped_functions_are_traced_with_their_shapes(self) -> None:
        graph, x = function(lambda x: halve(x + 1) * 3), torch.randn(4)
        self.assertIn("halve", str(graph.graph))
        fast = fxjit.compile_fx(graph, (x,))
        self.assertEqual(fast.fallbacks, [])
        torch.testing.assert_close(fast(x), (x + 1) / 2 * 3)

    def test_unknown_operators_run_in_torch(self) -> None:
        graph, x = function(lambda x: torch.linalg.inv(torch.relu(x) + 1).abs() * 2), torch.eye(3) * 4
        with self.assertRaises(fxjit.Error) as caught:
            fxjit.compile_fx(graph, (x,), fallback="raise")
        self.assertEqual(caught.exception.status, "E_UNSUPPORTED")
        self.assertIn("inv", str(caught.exception))
        fast = fxjit.compile_fx(graph, (x,))
        self.assertEqual(len(fast.fallbacks), 1)
        self.assertIn("inv", fast.fallbacks[0])
        torch.testing.assert_close(fast(x), graph(x))

    def test_sizes_are_no_unknown_nodes(self) -> None:
        def code(x: torch.Tensor) -> torch.Tensor:
            y = torch.linalg.inv(x)
            return y.view(y.size(0), y.shape[1] // 3, 3).flatten(y.dim() - 1) * y.size(1)
        x = torch.eye(3) * 4
        fast = fxjit.compile_fx(function(code), (x,))
        self.assertEqual(len(fast.fallbacks), 1, fast.fallbacks)
        torch.testing.assert_close(fast(x), code(x))

    def test_all_unsupported_nodes_are_told(self) -> None:
        graph = function(lambda x: torch.linalg.inv(x) + torch.linalg.det(x))
        with self.assertRaises(fxjit.Error) as caught:
            fxjit.compile_fx(graph, (torch.eye(3),), fallback="raise")
        self.assertIn("inv", str(caught.exception))
        self.assertIn("det", str(caught.exception))


class Backend(unittest.TestCase):
    def test_called_as_dynamo_calls_it(self) -> None:
        graph, x = function(lambda x, y: (torch.relu(x @ y), x.sum())), torch.randn(3, 3)
        run = fxjit.backend(graph, [x, x])
        for size in (3, 5):
            x = torch.randn(size, size)
            for got, want in zip(run(x, x), graph(x, x)):
                torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)

    def test_example_inputs_without_data(self) -> None:
        from torch._subclasses.fake_tensor import FakeTensorMode
        net, x = Net().eval(), torch.randn(2, 4)
        with FakeTensorMode() as mode:
            fake = mode.from_tensor(x)
        run = fxjit.backend(torch.fx.symbolic_trace(net), [fake])
        with torch.no_grad():
            torch.testing.assert_close(run(x), net(x), rtol=1e-5, atol=1e-6)

    def test_gradients_are_torch_s(self) -> None:
        net, x = Net(), torch.randn(2, 4)
        run = fxjit.backend(torch.fx.symbolic_trace(net), [x])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run(x).sum().backward()
        self.assertEqual(len(caught), 1)
        self.assertIsNotNone(net.linear.weight.grad)
        with torch.no_grad():
            torch.testing.assert_close(run(x), net(x), rtol=1e-5, atol=1e-6)

    @unittest.skipUnless(hasattr(torch, "compile"), "torch.compile came with torch 2")
    def test_torch_compile(self) -> None:
        net, x = Net().eval(), torch.randn(2, 4)
        with torch.no_grad():
            torch.testing.assert_close(torch.compile(net, backend=fxjit.backend)(x), net(x), rtol=1e-5, atol=1e-6)


class Resources(unittest.TestCase):
    def test_memory_comes_back(self) -> None:
        x = torch.randn(2, 4)

        def work() -> None:
            fast = fxjit.compile_fx(torch.fx.symbolic_trace(Net()), (x,), threads=1)
            fast(x)
            with self.assertRaises(fxjit.Error):
                fast(x[:1])
        for _ in range(5):
            work()
        gc.collect()
        before = resident_bytes()
        for _ in range(30):
            work()
        gc.collect()
        self.assertLess(resident_bytes() - before, 10 << 20)

    def test_threads_share_a_function(self) -> None:
        net = Net().eval()
        fast = fxjit.compile_fx(torch.fx.symbolic_trace(net), (torch.zeros(1, 4),), dynamic=False, threads=1)
        failures: list[int] = []

        def work(size: int) -> None:
            x = torch.randn(size, 4)
            want = net(x).detach()
            failures.extend(size for _ in range(50) if not torch.allclose(fast(x), want, atol=1e-5))
        threads = [threading.Thread(target=work, args=(size,)) for size in (1, 2, 3, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


def resident_bytes() -> int:
    """Memory of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    unittest.main()
