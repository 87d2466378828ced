# SPDX-License-Identifier: Apache-2.0
"""What a call means that neither the operator table nor the table of leaf modules knows: wrapped functions and foreign leaf
modules, traced with the arguments of a run. Sizes become constants, so such a body holds for the shapes it was traced with.
"""
from __future__ import annotations

import contextlib
import operator
from typing import Any, Callable, Iterator, Sequence
from unittest import mock

import torch
import torch.fx
from torch.fx.node import map_aggregate

aten = torch.ops.aten


@contextlib.contextmanager
def _no_fast_path() -> Iterator[None]:
    """Keeps torch's transformer modules from their fused operators, which are no ATen calls one could compile."""
    if hasattr(torch.backends, "mha") and hasattr(torch.backends.mha, "set_fastpath_enabled"):
        before = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(before)
    else:  # these modules ask this function by its full name before they take the fast path
        with mock.patch("torch.overrides.has_torch_function", lambda _values: True):
            yield


def of_nodes(function: Callable, args: tuple, kwargs: dict, inputs: Sequence[torch.fx.Node], constants: dict) -> Callable:
    """function(*args, **kwargs) as a function of the values of `inputs` alone; other nodes have the value in `constants`."""
    def flat(*tensors: torch.Tensor) -> Any:
        value = {**constants, **dict(zip(inputs, tensors))}

        def fill(item: Any) -> Any:
            return value[item] if isinstance(item, torch.fx.Node) else item
        return function(*map_aggregate(args, fill), **map_aggregate(kwargs, fill))
    return flat


def trace(function: Callable, values: Sequence[torch.Tensor]) -> torch.fx.GraphModule:
    """function(*values) as a graph of ATen calls; what does not depend on the values is computed and becomes a constant."""
    from torch.fx.experimental.proxy_tensor import make_fx
    with torch.no_grad(), _no_fast_path():
        module = make_fx(function)(*values)
        _fold_constants(module)
    _tidy(module.graph)
    _drop_dead(module.graph)
    module.recompile()
    return module


def _writes(node: torch.fx.Node) -> bool:
    """Whether the call changes one of its arguments."""
    schema = getattr(node.target, "_schema", None)
    return schema is not None and any(arg.alias_info is not None and arg.alias_info.is_write for arg in schema.arguments)


def _drop_dead(graph: torch.fx.Graph) -> None:
    """torch's own pass would drop changes in place as well."""
    for node in reversed(list(graph.nodes)):
        if not node.users and node.op in ("call_function", "get_attr") and not _writes(node):
            graph.erase_node(node)


# ---- Constants ----------------------------------------------------------------------------------------------------------------


# Tensors that take only their type from another: where the value that fills them stands among the arguments, or the value itself.
_FILLED = {"new_zeros": 0, "zeros_like": 0, "new_empty": 0, "empty_like": 0, "new_ones": 1, "ones_like": 1, "new_full": (2,),
           "full_like": (1,)}


def _filled(node: torch.fx.Node) -> torch.Tensor | None:
    """The value of x.new_zeros(...) and its kin; None for other calls."""
    fill = _FILLED.get(getattr(node.target, "__name__", "").split(".")[0])
    kind = node.meta.get("val", node.meta.get("tensor_meta"))
    if fill is None or kind is None:
        return None
    value = node.args[fill[0]] if isinstance(fill, tuple) else fill
    return None if isinstance(value, torch.fx.Node) else torch.full(tuple(kind.shape), value, dtype=kind.dtype)


def _load(module: torch.fx.GraphModule, node: torch.fx.Node, known: dict) -> Any:
    """The value of a node whose inputs are all known."""
    args = map_aggregate(node.args, lambda a: known[a] if isinstance(a, torch.fx.Node) else a)
    kwargs = map_aggregate(node.kwargs, lambda a: known[a] if isinstance(a, torch.fx.Node) else a)
    if node.op == "get_attr":
        return getattr(module, node.target).clone()
    return node.target(*args, **kwargs)


def _memory_of(node: torch.fx.Node) -> torch.fx.Node:
    """The node whose memory a view may share: the first of the chain of first arguments."""
    while node.op == "call_function" and _filled(node) is None and node.args and isinstance(node.args[0], torch.fx.Node):
        node = node.args[0]
    return node


def _constant_nodes(graph: torch.fx.Graph) -> set[torch.fx.Node]:
    """Nodes that depend on no placeholder, and whose memory no data is written to."""
    written: set[torch.fx.Node] = set()
    while True:
        known: set[torch.fx.Node] = set()
        for node in graph.nodes:
            inputs_known = all(source in known for source in node.all_input_nodes) and not _is_random(node)
            if node.op == "get_attr" or (node.op == "call_function" and (inputs_known or _filled(node) is not None)):
                if _memory_of(node) not in written:
                    known.add(node)
        found = {_memory_of(node.args[0]) for node in graph.nodes if _writes(node) and node not in known and node.args[0] in known}
        if not found:
            return known
        written |= found


def _fold_constants(module: torch.fx.GraphModule) -> None:
    """Runs the constant nodes, changes of their memory included, in order; where another node uses one of their tensors, a copy of
    that moment takes its place."""
    graph, constant, known = module.graph, _constant_nodes(module.graph), {}
    for node in list(graph.nodes):
        if node in constant:
            filled = _filled(node) if node.op == "call_function" else None
            known[node] = _load(module, node, known) if filled is None else filled
            continue
        for source in node.all_input_nodes:
            if source in known and isinstance(known[source], torch.Tensor):
                with graph.inserting_before(node):
                    node.replace_input_with(source, graph.get_attr(_keep(module, known[source])))
    for node in reversed([node for node in graph.nodes if node in known]):
        if not node.users:
            graph.erase_node(node)


def _is_random(node: torch.fx.Node) -> bool:
    tags = getattr(torch, "Tag", None)
    return bool(tags) and any(str(tag).endswith("nondeterministic_seeded") for tag in getattr(node.target, "tags", ()))


def _keep(module: torch.fx.GraphModule, value: torch.Tensor) -> str:
    """A new buffer of the module with a copy of the value."""
    index = 0
    while hasattr(module, f"_body_constant{index}"):
        index += 1
    module.register_buffer(f"_body_constant{index}", value.detach().clone(memory_format=torch.contiguous_format))
    return f"_body_constant{index}"


# ---- Spellings ----------------------------------------------------------------------------------------------------------------


def _first_result(op: Any, args: Callable[[tuple], tuple]) -> Callable[[torch.fx.Node], Any]:
    """op(*args) for the first of several results, when no other is used."""
    def rewrite(node: torch.fx.Node) -> Any:
        items = list(node.users)
        if any(item.target is not operator.getitem or (item.args[1] != 0 and item.users) for item in items):
            return None
        with node.graph.inserting_before(node):
            call = node.graph.call_function(op, args(node.args))
        for item in items:
            item.replace_all_uses_with(call)
            node.graph.erase_node(item)
        node.graph.erase_node(node)
        return None
    return rewrite


def _call(op: Any, args: Callable[[tuple], tuple]) -> Callable[[torch.fx.Node], Any]:
    def rewrite(node: torch.fx.Node) -> Any:
        with node.graph.inserting_before(node):
            return node.graph.call_function(op, args(node.args))
    return rewrite


def _interpolate(mode: str, has_corners: bool) -> Callable[[torch.fx.Node], Any]:
    """upsample_*.vec(input, output_size, [align_corners], scale_factors) as torch.nn.functional.interpolate."""
    def rewrite(node: torch.fx.Node) -> Any:
        source, size, *rest = node.args
        keywords = {"size": size, "scale_factor": rest[-1] if size is None else None, "mode": mode}
        if has_corners:
            keywords["align_corners"] = rest[0]
        with node.graph.inserting_before(node):
            return node.graph.call_function(torch.nn.functional.interpolate, (source,), keywords)
    return rewrite


def _same(node: torch.fx.Node) -> Any:
    return node.args[0]


def _rewrites() -> dict:
    """What make_fx records in a spelling that no one writes -> the spelling of the operator table."""
    table = {
        ("_reshape_alias", "default"): _call(aten.reshape.default, lambda a: a[:2]),
        ("detach", "default"): _same, ("alias", "default"): _same, ("lift_fresh_copy", "default"): _same,
        ("native_layer_norm", "default"): _first_result(aten.layer_norm.default, lambda a: a),
        ("native_group_norm", "default"): _first_result(aten.group_norm.default, lambda a: (a[0], a[6], a[1], a[2], a[7])),
        ("max_pool3d_with_indices", "default"): _first_result(aten.max_pool3d.default, lambda a: a),
        ("log_sigmoid_forward", "default"): _first_result(aten.log_sigmoid.default, lambda a: a),
    }
    for dims, linear in ((1, "linear"), (2, "bilinear"), (3, "trilinear")):
        table[(f"upsample_nearest{dims}d", "vec")] = _interpolate("nearest", False)
        table[(f"upsample_{linear}{dims}d", "vec")] = _interpolate(linear, True)
    table[("upsample_bicubic2d", "vec")] = _interpolate("bicubic", True)
    return {getattr(getattr(aten, packet), overload): rule for (packet, overload), rule in table.items()
            if hasattr(aten, packet) and overload in getattr(aten, packet).overloads()}


def _tidy(graph: torch.fx.Graph) -> None:
    table = _rewrites()
    for node in list(graph.nodes):
        rule = table.get(node.target) if node.op == "call_function" else None
        instead = rule(node) if rule else None
        if instead is not None:
            node.replace_all_uses_with(instead)
            graph.erase_node(node)
