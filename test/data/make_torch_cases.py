#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes torch_cases.txt: calls of operators with PyTorch's results, which test_ops_torch compares with the reference kernels.

One case is
    case TARGET ARGUMENTS          (as in .fx files; inputs are %a, %b, ...)
    in TYPE VALUES                 (once per input)
    out TYPE VALUES                (once per result)
Inputs are multiples of 1/4 in [-2, 2] from a fixed seed, so that most sums are exact.
Run with a Python that has torch: /usr/bin/python3 test/data/make_torch_cases.py
"""
import itertools
import os
import torch
import torch.nn.functional as F

torch.manual_seed(20240229)
NAMES = {torch.float32: "f32", torch.float64: "f64", torch.int64: "i64", torch.int32: "i32", torch.int8: "i8", torch.uint8: "u8",
         torch.bool: "bool"}
DTYPES = {name: dtype for dtype, name in NAMES.items()}
aten = torch.ops.aten


def tensor(spec):
    """'2,3' or 'i64:2,3'; '+' in front: positive values; 'at5:2,3': indices below 5, 'at-5:2,3': and above -6, 'bags:0,2': these."""
    if spec.startswith("bags:"):
        return torch.tensor([int(d) for d in spec[5:].split(",")])
    if spec.startswith("at"):
        size, _, dims = spec[2:].partition(":")
        return torch.randint(min(int(size), 0), abs(int(size)), [int(d) for d in dims.split(",") if d])
    dtype, _, dims = spec.rpartition(":")
    dtype = {v: k for k, v in NAMES.items()}[dtype.lstrip("+") or "f32"] if dtype.lstrip("+") else torch.float32
    shape = [int(d) for d in dims.split(",") if d]
    low = 1 if spec.startswith("+") else -8
    values = torch.randint(low, 9, shape)
    if dtype == torch.bool:
        return values > 0
    return (values / 4).to(dtype) if dtype.is_floating_point else values.to(dtype)


def number(value):
    text = f"{value:.9g}"
    return text[1:] if text.startswith("0.") else text


def line(word, t):
    dims = ", ".join(str(d) for d in t.shape)
    return f"{word} {NAMES[t.dtype]}[{dims}] " + " ".join(number(v) for v in t.flatten().tolist())


def pads4(x, p, value=0.0):
    """[h_begin, w_begin, h_end, w_end] applied before a call that pads nothing."""
    return F.pad(x, [p[1], p[3], p[0], p[2]], value=value)


def conv_4(x, w, b, s, p, d=1, g=1):
    return F.conv2d(pads4(x, p), w, b, s, 0, d, g)


def max_4(x, k, s, p, d=1, ceil=False):
    return F.max_pool2d(pads4(x, p, float("-inf")), k, s, 0, d, ceil)


def attention(q, k, v, mask=None, dropout_p=0.0, causal=False, scale=None, enable_gqa=False):
    """scaled_dot_product_attention as PyTorch documents it, for versions that lack it; rows that are left out entirely give zeros."""
    if enable_gqa:
        k, v = (t.repeat_interleave(q.shape[-3] // t.shape[-3], -3) for t in (k, v))
    bias = torch.zeros(q.shape[-2], k.shape[-2], dtype=q.dtype)
    if causal:
        mask = torch.ones(bias.shape, dtype=torch.bool).tril()
    if mask is not None:
        bias = torch.where(mask, bias, torch.tensor(float("-inf"), dtype=q.dtype)) if mask.dtype == torch.bool else bias + mask
    scores = q @ k.transpose(-2, -1) * (q.shape[-1] ** -0.5 if scale is None else scale) + bias
    return torch.softmax(scores, -1).nan_to_num(0) @ v


C = "torch.ops.aten."
CASES = [
    # matrix products
    (C + "linear.default", "(%a, %b, %c)", ["2,5,3", "4,3", "4"], F.linear),
    (C + "linear.default", "(%a, %b)", ["7", "3,7"], F.linear),
    (C + "mm.default", "(%a, %b)", ["f64:3,9", "f64:9,4"], torch.mm),
    (C + "mm.default", "(%a, %b)", ["i64:3,5", "i64:5,4"], torch.mm),
    (C + "bmm.default", "(%a, %b)", ["3,2,4", "3,4,5"], torch.bmm),
    (C + "addmm.default", "(%a, %b, %c, beta=2, alpha=-3)", ["4", "2,3", "3,4"], torch.addmm),
    (C + "addmm.default", "(%a, %b, %c)", ["2,1", "2,3", "3,4"], torch.addmm),
    (C + "baddbmm.default", "(%a, %b, %c, beta=0.5, alpha=2)", ["3,5", "2,3,4", "2,4,5"], torch.baddbmm),
    # convolution
    (C + "conv2d.default", "(%a, %b, %c, 2, 1)", ["2,3,7,8", "5,3,3,3", "5"], F.conv2d),
    (C + "conv2d.default", "(%a, %b, %c, [1, 2], [2, 1], [2, 3])", ["1,2,9,10", "3,2,3,2", "3"], F.conv2d),
    (C + "conv2d.default", "(%a, %b, %c, 2, 1, [2, 1], 3)", ["1,6,9,9", "9,2,3,2", "9"], F.conv2d),
    (C + "conv2d.default", "(%a, %b, None, 1, 1, 2, 4)", ["1,4,7,6", "8,1,3,3"], F.conv2d),
    (C + "conv2d.default", "(%a, %b, %c, 2, 2, 1, 5)", ["2,5,7,7", "5,1,5,5", "5"], F.conv2d),
    (C + "conv2d.default", "(%a, %b)", ["3,5,6", "4,3,1,1"], F.conv2d),
    (C + "conv2d.default", "(%a, %b, None, 3, 4)", ["1,1,2,2", "1,1,3,3"], F.conv2d),
    (C + "conv2d.default", "(%a, %b)", ["f64:1,2,4,4", "f64:2,2,3,3"], F.conv2d),
    (C + "conv2d.default", "(%a, %b, %c, [2, 1], [3, 0, 1, 2], [1, 2])", ["1,2,6,5", "3,2,4,2", "3"], conv_4),
    (C + "conv2d.default", "(%a, %b, %c, 2, [1, 2, 0, 1], [2, 1], 3)", ["1,6,9,9", "9,2,3,2", "9"], conv_4),
    (C + "conv2d.default", "(%a, %b, None, 1, [2, 0, 1, 3], [2, 2], 4)", ["1,4,6,5", "4,1,3,2"], conv_4),
    (C + "conv2d.padding", "(%a, %b, %c, 1, 'same', [2, 3])", ["1,2,5,6", "3,2,3,2", "3"], F.conv2d),
    (C + "conv2d.padding", "(%a, %b, None, 2, 'valid')", ["1,2,5,6", "3,2,3,2"], F.conv2d),
    (C + "conv1d.default", "(%a, %b, %c, 2, 1, 2, 2)", ["2,4,9", "4,2,3", "4"], F.conv1d),
    (C + "conv3d.default", "(%a, %b, %c, [1, 2, 1], [0, 1, 1], 1, 1)", ["1,2,4,5,6", "3,2,2,3,3", "3"], F.conv3d),
    (C + "conv3d.default", "(%a, %b, None, 1, [1, 0, 1], [1, 2, 1], 2)", ["1,2,3,5,4", "2,1,3,2,3"], F.conv3d),
    (C + "convolution.default", "(%a, %b, None, [2], [1], [1], False, [0], 2)", ["1,4,7", "2,2,3"], torch.convolution),
    (C + "conv_transpose2d.input", "(%a, %b, %c, 2, 1, 1)", ["2,3,4,3", "3,4,3,3", "4"], F.conv_transpose2d),
    (C + "conv_transpose2d.input", "(%a, %b, None, [1, 3], [0, 1], [0, 2], 2, [2, 1])", ["1,4,4,3", "4,2,3,2"], F.conv_transpose2d),
    (C + "conv_transpose1d.default", "(%a, %b, %c, 2)", ["1,2,5", "2,3,1", "3"], F.conv_transpose1d),
    # batch normalisation
    (C + "batch_norm.default", "(%a, %b, %c, %d, %e, False, 0.1, 1e-05, False)", ["2,3,4,5", "3", "3", "3", "+:3"], torch.batch_norm),
    (C + "batch_norm.default", "(%a, None, None, %b, %c, False, 0.1, 0.001, False)", ["2,7", "7", "+:7"], torch.batch_norm),
    ("torch.nn.functional.batch_norm", "(%a, %b, %c, %d, %e)", ["2,3,5", "3", "+:3", "3", "3"], F.batch_norm),
    (C + "native_batch_norm.default", "(%a, %b, %c, %d, %e, False, 0.1, 1e-05)", ["2,3,4", "3", "3", "3", "+:3"],
     torch.native_batch_norm),
    (C + "layer_norm.default", "(%a, [4, 5], %b, %c)", ["2,3,4,5", "4,5", "4,5"], F.layer_norm),
    (C + "layer_norm.default", "(%a, [7], None, None, 0.01)", ["3,7"], F.layer_norm),
    (C + "group_norm.default", "(%a, 3, %b, %c)", ["2,6,3,2", "6", "6"], F.group_norm),
    (C + "group_norm.default", "(%a, 4, None, None, 0.01)", ["1,4,5"], F.group_norm),
    # pooling
    (C + "max_pool2d_with_indices.default", "(%a, 3, 2, 1, 2, True)", ["1,2,9,9"], aten.max_pool2d_with_indices),
    (C + "avg_pool1d.default", "(%a, 3, 2, 1)", ["2,3,9"], F.avg_pool1d),
    (C + "avg_pool3d.default", "(%a, [2, 3, 2], 2, [1, 1, 0], True, False)", ["1,2,4,6,5"], F.avg_pool3d),
    (C + "max_pool1d.default", "(%a, 3, 2, 1, 2, True)", ["2,3,9"], F.max_pool1d),
    (C + "max_pool3d.default", "(%a, [2, 3, 2], 2, [1, 1, 0])", ["1,2,4,6,5"], F.max_pool3d),
    (C + "max_pool2d.default", "(%a, 3, 2, [0, 0, 1, 1])", ["1,2,6,6"], max_4),
    (C + "max_pool2d.default", "(%a, 3, 1, [2, 0, 1, 3], 2)", ["1,2,6,5"], max_4),
    (C + "adaptive_avg_pool1d.default", "(%a, 3)", ["2,3,7"], F.adaptive_avg_pool1d),
    (C + "adaptive_avg_pool2d.default", "(%a, [3, 2])", ["2,3,7,5"], F.adaptive_avg_pool2d),
    (C + "adaptive_avg_pool2d.default", "(%a, [5, 7])", ["1,2,3,3"], F.adaptive_avg_pool2d),
    (C + "adaptive_avg_pool2d.default", "(%a, 1)", ["1,3,7,7"], F.adaptive_avg_pool2d),
    (C + "adaptive_avg_pool3d.default", "(%a, [2, 2, 1])", ["1,2,3,5,2"], F.adaptive_avg_pool3d),
    # views
    (C + "flatten.using_ints", "(%a, 1, -2)", ["2,3,4,5"], torch.flatten),
    (C + "unflatten.int", "(%a, 1, [2, -1])", ["2,6,3"], lambda x, d, s: torch.nn.Unflatten(d, s)(x)),
    (C + "permute.default", "(%a, [2, 0, -2])", ["2,3,4"], torch.permute),
    (C + "transpose.int", "(%a, -1, 0)", ["2,3,4"], torch.transpose),
    (C + "expand.default", "(%a, [2, -1, 4])", ["3,1"], aten.expand),
    (C + "flip.default", "(%a, [0, -1])", ["2,3,4"], torch.flip),
    (C + "select.int", "(%a, 1, -2)", ["2,3,4"], torch.select),
    (C + "narrow.default", "(%a, -1, 1, 2)", ["2,3,4"], torch.narrow),
    (C + "squeeze.default", "(%a)", ["1,2,1,3"], torch.squeeze),
    # moves
    (C + "cat.default", "([%a, %b, %c], 1)", ["2,1,3", "2,4,3", "2,0,3"], torch.cat),
    (C + "cat.default", "([%a, %b], 0)", ["i32:2,2", "f32:1,2"], torch.cat),
    (C + "stack.default", "([%a, %b], -1)", ["2,3", "2,3"], torch.stack),
    (C + "split.Tensor", "(%a, 3, 1)", ["2,7"], torch.split),
    (C + "split_with_sizes.default", "(%a, [2, 5], 1)", ["2,7"], torch.split),
    (C + "chunk.default", "(%a, 4)", ["5,3"], torch.chunk),
    (C + "unbind.int", "(%a, 1)", ["2,3,4"], torch.unbind),
]
for k, s, p, ceil in itertools.product([2, 3], [1, 2, 3], [0, 1], [False, True]):
    CASES.append((C + "max_pool2d.default", f"(%a, {k}, {s}, {p}, 1, {ceil})", ["1,1,5,8"], F.max_pool2d))
    CASES.append((C + "avg_pool2d.default", f"(%a, {k}, {s}, {p}, {ceil}, True)", ["1,1,5,8"], F.avg_pool2d))
    CASES.append((C + "avg_pool2d.default", f"(%a, {k}, {s}, {p}, {ceil}, False)", ["1,1,8,5"], F.avg_pool2d))
CASES.append((C + "avg_pool2d.default", "(%a, [3, 2], None, 1, False, True, 5)", ["1,2,6,6"], F.avg_pool2d))
for a, b in [("3", "3"), ("2,3", "3"), ("3", "3,2"), ("2,3,4", "4"), ("4", "2,4,3"), ("2,3,4", "4,5"), ("3,4", "2,4,5"),
             ("2,1,3,4", "3,4,2"), ("3,2,4", "2,3,4,2"), ("2,0", "0,3"), ("1,1,1", "1,1")]:
    CASES.append((C + "matmul.default", "(%a, %b)", [a, b], torch.matmul))
for size in ["[6, 4]", "[-1]", "[2, 2, -1]", "[1, 24, 1]", "[3, 8]"]:
    CASES.append((C + "reshape.default", f"(%a, {size})", ["2,3,4"], torch.reshape))
for start, end, step in [(0, 4, 1), (1, -1, 2), (-3, 9, 1), (4, 2, 1), (None, None, 3), (-100, 2, 1)]:
    CASES.append((C + "slice.Tensor", f"(%a, 1, {start}, {end}, {step})", ["2,5"], aten.slice))
for pad in ["[1, 2]", "[-1, -2]", "[1, 0, 0, 2]", "[-1, 3, 2, -1], 1.5", "[0, 0, 0, 0, 1, 1], -2"]:
    CASES.append((C + "constant_pad_nd.default", f"(%a, {pad})", ["2,3,4"], torch.constant_pad_nd))
# recurrent layers and cells: steps, batch, features 2 to 5, state 3
STATES, GATES = {"lstm": "[%b, %c]", "gru": "%b", "rnn_tanh": "%b", "rnn_relu": "%b"}, {"lstm": 12, "gru": 9, "rnn_tanh": 3, "rnn_relu": 3}
for name, state in STATES.items():
    g, n = GATES[name], 2 if name == "lstm" else 1
    params = lambda count: ", ".join("%" + "abcdefghijkl"[1 + n + i] for i in range(count))
    one, function = [f"{g},4", f"{g},3", f"{g}", f"{g}"], getattr(torch, name)
    for count, options, x, layers, shapes in [
            (4, "True, 1, 0.0, False, False, False", "5,2,4", 1, one),
            (8, "True, 1, 0.0, False, True, True", "2,3,4", 2, one + one),
            (4, "False, 2, 0.5, False, False, False", "3,2,4", 2, [f"{g},4", f"{g},3", f"{g},3", f"{g},3"])]:
        specs = [x] + [f"{layers},2,3"] * n + shapes
        CASES.append((C + name + ".input", f"(%a, {state}, [{params(count)}], {options})", specs, function))
    CASES.append((C + name + "_cell.default", f"(%a, {state}, {params(4)})", ["2,4"] + ["2,3"] * n + one, getattr(torch, name + "_cell")))
    CASES.append((C + name + "_cell.default", f"(%a, {state}, {params(2)})", ["3,4"] + ["3,3"] * n + one[:2], getattr(torch, name + "_cell")))
SDPA = C + "scaled_dot_product_attention.default"
for args, specs in [("(%a, %b, %c)", ["2,3,5,4", "2,3,7,4", "2,3,7,6"]), ("(%a, %b, %c, %d)", ["2,5,4", "2,7,4", "2,7,4", "5,7"]),
                    ("(%a, %b, %c, %d)", ["2,2,3,4", "2,2,5,4", "2,2,5,4", "bool:2,1,1,5"]),
                    ("(%a, %b, %c, %d)", ["9,3", "1,3", "1,4", "bool:9,1"]),
                    ("(%a, %b, %c, None, 0.0, True)", ["1,2,6,4", "1,2,6,4", "1,2,6,4"]),
                    ("(%a, %b, %c, None, 0.0, True, scale=0.125)", ["f64:5,3", "f64:2,3", "f64:2,3"]),
                    ("(%a, %b, %c, None, 0.0, False, enable_gqa=True)", ["2,6,3,4", "2,2,5,4", "2,2,5,4"])]:
    CASES.append((SDPA, args, specs, attention))


for name in ["erf", "exp2", "expm1", "sin", "cos", "tan", "sinh", "cosh", "asinh", "atan", "sign", "square", "isinf", "isfinite"]:
    CASES.append((C + f"{name}.default", "(%a)", ["3,5"], getattr(torch, name)))
for name in ["log1p", "log2", "log10"]:
    CASES.append((C + f"{name}.default", "(%a)", ["+:3,5"], getattr(torch, name)))
for name in ["asin", "acos", "atanh"]:
    CASES.append((C + f"{name}.default", "(%a)", ["3,5"], getattr(torch, name)))
CASES.append((C + "acosh.default", "(%a)", ["+:9"], torch.acosh))
for name, args in [("gelu", ""), ("gelu", ", approximate='tanh'"), ("celu", ", 0.5"), ("elu", ", 0.75"), ("hardshrink", ", 0.75"),
                   ("logsigmoid", ""), ("mish", ""), ("selu", ""), ("softshrink", ", 0.75"), ("softsign", ""),
                   ("threshold", ", 0.5, -3"), ("softplus", ", 2, 1.5")]:
    target = C + f"{name.replace('logs', 'log_s')}.default"
    CASES.append((target, f"(%a{args})", ["3,7"], getattr(F, name)))
for spec in ["2,3,4", "2,3"]:
    CASES.append((C + "prelu.default", "(%a, %b)", [spec, "3"], F.prelu))
CASES += [
    (C + "atan2.default", "(%a, %b)", ["5,7", "5,7"], torch.atan2),
    (C + "fmod.Tensor", "(%a, %b)", ["5,7", "+:7"], torch.fmod),
    (C + "fmod.Tensor", "(%a, %b)", ["i64:5,7", "+i64:7"], torch.fmod),
    (C + "pow.Tensor_Tensor", "(%a, %b)", ["+:5,7", "7"], torch.pow),
    (C + "pow.Tensor_Tensor", "(%a, %b)", ["5,7", "7"], torch.pow),
    (C + "pow.Tensor_Scalar", "(%a, 5)", ["i64:7"], torch.pow),
    (C + "bitwise_left_shift.Tensor", "(%a, %b)", ["i64:9", "+i64:9"], torch.bitwise_left_shift),
    (C + "bitwise_right_shift.Tensor", "(%a, %b)", ["i64:9", "+i64:9"], torch.bitwise_right_shift),
    (C + "addcmul.default", "(%a, %b, %c, value=-0.5)", ["2,3", "3", "2,1"], torch.addcmul),
    (C + "addcdiv.default", "(%a, %b, %c, value=2)", ["2,3", "3", "+:2,1"], torch.addcdiv),
    (C + "lerp.Scalar", "(%a, %b, 0.25)", ["2,3", "2,3"], torch.lerp),
    (C + "lerp.Tensor", "(%a, %b, %c)", ["2,3", "2,3", "2,3"], torch.lerp),
]


# indices
CASES += [
    (C + "embedding.default", "(%a, %b)", ["5,3", "at5:2,4"], lambda w, i: F.embedding(i, w)),
    ("torch.nn.functional.embedding", "(%a, %b, 2)", ["at5:7", "5,3"], F.embedding),
    (C + "index_select.default", "(%a, 1, %b)", ["2,5,3", "at5:7"], torch.index_select),
    (C + "index_select.default", "(%a, -1, %b)", ["2,5,3", "at3:"], torch.index_select),
    (C + "gather.default", "(%a, 1, %b)", ["3,5,4", "at5:2,7,3"], torch.gather),
    (C + "gather.default", "(%a, -1, %b)", ["i64:3,5", "at5:3,2"], torch.gather),
    (C + "take.default", "(%a, %b)", ["3,5", "at-15:2,7"], torch.take),
    (C + "index.Tensor", "(%a, [%b])", ["4,3", "at-4:2,3"], lambda x, i: x[i[0]]),
    (C + "index.Tensor", "(%a, [None, %b])", ["2,5,3", "at-5:2,2"], lambda x, i: x[:, i[1]]),
    (C + "index.Tensor", "(%a, [None, %b, %c])", ["2,5,3,4", "at-3:2,1", "at-3:3"], lambda x, i: x[:, i[1], i[2]]),
    (C + "index.Tensor", "(%a, [%b, None, %c])", ["4,5,3", "at-4:2,1", "at-3:2,6"], lambda x, i: x[i[0], :, i[2]]),
    (C + "index.Tensor", "(%a, [None, %b, None, %c])", ["2,5,3,4", "at-5:6", "at-4:6"], lambda x, i: x[:, i[1], :, i[3]]),
]
# unique places, but where elements are added
CASES += [
    (C + "scatter.src", "(%a, 1, %b, %c)", ["3,5", "at5:3,1", "3,2"], torch.scatter),
    (C + "scatter.value", "(%a, 0, %b, 2.5)", ["3,5", "at3:2,4"], torch.scatter),
    (C + "scatter_add.default", "(%a, 1, %b, %c)", ["3,5", "at5:2,7", "3,8"], torch.scatter_add),
    (C + "scatter_add.default", "(%a, -1, %b, %c)", ["i64:4", "at4:9", "i64:9"], torch.scatter_add),
    (C + "index_add.default", "(%a, 1, %b, %c, alpha=-0.5)", ["2,4,3", "at4:6", "2,6,3"], torch.index_add),
    (C + "index_add.default", "(%a, 0, %b, %c, alpha=3)", ["i64:4,2", "at4:3", "i64:3,2"], torch.index_add),
    (C + "index_copy.default", "(%a, 1, %b, %c)", ["2,4,3", "at4:1", "2,1,3"], torch.index_copy),
    (C + "index_put.default", "(%a, [%b, None, %c], %d, True)", ["2,5,3", "at-2:4,1", "at-3:3", "4,3,5"],
     lambda x, i, v, s: torch.index_put(x.permute(0, 2, 1), (i[0], i[2]), v, s).permute(0, 2, 1)),
    (C + "index_put.default", "(%a, [%b], %c)", ["4,3", "at-4:1", "3"], torch.index_put),
]
for how, keep in itertools.product(["sum", "prod", "mean", "amax", "amin"], [False, True]):
    CASES.append((C + "scatter_reduce.two", f"(%a, 1, %b, %c, '{how}', include_self={keep})", ["3,5", "at5:2,7", "3,8"],
                  torch.scatter_reduce))
# made from numbers, triangles, running sums
CASES += [
    (C + "full.default", "([2, 3], 1.5)", [], torch.full),
    (C + "full.default", "([2], 7)", [], torch.full),
    (C + "zeros.default", "([2, 1])", [], torch.zeros),
    (C + "ones.default", "([3], dtype=dtype(i64))", [], torch.ones),
    (C + "full_like.default", "(%a, 2.75)", ["2,3"], torch.full_like),
    (C + "ones_like.default", "(%a)", ["i32:4"], torch.ones_like),
    (C + "zeros_like.default", "(%a, dtype=dtype(f64))", ["i32:4"], torch.zeros_like),
    (C + "arange.default", "(7)", [], torch.arange),
    (C + "arange.start_step", "(9, -4, -3)", [], torch.arange),
    (C + "arange.start_step", "(-0.5, 2.25, 0.5)", [], torch.arange),
    (C + "arange.start", "(2, 5, dtype=dtype(f32))", [], torch.arange),
    (C + "eye.default", "(3)", [], torch.eye),
    (C + "eye.m", "(2, 4, dtype=dtype(i64))", [], torch.eye),
]
for name, diagonal in itertools.product(["tril", "triu"], ["", ", 1", ", -2"]):
    CASES.append((C + f"{name}.default", f"(%a{diagonal})", ["2,4,5"], getattr(torch, name)))
for name, spec in itertools.product(["cumsum", "cumprod"], ["3,7", "i64:3,4", "f64:2,3"]):
    CASES.append((C + f"{name}.default", "(%a, -1)", [spec], getattr(torch, name)))
CASES.append((C + "cumsum.default", "(%a, 0, dtype=dtype(f64))", ["i32:5,3"], torch.cumsum))
# order, copies, moves
CASES += [
    (C + "sort.default", "(%a, -1, True)", ["f64:1,9"], lambda x, d, down: torch.sort(x, dim=d, descending=down, stable=True)),
    (C + "sort.default", "(%a, 0)", ["9,3"], lambda x, d: torch.sort(x, dim=d, stable=True)),
    (C + "sort.default", "(%a)", ["i64:3,4"], lambda x: torch.sort(x, stable=True)),
    (C + "argsort.default", "(%a, 1)", ["3,7"], lambda x, d: torch.sort(x, dim=d, stable=True)[1]),
    (C + "repeat.default", "(%a, [2, 1, 3])", ["2,3"], lambda x, r: x.repeat(r)),
    (C + "tile.default", "(%a, [3])", ["2,3"], torch.tile),
    (C + "roll.default", "(%a, [2, -4], [1, 0])", ["3,5"], torch.roll),
    (C + "roll.default", "(%a, [4])", ["3,5"], torch.roll),
    (C + "pixel_shuffle.default", "(%a, 2)", ["2,8,2,3"], torch.pixel_shuffle),
    (C + "pixel_unshuffle.default", "(%a, 2)", ["2,2,2,6"], torch.pixel_unshuffle),
]
for spec, k, largest in itertools.product(["2,9", "i64:9"], [1, 3], [True, False]):  # of equal elements the first
    CASES.append((C + "topk.default", f"(%a, {k}, -1, {largest})", [spec],
                  lambda x, k, d, largest: [t.narrow(d, 0, k) for t in torch.sort(x, dim=d, descending=largest, stable=True)]))
for name, spec, size in [("nearest1d", "2,1,5", "[10]"), ("nearest2d", "1,2,5,4", "[10, 3]"), ("nearest3d", "1,1,2,3,4", "[4, 5, 2]")]:
    CASES.append((C + f"upsample_{name}.default", f"(%a, {size})", [spec], getattr(torch._C._nn, "upsample_" + name)))
CASES.append((C + "upsample_nearest2d.default", "(%a, [6, 17], 1.3, 2.5)", ["1,1,5,7"], torch._C._nn.upsample_nearest2d))
for name, spec, size in [("linear1d", "2,1,5", "[12]"), ("bilinear2d", "1,2,5,4", "[11, 3]"), ("bicubic2d", "1,2,5,4", "[9, 3]"),
                         ("trilinear3d", "1,1,2,3,4", "[4, 5, 2]")]:
    for corners in [False, True]:
        CASES.append((C + f"upsample_{name}.default", f"(%a, {size}, {corners})", [spec], getattr(torch._C._nn, "upsample_" + name)))
CASES.append((C + "upsample_bilinear2d.default", "(%a, [6, 17], False, 1.3, 2.5)", ["1,1,5,7"], torch._C._nn.upsample_bilinear2d))
# norms, padding, folds, pooling
CASES += [
    (C + "argmax.default", "(%a)", ["3,4"], torch.argmax),
    (C + "argmin.default", "(%a, None, True)", ["2,3,2"], lambda x, d, k: torch.argmin(x).reshape(1, 1, 1)),
    (C + "norm.ScalarOpt_dim", "(%a, 2, [-1], True)", ["3,5"], aten.norm.ScalarOpt_dim),
    (C + "norm.ScalarOpt_dim", "(%a, 1, [0, 2])", ["3,5,2"], aten.norm.ScalarOpt_dim),
    (C + "norm.ScalarOpt_dim", "(%a, 0, [1])", ["3,5"], aten.norm.ScalarOpt_dim),
    (C + "linalg_vector_norm.default", "(%a, 3)", ["3,5"], torch.linalg.vector_norm),
    (C + "linalg_vector_norm.default", "(%a, 2.5, [1])", ["3,5"], torch.linalg.vector_norm),
    (C + "pad.default", "(%a, [2, 1], 'reflect')", ["2,3,4"], F.pad),
    (C + "pad.default", "(%a, [1, 2, 3, 0], 'replicate')", ["1,2,3,4"], F.pad),
    (C + "pad.default", "(%a, [4, 2], 'circular')", ["2,3,4"], F.pad),
    (C + "reflection_pad3d.default", "(%a, [1, 2, 0, 1, 1, 0])", ["1,1,2,3,4"], torch._C._nn.reflection_pad3d),
    (C + "im2col.default", "(%a, [2, 3], [2, 1], [1, 0], [1, 2])", ["2,3,5,6"], torch._C._nn.im2col),
    (C + "col2im.default", "(%a, [5, 6], [2, 3], [2, 1], [1, 0], [1, 2])", ["1,12,10"], torch._C._nn.col2im),
    (C + "channel_shuffle.default", "(%a, 3)", ["1,6,2,2"], torch.channel_shuffle),
    (C + "glu.default", "(%a, 1)", ["2,6,3"], F.glu),
    (C + "adaptive_max_pool1d.default", "(%a, 3)", ["2,3,7"], F.adaptive_max_pool1d_with_indices),
    (C + "adaptive_max_pool2d.default", "(%a, [3, 2])", ["1,2,7,5"], torch._C._nn.adaptive_max_pool2d),
    (C + "adaptive_max_pool3d.default", "(%a, [2, 3, 1])", ["1,1,3,5,2"], torch._C._nn.adaptive_max_pool3d),
    (C + "max_pool3d_with_indices.default", "(%a, 2, 2, [1, 0, 1])", ["1,1,3,4,5"], torch._C._nn.max_pool3d_with_indices),
    (C + "max_pool2d_with_indices.default", "(%a, [3, 2], 1, 1, [1, 2])", ["1,2,5,5"], torch._C._nn.max_pool2d_with_indices),
    (C + "conv_transpose2d.input", "(%a, %b, %c, [2, 3], 1, 1, 1, [3, 2])", ["1,2,4,3", "2,3,3,2", "3"], F.conv_transpose2d),
    (C + "conv_transpose3d.input", "(%a, %b, %c, [1, 2, 1], 1, [0, 1, 0], 2)", ["1,4,2,3,2", "4,2,2,3,2", "4"], F.conv_transpose3d),
    (C + "instance_norm.default", "(%a, %b, %c, None, None, True, 0.1, 0.5, False)", ["2,3,4,2", "3", "3"], torch.instance_norm),
    (C + "native_layer_norm.default", "(%a, [3, 4], %b, %c, 0.5)", ["2,3,4", "3,4", "3,4"], torch.native_layer_norm),
    (C + "native_group_norm.default", "(%a, %b, %c, 2, 6, 4, 3, 0.5)", ["2,6,2,2", "6", "6"], torch.native_group_norm),
    (C + "batch_norm.default", "(%a, %b, %c, None, None, True, 0.1, 0.5, False)", ["3,4,5", "4", "4"], torch.batch_norm),
    (C + "new_zeros.default", "(%a, [2, 3])", ["i32:4"], lambda x, s: x.new_zeros(s)),
    (C + "new_full.default", "(%a, [3], 2.5)", ["2"], lambda x, s, v: x.new_full(s, v)),
    (C + "_upsample_nearest_exact2d.default", "(%a, [7, 3])", ["1,2,5,4"], torch._C._nn._upsample_nearest_exact2d),
    (C + "_upsample_nearest_exact1d.default", "(%a, [6])", ["1,2,9"], torch._C._nn._upsample_nearest_exact1d),
    (C + "upsample_bilinear2d.vec", "(%a, None, False, [1.3, 2.5])", ["1,1,5,7"], torch._C._nn.upsample_bilinear2d),
    (C + "upsample_nearest2d.vec", "(%a, [6, 5], None)", ["1,1,4,7"], torch._C._nn.upsample_nearest2d),
]
# bags
BAG = "torch.nn.functional.embedding_bag"
for mode in ["sum", "mean", "max"]:
    CASES.append((BAG, f"(%a, %b, None, None, 2.0, False, '{mode}')", ["at5:3,4", "5,3"], F.embedding_bag))
    CASES.append((BAG, f"(%a, %b, None, None, 2.0, False, '{mode}', False, None, False, 2)", ["at5:3,4", "5,3"], F.embedding_bag))
CASES += [
    (BAG, "(%a, %b, %c, None, 2.0, False, 'sum', False, %d)", ["at5:7", "5,3", "bags:0,2,2,6", "7"], F.embedding_bag),
    (BAG, "(%a, %b, %c, None, 2.0, False, 'mean', False, None, True)", ["at5:7", "5,3", "bags:0,3,3,7"], F.embedding_bag),
    (BAG, "(%a, %b, %c, None, 2.0, False, 'max')", ["at5:7", "5,3", "bags:0,1,7"], F.embedding_bag),
]
for mode, edge, corners in itertools.product(range(3), range(3), [False, True]):
    if (mode, edge) != (1, 2):  # halves between two pixels
        CASES.append((C + "grid_sampler_2d.default", f"(%a, %b, {mode}, {edge}, {corners})", ["1,2,4,5", "1,3,3,2"], torch.grid_sampler_2d))


def write(out):
    for target, args, specs, function in CASES:
        inputs = [tensor(s) for s in specs]
        result = eval("call" + args.replace("%", ""), {"call": function, "dtype": lambda t: t, **DTYPES, **dict(zip("abcdefghijkl", inputs))})
        results = list(result) if isinstance(result, (tuple, list)) else [result]
        print("case", target, args.replace("'", '"'), file=out)
        for t in inputs:
            print(line("in", t), file=out)
        for t in results:
            print(line("out", t), file=out)


with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_cases.txt"), "w") as out:
    write(out)
