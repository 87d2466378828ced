# SPDX-License-Identifier: Apache-2.0
"""Graphs of torch.fx that hold every kind of argument, and their export as .fxm files (see docs/FORMAT.md)."""
import json
import math
import operator
import struct
import typing
import zipfile

import torch
import torch.fx
import torch.nn.functional as F
from torch.fx.node import _type_repr


@torch.fx.wrap
def scaled(x, factor):
    return x * factor


# ---- Export --------------------------------------------------------------------------------------------------------


def value(v):
    if v is None or isinstance(v, (bool, str)):
        return v
    if v is Ellipsis:
        return {"ellipsis": True}
    if isinstance(v, torch.fx.Node):
        return {"node": v.name}
    if isinstance(v, int):
        return v
    if isinstance(v, float):
        return v if math.isfinite(v) else {"float": "nan" if v != v else "inf" if v > 0 else "-inf"}
    if isinstance(v, complex):
        return {"complex": [v.real, v.imag]}
    if isinstance(v, tuple):
        return {"tuple": [value(i) for i in v]}
    if isinstance(v, list):
        return [value(i) for i in v]
    if isinstance(v, dict):
        return {"dict": {k: value(i) for k, i in v.items()}}
    if isinstance(v, slice):
        return {"slice": [value(v.start), value(v.stop), value(v.step)]}
    if isinstance(v, torch.dtype):
        return {"dtype": str(v)}
    if isinstance(v, torch.device):
        return {"device": str(v)}
    if isinstance(v, (torch.layout, torch.memory_format)):
        return {"name": str(v)}
    raise TypeError(f"no JSON for {type(v)}")


def node_json(node):
    out = {"name": node.name, "op": node.op, "target": node._pretty_print_target(node.target),
           "args": [value(a) for a in node.args], "kwargs": {k: value(v) for k, v in node.kwargs.items()}}
    if node.type is not None:
        out["annotation"] = _type_repr(node.type)
    meta = {k: node.meta[k] for k in ("stack_trace", "is_wrapped") if node.meta.get(k) is not None}
    if meta:
        out["meta"] = meta
    return out


def spec(tree):
    if not tree.children_specs and tree.type is None:
        return {"leaf": True}
    children = [spec(child) for child in tree.children_specs]
    return {"dict": dict(zip(tree.context, children))} if tree.type is dict else {tree.type.__name__: children}


def module_json(module, prefix, tensors, graph=None):
    out = {"class": type(module).__name__, "tensors": {}, "modules": {}}
    for name, tensor in list(module.named_parameters(recurse=False)) + list(module.named_buffers(recurse=False)):
        tensors[prefix + name] = tensor.detach().contiguous()
        out["tensors"][name] = {"tensor": prefix + name, "buffer": name in dict(module.named_buffers(recurse=False))}
    for name, child in module.named_children():
        out["modules"][name] = module_json(child, f"{prefix}{name}.", tensors)
    if graph is not None:
        out["graph"] = {"nodes": [node_json(n) for n in graph.nodes]}
        info = getattr(graph._codegen, "pytree_info", None)
        if info is not None:
            out["graph"].update(in_spec=spec(info.in_spec), out_spec=spec(info.out_spec))
    return out


def safetensors(tensors):
    names = {torch.float32: "F32", torch.float16: "F16", torch.float64: "F64", torch.int64: "I64", torch.bool: "BOOL"}
    header, blobs, at = {}, [], 0
    for key, tensor in tensors.items():
        blob = tensor.numpy().tobytes()
        header[key] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-(len(text) + 8) % 64)
    return struct.pack("<Q", len(text)) + text + b"".join(blobs)


def export(gm, path):
    tensors = {}
    document = {"format": "fxjit", "version": 1, "producer": "test", "module": module_json(gm, "", tensors, gm.graph)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("graph.json", json.dumps(document))
        archive.writestr("weights.safetensors", safetensors(tensors))


# ---- Graphs that run -------------------------------------------------------------------------------------------------


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 5)
        self.param = torch.nn.Parameter(torch.rand(3, 4))

    def forward(self, x):
        return torch.topk(torch.sum(self.linear(x + self.param).relu(), dim=-1), 3)


class Operators(torch.nn.Module):
    """Every infix operator of the language."""

    def forward(self, x, y):
        a = ((x + y) * 2 - y / 3) ** 2
        b = (a > 0.5) & (a < 1e20) | (a == 1) ^ (a != 2)
        c = -a + (+y) @ x.t()
        d = (x.to(torch.int64) // 2) % 3
        e = (d << 1) >> 1
        return a, ~b, c, e, (a >= 1, a <= 2), x[0], x[..., None, 1:, ::2], x[:, -1]


class Methods(torch.nn.Module):
    def forward(self, x, scale: float = 0.5, bias: typing.Optional[torch.Tensor] = None):
        y = x.view(x.shape[0], 4).chunk(2, dim=1)
        z = torch.cat([y[0], y[1].contiguous(memory_format=torch.contiguous_format)], dim=-1)
        zeros = torch.zeros((3, 4), device=torch.device("cpu"), dtype=torch.float16, layout=torch.strided)
        return {"z": z * scale, "l": [zeros.float(), (x.size(0),), None, 1e-05, "it's", torch.float32], "t": ()}


class Globals(torch.nn.Module):
    """Functions that are not torch's, names that Python has already."""

    def forward(self, input, lambda_):
        max = scaled(input, 2) + math.pi
        return scaled(max, 3), input.sum(), torch.clamp(input, min=-math.inf, max=1e-07), getattr(input, "T")


class Nested(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.BatchNorm1d(4))
        self.register_buffer("scale", torch.rand(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x) * self.scale + torch.tensor([1.0, 2.0, 3.0, 4.0])


class Aten(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.rand(5, 4))

    def forward(self, x):
        y = torch.ops.aten.mul.Tensor(x, x)
        return torch.ops.aten.sum.dim_IntList(torch.ops.aten.matmul(y, self.weight.t()), [0, -1], True)


def hand_made():
    """Annotations of every form, names that were given, functions of other modules."""
    g = torch.fx.Graph()
    x = g.placeholder("x", type_expr=torch.Tensor)
    n = g.placeholder("n", type_expr=int, default_value=3)
    g.placeholder("a", type_expr=typing.Optional[typing.List[torch.Tensor]], default_value=None)
    g.placeholder("b", type_expr=typing.Dict[str, typing.Tuple[int, float]], default_value=None)
    g.placeholder("c", type_expr=typing.Union[int, float, None], default_value=None)
    g.placeholder("d", type_expr=torch.device, default_value=None)
    g.placeholder("e", type_expr=list, default_value=None)
    root = g.call_function(math.sqrt, (n,))
    g.create_node("call_function", operator.pos, (x,), name="math_floor")
    floor = g.call_function(math.floor, (root,), type_expr=int)
    has = g.call_function(operator.contains, ([1, 2], floor))
    both = g.call_function(divmod, (floor, 2))
    length = g.call_function(len, (both,))
    text = g.call_method("format", ("{} \\ \n\t'\"", n), {})
    g.output((root, floor, has, both, length, text, [2 + 3j, -0.0, 1e16, 123456789.123, 1 / 3, 1e22, 5e-324]),
             type_expr=typing.Tuple[float, int])
    return torch.fx.GraphModule(torch.nn.Module(), g, "Hand")


def writes():
    """In-place operators, which tracing does not record."""
    g = torch.fx.Graph()
    x = g.placeholder("x")
    y = g.call_method("clone", (x,))
    plus = g.call_function(operator.iadd, (y, 1))
    g.call_function(operator.setitem, (plus, 0, g.call_function(operator.getitem, (x, 1))))
    times = g.call_function(operator.imul, (plus, x))
    g.output(g.call_function(F.relu, (g.call_function(operator.isub, (times, 0.5)),), {"inplace": True}))
    return torch.fx.GraphModule(torch.nn.Module(), g, "Writes")


class Trees(torch.nn.Module):
    """Nested inputs and outputs, which torch.fx takes apart and puts together."""

    def forward(self, d, y, pair):
        return {"sum": d["a"] + d["b"] * y, "list": [pair[0], pair[1] - y]}


def trees():
    ph = torch.fx.PH
    arguments = {"d": {"a": ph, "b": ph}, "y": ph, "pair": (ph, ph)}
    return torch.fx.GraphModule(Trees(), torch.fx.Tracer().trace(Trees(), concrete_args=arguments), "Trees")


class Stacks(torch.fx.Tracer):
    record_stack_traces = True


class Leaves(torch.fx.Tracer):
    def is_leaf_module(self, module, name):
        return not isinstance(module, torch.nn.Sequential)


def traced(module, tracer=None):
    tracer = tracer or torch.fx.Tracer()
    return torch.fx.GraphModule(module, tracer.trace(module), type(module).__name__)


def runnable():
    """(name, GraphModule, inputs)"""
    torch.manual_seed(1)
    x, square = torch.rand(3, 4), torch.rand(3, 3)
    yield "small", traced(Small()), (x,)
    yield "operators", traced(Operators()), (square, square.t())
    yield "writes", writes(), (x,)
    yield "methods", traced(Methods()), (x,)
    yield "globals", traced(Globals()), (x, x)
    yield "nested", traced(Nested().eval(), Leaves()), (x,)
    yield "aten", traced(Aten()), (x,)
    yield "hand", hand_made(), (x,)
    yield "stacks", traced(Nested().eval(), Stacks()), (x,)
    yield "trees", trees(), ({"a": x, "b": x}, x, (x, x))
    yield "identity", traced(torch.nn.Identity()), (x,)


# ---- Graphs that are only printed --------------------------------------------------------------------------------------


def every_argument():
    """The large sample: every kind of argument; it computes nothing sensible."""
    g = torch.fx.Graph()
    x = g.placeholder("x")
    g.placeholder("y", type_expr=torch.Tensor, default_value=None)
    g.placeholder("z", default_value=1.5)
    g.placeholder("*args")
    g.placeholder("**kwargs")
    item = g.call_function(operator.getitem, (x, (slice(None), slice(1, None), Ellipsis, None, slice(None, None, 2))))
    view = g.call_method("view", (item, (2, -1)))
    cat = g.call_function(torch.cat, ([view, item],), {"dim": -1})
    shape = g.call_function(getattr, (cat, "shape"))
    g.call_function(getattr, (cat, "not a word"))
    g.call_function(getattr, (cat, "shape", None))
    to = g.call_method("to", (cat, torch.int64), {"memory_format": torch.channels_last})
    g.call_function(operator.setitem, (to, 0, item))
    for function in (operator.iadd, operator.iand, operator.ifloordiv, operator.ilshift, operator.imod, operator.imul, operator.imatmul,
                     operator.ior, operator.ipow, operator.irshift, operator.isub, operator.itruediv, operator.ixor):
        g.call_function(function, (to, 3))
    for name in ("my_name_3", "my_name_4", "my_name", "3bad name.x", "if", "inf", "torch", "camelCase"):
        last = g.create_node("call_function", torch.relu, (to,), name=name)
    last.type = torch.Tensor
    first = g.call_module("0", (last,))
    deep = g.call_module("layer.1.conv", (first,), {"mode": "x"})
    g.get_attr("layer.0.weight")
    g.call_method("__add__", (deep, 1))
    twice = g.call_function(torch.add, (shape, shape), {"out": shape, "alpha": {"k": [shape, (last,)]}})
    g.output({"out": twice, "l": [first, (last,), None, 1e-05, "str", torch.float32, slice(1, None, None)], "t": ()}, type_expr=dict)
    root = torch.nn.Module()
    layer = torch.nn.Module()
    conv = torch.nn.Module()
    conv.conv = torch.nn.Identity()
    layer.add_module("0", torch.nn.Linear(2, 2))
    layer.add_module("1", conv)
    root.layer = layer
    root.add_module("0", torch.nn.Identity())
    return torch.fx.GraphModule(root, g, "Every")


def returns_nothing():
    g = torch.fx.Graph()
    g.call_function(torch.relu, (g.placeholder("self"),))
    g.output(None)
    return torch.fx.GraphModule(torch.nn.Module(), g, "Nothing")


def printed():
    yield from ((name, gm) for name, gm, _ in runnable())
    yield "every", every_argument()
    yield "returns_nothing", returns_nothing()
