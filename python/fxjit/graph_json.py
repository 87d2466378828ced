# SPDX-License-Identifier: Apache-2.0
"""torch.fx graphs as the GRAPH objects of graph.json: nodes, targets as torch.fx prints them, argument values, types, locations.
What has no form in the file is noted, so that all problems of a graph are reported together.
"""
from __future__ import annotations

import enum
import math
import re
from typing import Any, Callable, Mapping

import torch
import torch.fx

from .tensors import torch_dtype

Types = Mapping[torch.fx.Node, list]  # per node: (dtype, shape) of each result, None where it is no tensor


def qualified_name(target: Any) -> str:
    """The target as str(graph) prints it: operator.add, torch.conv2d, builtins.getattr, torch.ops.aten.mul.Tensor."""
    if isinstance(target, str):
        return target
    if isinstance(target, torch._ops.OpOverload):
        return f"torch.ops.{target}"
    module, name = getattr(target, "__module__", None), getattr(target, "__name__", None)
    if name and module in ("builtins", "_operator"):
        return f"{module.lstrip('_')}.{name}"
    return torch.fx.node._get_qualified_name(target)


# ---- Values -------------------------------------------------------------------------------------------------------------------


def _number(value: float) -> Any:
    if math.isfinite(value):
        return value
    return {"float": "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}


def _items(value: Any) -> list:
    return [to_json(item) for item in value]


_FORMS: list[tuple[tuple, Callable[[Any], Any]]] = [
    ((torch.fx.Node,), lambda v: {"node": v.name}),
    ((bool, int, str), lambda v: v),
    ((float,), _number),
    ((complex,), lambda v: {"complex": [_number(v.real), _number(v.imag)]}),
    ((type(Ellipsis),), lambda v: {"ellipsis": True}),
    ((slice,), lambda v: {"slice": _items((v.start, v.stop, v.step))}),
    ((range,), lambda v: {"range": [v.start, v.stop, v.step]}),
    ((tuple,), lambda v: {"tuple": _items(v)}),
    ((list,), _items),
    ((dict,), lambda v: {"dict": {str(key): to_json(item) for key, item in v.items()}}),
    ((torch.dtype,), lambda v: {"dtype": str(v)}),
    ((torch.device,), lambda v: {"device": str(v)}),
    ((torch.layout, torch.memory_format), lambda v: {"name": str(v)}),
]


def to_json(value: Any) -> Any:
    """The VALUE of an argument; TypeError when the file has no form for it."""
    if value is None:
        return None
    if isinstance(value, enum.Enum):
        return to_json(value.value)
    for classes, form in _FORMS:
        if isinstance(value, classes):
            return form(value)
    if type(value).__name__ in ("SymInt", "SymFloat", "SymBool"):
        return to_json(value.node.hint)
    if callable(value):
        return {"name": qualified_name(value)}
    raise TypeError(f"an argument of type {type(value).__name__} cannot be stored")


# ---- Nodes --------------------------------------------------------------------------------------------------------------------

_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')


def location(node: torch.fx.Node) -> dict | None:
    """The innermost frame of the node's stack trace, which torch 1 puts first."""
    frames = _FRAME.findall(node.stack_trace or "")
    if not frames:
        return None
    file, line, function = frames[0 if torch.__version__.startswith("1.") else -1]
    return {"file": file, "line": int(line), "function": function}


def type_of(value: Any) -> tuple[str, tuple[int, ...]] | None:
    """(dtype, shape) of a tensor that fxjit has a type for."""
    if not isinstance(value, torch.Tensor) or value.dim() > 8:
        return None
    try:
        return torch_dtype(value.dtype), tuple(value.shape)
    except RuntimeError:
        return None


def results_of(value: Any) -> list:
    """Types of a node's results: one, or one per item of a tuple or list."""
    return [type_of(item) for item in value] if isinstance(value, (tuple, list)) else [type_of(value)]


def _types_json(types: list) -> list | None:
    if not any(types):
        return None
    return [{"dtype": item[0], "shape": list(item[1])} if item else None for item in types]


def _meta(node: torch.fx.Node) -> dict | None:
    """What generated code depends on, functions that torch.fx.wrap keeps whole, and the module whose forward made a call."""
    path = _module_path(node)
    meta = {"is_wrapped": True} if node.meta.get("is_wrapped") else {}
    return {**meta, "module_path": path} if path else meta or None


def _module_path(node: torch.fx.Node) -> str:
    """From the stack of modules that torch keeps since 2.0: path by key, or (path, class) by key."""
    stack = node.meta.get("nn_module_stack")
    if not stack or node.op not in ("call_function", "call_method"):
        return ""
    key, value = list(stack.items())[-1]
    path = value[0] if isinstance(value, tuple) else key
    return re.sub(r"\[['\"]?(\w+)['\"]?\]", r".\1", re.sub(r"^L(\['self'\]|__self__)[._]?", "", path)).strip(".")


def _annotation(node: torch.fx.Node) -> str | None:
    return torch.fx.node._type_repr(node.type) if node.type is not None else None


def node_json(node: torch.fx.Node, types: Types, body: dict | None = None) -> dict:
    """The NODE object; TypeError for arguments without a form."""
    out: dict[str, Any] = {"name": node.name, "op": node.op, "target": qualified_name(node.target)}
    out["args"] = [to_json(arg) for arg in node.args]
    out["kwargs"] = {key: to_json(arg) for key, arg in node.kwargs.items()}
    optional = {"annotation": _annotation(node), "types": _types_json(types.get(node, [])), "meta": _meta(node),
                "loc": location(node), "body": body}
    out.update((key, value) for key, value in optional.items() if value is not None)
    return out


def graph_json(graph: torch.fx.Graph, types: Types | None = None, bodies: Mapping[torch.fx.Node, dict] | None = None,
               problems: list[str] | None = None) -> dict:
    """The GRAPH object. Problems are appended to the list, or raised as TypeError without one."""
    nodes = []
    for node in graph.nodes:
        try:
            nodes.append(node_json(node, types or {}, (bodies or {}).get(node)))
        except TypeError as error:
            if problems is None:
                raise
            problems.append(f"node {node.name} ({qualified_name(node.target)}): {error}")
    return {"nodes": nodes, **specs_json(graph)}


# ---- Structured inputs and outputs --------------------------------------------------------------------------------------------


def spec_json(spec: Any) -> dict:
    """A pytree's structure; TypeError for containers other than list, tuple and dict."""
    from torch.utils import _pytree as pytree
    if isinstance(spec, pytree.LeafSpec):
        return {"leaf": True}
    children = [spec_json(child) for child in spec.children_specs]
    if spec.type is list or spec.type is tuple:
        return {spec.type.__name__: children}
    if spec.type is dict:
        return {"dict": dict(zip(spec.context, children))}
    if spec.type is type(None):
        return {"none": True}
    raise TypeError(f"an input or output of type {spec.type.__name__} cannot be stored")


def specs_json(graph: torch.fx.Graph) -> dict:
    """in_spec and out_spec of a graph that flattens its inputs; nothing for others."""
    info = getattr(graph._codegen, "pytree_info", None)
    if info is None:
        return {}
    out = {"in_spec": spec_json(info.in_spec)}
    if info.out_spec is not None:
        out["out_spec"] = spec_json(info.out_spec)
    return out
