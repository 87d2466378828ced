# SPDX-License-Identifier: Apache-2.0
"""From a torch.fx GraphModule to graph.json and tensors: the module tree, the graphs of leaf modules, the bodies of wrapped
functions.

`describe` makes the object and a table of tensors that share torch's memory; `export` writes them as an .fxm file. Example inputs,
when given, are run once with torch: they tell types, and what functions mean whose code torch.fx did not see.
"""
from __future__ import annotations

import contextlib
import dataclasses
import inspect
import os
from typing import Any, Iterator, Mapping, Sequence

import torch
import torch.fx
from torch import nn
from torch.fx.node import map_aggregate

from . import archive, bodies, leaves
from .errors import Error
from .graph_json import graph_json, qualified_name, results_of, to_json

PRODUCER = "fxjit-python 0.1.0"
_KNOWN = ("torch.", "operator.", "builtins.", "math.")
_NO_LIMIT = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Dim:
    """A symbolic size: its name, the smallest and largest value, and what it is a multiple of."""
    name: str
    min: int = 1
    max: int = _NO_LIMIT
    multiple: int = 1


Dynamic = Mapping[str, Mapping[int, "str | Dim"]]


@dataclasses.dataclass
class Description:
    """A graph.json object, its tensors by key, and what the run with the example inputs returned."""
    graph: dict
    tensors: dict[str, torch.Tensor]
    results: Any


# ---- A run that records -------------------------------------------------------------------------------------------------------


class _Recorder(torch.fx.Interpreter):
    """Runs a graph, and notes the types of all values and the bodies of calls that need one."""

    def __init__(self, module: torch.fx.GraphModule, exporter: "_Exporter"):
        super().__init__(module)
        self.exporter = exporter
        self.types: dict[torch.fx.Node, list] = {}

    def run_node(self, n: torch.fx.Node) -> Any:
        self.exporter.visit_call(n, self.module, self.env)
        result = super().run_node(n)
        self.types[n] = results_of(result)
        return result

    def call_module(self, target: str, args: tuple, kwargs: dict) -> Any:
        inner = self.fetch_attr(target)
        if isinstance(inner, torch.fx.GraphModule) and inner not in self.exporter.types:
            recorder = _Recorder(inner, self.exporter)
            self.exporter.types[inner] = recorder.types
            return recorder.run(*args, **kwargs) if not kwargs else inner(*args, **kwargs)
        return super().call_module(target, args, kwargs)


def _is_foreign(node: torch.fx.Node) -> bool:
    """A call of a function that is neither torch's nor Python's: torch.fx.wrap recorded it."""
    return node.op == "call_function" and not (qualified_name(node.target) + ".").startswith(_KNOWN)


# ---- The exporter -------------------------------------------------------------------------------------------------------------


class _Exporter:
    def __init__(self, root: torch.fx.GraphModule):
        self.root = root
        self.problems: list[str] = []
        self.tensors: dict[str, torch.Tensor] = {}
        self.keys: dict[tuple, str] = {}
        self.types: dict[nn.Module, dict] = {}
        self.bodies: dict[torch.fx.Node, dict] = {}
        self.constants: dict[nn.Module, dict[str, torch.Tensor]] = {}  # of bodies, by the module that owns the graph
        self.leaf_graphs: dict[nn.Module, torch.fx.Graph] = {}
        self.leaf_patterns: dict[nn.Module, tuple] = {}
        self.specialised: list[str] = []
        self.traced: dict[tuple, torch.fx.Node] = {}  # calls with equal patterns have equal bodies

    # -- Calls

    def visit_call(self, node: torch.fx.Node, owner: nn.Module, env: Mapping | None) -> None:
        """Sees to it that a call has a meaning: a leaf's graph or a body. env: values of a run, None without example inputs."""
        if node in self.bodies:
            return
        try:
            if node.op == "call_module":
                self._visit_module(node, owner, env)
            elif _is_foreign(node):
                self._visit_function(node, owner, node.target, env)
        except Exception as error:  # whatever tracing a stranger's code raises: told with all other problems
            self.problems.append(f"node {node.name} ({qualified_name(node.target)}): {error}".split("\n")[0])

    def _visit_module(self, node: torch.fx.Node, owner: nn.Module, env: Mapping | None) -> None:
        module = owner.get_submodule(node.target)
        if isinstance(module, torch.fx.GraphModule):
            return
        bound = inspect.signature(type(module).forward).bind(module, *node.args, **node.kwargs)
        arguments = dict(list(bound.arguments.items())[1:])
        simple = all(isinstance(value, torch.fx.Node) or not _nodes_in(value) for value in arguments.values())
        pattern = tuple((name, None if isinstance(value, torch.fx.Node) else repr(value)) for name, value in arguments.items())
        if simple and self.leaf_patterns.get(module, pattern) == pattern:
            try:
                if module not in self.leaf_graphs:
                    self.leaf_graphs[module] = _leaf_graph(module, arguments)
                self.leaf_patterns[module] = pattern
                return
            except leaves.NotCovered:
                pass
        try:
            self.bodies[node] = graph_json(_leaf_body(node, module, arguments, f"{node.target}.", env))
        except leaves.NotCovered:
            self._visit_function(node, owner, module, env)

    def _visit_function(self, node: torch.fx.Node, owner: nn.Module, function: Any, env: Mapping | None) -> None:
        """A body traced from the function's code: with the values of the run, or without any."""
        nodes = node.all_input_nodes
        if env is None:
            self._add_body(node, owner, _symbolic_body(function, node))
            return
        inputs = [source for source in nodes if isinstance(env[source], torch.Tensor)]
        constants = {source: env[source] for source in nodes if source not in inputs}
        key = owner, function, _pattern_of(node, inputs, env)
        if key in self.traced:
            same = self.traced[key]
            self.bodies[node] = self.bodies[same]
            self.specialised += [node.name] if same.name in self.specialised else []
            return
        self.traced[key] = node
        flat = bodies.of_nodes(function, node.args, node.kwargs, inputs, constants)
        traced = bodies.trace(flat, [env[source].detach() for source in inputs])
        for call in traced.graph.nodes:
            if call.op == "call_function" and not _same_for_all_shapes(call):
                self.specialised.append(node.name)
                break
        self._add_body(node, owner, traced)

    def _add_body(self, node: torch.fx.Node, owner: nn.Module, traced: torch.fx.GraphModule) -> None:
        """Tensors of the body become tensors of the graph's owner: those that it has already, or new constants."""
        for inner in traced.graph.nodes:
            if inner.op == "get_attr":
                inner.target = self._owned_path(owner, _fetch(traced, inner.target))
        self.bodies[node] = graph_json(traced.graph)

    def _owned_path(self, owner: nn.Module, tensor: torch.Tensor) -> str:
        constants = self.constants.setdefault(owner, {})
        for path, known in [*owner.named_parameters(), *owner.named_buffers(), *constants.items()]:
            if _identity(known) == _identity(tensor):
                return path
        path = f"_body_constant{len(constants)}"
        constants[path] = tensor.detach()
        return path

    # -- Modules

    def module(self, module: nn.Module, path: str, used: set[str]) -> dict:
        """The MODULE object; `used`: paths that graphs mention."""
        out: dict[str, Any] = {"class": _class_name(module)}
        facts = leaves.attributes(module)
        if facts:
            out["attributes"] = {name: to_json(value) for name, value in facts.items()}
        own = self._own_tensors(module, path, used)
        tensors = {name: self._tensor(tensor, path, name, is_buffer) for name, tensor, is_buffer in own}
        if tensors:
            out["tensors"] = tensors
        children = {name: self.module(child, f"{path}{name}.", used) for name, child in module.named_children()}
        if children:
            out["modules"] = children
        if module.training:
            out["training"] = True
        graph = self._graph(module)
        if graph:
            out["graph"] = graph
        return out

    def _own_tensors(self, module: nn.Module, path: str, used: set[str]) -> list[tuple[str, torch.Tensor, bool]]:
        found = [(name, tensor, False) for name, tensor in module._parameters.items() if tensor is not None]
        found += [(name, tensor, True) for name, tensor in module._buffers.items() if tensor is not None]
        known = {name for name, _, _ in found}
        found += [(name, value, True) for name, value in vars(module).items()
                  if isinstance(value, torch.Tensor) and name not in known and path + name in used]
        found += [(name, tensor, True) for name, tensor in self.constants.get(module, {}).items()]
        return found

    def _tensor(self, tensor: torch.Tensor, path: str, name: str, is_buffer: bool) -> dict:
        """Tensors that share memory share a key."""
        key = self.keys.setdefault(_identity(tensor), path + name)
        self.tensors[key] = tensor
        return {"tensor": key, "buffer": is_buffer}

    def _graph(self, module: nn.Module) -> dict | None:
        if isinstance(module, torch.fx.GraphModule):
            return graph_json(module.graph, self.types.get(module), self.bodies, self.problems)
        if module in self.leaf_graphs:
            return graph_json(self.leaf_graphs[module])
        return None


def _pattern_of(node: torch.fx.Node, inputs: list[torch.fx.Node], env: Mapping) -> str:
    """The arguments of a call, tensors by their place among the inputs and their type."""
    def word(leaf: Any) -> Any:
        if not isinstance(leaf, torch.fx.Node):
            return leaf
        value = env[leaf]
        return (inputs.index(leaf), value.dtype, value.shape, value.stride()) if leaf in inputs else ("constant", value)
    return repr(map_aggregate((node.args, dict(node.kwargs)), word))


def _same_for_all_shapes(call: torch.fx.Node) -> bool:
    """Calls without sizes among their arguments."""
    names = ("view", "reshape", "expand", "_unsafe_view", "new_zeros", "zeros", "full", "slice", "constant_pad_nd", "arange",
             "index")
    return getattr(call.target, "__name__", "").split(".")[0] not in names


def _identity(tensor: torch.Tensor) -> tuple:
    if tensor.numel() == 0:
        return ("empty", id(tensor))
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype


def _fetch(module: nn.Module, path: str) -> torch.Tensor:
    owner, _, name = path.rpartition(".")
    return getattr(module.get_submodule(owner) if owner else module, name)


def _class_name(module: nn.Module) -> str:
    if isinstance(module, torch.fx.GraphModule):
        return f"torch.fx.graph_module.{type(module).__name__}"
    return f"{type(module).__module__}.{type(module).__qualname__}"


def _nodes_in(value: Any) -> list[torch.fx.Node]:
    found: list[torch.fx.Node] = []
    map_aggregate(value, lambda a: found.append(a) if isinstance(a, torch.fx.Node) else None)
    return found


# ---- Graphs of leaves ---------------------------------------------------------------------------------------------------------


def _leaf_graph(module: nn.Module, arguments: dict[str, Any]) -> torch.fx.Graph:
    """The module's own graph: a placeholder per argument that is a node."""
    graph = torch.fx.Graph()
    inputs = {name: graph.placeholder(name) if isinstance(value, torch.fx.Node) else value for name, value in arguments.items()}
    graph.output(leaves.emit(module, graph, inputs))
    return graph


def _leaf_body(node: torch.fx.Node, module: nn.Module, arguments: dict[str, Any], prefix: str,
               env: Mapping | None) -> torch.fx.Graph:
    """The same for one call: a placeholder per tensor-valued node that the call mentions."""
    graph = torch.fx.Graph()
    inputs = {}
    for source in node.all_input_nodes:
        if env is None or isinstance(env[source], torch.Tensor):
            inputs[source] = graph.placeholder(source.name)
        else:
            inputs[source] = env[source]
    here = map_aggregate(dict(arguments), lambda a: inputs[a] if isinstance(a, torch.fx.Node) else a)
    graph.output(leaves.emit(module, graph, here, prefix))
    return graph


class _Through(torch.fx.Tracer):
    """Sees no module as a leaf."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return False


def _symbolic_body(function: Any, node: torch.fx.Node) -> torch.fx.GraphModule:
    """The function's code as torch.fx sees it with unknown inputs; an error when it depends on them."""
    inputs = node.all_input_nodes
    flat = bodies.of_nodes(function, node.args, node.kwargs, inputs, {})
    names = ", ".join(source.name for source in inputs)
    scope: dict[str, Any] = {"flat": flat}
    exec(f"def forward(self, {names}): return flat({names})", scope)  # torch.fx names placeholders after parameters
    holder = type("Body", (nn.Module,), {"forward": scope["forward"]})()
    if isinstance(function, nn.Module):
        holder.inner = function
    try:
        return torch.fx.GraphModule(holder, _Through().trace(holder))
    except (torch.fx.proxy.TraceError, TypeError, RuntimeError) as error:
        raise Error("E_UNSUPPORTED", [], f"its code cannot be traced without example inputs: {error}") from error


# ---- Nothing of the caller's is changed ---------------------------------------------------------------------------------------


def copies(values: Sequence[Any]) -> list:
    """Values with new memory for their tensors: a graph may change its inputs."""
    from torch.utils._pytree import tree_map
    return [tree_map(lambda leaf: leaf.detach().clone() if isinstance(leaf, torch.Tensor) else leaf, value) for value in values]


@contextlib.contextmanager
def unchanged(module: nn.Module) -> Iterator[None]:
    """Gives the module's buffers back the values that a run changed."""
    before = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        for buffer, value in before:
            if not torch.equal(buffer, value):
                buffer.copy_(value)


# ---- The whole ----------------------------------------------------------------------------------------------------------------


def _used_paths(module: torch.fx.GraphModule, prefix: str = "") -> set[str]:
    used = {prefix + node.target for node in module.graph.nodes if node.op == "get_attr"}
    for node in module.graph.nodes:
        if node.op == "call_module":
            inner = module.get_submodule(node.target)
            if isinstance(inner, torch.fx.GraphModule):
                used |= _used_paths(inner, f"{prefix}{node.target}.")
    return used


def _visit_without_values(exporter: _Exporter, module: torch.fx.GraphModule) -> None:
    for node in module.graph.nodes:
        exporter.visit_call(node, module, None)
        inner = module.get_submodule(node.target) if node.op == "call_module" else None
        if isinstance(inner, torch.fx.GraphModule):
            _visit_without_values(exporter, inner)


def _set_symbols(graph: dict, dynamic: Dynamic) -> None:
    """Replaces sizes in the placeholders' types by symbols and drops the other nodes' types, which follow from them."""
    symbols: dict[str, dict] = {}
    by_name = {node["name"]: node for node in graph["nodes"] if node["op"] == "placeholder"}
    by_name.update({node["target"]: node for node in by_name.values()})
    for name, axes in dynamic.items():
        if name not in by_name or not (by_name[name].get("types") or [None])[0]:
            raise Error("E_ARG", [],
                        f"dynamic sizes are given for `{name}`, which is no tensor input; inputs: {', '.join(sorted(by_name))}")
        shape = by_name[name]["types"][0]["shape"]
        for axis, given in axes.items():
            if not -len(shape) <= axis < len(shape):
                raise Error("E_ARG", [], f"input `{name}` has {len(shape)} dimensions; {axis} is none of them")
            dim = Dim(given) if isinstance(given, str) else given
            symbol = {"name": dim.name, "min": dim.min, "max": dim.max, "hint": shape[axis], "multiple": dim.multiple}
            symbols.setdefault(dim.name, symbol)
            shape[axis] = dim.name
    graph["symbols"] = list(symbols.values())
    for node in graph["nodes"]:
        if node["op"] != "placeholder":
            node.pop("types", None)


def describe(graph_module: torch.fx.GraphModule, example_inputs: Sequence[Any] | None = None, *,
             dynamic: Dynamic | None = None) -> Description:
    """graph.json and tensors of a module. Everything that has no form in the file is reported together (Error E_UNSUPPORTED)."""
    exporter, results = _Exporter(graph_module), None
    if example_inputs is None:
        if dynamic:
            raise Error("E_ARG", [], "dynamic sizes need example inputs, which say the other ones")
        _visit_without_values(exporter, graph_module)
    else:
        recorder = _Recorder(graph_module, exporter)
        exporter.types[graph_module] = recorder.types
        with torch.no_grad(), unchanged(graph_module):
            results = recorder.run(*copies(example_inputs))
    module = exporter.module(graph_module, "", _used_paths(graph_module))
    if dynamic:
        if exporter.specialised:
            fixed = "traced with fixed sizes, which dynamic ones contradict"
            exporter.problems += [f"node {name}: {fixed}" for name in exporter.specialised]
        _set_symbols(module["graph"], dynamic)
    if exporter.problems:
        raise Error("E_UNSUPPORTED", exporter.problems)
    return Description({"format": "fxjit", "version": 1, "producer": PRODUCER, "module": module}, exporter.tensors, results)


def export(graph_module: torch.fx.GraphModule | nn.Module, path: str | os.PathLike, example_inputs: Sequence[Any] | None = None, *,
           dynamic: Dynamic | None = None) -> None:
    """Writes a torch.fx GraphModule (another nn.Module is traced) to `path` (.fxm): graph, module tree and weights.

    example_inputs (a sequence of forward's arguments) are run once with torch; with them the file knows all types, and functions
    that torch.fx.wrap hid are traced with their shapes. dynamic, such as {"x": {0: "batch"}}, makes sizes of inputs symbolic.
    """
    if not isinstance(graph_module, torch.fx.GraphModule):
        graph_module = torch.fx.symbolic_trace(graph_module)
    description = describe(graph_module, example_inputs, dynamic=dynamic)
    archive.write(path, description.graph, description.tensors)
