# SPDX-License-Identifier: Apache-2.0
"""Graphs of which the library knows only a part: torch runs the unknown nodes, native code the stretches between them."""
from __future__ import annotations

from typing import Any, Callable, Sequence

import torch
import torch.fx
from torch import nn
from torch.fx.node import map_aggregate

from .errors import Error
from .exporter import copies, unchanged
from .graph_json import qualified_name
from .specialise import Specialised, specialise
from .tensors import is_torch

Import = Callable[[Specialised, Sequence[Any]], tuple[Any, Specialised]]
_SIZE_ATTRIBUTES = ("shape", "dtype", "device", "ndim")
_SIZE_METHODS = ("size", "dim", "numel", "ndimension", "stride", "is_floating_point")
_ARITHMETIC = ("operator.", "builtins.", "math.")


# ---- Sizes become numbers -----------------------------------------------------------------------------------------------------


def _is_size(node: torch.fx.Node, values: dict, sizes: set) -> bool:
    """Whether the value follows from the inputs' types alone."""
    if is_torch(values[node]):
        return False
    if node.op == "call_method":
        return node.target in _SIZE_METHODS
    if node.op != "call_function":
        return False
    name = qualified_name(node.target)
    if name == "builtins.getattr" and node.args[1] in _SIZE_ATTRIBUTES:
        return True
    return name.startswith(_ARITHMETIC) and all(source in sizes for source in node.all_input_nodes)


def _fold_sizes(module: torch.fx.GraphModule, values: dict) -> None:
    sizes: set[torch.fx.Node] = set()
    for node in module.graph.nodes:
        if node.op.startswith("call_") and _is_size(node, values, sizes):
            sizes.add(node)

    def number(leaf: Any) -> Any:
        return values[leaf] if isinstance(leaf, torch.fx.Node) and leaf in sizes else leaf
    for node in module.graph.nodes:
        node.args, node.kwargs = map_aggregate(node.args, number), map_aggregate(node.kwargs, number)
    for node in reversed(list(module.graph.nodes)):
        if node in sizes:
            module.graph.erase_node(node)


# ---- What is supported --------------------------------------------------------------------------------------------------------


def _alone(module: torch.fx.GraphModule, node: torch.fx.Node, values: dict) -> tuple[torch.fx.GraphModule, list]:
    """A graph of this node only, and its inputs."""
    graph, env, inputs = torch.fx.Graph(), {}, []
    for source in node.all_input_nodes:
        env[source] = values[source]
        if is_torch(values[source]):
            env[source] = graph.placeholder(source.name)
            inputs.append(values[source])

    def fill(leaf: Any) -> Any:
        return env[leaf] if isinstance(leaf, torch.fx.Node) else leaf
    args, kwargs = map_aggregate(node.args, fill), map_aggregate(dict(node.kwargs), fill)
    graph.output(graph.create_node(node.op, node.target, args, kwargs, node.name))
    return torch.fx.GraphModule(module, graph), inputs


def _is_supported(module: torch.fx.GraphModule, node: torch.fx.Node, values: dict, import_module: Import) -> bool:
    """Tries the node alone."""
    result = values[node]
    if isinstance(result, (tuple, list)) and all(is_torch(item) for item in result):
        return node.op == "call_function" and _import_succeeds(*_alone(module, node, values), import_module)
    return is_torch(result) and _import_succeeds(*_alone(module, node, values), import_module)


def _import_succeeds(alone: torch.fx.GraphModule, inputs: list, import_module: Import) -> bool:
    try:
        import_module(specialise(alone, inputs), inputs)[0].text("core", inputs)
        return True
    except Error:
        return False


# ---- Parts --------------------------------------------------------------------------------------------------------------------


class _Part(nn.Module):
    """A stretch of supported nodes, compiled when its inputs first come; torch runs it when that fails after all."""

    def __init__(self, module: torch.fx.GraphModule, import_module: Import, options: dict):
        super().__init__()
        self.inner, self.import_module, self.options = module, import_module, options
        self.engine: Callable | None = None

    def _build(self, inputs: Sequence[Any]) -> Callable:
        try:
            tensors = [value for value in inputs if is_torch(value)]
            module, special = self.import_module(specialise(self.inner, inputs), tensors)
            compiled = module.compile(tensors, **self.options)
            return lambda values: special.restore(compiled.run([value for value in values if is_torch(value)]))
        except Error:
            return lambda values: self.inner(*values)

    def forward(self, *inputs: Any) -> Any:
        if self.engine is None:
            self.engine = self._build(inputs)
        return self.engine(inputs)


def _stretches(module: torch.fx.GraphModule, values: dict, import_module: Import) -> tuple[dict, set, list[str]]:
    """(number of each node's stretch, the numbers that are supported, the nodes that are not)."""
    number: dict[torch.fx.Node, int] = {}
    supported, unknown, last = set(), [], None
    for node in module.graph.nodes:
        if not node.op.startswith("call_"):
            continue
        good = _is_supported(module, node, values, import_module)
        at = len(set(number.values())) - (1 if last == good else 0)
        number[node], last = at, good
        if good:
            supported.add(at)
        else:
            unknown.append(f"{node.name} ({qualified_name(node.target)})")
    return number, supported, unknown


def build(module: torch.fx.GraphModule, inputs: Sequence[Any], import_module: Import, options: dict) -> tuple[Callable, list[str]]:
    """(function of the list of inputs that returns the list of results, nodes that torch runs)."""
    from torch.fx.passes.split_module import split_module
    run = torch.fx.Interpreter(module, garbage_collect_values=False)
    with torch.no_grad(), unchanged(module):
        run.run(*copies(inputs))
    _fold_sizes(module, run.env)
    number, supported, unknown = _stretches(module, run.env, import_module)
    whole = split_module(module, nn.Module(), lambda node: number[node]) if number else module
    for index in supported:
        name = f"submod_{index}"
        setattr(whole, name, _Part(getattr(whole, name), import_module, options))

    def engine(tensors: Sequence[Any]) -> Sequence[Any]:
        with torch.no_grad():
            return whole(*tensors)
    return engine, unknown
