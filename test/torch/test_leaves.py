# SPDX-License-Identifier: Apache-2.0
"""The table of leaf modules: torch runs each row's graph and the module itself, and they agree; what no row covers is traced; then
fxjit compiles all of them and agrees too."""
from __future__ import annotations

import inspect
import unittest
from typing import Any

import torch
from torch import nn

import fxjit
from fxjit import leaves

X1, X2, X3 = torch.rand(2, 4, 8), torch.rand(2, 4, 8, 8), torch.rand(2, 4, 8, 8, 8)
IDS = torch.tensor([[1, 2], [4, 0]])


def _with_statistics(module: nn.Module) -> nn.Module:
    module.running_mean.uniform_(-1, 1)
    module.running_var.uniform_(0.5, 2)
    return module


CASES: list[tuple[nn.Module, Any]] = [
    (nn.Conv1d(4, 6, 3, padding=1, padding_mode="reflect"), X1), (nn.Conv2d(4, 6, 3, stride=2, dilation=2, groups=2), X2),
    (nn.Conv2d(4, 6, 4, padding="same"), X2), (nn.Conv2d(4, 6, 3, padding="valid", bias=False), X2),
    (nn.Conv2d(4, 6, (3, 1), padding="same"), X2), (nn.Conv3d(4, 6, 3, padding=1), X3),
    (nn.ConvTranspose1d(4, 6, 3, stride=2), X1), (nn.ConvTranspose2d(4, 6, 3, stride=2, output_padding=1), X2),
    (nn.ConvTranspose3d(4, 2, 3), X3), (nn.Linear(8, 5), X1), (nn.Linear(8, 5, bias=False), X2),
    (_with_statistics(nn.BatchNorm1d(4)), X1), (_with_statistics(nn.BatchNorm2d(4)), X2), (_with_statistics(nn.BatchNorm3d(4)), X3),
    (_with_statistics(nn.BatchNorm2d(4, affine=False)), X2), (nn.BatchNorm2d(4, track_running_stats=False), X2),
    (nn.LayerNorm(8), X1), (nn.LayerNorm([8, 8], elementwise_affine=False), X2), (nn.GroupNorm(2, 4), X2),
    (nn.InstanceNorm1d(4, affine=True), X1), (_with_statistics(nn.InstanceNorm2d(4, track_running_stats=True)), X2),
    (nn.InstanceNorm3d(4), X3),
    *[(cls(), X2 * 4 - 2) for cls in (
        nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.Sigmoid, nn.Tanh, nn.SiLU, nn.Mish, nn.Hardswish, nn.Hardsigmoid, nn.ELU, nn.CELU,
        nn.SELU, nn.LeakyReLU, nn.Softplus, nn.Softshrink, nn.Hardshrink, nn.LogSigmoid, nn.GELU, nn.Tanhshrink, nn.Softsign,
        nn.RReLU, nn.PReLU, nn.GLU, nn.Softmax2d, nn.Identity, nn.Dropout, nn.Dropout2d, nn.AlphaDropout, nn.Flatten)],
    (nn.GELU(approximate="tanh"), X1), (nn.Threshold(0.5, 2.0), X1), (nn.PReLU(4), X2 - 0.5), (nn.ELU(0.5), X1 - 0.5),
    (nn.Softmax(1), X2), (nn.LogSoftmax(-1), X2), (nn.Softmin(1), X2),
    (nn.MaxPool1d(2), X1), (nn.MaxPool2d(3, 2, 1, ceil_mode=True), X2), (nn.MaxPool2d(2, dilation=2), X2), (nn.MaxPool3d(2), X3),
    (nn.AvgPool1d(3, 2, 1), X1), (nn.AvgPool2d(3, 2, 1, count_include_pad=False), X2), (nn.AvgPool2d(2, divisor_override=3), X2),
    (nn.AvgPool3d(2), X3), (nn.AdaptiveAvgPool1d(4), X1), (nn.AdaptiveAvgPool2d((None, 2)), X2), (nn.AdaptiveAvgPool3d(1), X3),
    (nn.Flatten(2), X3), (nn.Unflatten(1, (2, 2)), X2), (nn.PixelShuffle(2), X2), (nn.PixelUnshuffle(2), X2),
    (nn.ChannelShuffle(2), X2),
    (nn.ConstantPad1d(1, 0.5), X1), (nn.ZeroPad2d((1, 0, 2, -1)), X2), (nn.ConstantPad3d(1, 2.0), X3),
    (nn.Upsample(scale_factor=2), X2), (nn.Upsample(size=(5, 11), mode="bilinear"), X2),
    (nn.Upsample(scale_factor=1.5, mode="bicubic", align_corners=True), X2), (nn.UpsamplingBilinear2d(scale_factor=2), X2),
    (nn.Embedding(5, 3), IDS), (nn.EmbeddingBag(5, 3, mode="sum"), IDS), (nn.EmbeddingBag(5, 3), IDS),
    (nn.EmbeddingBag(5, 3, mode="max"), IDS), (nn.EmbeddingBag(5, 3), (IDS.reshape(-1), torch.tensor([0, 2, 2]))),
    (nn.EmbeddingBag(5, 3, mode="max", include_last_offset=True), (IDS.reshape(-1), torch.tensor([0, 1, 4]))),
    (nn.LSTM(8, 6, 2, bidirectional=True, batch_first=True), X1), (nn.LSTM(8, 6),
                                                                   X1), (nn.GRU(8, 6), X1), (nn.RNN(8, 6, nonlinearity="relu"), X1),
    (nn.LSTM(8, 6), (X1, (torch.rand(1, 4, 6), torch.rand(1, 4, 6)))), (nn.GRU(8, 6), (X1, torch.rand(1, 4, 6))),
    (nn.LSTMCell(8, 6), X1[0]), (nn.GRUCell(8, 6), X1[0]), (nn.RNNCell(8, 6), X1[0]),
]
# Operators that the library may not have yet are tried by torch alone.
TORCH_ONLY: list[tuple[nn.Module, Any]] = [
    (nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"), X2), (nn.Conv3d(4, 6, 3, padding=1, padding_mode="replicate"), X3),
    (nn.ReflectionPad1d(2), X1), (nn.ReflectionPad2d((1, 2, 3, 0)), X2), (nn.ReplicationPad3d(1), X3),
    (nn.AdaptiveMaxPool1d(3), X1), (nn.AdaptiveMaxPool2d(3), X2), (nn.AdaptiveMaxPool3d(2), X3),
]
TRACED: list[tuple[nn.Module, Any]] = [
    (nn.LocalResponseNorm(2), X2), (nn.MultiheadAttention(8, 2, batch_first=True), (X1, X1,
                                                                                    X1)), (nn.TransformerEncoderLayer(8, 2), X1),
    (nn.CosineSimilarity(), (X1, X1 + 1)),
]


def arguments(inputs: Any) -> tuple:
    """The arguments of a case."""
    return inputs if isinstance(inputs, tuple) else (inputs,)


def flat(value: Any) -> list[torch.Tensor]:
    """The tensors of nested tuples."""
    return [tensor for item in value for tensor in flat(item)] if isinstance(value, tuple) else [value]


class Caller(nn.Module):
    """A graph that calls one leaf."""

    def __init__(self, leaf: nn.Module):
        super().__init__()
        self.leaf = leaf


def graph_of(leaf: nn.Module, inputs: tuple) -> torch.fx.GraphModule:
    """leaf(*inputs) as a graph with one call_module; a tuple of tensors becomes one of placeholders."""
    graph, count = torch.fx.Graph(), iter(range(100))
    nodes = torch.fx.node.map_aggregate(inputs, lambda _tensor: graph.placeholder(f"x{next(count)}"))
    graph.output(graph.call_module("leaf", nodes))
    return torch.fx.GraphModule(Caller(leaf), graph)


class Rows(unittest.TestCase):
    def agree(self, got: Any, want: Any, tolerance: float) -> None:
        self.assertEqual(len(flat(got)), len(flat(want)))
        for one, other in zip(flat(got), flat(want)):
            self.assertEqual(one.shape, other.shape)
            self.assertLessEqual(float((one - other).abs().max()), tolerance * (1 + float(other.abs().max())))

    @torch.no_grad()
    def test_graphs_mean_what_the_modules_do(self) -> None:
        for module, inputs in CASES + TORCH_ONLY:
            with self.subTest(module=repr(module)):
                module.eval()
                graph, names = torch.fx.Graph(), list(inspect.signature(type(module).forward).parameters)[1:]
                count = iter(range(100))
                nodes = torch.fx.node.map_aggregate(arguments(inputs), lambda _tensor: graph.placeholder(f"x{next(count)}"))
                graph.output(leaves.emit(module, graph, dict(zip(names, nodes))))
                got = torch.fx.GraphModule(module, graph)(*flat(arguments(inputs)))
                self.agree(got, module(*arguments(inputs)), 1e-6)

    @torch.no_grad()
    def test_compiled(self) -> None:
        for module, inputs in CASES + TRACED:
            with self.subTest(module=repr(module)):
                module.eval()
                graph_module = graph_of(module, arguments(inputs))
                fast = fxjit.compile_fx(graph_module, flat(arguments(inputs)), threads=1)
                self.assertFalse([name for name in fast.fallbacks if "leaf" in name and fast.compiled is None], fast.fallbacks)
                self.agree(fast(*flat(arguments(inputs))), module(*arguments(inputs)), 1e-5)

    def test_modules_without_a_row(self) -> None:
        for module, _ in TRACED:
            self.assertIsNone(leaves.row_of(module))

    def test_a_subclass_with_its_own_forward_has_no_row(self) -> None:
        class Own(nn.ReLU):
            def forward(self, input: torch.Tensor) -> torch.Tensor:
                return input + 1

        class Same(nn.ReLU):
            pass
        self.assertIsNone(leaves.row_of(Own()))
        self.assertIsNotNone(leaves.row_of(Same()))

    def test_attributes(self) -> None:
        facts = leaves.attributes(nn.Conv2d(3, 4, 5, stride=2))
        self.assertEqual((facts["stride"], facts["in_channels"]), ((2, 2), 3))


if __name__ == "__main__":
    unittest.main()
