# SPDX-License-Identifier: Apache-2.0
"""What torch.nn's leaf modules compute, as graphs of ATen calls: a table from class to a function that builds the graph. The graphs
hold for all shapes. A class without a row, or a module in a state that its row does not cover, gives None and is traced instead.
"""
from __future__ import annotations

import inspect
import math
import operator
from typing import Any, Callable

import torch
import torch.fx
from torch import nn

aten = torch.ops.aten
Row = Callable[..., Any]
_ROWS: dict[type, Row] = {}


class NotCovered(Exception):
    """The module's row does not cover this module or this way to call it."""


class Builder:
    """Makes the nodes of one leaf's graph. `prefix` comes before the paths of the module's own tensors."""

    def __init__(self, module: nn.Module, graph: torch.fx.Graph, prefix: str = ""):
        self.module, self.graph, self.prefix = module, graph, prefix

    def attr(self, path: str) -> torch.fx.Node | None:
        """The module's tensor of that path; None when it is None."""
        owner, _, name = path.rpartition(".")
        value = getattr(self.module.get_submodule(owner) if owner else self.module, name)
        if value is None:
            return None
        return self.graph.create_node("get_attr", self.prefix + path)

    def call(self, op: Any, *args: Any) -> torch.fx.Node:
        """A call of an ATen overload."""
        return self.graph.call_function(op, args)

    def item(self, value: torch.fx.Node, index: int) -> torch.fx.Node:
        """One result of several."""
        return self.graph.call_function(operator.getitem, (value, index))

    def size(self, value: torch.fx.Node, axis: int) -> torch.fx.Node:
        """A size that may be symbolic."""
        return self.graph.call_method("size", (value, axis))


def _row(*classes: type | None) -> Callable[[Row], Row]:
    def register(function: Row) -> Row:
        for cls in classes:
            if cls is not None:  # None: this torch has no such class
                _ROWS[cls] = function
        return function
    return register


def _require(condition: bool) -> None:
    if not condition:
        raise NotCovered


def _list(value: Any, n: int) -> list:
    return list(value) if isinstance(value, (tuple, list)) else [value] * n


# ---- Element by element -------------------------------------------------------------------------------------------------------


def _pointwise(cls: type, op: Any, *attributes: str) -> None:
    """op(input, *attributes of the module)."""
    _ROWS[cls] = lambda b, m, input: b.call(op, input, *(getattr(m, name) for name in attributes))


_pointwise(nn.ReLU, aten.relu.default)
_pointwise(nn.ReLU6, aten.hardtanh.default, "min_val", "max_val")
_pointwise(nn.Hardtanh, aten.hardtanh.default, "min_val", "max_val")
_pointwise(nn.Sigmoid, aten.sigmoid.default)
_pointwise(nn.Tanh, aten.tanh.default)
_pointwise(nn.SiLU, aten.silu.default)
_pointwise(nn.Mish, aten.mish.default)
_pointwise(nn.Hardswish, aten.hardswish.default)
_pointwise(nn.Hardsigmoid, aten.hardsigmoid.default)
_pointwise(nn.ELU, aten.elu.default, "alpha")
_pointwise(nn.CELU, aten.celu.default, "alpha")
_pointwise(nn.SELU, aten.selu.default)
_pointwise(nn.LeakyReLU, aten.leaky_relu.default, "negative_slope")
_pointwise(nn.Softplus, aten.softplus.default, "beta", "threshold")
_pointwise(nn.Softshrink, aten.softshrink.default, "lambd")
_pointwise(nn.Hardshrink, aten.hardshrink.default, "lambd")
_pointwise(nn.LogSigmoid, aten.log_sigmoid.default)
_pointwise(nn.Threshold, aten.threshold.default, "threshold", "value")


@_row(nn.GELU)
def _gelu(b: Builder, m: nn.GELU, input: Any) -> Any:
    return b.graph.call_function(aten.gelu.default, (input,), {"approximate": m.approximate})


@_row(nn.Tanhshrink)
def _tanhshrink(b: Builder, m: nn.Module, input: Any) -> Any:
    return b.call(aten.sub.Tensor, input, b.call(aten.tanh.default, input))


@_row(nn.Softsign)
def _softsign(b: Builder, m: nn.Module, input: Any) -> Any:
    return b.call(aten.div.Tensor, input, b.call(aten.add.Tensor, b.call(aten.abs.default, input), 1))


@_row(nn.RReLU)
def _rrelu(b: Builder, m: nn.RReLU, input: Any) -> Any:
    _require(not m.training)
    return b.call(aten.leaky_relu.default, input, (m.lower + m.upper) / 2)


@_row(nn.PReLU)
def _prelu(b: Builder, m: nn.PReLU, input: Any) -> Any:
    return b.call(aten.prelu.default, input, b.attr("weight"))


@_row(nn.GLU)
def _glu(b: Builder, m: nn.GLU, input: Any) -> Any:
    halves = b.call(aten.chunk.default, input, 2, m.dim)
    return b.call(aten.mul.Tensor, b.item(halves, 0), b.call(aten.sigmoid.default, b.item(halves, 1)))


@_row(nn.Softmax)
def _softmax(b: Builder, m: nn.Softmax, input: Any) -> Any:
    _require(m.dim is not None)
    return b.call(aten.softmax.int, input, m.dim)


@_row(nn.LogSoftmax)
def _log_softmax(b: Builder, m: nn.LogSoftmax, input: Any) -> Any:
    _require(m.dim is not None)
    return b.call(aten.log_softmax.int, input, m.dim)


@_row(nn.Softmin)
def _softmin(b: Builder, m: nn.Softmin, input: Any) -> Any:
    _require(m.dim is not None)
    return b.call(aten.softmax.int, b.call(aten.neg.default, input), m.dim)


@_row(nn.Softmax2d)
def _softmax2d(b: Builder, m: nn.Module, input: Any) -> Any:
    return b.call(aten.softmax.int, input, -3)


@_row(nn.Dropout, getattr(nn, "Dropout1d", None), nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
def _dropout(b: Builder, m: Any, input: Any) -> Any:
    if type(m) is nn.Dropout:
        return b.call(aten.dropout.default, input, m.p, m.training)
    _require(not m.training)
    return input


@_row(nn.Identity)
def _identity(b: Builder, m: nn.Module, input: Any) -> Any:
    return input


# ---- Products -----------------------------------------------------------------------------------------------------------------


@_row(nn.Linear, getattr(nn.modules.linear, "NonDynamicallyQuantizableLinear", None))
def _linear(b: Builder, m: nn.Linear, input: Any) -> Any:
    return b.call(aten.linear.default, input, b.attr("weight"), b.attr("bias"))


_PAD_MODES = {"reflect": "reflect", "replicate": "replicate", "circular": "circular"}


def _convolution(op: Any) -> Row:
    def build(b: Builder, m: Any, input: Any) -> Any:
        n, padding = len(m.kernel_size), m.padding
        if m.padding_mode != "zeros":
            input = b.call(aten.pad.default, input, list(m._reversed_padding_repeated_twice), _PAD_MODES[m.padding_mode])
            padding = 0
        elif isinstance(padding, str):  # "same": what torch adds on the right when the total is odd; "valid": nothing
            twice = [0] * 2 * n if padding == "valid" else list(m._reversed_padding_repeated_twice)
            if any(twice[i] != twice[i + 1] for i in range(0, 2 * n, 2)):
                input, padding = b.call(aten.pad.default, input, twice), 0
            else:
                padding = twice[::-2]
        return b.call(op, input, b.attr("weight"), b.attr("bias"), _list(m.stride, n), _list(padding, n), _list(m.dilation, n),
                      m.groups)
    return build


_row(nn.Conv1d)(_convolution(aten.conv1d.default))
_row(nn.Conv2d)(_convolution(aten.conv2d.default))
_row(nn.Conv3d)(_convolution(aten.conv3d.default))


def _transposed(op: Any) -> Row:
    def build(b: Builder, m: Any, input: Any) -> Any:
        return b.call(op, input, b.attr("weight"), b.attr("bias"), list(m.stride), list(m.padding), list(m.output_padding),
                      m.groups, list(m.dilation))
    return build


_row(nn.ConvTranspose1d)(_transposed(aten.conv_transpose1d.default))
_row(nn.ConvTranspose2d)(_transposed(aten.conv_transpose2d.input))
_row(nn.ConvTranspose3d)(_transposed(aten.conv_transpose3d.input))

# ---- Normalisation ------------------------------------------------------------------------------------------------------------


@_row(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
def _batch_norm(b: Builder, m: nn.BatchNorm2d, input: Any) -> Any:
    own_statistics = m.training or m.running_mean is None
    _require(not m.training or m.momentum is not None)  # None: a cumulative average, counted in a buffer
    mean, variance = b.attr("running_mean"), b.attr("running_var")
    if m.training and m.num_batches_tracked is not None:
        b.call(aten.add_.Tensor, b.attr("num_batches_tracked"), 1)
    return b.call(aten.batch_norm.default, input, b.attr("weight"), b.attr("bias"), mean, variance, own_statistics,
                  m.momentum or 0.0, m.eps, False)


@_row(nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
def _instance_norm(b: Builder, m: nn.InstanceNorm2d, input: Any) -> Any:
    if not m.training and m.track_running_stats:
        return b.call(aten.batch_norm.default, input, b.attr("weight"), b.attr("bias"), b.attr("running_mean"),
                      b.attr("running_var"), False, m.momentum or 0.0, m.eps, False)
    _require(not m.track_running_stats)  # one group per channel is the same
    return b.call(aten.group_norm.default, input, m.num_features, b.attr("weight"), b.attr("bias"), m.eps)


@_row(nn.LayerNorm)
def _layer_norm(b: Builder, m: nn.LayerNorm, input: Any) -> Any:
    return b.call(aten.layer_norm.default, input, list(m.normalized_shape), b.attr("weight"), b.attr("bias"), m.eps)


@_row(nn.GroupNorm)
def _group_norm(b: Builder, m: nn.GroupNorm, input: Any) -> Any:
    return b.call(aten.group_norm.default, input, m.num_groups, b.attr("weight"), b.attr("bias"), m.eps)


# ---- Windows ------------------------------------------------------------------------------------------------------------------


def _max_pool(op: Any, n: int) -> Row:
    def build(b: Builder, m: nn.MaxPool2d, input: Any) -> Any:
        _require(not m.return_indices)
        return b.call(op, input, _list(m.kernel_size, n), _list(m.stride, n), _list(m.padding, n), _list(m.dilation, n),
                      m.ceil_mode)
    return build


_row(nn.MaxPool1d)(_max_pool(aten.max_pool1d.default, 1))
_row(nn.MaxPool2d)(_max_pool(aten.max_pool2d.default, 2))
_row(nn.MaxPool3d)(_max_pool(aten.max_pool3d.default, 3))


def _avg_pool(op: Any, n: int) -> Row:
    def build(b: Builder, m: Any, input: Any) -> Any:
        divisor = () if n == 1 else (m.divisor_override,)
        return b.call(op, input, _list(m.kernel_size, n), _list(m.stride, n), _list(m.padding, n), m.ceil_mode,
                      m.count_include_pad, *divisor)
    return build


_row(nn.AvgPool1d)(_avg_pool(aten.avg_pool1d.default, 1))
_row(nn.AvgPool2d)(_avg_pool(aten.avg_pool2d.default, 2))
_row(nn.AvgPool3d)(_avg_pool(aten.avg_pool3d.default, 3))


def _adaptive(op: Any, n: int, results: int = 1) -> Row:
    """None as a size keeps the input's."""
    def build(b: Builder, m: Any, input: Any) -> Any:
        _require(not getattr(m, "return_indices", False))
        sizes = [b.size(input, axis - n) if size is None else size for axis, size in enumerate(_list(m.output_size, n))]
        out = b.call(op, input, sizes)
        return b.item(out, 0) if results > 1 else out
    return build


_row(nn.AdaptiveAvgPool1d)(_adaptive(aten.adaptive_avg_pool1d.default, 1))
_row(nn.AdaptiveAvgPool2d)(_adaptive(aten.adaptive_avg_pool2d.default, 2))
_row(nn.AdaptiveAvgPool3d)(_adaptive(aten.adaptive_avg_pool3d.default, 3))
_row(nn.AdaptiveMaxPool1d)(_adaptive(aten.adaptive_max_pool1d.default, 1, 2))
_row(nn.AdaptiveMaxPool2d)(_adaptive(aten.adaptive_max_pool2d.default, 2, 2))
_row(nn.AdaptiveMaxPool3d)(_adaptive(aten.adaptive_max_pool3d.default, 3, 2))


def _padding(mode: str) -> Row:
    def build(b: Builder, m: Any, input: Any) -> Any:
        if mode == "constant":
            return b.call(aten.constant_pad_nd.default, input, list(m.padding), getattr(m, "value", 0))
        return b.call(aten.pad.default, input, list(m.padding), mode)
    return build


_row(nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d)(_padding("constant"))
_row(*(getattr(nn, f"ZeroPad{n}d", None) for n in (1, 2, 3)))(_padding("constant"))
_row(nn.ReflectionPad1d, nn.ReflectionPad2d, getattr(nn, "ReflectionPad3d", None))(_padding("reflect"))
_row(nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d)(_padding("replicate"))
_row(*(getattr(nn, f"CircularPad{n}d", None) for n in (1, 2, 3)))(_padding("circular"))

# ---- Views --------------------------------------------------------------------------------------------------------------------


@_row(nn.Flatten)
def _flatten(b: Builder, m: nn.Flatten, input: Any) -> Any:
    return b.call(aten.flatten.using_ints, input, m.start_dim, m.end_dim)


@_row(nn.Unflatten)
def _unflatten(b: Builder, m: nn.Unflatten, input: Any) -> Any:
    _require(isinstance(m.dim, int))
    return b.call(aten.unflatten.int, input, m.dim, list(m.unflattened_size))


@_row(nn.PixelShuffle)
def _pixel_shuffle(b: Builder, m: nn.PixelShuffle, input: Any) -> Any:
    return b.call(aten.pixel_shuffle.default, input, m.upscale_factor)


@_row(nn.PixelUnshuffle)
def _pixel_unshuffle(b: Builder, m: nn.PixelUnshuffle, input: Any) -> Any:
    return b.call(aten.pixel_unshuffle.default, input, m.downscale_factor)


@_row(nn.ChannelShuffle)
def _channel_shuffle(b: Builder, m: nn.ChannelShuffle, input: Any) -> Any:
    split = b.call(aten.unflatten.int, input, 1, [m.groups, -1])
    return b.call(aten.flatten.using_ints, b.call(aten.transpose.int, split, 1, 2), 1, 2)


@_row(nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d)
def _upsample(b: Builder, m: nn.Upsample, input: Any) -> Any:
    """torch.nn.functional.interpolate knows the number of dimensions when it runs; so does its row."""
    keywords = {"size": m.size, "scale_factor": m.scale_factor, "mode": m.mode, "align_corners": m.align_corners}
    if getattr(m, "recompute_scale_factor", None) is not None:
        keywords["recompute_scale_factor"] = m.recompute_scale_factor
    return b.graph.call_function(nn.functional.interpolate, (input,), keywords)


# ---- Tables of rows -----------------------------------------------------------------------------------------------------------


@_row(nn.Embedding)
def _embedding(b: Builder, m: nn.Embedding, input: Any) -> Any:
    _require(m.max_norm is None)
    return b.call(aten.embedding.default, b.attr("weight"), input)


@_row(nn.EmbeddingBag)
def _embedding_bag(b: Builder, m: nn.EmbeddingBag, input: Any, offsets: Any = None, per_sample_weights: Any = None) -> Any:
    """Bags of equal length, one per row, or with offsets where each begins."""
    _require(m.max_norm is None and m.padding_idx is None)
    if offsets is not None:
        mode = ("sum", "mean", "max").index(m.mode)
        bags = b.call(aten.embedding_bag.padding_idx, b.attr("weight"), input, offsets, False, mode, False, per_sample_weights,
                      m.include_last_offset, None)
        return b.item(bags, 0)
    rows = b.call(aten.embedding.default, b.attr("weight"), input)
    if per_sample_weights is not None:
        rows = b.call(aten.mul.Tensor, rows, b.call(aten.unsqueeze.default, per_sample_weights, -1))
    if m.mode == "max":
        return b.call(aten.amax.default, rows, [1])
    return b.call(aten.sum.dim_IntList if m.mode == "sum" else aten.mean.dim, rows, [1])


# ---- Recurrence ---------------------------------------------------------------------------------------------------------------


def _zero_state(b: Builder, m: nn.RNNBase, input: Any, width: int) -> Any:
    batch = b.size(input, 0 if m.batch_first else 1)
    layers = m.num_layers * (2 if m.bidirectional else 1)
    return b.call(aten.zeros.default, [layers, batch, width])


def _weights(b: Builder, m: nn.RNNBase) -> list:
    return [b.attr(name) for name in m._flat_weights_names]


def _options(m: nn.RNNBase) -> tuple:
    return m.bias, m.num_layers, float(m.dropout), m.training, m.bidirectional, m.batch_first


@_row(nn.LSTM)
def _lstm(b: Builder, m: nn.LSTM, input: Any, hx: Any = None) -> Any:
    _require(m.proj_size == 0 and not (m.training and m.dropout))
    if hx is None:
        hx = (_zero_state(b, m, input, m.hidden_size),) * 2
    elif isinstance(hx, torch.fx.Node):
        hx = b.item(hx, 0), b.item(hx, 1)
    out = b.call(aten.lstm.input, input, list(hx), _weights(b, m), *_options(m))
    return b.item(out, 0), (b.item(out, 1), b.item(out, 2))


@_row(nn.GRU, nn.RNN)
def _gru(b: Builder, m: Any, input: Any, hx: Any = None) -> Any:
    _require(not (m.training and m.dropout))
    op = {"GRU": aten.gru.input, "RNN_TANH": aten.rnn_tanh.input, "RNN_RELU": aten.rnn_relu.input}[m.mode]
    state = _zero_state(b, m, input, m.hidden_size) if hx is None else hx
    out = b.call(op, input, state, _weights(b, m), *_options(m))
    return b.item(out, 0), b.item(out, 1)


def _cell_state(b: Builder, m: Any, input: Any) -> Any:
    return b.call(aten.zeros.default, [b.size(input, 0), m.hidden_size])


def _cell_weights(b: Builder) -> list:
    return [b.attr(name) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]


@_row(nn.LSTMCell)
def _lstm_cell(b: Builder, m: nn.LSTMCell, input: Any, hx: Any = None) -> Any:
    if hx is None:
        hx = (_cell_state(b, m, input),) * 2
    elif isinstance(hx, torch.fx.Node):
        hx = b.item(hx, 0), b.item(hx, 1)
    out = b.call(aten.lstm_cell.default, input, list(hx), *_cell_weights(b))
    return b.item(out, 0), b.item(out, 1)


@_row(nn.GRUCell, nn.RNNCell)
def _gru_cell(b: Builder, m: Any, input: Any, hx: Any = None) -> Any:
    op = aten.gru_cell.default
    if isinstance(m, nn.RNNCell):
        op = {"tanh": aten.rnn_tanh_cell.default, "relu": aten.rnn_relu_cell.default}[m.nonlinearity]
    state = _cell_state(b, m, input) if hx is None else hx
    return b.call(op, input, state, *_cell_weights(b))


# ---- The table's use ----------------------------------------------------------------------------------------------------------


def row_of(module: nn.Module) -> Row | None:
    """The row of the module's class, or of the base class whose forward it has."""
    for cls in type(module).__mro__:
        if cls in _ROWS and type(module).forward is cls.forward:
            return _ROWS[cls]
    return None


def emit(module: nn.Module, graph: torch.fx.Graph, arguments: dict[str, Any], prefix: str = "") -> Any:
    """Adds what module(**arguments) computes to the graph and returns the result's value; NotCovered when no row says it."""
    row = row_of(module)
    if row is None or not set(arguments) <= set(inspect.signature(row).parameters):
        raise NotCovered
    return row(Builder(module, graph, prefix), module, **arguments)


def _plain(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return all(_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and math.isfinite(value))


def attributes(module: nn.Module) -> dict[str, Any]:
    """The facts of the class that torch lists as constants: stride, eps, ..."""
    names = [name for name in getattr(type(module), "__constants__", []) if isinstance(name, str)]
    values = {name: getattr(module, name) for name in names if hasattr(module, name)}
    return {name: value for name, value in values.items() if _plain(value)}
