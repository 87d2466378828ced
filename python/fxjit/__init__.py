# SPDX-License-Identifier: Apache-2.0
"""fxjit: compiles torch.fx graphs, ONNX and .fxm models to native code.

    module = fxjit.load("model.fxm");  y = module.run(x)              # numpy alone is enough
    fxjit.export(graph_module, "model.fxm", (x,))                     # needs torch, as all below
    fast = fxjit.compile_fx(graph_module, (x,));  y = fast(x)
    fast = torch.compile(model, backend=fxjit.backend)

docs/PYTHON.md of the project tells the rest.
"""
from __future__ import annotations

from typing import Any

from .errors import Cancelled, Error
from .module import Compiled, Module, load
from .reports import Explanation, Machine, Mismatch, Nonfinite, Profile, machine
from .tensors import Tensor, from_dlpack

__all__ = ["Cancelled", "Compiled", "Dim", "Error", "Explanation", "Machine", "Mismatch", "Module", "Nonfinite", "Profile", "Tensor",
           "backend", "compile_fx", "export", "from_dlpack", "load", "machine", "operators", "version"]
__version__ = "0.1.0"

_NEEDS_TORCH = {"export": "exporter", "Dim": "exporter", "compile_fx": "torch_backend", "backend": "torch_backend"}


def version() -> str:
    """The version of the library."""
    from ._library import lib
    return lib().fx_version().decode()


def operators() -> dict[str, str]:
    """The operator table: target -> schema."""
    from ._library import lib
    rows = [lib().fx_op_at(index) for index in range(lib().fx_op_count())]
    return {lib().fx_op_target(row).decode(): lib().fx_op_schema(row).decode() for row in rows}


def _needs_torch(name: str) -> Any:
    import importlib
    return getattr(importlib.import_module(f".{_NEEDS_TORCH[name]}", __name__), name)


def __getattr__(name: str) -> Any:
    """What needs torch is imported at its first use."""
    if name not in _NEEDS_TORCH:
        raise AttributeError(f"module 'fxjit' has no attribute {name!r}")
    value = _needs_torch(name)
    globals()[name] = value
    return value
