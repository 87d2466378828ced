# SPDX-License-Identifier: Apache-2.0
"""Options of a compilation as keywords, and its callbacks. What a callback raises is held while the library goes on to its next
question, which cancels it, and is then raised to the caller as it is; so is what a handler of signals raises, KeyboardInterrupt
above all.
"""
from __future__ import annotations

import contextlib
import ctypes
import difflib
import logging
import os
import signal
import sys
import threading
from typing import Any, Callable, Iterable, Iterator

from . import _library as c
from .errors import Error

WATCHING = ("progress", "log", "log_level", "dump", "dump_forms")  # what changes nothing of the code
OPTIONS = ("threads", "precision", "target_triple", "target_cpu", "target_features", "fusion", "in_place", "verify", "perf_map",
           "gdb", "profile", *WATCHING)

_PYTHON_LEVELS = {"warning": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}


def choice(what: str, word: Any, table: Iterable[str]) -> str:
    """The word when the table has it; else Error with the nearest one."""
    known = list(table)
    if word in known:
        return word
    near = difflib.get_close_matches(str(word), known, 1)
    raise Error("E_ARG", [], f"{what} is {word!r}; expected one of {', '.join(known)}" + (f" (did you mean {near[0]!r}?)" if near else ""))


# ---- Exceptions while the library works ---------------------------------------------------------------------------------------


class Held:
    """The first exception that came up while the library was at work."""

    def __init__(self) -> None:
        self.exception: BaseException | None = None
        self.active = False

    def keep(self, exception: BaseException) -> None:
        """Only the first one counts."""
        self.exception = self.exception or exception

    def handler(self, original: Callable) -> Callable:
        """A handler of signals that keeps what the original raises: it might be called between two lines of a callback, where
        nobody could catch it. One that is left behind is the original."""
        def handle(number: int, frame: Any) -> None:
            if not self.active:
                original(number, frame)
                return
            try:
                original(number, frame)
            except BaseException as exception:
                self.keep(exception)
        return handle

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Holds what Python's handlers of signals raise; they only ever run in the main thread."""
        changed: list[tuple[int, Callable, Callable]] = []
        if threading.current_thread() is threading.main_thread():
            for number in signal.valid_signals():
                original = signal.getsignal(number)
                if callable(original):
                    changed.append((number, original, self.handler(original)))
        self.active = True
        try:
            for number, _, replaced in changed:
                signal.signal(number, replaced)
            yield
        finally:
            for number, original, replaced in changed:
                if signal.getsignal(number) is replaced:  # else the original has chosen another one
                    signal.signal(number, original)
            self.active = False

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Around a call of the library: what was held is raised behind it."""
        try:
            with self.signals():
                yield
        except Error:
            if self.exception is None:
                raise
        if self.exception is not None:
            self._raise()

    def _raise(self) -> None:
        """The exception as it was: that the library was cancelled has not caused it."""
        exception, self.exception = self.exception, None
        context = exception.__context__
        try:
            raise exception
        finally:
            exception.__context__ = context
            del exception, context  # its traceback knows this frame

    def progress(self, function: Callable[[str, int], Any] | None) -> Any:
        """The library's callback: the caller's function, which says False to cancel, and the moment at which signals are noticed."""
        def tell(_user: Any, phase: bytes, percent: int) -> bool:
            try:
                return self.exception is None and (function is None or function(phase.decode(), percent) is not False)
            except BaseException as exception:
                self.keep(exception)
                return False
        return c.Progress(tell)


# ---- Logs and dumps -----------------------------------------------------------------------------------------------------------


def _print_line(_level: str, line: str) -> None:
    print(f"fxjit: {line}", file=sys.stderr)


def _log_of(log: Any, level: str | None) -> tuple[Callable[[str, str], Any] | None, str]:
    """The function of level and line, and down to which level it is called."""
    if log is None:
        return (_print_line if level else None), choice("log_level", level or "none", c.LOG_LEVELS)
    if isinstance(log, str):
        return _print_line, choice("log", log, c.LOG_LEVELS)
    if isinstance(log, logging.Logger):
        wanted = [name for name, number in _PYTHON_LEVELS.items() if log.isEnabledFor(number)]
        return (lambda severity, line: log.log(_PYTHON_LEVELS[severity], line)), choice(
            "log_level", level or (wanted[-1] if wanted else "none"), c.LOG_LEVELS)
    if callable(log):
        return log, choice("log_level", level or "info", c.LOG_LEVELS)
    raise Error("E_ARG", [], f"log is a {type(log).__name__}; expected a level, a function of level and line, or a logging.Logger")


def _forms(dump_forms: str | Iterable[str] | None) -> int:
    """FX_DUMP_*."""
    if dump_forms is None or dump_forms == "all":
        return sum(1 << code for code in c.FORMS.values())
    names = [name.strip() for name in dump_forms.split(",")] if isinstance(dump_forms, str) else list(dump_forms)
    return sum(1 << c.FORMS[name] for name in {choice("a form in dump_forms", name, c.FORMS) for name in names})


class Options(Held):
    """fx_compile_options from keywords, with what it points to."""

    def __init__(self, *, threads: int = 0, precision: str = "default", target_triple: str | None = None,
                 target_cpu: str | None = None, target_features: str | None = None, fusion: bool = True, in_place: bool = True,
                 verify: bool = False, perf_map: bool = False, gdb: bool = False, profile: bool = False,
                 progress: Callable[[str, int], Any] | None = None, log: Any = None, log_level: str | None = None,
                 dump: Any = None, dump_forms: str | Iterable[str] | None = None):
        super().__init__()
        self.struct = c.CompileOptions(threads, c.PRECISIONS[choice("precision", precision, c.PRECISIONS)])
        for name, text in (("target_triple", target_triple), ("target_cpu", target_cpu), ("target_features", target_features)):
            setattr(self.struct, name, text.encode() if text is not None else None)
        self.struct.no_fusion, self.struct.no_in_place, self.struct.verify = not fusion, not in_place, verify
        self.struct.perf_map, self.struct.gdb, self.struct.profile = perf_map, gdb, profile
        self._alive: list[Any] = []  # ctypes' functions
        self._set("progress", self.progress(progress))
        function, level = _log_of(log, log_level)
        self.struct.log_level = c.LOG_LEVELS.index(level)
        if function is not None and level != "none":
            self._set("log", c.Log(lambda _user, severity, line: self._guard(
                function, c.LOG_LEVELS[severity], line.decode(errors="replace"))))
        if dump is not None:
            self.struct.dump = _forms(dump_forms)
            if callable(dump):
                self._set("dump_text", c.Dump(lambda _user, form, name, data, size: self._guard(self._dump, dump, form, name, data, size)))
            else:
                self.struct.dump_directory = os.fsencode(dump)
        elif dump_forms is not None:
            raise Error("E_ARG", [], "dump_forms says which forms, but not where to: dump=FOLDER or dump=FUNCTION")

    def _set(self, field: str, function: Any) -> None:
        self._alive.append(function)
        setattr(self.struct, field, ctypes.cast(function, ctypes.c_void_p))

    def _guard(self, function: Callable, *arguments: Any) -> None:
        """Calls the caller's function; after an exception nothing is told any more, and the next question is answered with no."""
        if self.exception is not None:
            return
        try:
            function(*arguments)
        except BaseException as exception:
            self.keep(exception)

    @staticmethod
    def _dump(function: Callable, form: int, name: bytes, data: int, size: int) -> None:
        word, content = list(c.FORMS)[form], ctypes.string_at(data, size)
        function(word, name.decode(), content if word == "obj" else content.decode(errors="replace"))
