# SPDX-License-Identifier: Apache-2.0
"""Traced bodies mean what their functions do: constants are computed once, changes in place are kept."""
from __future__ import annotations

import unittest
from typing import Any, Callable

import torch
import torch.nn.functional as F

from fxjit import bodies


def masked(x: torch.Tensor) -> torch.Tensor:
    """Makes a mask by writing numbers into new memory, as torchvision's swin does."""
    mask = x.new_zeros((4, 4))
    for row in range(4):
        mask[row:, :row] = row
    return x + mask.masked_fill(mask != 0, -100.0)


def changed_while_used(x: torch.Tensor) -> torch.Tensor:
    """The constant has another value at each use."""
    mask = torch.zeros(4)
    first = x + mask
    mask[1] = 5
    return first * 2 + mask


def data_in_new_memory(x: torch.Tensor) -> torch.Tensor:
    """The memory is a constant only until data come."""
    wide = x.new_zeros((6, 4))
    wide[5] = 3
    wide[1:5] = x
    return wide + 1


def writes_to_a_copy(x: torch.Tensor) -> torch.Tensor:
    """What is written must not be dropped."""
    y = x.clone()
    y[0] = 0
    y[:, 1].mul_(2)
    return y


CASES: list[Callable[[torch.Tensor], Any]] = [
    masked, changed_while_used, data_in_new_memory, writes_to_a_copy,
    lambda x: x, lambda x: (x, x + 1), lambda x: torch.full((4,), 2.0) * torch.arange(4) + x,
    lambda x: F.layer_norm(x, [4]), lambda x: F.group_norm(x[None], 2), lambda x: F.interpolate(x[None, None], scale_factor=2.0,
                                                                                                mode="bilinear"),
    lambda x: F.interpolate(x[None, None], size=(3, 5)), lambda x: F.logsigmoid(x), lambda x: x.view(2, 8).t().reshape(4, 4),
]


class Bodies(unittest.TestCase):
    def test_bodies_mean_what_their_functions_do(self) -> None:
        example, other = torch.rand(4, 4), torch.rand(4, 4) - 0.5
        for function in CASES:
            with self.subTest(function=function.__name__):
                body = bodies.trace(function, [example])
                for x in (example, other):
                    torch.testing.assert_close(body(x.clone()), function(x.clone()))

    def test_masks_are_constants(self) -> None:
        targets = [str(node.target) for node in bodies.trace(masked, [torch.rand(4, 4)]).graph.nodes if node.op == "call_function"]
        self.assertEqual(targets, ["aten.add.Tensor"])


if __name__ == "__main__":
    unittest.main()
