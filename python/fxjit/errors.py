# SPDX-License-Identifier: Apache-2.0
"""The exception of the package, and contexts: where the library writes its diagnostics."""
from __future__ import annotations

import ctypes
import threading
import warnings

from ._library import lib

STATUSES = ("OK", "E_ARG", "E_OOM", "E_IO", "E_FORMAT", "E_TYPE", "E_SHAPE", "E_UNSUPPORTED", "E_NOT_FOUND", "E_GRAPH", "E_GUARD",
            "E_INDEX", "E_ALIAS", "E_CODEGEN", "E_INTERNAL", "E_CANCELLED")
_SEVERITIES = ("note", "warning", "error")


class Error(RuntimeError):
    """What the library refused. `status` is its name ("E_SHAPE"), `diagnostics` its messages, the oldest first."""

    def __init__(self, status: str, diagnostics: list[str], message: str | None = None):
        self.status, self.diagnostics = status, diagnostics
        super().__init__(message or "\n".join(diagnostics) or f"fxjit: {status}")


class Cancelled(Error):
    """A progress callback said False. What it raises instead reaches the caller as it is."""


class Context:
    """An fx_context. One thread at a time may use it, which the lock ensures; freed with its last owner."""

    def __init__(self) -> None:
        self.handle = lib().fx_context_new()
        if not self.handle:
            raise MemoryError("fxjit: out of memory")
        self.lock = threading.RLock()

    def __del__(self) -> None:
        handle, self.handle = getattr(self, "handle", None), None
        if handle and lib is not None:
            lib().fx_context_free(handle)

    def messages(self, severities: tuple[str, ...] = ("warning", "error", "note")) -> list[str]:
        """The diagnostics of these severities."""
        severity, out = ctypes.c_int(), []
        for index in range(lib().fx_context_diag_count(self.handle)):
            words = lib().fx_context_diag(self.handle, index, ctypes.byref(severity))
            if _SEVERITIES[severity.value] in severities and words:
                out.append(words.decode(errors="replace"))
        return out

    def clear(self) -> None:
        """Forgets all diagnostics."""
        lib().fx_context_clear(self.handle)

    def check(self, status: int) -> None:
        """Raises Error with this context's diagnostics unless the status is FX_OK, else passes warnings on; clears them."""
        if status == 0:
            for message in self.messages(("warning",)):
                warnings.warn(f"fxjit: {message}", stacklevel=3)
            self.clear()
            return
        name = STATUSES[status] if 0 <= status < len(STATUSES) else str(status)
        messages = self.messages()
        self.clear()
        kind = Cancelled if name == "E_CANCELLED" else Error
        raise kind(name, messages, "\n".join(messages) or f"fxjit: {lib().fx_status_text(status).decode()}")
