# SPDX-License-Identifier: Apache-2.0
"""A graph for one structure of inputs: containers are taken apart into tensors, other values become constants, and the output
becomes a tuple of distinct tensors. What the containers and constants decide (getitem, comparisons, asserts) is decided here.
"""
from __future__ import annotations

import dataclasses
import operator
from typing import Any, Sequence

import torch
import torch.fx
from torch.fx.node import map_aggregate
from torch.utils import _pytree as pytree

from .graph_json import qualified_name
from .tensors import is_tensor

_DECIDABLE = ("operator.", "builtins.", "math.", "torch._assert.", "torch.fx._symbolic_trace._assert_is_none.")


class _Result:
    """Stands for a tensor among the leaves of an output by its index into the flat results."""

    def __init__(self, index: int):
        self.index = index


@dataclasses.dataclass
class Specialised:
    """The graph with tensors in and a tuple of tensors out, and how to give its results the original structure."""
    module: torch.fx.GraphModule
    output: Any  # the structure, with _Result where tensors go

    def restore(self, results: Sequence[Any]) -> Any:
        """The original output, made of the flat results."""
        return _fill(self.output, results)


def _fill(structure: Any, results: Sequence[Any]) -> Any:
    """The structure with results in the places of _Result; torch.fx's immutable containers become plain ones."""
    if isinstance(structure, _Result):
        return results[structure.index]
    if isinstance(structure, dict):
        return {key: _fill(value, results) for key, value in structure.items()}
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)(*(_fill(value, results) for value in structure))
    if isinstance(structure, (tuple, list)):
        return (tuple if isinstance(structure, tuple) else list)(_fill(value, results) for value in structure)
    return structure


def leaves_of(values: Sequence[Any]) -> tuple[list, list]:
    """(tensors, all other leaves with the structure) of the arguments; the second is what a specialised graph depends on."""
    tensors, rest = [], []
    for value in values:
        if is_tensor(value):
            tensors.append(value)
            rest.append(None)
            continue
        flat, spec = pytree.tree_flatten(value)
        found = [leaf for leaf in flat if is_tensor(leaf)]
        tensors += found
        rest.append((str(spec), [("tensor",) if is_tensor(leaf) else leaf for leaf in flat]))
    return tensors, rest


def _has_node(value: Any) -> bool:
    found = []
    map_aggregate(value, lambda leaf: found.append(leaf) if isinstance(leaf, torch.fx.Node) else None)
    return bool(found)


class _Specialiser:
    def __init__(self, module: torch.fx.GraphModule, values: Sequence[Any]):
        self.source, self.values = module.graph, iter(values)
        self.graph = torch.fx.Graph()
        self.env: dict[torch.fx.Node, Any] = {}

    def placeholder(self, node: torch.fx.Node) -> Any:
        value = next(self.values)
        if is_tensor(value):
            return self.graph.placeholder(node.name)
        flat, spec = pytree.tree_flatten(value)
        names = [f"{node.name}_{index}" for index in range(len(flat))]
        leaves = [self.graph.placeholder(name) if is_tensor(leaf) else leaf for name, leaf in zip(names, flat)]
        return pytree.tree_unflatten(leaves, spec)

    def map(self, value: Any) -> Any:
        return map_aggregate(value, lambda leaf: self.env[leaf] if isinstance(leaf, torch.fx.Node) else leaf)

    def call(self, node: torch.fx.Node) -> Any:
        """The value of a call: decided now, or a node."""
        args, kwargs = self.map(node.args), self.map(node.kwargs)
        name = qualified_name(node.target) + "." if node.op == "call_function" else ""
        decidable = name.startswith(_DECIDABLE) and not _has_node((args, kwargs))
        is_item = name == "operator.getitem." and not isinstance(args[0], torch.fx.Node) and not _has_node(args[1])
        is_length = name == "builtins.len." and isinstance(args[0], (tuple, list, dict))
        if decidable or is_item or is_length:
            return node.target(*args, **kwargs)
        copy = self.graph.create_node(node.op, node.target, args, kwargs, node.name, node.type)
        copy.meta = dict(node.meta)
        return copy

    def run(self) -> Any:
        """Copies the graph; returns the output's value."""
        for node in self.source.nodes:
            if node.op == "output":
                return self.map(node.args[0])
            if node.op == "placeholder":
                self.env[node] = self.placeholder(node)
            elif node.op == "get_attr":
                self.env[node] = self.graph.get_attr(node.target)
            else:
                self.env[node] = self.call(node)
        return None


def specialise(module: torch.fx.GraphModule, values: Sequence[Any]) -> Specialised:
    """values: one per placeholder, tensors or anything else."""
    work = _Specialiser(module, values)
    return _flatten_output(module, work.graph, work.run())


def expand(special: Specialised, results: Sequence[Any]) -> Specialised:
    """The same with outputs taken apart that turned out to be containers in a run that gave `results`."""
    graph = special.module.graph
    output = list(graph.nodes)[-1]
    nodes = output.args[0]
    graph.erase_node(output)

    def take_apart(node: torch.fx.Node, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: take_apart(graph.call_function(operator.getitem, (node, key)), item) for key, item in value.items()}
        if isinstance(value, (tuple, list)):
            parts = [take_apart(graph.call_function(operator.getitem, (node, index)), item) for index, item in enumerate(value)]
            return parts if isinstance(value, list) else tuple(parts)
        return node if is_tensor(value) else value
    parts = [take_apart(node, value) for node, value in zip(nodes, results)]
    structure = _fill(special.output, parts)
    dead = [node for node in reversed(list(graph.nodes)) if node.target is operator.getitem]
    special = _flatten_output(special.module, graph, structure)
    for node in dead:
        if not node.users:
            graph.erase_node(node)
    return special


def _flatten_output(module: torch.fx.GraphModule, graph: torch.fx.Graph, structure: Any) -> Specialised:
    """Ends the graph with a tuple of the distinct nodes of the structure."""
    results: list[torch.fx.Node] = []

    def number(leaf: Any) -> Any:
        if not isinstance(leaf, torch.fx.Node):
            return leaf
        if leaf not in results:
            results.append(leaf)
        return _Result(results.index(leaf))
    structure = map_aggregate(structure, number)
    graph.output(tuple(results))
    return Specialised(torch.fx.GraphModule(module, graph), structure)
