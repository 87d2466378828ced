# SPDX-License-Identifier: Apache-2.0
"""Modules and compiled graphs of the library as Python objects. Works with numpy alone; torch tensors go in and come out when the
caller's inputs are torch tensors.
"""
from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import weakref
from typing import Any, Callable, Iterator, Mapping, Sequence

from . import _library as c
from . import reports
from .errors import STATUSES, Context, Error
from .options import WATCHING, Held, Options, choice
from .tensors import Tensor, adopt, borrow, borrow_all, is_torch, new, present

_per_thread = threading.local()


def _run_context() -> Context:
    """Where this thread's runs write their reasons: compiled graphs may run in many threads, contexts may not."""
    if not hasattr(_per_thread, "context"):
        _per_thread.context = Context()
    return _per_thread.context


# ---- Owners -------------------------------------------------------------------------------------------------------------------


class _Owner:
    """Frees a module when neither its Module nor any of its compiled graphs is left, and then lets go of its context and of the
    weights that it borrowed."""

    def __init__(self, context: Context, handle: int, alive: Any):
        self.context, self._finalizer = context, weakref.finalize(self, _free_module, context, handle, alive)


def _free_module(context: Context, handle: int, alive: Any) -> None:
    with context.lock:
        c.lib().fx_module_free(handle)
    del alive


def _free_compiled(handle: int, owner: _Owner) -> None:
    c.lib().fx_compiled_free(handle)
    del owner


# ---- Compiled graphs ----------------------------------------------------------------------------------------------------------


class Compiled:
    """Native code of a graph. Call it with the graph's inputs; it may run in many threads at once. Weights stay where the module
    has them or were packed into the code's own memory: changing them afterwards has no defined effect."""

    def __init__(self, module: "Module", handle: int):
        self._handle, owner = handle, module._owner
        self._context, self._finalizer = owner.context, weakref.finalize(self, _free_compiled, handle, owner)
        self._n_inputs, self._n_outputs = len(module.inputs), len(module.outputs)
        self._known: dict[tuple, list] = {}  # shapes of inputs -> (dtype, shape) of the outputs
        self._lock = threading.Lock() if self.state else contextlib.nullcontext()  # runs that share a state follow each other

    def run(self, inputs: Sequence[Any]) -> list:
        """The outputs, in order: torch tensors when an input is one, else numpy arrays (fxjit.Tensor for bf16)."""
        given, alive = borrow_all(inputs)
        as_torch = any(is_torch(value) for value in inputs)
        key = tuple(tuple(given[i].dim[:given[i].rank]) for i in range(len(inputs)))
        known = self._known.get(key)
        ready = [new(dtype, shape, as_torch) for dtype, shape in known] if known else [None] * self._n_outputs
        out = (c.Tensor * max(self._n_outputs, 1))()
        for index, value in enumerate(ready):
            if value is not None:
                out[index], _ = borrow(value)
        context = _run_context()
        with self._lock:
            status = c.lib().fx_run(self._handle, context.handle, given, len(inputs), out, self._n_outputs)
        context.check(status)
        del alive
        results = [value if value is not None else present(adopt(out[index]), as_torch) for index, value in enumerate(ready)]
        if known is None:
            self._known[key] = [(c.DTYPES[out[i].dtype], tuple(out[i].dim[:out[i].rank])) for i in range(self._n_outputs)]
        return results

    def __call__(self, *inputs: Any) -> Any:
        results = self.run(inputs)
        return results[0] if len(results) == 1 else tuple(results)

    @property
    def state(self) -> dict[str, Tensor]:
        """The buffers that runs change, by dotted path: views of the memory in which they persist from run to run."""
        lib, out = c.lib(), {}
        for path in [lib.fx_compiled_state_path(self._handle, index) for index in range(lib.fx_compiled_state_count(self._handle))]:
            struct = c.Tensor()
            _run_context().check(lib.fx_state_tensor(lib.fx_compiled_state(self._handle), path, ctypes.byref(struct)))
            out[path.decode()] = Tensor(struct, self)
        return out

    def reset(self) -> None:
        """Gives the state the values that the module had when it was compiled."""
        if self.state:
            c.lib().fx_state_reset(c.lib().fx_compiled_state(self._handle))

    @property
    def fallbacks(self) -> list[str]:
        """Nodes that run through their reference kernel, with the reason; empty when all were compiled."""
        lib = c.lib()
        return [lib.fx_compiled_fallback(self._handle, i).decode() for i in range(lib.fx_compiled_fallback_count(self._handle))]

    @property
    def kernel_count(self) -> int:
        """Number of compiled kernels."""
        return c.lib().fx_compiled_kernel_count(self._handle)

    @property
    def code_hash(self) -> int:
        """Equal for equal programs."""
        return c.lib().fx_compiled_code_hash(self._handle)

    @property
    def flop(self) -> int:
        """Floating point operations of one run."""
        return c.lib().fx_compiled_flop(self._handle)

    @property
    def prototype(self) -> str:
        """The C prototype of the typed entry."""
        return c.lib().fx_compiled_prototype(self._handle).decode()

    def explain(self, node: str | None = None, kernel: str | None = None) -> reports.Explanation:
        """What the code consists of, and why: a dictionary, and `fxjit explain`'s text when printed. Of all nodes or of those whose
        name matches ("conv*"), of all kernels or of one ("k3")."""
        return reports.explain(self._handle, self._context, node, kernel)

    def kernel_text(self, kernel: int | str, stage: str = "asm") -> str:
        """One kernel, by index or name ("k3"): "program", "llvm" or "asm"."""
        index, out = int(kernel[1:]) if isinstance(kernel, str) and kernel[1:].isdigit() else kernel, c.P()
        if not isinstance(index, int):
            raise Error("E_ARG", [], f"kernel is {kernel!r}; expected an index or a name such as 'k3'")
        form = c.STAGES[choice("stage", stage, ("program", "llvm", "asm"))]
        with self._context.lock:
            self._context.clear()
            self._context.check(c.lib().fx_explain_kernel(self._handle, index, form, ctypes.byref(out)))
            return c.text(out.value)

    def profile(self, *inputs: Any, runs: int = 10, seconds: float = 0.0, warm_up: int = 3) -> reports.Profile:
        """Measured times of every unit over at least so many runs and seconds with these inputs, which runs may change; for code
        compiled with profile=True."""
        given, alive = borrow_all(inputs)
        about, context = self.explain(), _run_context()
        with self._lock:
            found = reports.profile_run(self._handle, context, about, given, len(alive), runs, seconds, warm_up)
        del alive
        return found


# ---- Modules ------------------------------------------------------------------------------------------------------------------


class Parameters(Mapping):
    """The module's tensors by dotted path, as numpy views (fxjit.Tensor for bf16) of the module's memory."""

    def __init__(self, module: "Module"):
        self._module = module

    def __getitem__(self, path: str) -> Any:
        found = c.lib().fx_module_tensor(self._module._handle, path.encode())
        if not found:
            raise KeyError(path)
        array = present(Tensor(c.Tensor.from_buffer_copy(found.contents), self._module), as_torch=False)
        if hasattr(array, "flags"):
            array.flags.writeable = False  # the memory may be a mapped file
        return array

    def __iter__(self) -> Iterator[str]:
        lib = c.lib()
        return iter([lib.fx_module_tensor_path(self._module._handle, i).decode() for i in range(len(self))])

    def __len__(self) -> int:
        return c.lib().fx_module_tensor_count(self._module._handle)


class Module:
    """A graph with its tensors: what fxjit.load returns. `print(module)` lists the graph as torch.fx does."""

    def __init__(self, context: Context, handle: int, alive: Any = None):
        self._context, self._handle, self._owner = context, handle, _Owner(context, handle, alive)
        self._cache: dict[tuple, Compiled] = {}

    # -- Looking

    @property
    def name(self) -> str:
        """The module's name."""
        return c.lib().fx_module_name(self._handle).decode()

    @property
    def inputs(self) -> list[str]:
        """Names of the inputs, in order."""
        lib = c.lib()
        return [lib.fx_module_input_name(self._handle, i).decode() for i in range(lib.fx_module_input_count(self._handle))]

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs, in order."""
        lib = c.lib()
        return [lib.fx_module_output_name(self._handle, i).decode() for i in range(lib.fx_module_output_count(self._handle))]

    def _type(self, found: Any) -> tuple | None:
        if not found:
            return None
        kind, graph = found.contents, c.lib().fx_module_graph(self._handle)
        dims = [kind.dim[i] for i in range(kind.rank)]
        return c.DTYPES[kind.dtype], tuple(d if d >= -(1 << 62) else c.lib().fx_graph_dim_text(graph, d).decode() for d in dims)

    @property
    def input_types(self) -> list:
        """(dtype, shape) of each input, a symbolic size as text; None where the file has no type."""
        lib = c.lib()
        return [self._type(lib.fx_module_input_type(self._handle, i)) for i in range(lib.fx_module_input_count(self._handle))]

    @property
    def parameters(self) -> Parameters:
        """Parameters and buffers by dotted path."""
        return Parameters(self)

    def _text(self, function: Callable) -> str:
        with self._context.lock:
            return c.text(function(c.lib().fx_module_graph(self._handle)))

    def __str__(self) -> str:
        return self._text(c.lib().fx_graph_to_string)

    def __repr__(self) -> str:
        return f"<fxjit.Module {self.name}: {len(self.inputs)} inputs, {len(self.outputs)} outputs>"

    @property
    def code(self) -> str:
        """The function forward, as graph_module.code of torch.fx shows it."""
        return self.python()

    def python(self, *, verbose: bool = False, imports: bool = False) -> str:
        """The same, with source locations and shapes as comments, or with the imports that it needs to run."""
        options = c.PythonOptions(None, verbose, imports)
        return self._text(lambda graph: c.lib().fx_graph_to_python(graph, ctypes.byref(options)))

    @property
    def table(self) -> str:
        """The graph as torch.fx's print_tabular writes it."""
        return self._text(c.lib().fx_graph_to_table)

    @property
    def dot(self) -> str:
        """The graph for Graphviz."""
        return self._text(c.lib().fx_graph_to_dot)

    def text(self, stage: str, example_inputs: Sequence[Any] | None = None, **options: Any) -> str:
        """One form of the compilation: "fx", "core", "program", "llvm" or "asm"."""
        if stage not in c.STAGES:
            raise Error("E_ARG", [], f"stage is {stage!r}; expected one of {', '.join(c.STAGES)}")
        given, alive = borrow_all(example_inputs or [])
        out, size, chosen = c.P(), ctypes.c_size_t(), Options(**options)
        with self._context.lock, chosen.working():
            self._context.clear()
            status = c.lib().fx_compile_text(self._handle, given if example_inputs is not None else None, len(alive),
                                             ctypes.byref(chosen.struct), c.STAGES[stage], ctypes.byref(out), ctypes.byref(size))
            self._context.check(status)
            return c.text(out.value)

    # -- Doing

    def compile(self, example_inputs: Sequence[Any] | None = None, **options: Any) -> Compiled:
        """Native code for inputs like the examples (not needed when the graph has its types). Options:

        threads             0: as many as cores
        precision           "default", "strict" (every node rounds on its own) or "fast"
        target_triple, target_cpu, target_features; fusion, in_place (both True)
        verify              check every form after every pass
        profile             `Compiled.profile` measures the code
        perf_map, gdb       perf and gdb show kernels by name
        progress            function(phase, percent), called on this thread; False cancels: fxjit.Cancelled
        log                 "warning", "info", "debug" (to sys.stderr), function(level, line), or a logging.Logger; log_level: for
                            the last two, "info" or the logger's own unless it is given
        dump                a new folder for numbered files, or function(form, pass, text), text being bytes for "obj"
        dump_forms          of "fx", "core", "program", "llvm", "asm", "obj"; all unless it is given

        What a callback raises ends the compilation and reaches the caller, as does KeyboardInterrupt."""
        given, alive = borrow_all(example_inputs or [])
        out, chosen = c.P(), Options(**options)
        with self._context.lock, chosen.working():
            self._context.clear()
            self._context.check(c.lib().fx_compile(self._handle, given if example_inputs is not None else None, len(alive),
                                                   ctypes.byref(chosen.struct), ctypes.byref(out)))
            return Compiled(self, out.value)

    def interpret(self, *inputs: Any) -> Any:
        """Runs the graph node by node with reference kernels: slow, and the meaning of the graph."""
        given, alive = borrow_all(inputs)
        n_outputs = len(self.outputs)
        out = (c.Tensor * max(n_outputs, 1))()
        with self._context.lock:
            self._context.clear()
            self._context.check(c.lib().fx_interpret(self._handle, given, len(inputs), out, n_outputs))
        del alive
        as_torch = any(is_torch(value) for value in inputs)
        results = [present(adopt(out[index]), as_torch) for index in range(n_outputs)]
        return results[0] if len(results) == 1 else tuple(results)

    def bisect(self, *inputs: Any, against: Mapping[str, Any] | None = None, ulp: float = -1.0,
               progress: Callable[[str, int], Any] | None = None, **options: Any) -> reports.Mismatch | None:
        """Where compiled code with these options differs from the interpreter by more than rounding explains, or from code with the
        options `against` by more than `ulp` units of the last place (below 0: than rounding explains): the first form, pass and
        node that are wrong, and the smallest graph that shows it. None: nothing differs. Takes dozens of compilations; progress
        and KeyboardInterrupt as for `compile`."""
        given, alive = borrow_all(inputs)
        held, mine, other, out = Held(), Options(**options), Options(**against) if against is not None else None, c.P()
        tell = held.progress(progress)
        chosen = c.BisectOptions(ctypes.pointer(mine.struct), ctypes.pointer(other.struct) if other else None, ulp,
                                 ctypes.cast(tell, ctypes.c_void_p), None)
        with self._context.lock, held.working():
            self._context.clear()
            status = c.lib().fx_bisect(self._handle, given, len(alive), ctypes.byref(chosen), ctypes.byref(out))
            if status == STATUSES.index("E_NOT_FOUND") and not self._context.messages(("error",)):
                self._context.clear()
                return None
            self._context.check(status)
            return reports.mismatch(out, self._context, self._owner)

    def find_nonfinite(self, *inputs: Any, engine: str = "compiled", **options: Any) -> list[reports.Nonfinite]:
        """The nodes in which NaN and infinity arise, in the order of execution, with engine "compiled" or "interpreter"."""
        given, alive = borrow_all(inputs)
        chosen, out = Options(**options), c.P()
        compiled = choice("engine", engine, ("compiled", "interpreter")) == "compiled"
        with self._context.lock, chosen.working():
            self._context.clear()
            self._context.check(c.lib().fx_find_nonfinite(self._handle, given, len(alive), ctypes.byref(chosen.struct), compiled,
                                                          ctypes.byref(out)))
            return reports.nonfinites(out)

    def run(self, *inputs: Any, **options: Any) -> Any:
        """Compiles for inputs of these types at the first time, then runs."""
        structs, alive = borrow_all(inputs)
        shapes = tuple((structs[i].dtype, *structs[i].dim[:structs[i].rank]) for i in range(len(inputs)))
        key = shapes, tuple(sorted((name, value) for name, value in options.items() if name not in WATCHING))
        if key not in self._cache:
            self._cache[key] = self.compile(inputs, **options)
        return self._cache[key](*inputs)

    def save(self, path: str | os.PathLike) -> None:
        """Writes the module as .fxm."""
        with self._context.lock:
            self._context.clear()
            self._context.check(c.lib().fx_module_save(self._handle, os.fsencode(path)))


def load(path: str | os.PathLike) -> Module:
    """Reads a model: .fxm, ONNX or .fx text, told by its content."""
    context, out = Context(), c.P()
    context.check(c.lib().fx_load(context.handle, os.fsencode(path), ctypes.byref(out)))
    return Module(context, out.value)


def from_graph(graph: str, tensors: Mapping[str, Any], name: str = "graph") -> Module:
    """A module from the text of a graph.json and tensors by key, whose memory is borrowed for the module's life."""
    context, out, text = Context(), c.P(), graph.encode()
    named, alive = (c.NamedTensor * max(len(tensors), 1))(), []
    for index, (key, tensor) in enumerate(tensors.items()):
        struct, owner = borrow(tensor)
        named[index] = c.NamedTensor(key.encode(), struct)
        alive.append(owner)
    context.check(c.lib().fx_import_graph(context.handle, text, len(text), name.encode(), named, len(tensors), ctypes.byref(out)))
    return Module(context, out.value, alive)
