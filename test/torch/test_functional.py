# SPDX-License-Identifier: Apache-2.0
"""Every expression of functions.py, traced by torch.fx, exported, interpreted and compiled, against what torch computes of it.
What is refused is counted, and the count is pinned: it may only fall.

    test_functional.py [--list] [EXPRESSION...]     # --list: what fails, with the reason
"""
from __future__ import annotations

import contextlib
import sys
import unittest
import warnings
from typing import Any

import torch
import torch.fx
import torch.nn.functional as F

import functions
from fxjit.errors import Error
from fxjit.specialise import specialise
from fxjit.torch_backend import import_module

TOLERANCE = 2e-5  # of the largest element of the reference
REFUSED = 57


class Mismatch(Exception):
    """A result differs from torch's."""


class Unknown(Exception):
    """This version of torch has no such function."""


def flat(value: Any) -> list[torch.Tensor]:
    """The tensors of nested tuples and lists."""
    return [tensor for item in value for tensor in flat(item)] if isinstance(value, (tuple, list)) else [value]


def agree(got: torch.Tensor, want: torch.Tensor) -> bool:
    """Equal for integers, close for reals; NaN and infinities in the same places."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return False
    if not want.is_floating_point():
        return bool((got == want).all())
    finite = want[want.isfinite()]
    largest = float(finite.abs().max()) if finite.numel() else 0.0
    return torch.allclose(got, want, rtol=0, atol=TOLERANCE * max(largest, 1), equal_nan=True)


def function_of(expression: str) -> tuple[Any, list[torch.Tensor]]:
    """The expression as a function of the inputs that it names, and these."""
    used = compile(expression, "case", "eval").co_names
    names = [name for name in functions.DATA if name in used]
    scope = {"torch": torch, "F": F}
    return eval(f"lambda {', '.join(names)}: {expression}", scope), [functions.DATA[name].clone() for name in names]


@torch.no_grad()
def check(expression: str) -> list[str]:
    """Compares both engines with torch; returns the nodes that run through reference kernels. Error: fxjit refuses; Unknown: this
    torch lacks the function."""
    function, inputs = function_of(expression)
    try:
        want = flat(function(*inputs))
    except AttributeError as error:
        raise Unknown(expression) from error
    special = specialise(torch.fx.symbolic_trace(function), inputs)
    module, special = import_module(special, inputs)
    compiled = module.compile(inputs, threads=1)
    for engine, run in (("interpreter", lambda: module.interpret(*inputs)), ("compiled", lambda: compiled(*inputs))):
        result = run()
        got = flat(special.restore(result if isinstance(result, tuple) else (result,)))
        if len(got) != len(want) or not all(agree(one, torch.as_tensor(other)) for one, other in zip(map(torch.as_tensor, got), want)):
            raise Mismatch(f"{expression}: {engine} gives {got}, torch {want}")
    return compiled.fallbacks


def expressions(text: str) -> list[str]:
    """One per line."""
    return [line.strip() for line in text.splitlines() if line.strip()]


class Functions(unittest.TestCase):
    def test_agree(self) -> None:
        for expression in expressions(functions.CASES):
            with self.subTest(expression=expression), contextlib.suppress(Unknown):
                check(expression)

    def test_refused(self) -> None:
        refused = expressions(functions.REFUSED)
        self.assertLessEqual(len(refused), REFUSED)
        for expression in refused:
            with self.subTest(expression=expression), self.assertRaises((Error, TypeError, RuntimeError, Unknown)):
                check(expression)


def report(chosen: list[str]) -> None:
    """Prints what fails of the chosen expressions, or of all."""
    for expression in chosen or expressions(functions.CASES + functions.REFUSED):
        try:
            fallbacks = check(expression)
            if fallbacks:
                print("CALL", expression, fallbacks)
        except Exception as error:  # any reason is of interest
            print("FAIL", expression, "|", type(error).__name__, str(error).replace("\n", " ")[:300])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["--list"]:
        report(sys.argv[2:])
    else:
        unittest.main()
