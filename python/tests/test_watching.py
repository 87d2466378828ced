# SPDX-License-Identifier: Apache-2.0
"""Callbacks of a compilation: progress, cancellation, logs, dumps, what they raise, and signals that come meanwhile."""
from __future__ import annotations

import contextlib
import gc
import io
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import weakref
from pathlib import Path
from typing import Any

import fxjit

DATA = Path(__file__).resolve().parents[2] / "test" / "data"
PHASES = {"graph", "program", "codegen", "init"}


class Odd(Exception):
    """What no library raises."""


def model() -> fxjit.Module:
    """A small convolutional network."""
    return fxjit.load(DATA / "convnet" / "model.onnx")


def long_model(folder: str) -> fxjit.Module:
    """A chain of matrix products, each of which is a kernel of its own: code generation takes about a second."""
    sizes = [40 + 3 * i for i in range(40)]
    lines = ["graph {", f'  %v0 = placeholder "v0" : f32[33, {sizes[0]}]']
    lines += [f'  %w{i} = placeholder "w{i}" : f32[{sizes[i]}, {sizes[i + 1]}]' for i in range(len(sizes) - 1)]
    lines += [f'  %v{i + 1} = call_function "torch.ops.aten.mm.default"(%v{i}, %w{i})' for i in range(len(sizes) - 1)]
    path = Path(folder) / "long.fx"
    path.write_text("\n".join(lines) + f"\n  %output = output(%v{len(sizes) - 1})\n}}\n")
    return fxjit.load(path)


class Progress(unittest.TestCase):
    def test_phases_are_told_on_this_thread(self) -> None:
        told: list = []
        model().compile(progress=lambda *now: told.append((*now, threading.get_ident())))  # None goes on
        self.assertEqual({phase for phase, *_ in told}, PHASES)
        self.assertTrue(all(0 <= percent <= 100 for _, percent, _ in told))
        self.assertEqual({thread for *_, thread in told}, {threading.get_ident()})

    def test_false_cancels(self) -> None:
        with self.assertRaises(fxjit.Cancelled) as caught:
            model().compile(progress=lambda phase, percent: phase != "codegen")
        self.assertEqual(caught.exception.status, "E_CANCELLED")
        self.assertIn("cancelled during codegen", str(caught.exception))
        self.assertIsInstance(caught.exception, fxjit.Error)

    def test_a_module_serves_on_after_it_was_cancelled(self) -> None:
        module = model()
        for phase in sorted(PHASES):
            with self.assertRaises(fxjit.Cancelled):
                module.compile(progress=lambda now, _percent, phase=phase: now != phase)
        self.assertGreater(module.compile().kernel_count, 0)

    def test_its_exception_is_the_caller_s(self) -> None:
        told, odd = [], Odd("mine")

        def tell(phase: str, _percent: int) -> None:
            told.append(phase)
            if phase == "program":
                raise odd
        with self.assertRaises(Odd) as caught:
            model().compile(progress=tell)
        self.assertIs(caught.exception, odd)
        self.assertIsNone(odd.__context__)
        self.assertEqual(told.count("program"), 1)  # nobody is asked again

    def test_texts_are_cancelled_too(self) -> None:
        with self.assertRaises(fxjit.Cancelled):
            model().text("program", progress=lambda *_: False)

    def test_callbacks_and_what_they_raise_are_freed(self) -> None:
        def tell(_phase: str, _percent: int) -> None:
            raise Odd
        with contextlib.suppress(Odd):
            model().compile(progress=tell)
        known = weakref.ref(tell)
        del tell
        gc.collect()
        self.assertIsNone(known())

    def test_threads_have_callbacks_of_their_own(self) -> None:
        results: dict[int, Any] = {}

        def work(number: int) -> None:
            def tell(_phase: str, _percent: int) -> bool:
                if number == 1:
                    raise Odd(number)
                return number != 2
            try:
                results[number] = model().compile(progress=tell).kernel_count
            except Exception as error:
                results[number] = type(error)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((results[1], results[2]), (Odd, fxjit.Cancelled))
        self.assertEqual(results[0], results[3])


class Logs(unittest.TestCase):
    def test_levels(self) -> None:
        for level, present, absent in (("info", "fuse: ", "schedule: k0"), ("debug", "schedule: k0", "nothing")):
            lines: list = []
            model().compile(log=lambda *line: lines.append(line), log_level=level)
            self.assertTrue(any(present in line for _, line in lines), level)
            self.assertFalse(any(absent in line for _, line in lines), level)
            self.assertIn((level, True), {(found, "\n" not in line) for found, line in lines})

    def test_a_level_alone_prints(self) -> None:
        out = io.StringIO()
        with contextlib.redirect_stderr(out):
            model().compile(log="info")
            model().compile(log="warning")
        self.assertEqual(out.getvalue().count("fxjit: lower: "), 1)

    def test_loggers_keep_their_levels(self) -> None:
        with self.assertLogs("fxjit.test", logging.INFO) as caught:
            model().compile(log=logging.getLogger("fxjit.test"))
        self.assertIn("plan: workspace", "\n".join(caught.output))
        self.assertEqual({record.levelno for record in caught.records}, {logging.INFO})
        with self.assertLogs("fxjit.test", logging.DEBUG) as caught:
            model().compile(log=logging.getLogger("fxjit.test"))
        self.assertIn(logging.DEBUG, {record.levelno for record in caught.records})

    def test_warnings(self) -> None:
        lines: list = []
        text = 'graph {\n  %x = placeholder "x" : f32[8]\n  %y = call_function "torch.ops.aten.argsort.default"(%x)\n  %output = output(%y)\n}\n'
        with tempfile.NamedTemporaryFile("w", suffix=".fx") as file:
            file.write(text)
            file.flush()
            fxjit.load(file.name).compile(log=lambda *line: lines.append(line), log_level="warning")
        self.assertEqual([level for level, _ in lines], ["warning"])
        self.assertIn("runs through its reference kernel", lines[0][1])

    def test_exceptions(self) -> None:
        def log(_level: str, line: str) -> None:
            raise Odd(line)
        with self.assertRaises(Odd):
            model().compile(log=log)
        with self.assertRaisesRegex(fxjit.Error, "did you mean 'debug'"):
            model().compile(log="debgu")
        with self.assertRaisesRegex(fxjit.Error, "log is a int"):
            model().compile(log=3)


class Dumps(unittest.TestCase):
    def test_files(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            model().compile(dump=Path(folder) / "dump", dump_forms="core,program")
            names = sorted(os.listdir(Path(folder) / "dump"))
            self.assertEqual(names[0], "000-normalise.core.fx")
            self.assertTrue(names[-1].endswith("-plan.program"))

    def test_texts(self) -> None:
        found: dict = {}
        compiled = model().compile(dump=lambda form, name, text: found.setdefault((form, name), text))
        self.assertEqual({form for form, _ in found}, {"fx", "core", "program", "llvm", "asm", "obj"})
        self.assertEqual(sum(form == "asm" for form, _ in found), compiled.kernel_count + 1)
        self.assertEqual(found["obj", "entry"][:4], b"\x7fELF")
        self.assertEqual(found["program", "plan"], model().text("program"))

    def test_problems(self) -> None:
        with self.assertRaisesRegex(fxjit.Error, "did you mean 'program'"):
            model().compile(dump="x", dump_forms=["programm"])
        with self.assertRaisesRegex(fxjit.Error, "not where to"):
            model().compile(dump_forms="asm")
        with self.assertRaises(fxjit.Error) as caught:
            model().compile(dump="/proc/no/such/folder")
        self.assertEqual(caught.exception.status, "E_IO")

    def test_exceptions(self) -> None:
        def dump(form: str, _name: str, _text: Any) -> None:
            if form == "obj":  # behind the last question: the code is whole, and is given back
                raise Odd(form)
        with self.assertRaises(Odd):
            model().compile(dump=dump)


ALARMS = """
import random, signal, sys, fxjit
class Alarm(Exception): pass
def ring(*_): raise Alarm
module, random = fxjit.load(sys.argv[1]), random.Random(1)
signal.signal(signal.SIGALRM, ring)
rung = through = 0
while rung < 20 and rung + through < 200:
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-4, 3e-2))
        module.compile(threads=1)
        signal.setitimer(signal.ITIMER_REAL, 0)
        through += 1
    except Alarm:
        rung += 1
    assert signal.getsignal(signal.SIGALRM) is ring
print(rung)
"""


class Signals(unittest.TestCase):
    def test_interrupt_stops_a_long_compilation(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            module = long_model(folder)
            began: list[float] = []

            def interrupt() -> None:
                began.append(time.monotonic())
                os.kill(os.getpid(), signal.SIGINT)
            timer = threading.Timer(0.1, interrupt)
            with self.assertRaises(KeyboardInterrupt):
                timer.start()
                module.compile(threads=1)
                self.fail(f"was through after {time.monotonic() - began[0] if began else 0} s")
            self.assertLess(time.monotonic() - began[0], 5)

    def test_any_moment_will_do(self) -> None:
        path = os.pathsep.join([str(Path(fxjit.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run([sys.executable, "-c", ALARMS, DATA / "convnet" / "model.onnx"], env=dict(os.environ, PYTHONPATH=path),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))  # "Exception ignored" would stand there
        self.assertEqual(int(done.stdout), 20)

    def test_handlers_that_raise_nothing_change_nothing(self) -> None:
        calls: list[int] = []
        before = signal.signal(signal.SIGUSR1, lambda number, _frame: calls.append(number))
        try:
            self.assertGreater(model().compile(progress=lambda *_: signal.raise_signal(signal.SIGUSR1)).kernel_count, 0)
            self.assertGreater(len(calls), 3)
        finally:
            signal.signal(signal.SIGUSR1, before)


if __name__ == "__main__":
    unittest.main()
