# SPDX-License-Identifier: Apache-2.0
"""The proof on torchvision's models: each is traced by torch.fx, exported, read back, printed as torch prints it, compiled without
a node left to interpret, and gives torch's results; the Python code that fxjit writes gives them too, executed by torch.

    test_models.py [--full] [MODEL...]      # --full: the sizes the models are used with; else small images
"""
from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import unittest
import warnings
from typing import Any

import torch

import fxjit
import zoo

TOLERANCE = 1e-4  # of the largest element of the reference
OPTIONS = argparse.Namespace(full=False, models=[])


def listing(graph: torch.fx.Graph) -> str:
    """str(graph) as torch 2.1 and later write it."""
    return str(graph).replace("[#users=", "[num_users=")


def flat(value: Any) -> list[torch.Tensor]:
    """The tensors of nested containers."""
    if isinstance(value, torch.Tensor):
        return [value]
    items = value.values() if isinstance(value, dict) else value
    return [tensor for item in items for tensor in flat(item)]


def run_code(code: str, root: torch.nn.Module, x: torch.Tensor) -> Any:
    """Executes forward(self, ...) as written by fxjit."""
    scope: dict[str, Any] = {}
    exec(compile(code, "<fxjit>", "exec"), scope)
    return scope["forward"](root, x)


class Models(unittest.TestCase):
    def close(self, got: Any, want: Any) -> None:
        self.assertEqual(len(flat(got)), len(flat(want)))
        for one, other in zip(flat(got), flat(want)):
            self.assertEqual(one.shape, other.shape)
            self.assertLess(float((one - other).abs().max()), TOLERANCE * float(other.abs().max()))

    @torch.no_grad()
    def check(self, name: str) -> list[float]:
        """All properties of one model; the seconds of export, load, compile and run."""
        model, x = zoo.build(name, OPTIONS.full)
        traced, want, times = torch.fx.symbolic_trace(model), model(x), [time.perf_counter()]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.fxm")
            fxjit.export(traced, path, (x,))
            times.append(time.perf_counter())
            module = fxjit.load(path)
            times.append(time.perf_counter())
            self.assertEqual(str(module), listing(traced.graph))
            compiled = module.compile([x], threads=2)
            times.append(time.perf_counter())
            self.assertEqual(compiled.fallbacks, [])
            got = compiled(x)
            times.append(time.perf_counter())
            self.close(got, want)
            self.close(run_code(module.python(imports=True), traced, x), want)
        return [end - start for start, end in zip(times, times[1:])]


def _add_test(name: str) -> None:
    def test(self: Models) -> None:
        seconds = self.check(name)
        print(f"{name:28} export {seconds[0]:5.2f} s  load {seconds[1]:5.2f}  compile {seconds[2]:5.2f}  run {seconds[3]:5.2f}",
              flush=True)
    setattr(Models, f"test_{name}", test)


def main() -> None:
    """Runs the models that the command line names; all without names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("models", nargs="*", choices=[*zoo.MODELS, []], default=[])
    parser.parse_args(namespace=OPTIONS)
    for name in OPTIONS.models or zoo.MODELS:
        _add_test(name)
    torch.set_num_threads(2)
    warnings.simplefilter("ignore")
    unittest.main(argv=sys.argv[:1])


if __name__ == "__main__":
    main()
