# SPDX-License-Identifier: Apache-2.0
"""compile_fx and the backend for torch.compile: a GraphModule becomes a callable with the same calling convention, whose work is
done by native code on torch's own memory.
"""
from __future__ import annotations

import inspect
import json
import threading
import warnings
from collections import OrderedDict
from typing import Any, Callable, Sequence

import torch
import torch.fx
from torch import nn

from . import mixed
from .errors import Error
from .exporter import Dynamic, describe
from .module import Module, from_graph
from .options import OPTIONS
from .specialise import Specialised, expand, leaves_of, specialise
from .tensors import is_torch

_CACHE = 64  # variants that a callable keeps
_FALLBACKS = ("interpret", "raise")


def import_module(special: Specialised, inputs: Sequence[Any], dynamic: Dynamic | None = None) -> tuple[Module, Specialised]:
    """The graph in the library's form, whose weights are torch's: nothing is copied. And the graph that it is: with outputs taken
    apart that are containers."""
    description = describe(special.module, inputs, dynamic=dynamic)
    if not all(is_torch(value) for value in description.results):
        special = expand(special, description.results)
        description = describe(special.module, inputs, dynamic=dynamic)
    name = type(special.module).__name__
    return from_graph(json.dumps(description.graph, allow_nan=False), description.tensors, name), special


# ---- The calling convention ---------------------------------------------------------------------------------------------------


class _Convention:
    """A GraphModule's signature, and the pytree that its graph flattens."""

    def __init__(self, module: torch.fx.GraphModule):
        self.graph = module.graph
        self.signature = inspect.signature(module.forward)
        kinds = [parameter.kind for parameter in self.signature.parameters.values()]
        self.plain = all(kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for kind in kinds)
        self.count = len(kinds)
        self.flattens = hasattr(self.graph._codegen, "pytree_info")

    def values(self, args: Sequence[Any], kwargs: dict[str, Any]) -> list:
        """One value per placeholder; TypeError as Python raises it."""
        if kwargs or len(args) != self.count or not self.plain:
            bound = self.signature.bind(*args, **kwargs)
            bound.apply_defaults()
            args = list(bound.arguments.values())
        return list(self.graph.process_inputs(*args)) if self.flattens else list(args)

    def result(self, value: Any) -> Any:
        """The output as the graph's own code returns it."""
        return self.graph.process_outputs(value) if self.flattens else value


# ---- One variant --------------------------------------------------------------------------------------------------------------


class _Variant:
    """A graph specialised for one structure of inputs, with its code."""

    def __init__(self, source: torch.fx.GraphModule, values: Sequence[Any], dynamic: Dynamic | None, fallback: str, options: dict):
        self.special, self.lock = specialise(source, values), threading.Lock()
        tensors = [value if is_torch(value) else torch.as_tensor(value) for value in leaves_of(values)[0]]
        self.eager_nodes: list[str] = []
        self.compiled = None
        try:
            module, self.special = import_module(self.special, tensors, dynamic)
            self.compiled = module.compile(None if dynamic else tensors, **options)
            self.engine: Callable = self._run_with_buffers if self.compiled.state else self.compiled.run
        except Error as error:
            if fallback == "raise" or dynamic or error.status not in ("E_UNSUPPORTED", "E_NOT_FOUND", "E_GRAPH"):
                raise
            self.engine, self.eager_nodes = mixed.build(self.special.module, tensors, import_module, options)
        if fallback == "raise" and self.compiled is not None and self.compiled.fallbacks:
            raise Error("E_UNSUPPORTED", self.compiled.fallbacks)

    def _run_with_buffers(self, tensors: Sequence[Any]) -> list:
        """Buffers that the graph changes are torch's: their values go in before a run and come back after it."""
        pairs = [(view.torch(), self.special.module.get_buffer(path)) for path, view in self.compiled.state.items()]
        with self.lock, torch.no_grad():
            for view, buffer in pairs:
                view.copy_(buffer)
            results = self.compiled.run(tensors)
            for view, buffer in pairs:
                buffer.copy_(view)
        return results

    def __call__(self, tensors: Sequence[Any]) -> Any:
        return self.special.restore(self.engine(tensors))


def _shape_key(tensors: Sequence[Any]) -> tuple:
    return tuple((str(value.dtype), tuple(value.shape)) for value in tensors)


class CompiledFunction:
    """What compile_fx returns. `compiled` is the native code of the first variant (None when torch runs a part of the graph),
    `fallbacks` lists the nodes that were not compiled, `variants` counts what was compiled so far."""

    def __init__(self, module: torch.fx.GraphModule, example_inputs: Sequence[Any], *, dynamic: Dynamic | bool | None,
                 fallback: str, options: dict):
        self.module, self.fallback, self.options = module, fallback, options
        self.recompiles = dynamic is False
        self.dynamic = dynamic or None
        self._convention = _Convention(module)
        self._variants: OrderedDict[Any, _Variant] = OrderedDict()
        self._lock = threading.Lock()
        self._first = self._add(self._convention.values(example_inputs, {}))
        self.__name__ = type(module).__name__

    def _key(self, tensors: list, rest: list) -> Any:
        return repr(rest), _shape_key(tensors) if self.recompiles else None

    def _add(self, values: list) -> _Variant:
        tensors, rest = leaves_of(values)
        variant = _Variant(self.module, values, self.dynamic, self.fallback, self.options)
        self._variants[self._key(tensors, rest)] = variant
        while len(self._variants) > _CACHE:
            self._variants.popitem(last=False)
        return variant

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        values = self._convention.values(args, kwargs)
        tensors, rest = leaves_of(values)
        variant = self._variants.get(self._key(tensors, rest))
        if variant is None:
            if not self.recompiles:
                raise Error("E_GUARD", [], "an input that is no tensor differs from the example's, whose value was compiled in; "
                                           "dynamic=False compiles anew")
            with self._lock:
                variant = self._variants.get(self._key(tensors, rest)) or self._add(values)
        return self._convention.result(variant(tensors))

    @property
    def compiled(self) -> Any:
        """The first variant's native code."""
        return self._first.compiled

    def _code(self) -> Any:
        if self.compiled is None:
            raise Error("E_UNSUPPORTED", self.fallbacks, "torch runs a part of this graph: " + "; ".join(self.fallbacks))
        return self.compiled

    def explain(self, node: str | None = None, kernel: str | None = None) -> Any:
        """Compiled.explain of the first variant: what its code consists of, and why."""
        return self._code().explain(node, kernel)

    def profile(self, *args: Any, runs: int = 10, seconds: float = 0.0, warm_up: int = 3, **kwargs: Any) -> Any:
        """Compiled.profile of the first variant, compiled with profile=True, with the arguments of a call."""
        tensors, _ = leaves_of(self._convention.values(args, kwargs))
        return self._code().profile(*tensors, runs=runs, seconds=seconds, warm_up=warm_up)

    @property
    def fallbacks(self) -> list[str]:
        """Nodes that run through reference kernels or torch."""
        return self._first.eager_nodes or self._first.compiled.fallbacks

    @property
    def variants(self) -> int:
        """How many structures and shapes of inputs were compiled."""
        return len(self._variants)


def compile_fx(graph_module: torch.fx.GraphModule | nn.Module, example_inputs: Sequence[Any], *,
               dynamic: Dynamic | bool | None = None, fallback: str = "interpret", **options: Any) -> CompiledFunction:
    """Compiles a GraphModule (another nn.Module is traced) into a callable with its calling convention.

    example_inputs  forward's arguments: tensors, containers of tensors, and other values, which are compiled in.
    dynamic         {"x": {0: "batch"}} makes sizes symbolic; None: other shapes than the examples' raise Error; False: they are
                    compiled when they come.
    fallback        "interpret": nodes without a compiled form run through reference kernels, unknown ones in torch; "raise": Error
                    lists all of them.
    options         threads, precision, target_cpu, ... as for Module.compile.

    The callable computes no gradients. Weights are read where torch has them, or packed while compiling: a change of a weight needs
    another compile_fx. Errors are fxjit.Error.
    """
    if fallback not in _FALLBACKS:
        raise Error("E_ARG", [], f"fallback is {fallback!r}; expected one of {', '.join(_FALLBACKS)}")
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise Error("E_ARG", [], f"unknown options: {', '.join(unknown)}; known are {', '.join(OPTIONS)}")
    if dynamic is True:
        raise Error("E_ARG", [], 'dynamic=True does not say which sizes: give {"input": {axis: "name"}}')
    if not isinstance(graph_module, torch.fx.GraphModule):
        graph_module = torch.fx.symbolic_trace(graph_module)
    return CompiledFunction(graph_module, example_inputs, dynamic=dynamic, fallback=fallback, options=options)


def _is_symbolic(value: Any) -> bool:
    """What stands for an input without having its data or value, as torch 2 gives it to backends."""
    return type(value).__name__ in ("FakeTensor", "SymInt", "SymFloat", "SymBool")


def backend(graph_module: torch.fx.GraphModule, example_inputs: Sequence[Any], **options: Any) -> Callable:
    """A backend for torch.compile: torch.compile(model, backend=fxjit.backend), or backend="fxjit" when the package is installed.
    Shapes that dynamo passes on are compiled as they come; a graph whose example inputs have no data is compiled at its first call.
    Where gradients are asked for, torch runs the graph. Options are compile_fx's."""
    options.setdefault("dynamic", False)
    weights = [parameter for parameter in graph_module.parameters() if parameter.requires_grad]
    compiled: list[CompiledFunction] = []
    warned: list[bool] = []

    def compile_now(inputs: Sequence[Any]) -> CompiledFunction:
        if not compiled:
            compiled.append(compile_fx(graph_module, inputs, **options))
        return compiled[0]

    def run(*args: Any) -> Any:
        if torch.is_grad_enabled() and (weights or any(is_torch(value) and value.requires_grad for value in args)):
            if not warned:
                warnings.warn("fxjit computes no gradients: torch runs the graph; use torch.no_grad() or torch.inference_mode()")
                warned.append(True)
            return graph_module(*args)
        return compile_now(args)(*args)
    if not any(map(_is_symbolic, example_inputs)):
        compile_now(example_inputs)
    return run
