# SPDX-License-Identifier: Apache-2.0
"""What the library tells of compiled code, as Python objects: explanations, profiles, mismatches, NaN, and the machine's limits."""
from __future__ import annotations

import ctypes
import json
import math
import os
import warnings
import weakref
from dataclasses import asdict, dataclass, field
from typing import Any

from . import _library as c
from .errors import Context, Error

# ---- What the code consists of ------------------------------------------------------------------------------------------------


class Explanation(dict):
    """What compiled code consists of, and why: a dictionary with the names of fxjit/inspect.h ("units", "kernels", "pairs",
    "buffers", "elsewhere", "fallbacks" and totals such as "flop"). `print` shows the text of `fxjit explain`."""

    def __init__(self, content: dict, text: str):
        super().__init__(content)
        self._text = text

    def __str__(self) -> str:
        return self._text


def explain(compiled: int, context: Context, node: str | None, kernel: str | None) -> Explanation:
    """fx_explain, as an object."""
    chosen = c.ExplainFilter(node.encode() if node else None, kernel.encode() if kernel else None, 0)
    with _explanation(compiled, context) as handle:
        content = json.loads(c.text(c.lib().fx_explanation_to_json(handle, ctypes.byref(chosen))))
        return Explanation(content, c.text(c.lib().fx_explanation_to_string(handle, ctypes.byref(chosen))))


class _explanation:
    """An fx_explanation for the time of a block; it allocates from the module's context, which is locked."""

    def __init__(self, compiled: int, context: Context):
        self._compiled, self._context, self._handle = compiled, context, c.P()

    def __enter__(self) -> Any:
        with self._context.lock:
            self._context.clear()
            self._context.check(c.lib().fx_explain(self._compiled, ctypes.byref(self._handle)))
        return self._handle

    def __exit__(self, *_exception: Any) -> None:
        with self._context.lock:
            c.lib().fx_explanation_free(self._handle)


# ---- Where its time goes ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class UnitProfile:
    """One unit of a run: times in microseconds, over all timed runs; what a unit is stands in Compiled.explain()["units"]."""
    index: int
    kind: str  # "run" (a kernel), "call" (a reference kernel), "if", "loop", "assert"
    label: str
    nodes: tuple[str, ...]
    kernel: str | None
    emitter: str | None
    runs: int  # executions
    median_us: float  # of one execution
    min_us: float
    max_us: float
    total_us: float
    run_us: float  # all executions of a run
    own_us: float  # the same without the units inside an IF or LOOP
    share: float  # of the run's time
    wait_us: float  # the first thread's waiting for the others
    balance: float  # 1: threads had even shares
    busy_us: tuple[float, ...]  # by thread
    expected_us: float  # of a run at one thread, by the target's cost model
    bound: str  # by what, according to the same
    flop: int  # of a run
    bytes: int
    gflops: float
    gbps: float


@dataclass(frozen=True)
class Profile:
    """Measured times of compiled code, in microseconds. `rows()` are for tables of any sort, `print` shows the longest first."""
    threads: int
    runs: int
    wall_us: float  # median time of a run
    wall_min_us: float
    wall_max_us: float
    units_us: float  # inside of units
    entry_us: float  # outside: checking the call, starting threads, measuring
    wait_us: float
    units: list[UnitProfile] = field(repr=False)  # in the program's order

    def rows(self) -> list[dict[str, Any]]:
        """The units as dictionaries, the longest first."""
        return [asdict(unit) for unit in sorted(self.units, key=lambda unit: -unit.own_us)]

    def __str__(self) -> str:
        lines = [f"{self.wall_us:.1f} us a run (median of {self.runs}, {self.wall_min_us:.1f} to {self.wall_max_us:.1f}), "
                 f"{self.threads} threads; {self.entry_us:.1f} us outside of units", "",
                 f"{'us':>10} {'share':>6} {'GFLOP/s':>8} {'GB/s':>7} {'kernel':<6} {'emitter':<8} unit"]
        for unit in sorted(self.units, key=lambda unit: -unit.own_us):
            lines.append(f"{unit.own_us:10.1f} {100 * unit.share:5.1f}% {unit.gflops:8.1f} {unit.gbps:7.1f} {unit.kernel or '-':<6} "
                         f"{unit.emitter or unit.kind:<8} {unit.label}")
        return "\n".join(lines)


def _unit_profile(about: dict, kernels: dict[int, dict], time: c.UnitTime, profile: c.Profile) -> UnitProfile:
    kernel, turns = kernels.get(about["kernel"], {}), time.runs / max(profile.runs, 1)
    holds = about["kind"] in ("if", "loop")
    flop = 0 if holds else round(about["flop"] * turns)
    size = 0 if holds else round((about["bytes_in"] + about["bytes_out"] + about["bytes_const"]) * turns)
    per_ns = 1e-3 / time.own_us if time.own_us > 0 else 0.0
    threads = min(profile.threads, c.PROFILE_THREADS)
    return UnitProfile(
        index=about["index"], kind=about["kind"], label=about["label"], nodes=tuple(node["name"] for node in about["nodes"]),
        kernel=kernel.get("name"), emitter=kernel.get("emitter"), runs=time.runs, median_us=time.median_us, min_us=time.min_us,
        max_us=time.max_us, total_us=time.total_us, run_us=time.run_us, own_us=time.own_us,
        share=time.own_us / profile.wall_us if profile.wall_us > 0 else 0.0, wait_us=time.wait_us, balance=time.balance,
        busy_us=tuple(time.busy_us[:threads]), expected_us=about["expected_us"] * turns, bound=about["bound"], flop=flop, bytes=size,
        gflops=flop * per_ns, gbps=size * per_ns)


def profile_run(compiled: int, context: Context, explanation: Explanation, given: Any, count: int, runs: int, seconds: float,
                warm_up: int) -> Profile:
    """fx_profile_run, as an object; context: the thread's own."""
    options, out = c.ProfileOptions(runs, seconds, warm_up if warm_up > 0 else -1), ctypes.POINTER(c.Profile)()
    context.check(c.lib().fx_profile_run(compiled, context.handle, given, count, ctypes.byref(options), ctypes.byref(out)))
    try:
        measured = out.contents
        kernels = {kernel["index"]: kernel for kernel in explanation["kernels"]}
        about = {unit["index"]: unit for unit in explanation["units"]}
        units = [_unit_profile(about[index], kernels, measured.unit[index], measured) for index in range(measured.n_unit)]
        return Profile(measured.threads, measured.runs, measured.wall_us, measured.wall_min_us, measured.wall_max_us,
                       measured.units_us, measured.entry_us, measured.wait_us, units)
    finally:
        c.lib().fx_profile_free(out)


# ---- Where a wrong number comes from ------------------------------------------------------------------------------------------


def _text(words: bytes | None) -> str:
    return (words or b"").decode(errors="replace")


@dataclass(frozen=True)
class Mismatch:
    """Where two ways of computing a graph part: the first form, pass and node that are wrong, and one element of its value."""
    form: str  # "core graph", "graph", "program", "native code", "schedule" or "threads"
    after: str  # the pass after which it is wrong
    why: str  # the rule that the pass broke, or ""
    node: str
    op: str
    place: str  # where the node was traced, or ""
    kernel: str
    loops: str  # "schedule", "threads": the smallest change of a kernel's loops that makes it right
    without: str  # options that make the difference go away, or ""
    first_is_wrong: bool  # against other options: this side is
    nodes: tuple[str, ...]  # calls of the smallest graph that shows it
    position: tuple[int, ...]  # of the element
    actual: float
    expected: float
    bound: float
    ulp: float
    _handle: Any = field(repr=False, compare=False)
    _context: Context = field(repr=False, compare=False)

    def save(self, folder: str | os.PathLike) -> None:
        """Writes the smallest graph with its inputs as a folder that `fxjit verify` runs by itself."""
        with self._context.lock:
            self._context.clear()
            self._context.check(c.lib().fx_bisection_save(self._handle, os.fsencode(folder)))

    def __str__(self) -> str:
        rows = [("form", self.form), ("pass", self.after + (f", which leaves {self.why}" if self.why else "")),
                ("node", f"{self.node} ({self.op})" + (f" at {self.place}" if self.place else "")), ("kernel", self.kernel),
                ("position", list(self.position)), ("actual", f"{self.actual:.9g}"), ("expected", f"{self.expected:.9g}"),
                ("apart", f"{self.ulp:.3g} ulp, bound {self.bound:.3g}"), ("right with", self.without),
                ("shown by", ", ".join(self.nodes))]
        return "\n".join(f"{name:<11} {words}" for name, words in rows if words not in ("", None))


def mismatch(bisection: int, context: Context, owner: Any) -> Mismatch:
    """What a bisection found; the object frees it, and keeps the owner of its module."""
    lib, found = c.lib(), c.lib().fx_bisection_mismatch(bisection).contents
    texts = [_text(getattr(found, name)) for name in ("pass", "why", "node", "op", "place", "kernel", "loops", "without")]
    at = found.at
    out = Mismatch(_text(lib.fx_bisect_form_name(found.form)), *texts, found.first_is_wrong,
                   tuple(_text(found.nodes[index]) for index in range(found.n_nodes)), tuple(at.position[:at.rank]), at.actual,
                   at.expected, at.bound, at.ulp, bisection, context)
    weakref.finalize(out, _free_bisection, bisection, context, owner)
    return out


def _free_bisection(bisection: int, context: Context, owner: Any) -> None:
    with context.lock:
        c.lib().fx_bisection_free(bisection)
    del owner


@dataclass(frozen=True)
class Operand:
    """A tensor that a node reads: its shape, its value at the element where there is one, and the range of its finite elements."""
    name: str
    dtype: str
    shape: tuple[int, ...]
    value: float | None
    least: float
    most: float
    nan_count: int
    inf_count: int


@dataclass(frozen=True)
class Nonfinite:
    """A node whose value has NaN or infinity though nothing that it reads has."""
    node: str
    op: str
    place: str
    value: float  # the first such element
    position: tuple[int, ...]
    count: int  # of them, of so many elements
    size: int
    operands: tuple[Operand, ...]

    @property
    def is_nan(self) -> bool:
        """Else it is infinity."""
        return math.isnan(self.value)

    def __str__(self) -> str:
        read = "; ".join(f"{one.name} {one.dtype}{list(one.shape)} from {one.least:.6g} to {one.most:.6g}"
                         + (f", {one.value:.6g} there" if one.value is not None else "") for one in self.operands)
        return (f"{'NaN' if self.is_nan else 'infinity'} arises in {self.node} ({self.op}) at {list(self.position)}, "
                f"{self.count} of {self.size} elements; it reads {read or 'nothing'}")


def _operand(found: c.Operand) -> Operand:
    return Operand(_text(found.name), c.DTYPES[found.dtype], tuple(found.dim[:found.rank]), found.value if found.has_value else None,
                   found.least, found.most, found.n_nan, found.n_inf)


def nonfinites(handle: Any) -> list[Nonfinite]:
    """The list of fx_find_nonfinite, which is freed."""
    lib, out = c.lib(), []
    try:
        for index in range(lib.fx_nonfinites_count(handle)):
            found = lib.fx_nonfinites_get(handle, index).contents
            operands = tuple(_operand(found.operand[i]) for i in range(found.n_operand))
            out.append(Nonfinite(_text(found.node), _text(found.op), _text(found.place), found.value, tuple(found.position[:found.rank]),
                                 found.n, found.n_of, operands))
    finally:
        lib.fx_nonfinites_free(handle)
    return out


# ---- The machine --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MachineLevel:
    """One level of memory; read_gbps: with one thread, and with all of them."""
    name: str
    bytes: int
    read_gbps: tuple[float, float]


@dataclass(frozen=True)
class Machine:
    """What this machine does at best, with one thread and with all of them."""
    cpu: str
    threads: int
    clock_ghz: float
    gflops: tuple[float, float]
    levels: tuple[MachineLevel, ...]
    measured: int  # when, in seconds since 1970


def machine(measure: bool = False) -> Machine:
    """The measurement of this machine that is kept in the user's cache, as `fxjit machine` shows it; the first time, or when asked
    to, it is measured, which takes about a second. It serves reports; generated code never depends on it."""
    context, found = Context(), c.Machine()
    status = -1 if measure else c.lib().fx_machine_read(context.handle, ctypes.byref(found))
    if status != 0:
        context.check(c.lib().fx_machine_measure(context.handle, ctypes.byref(found)))
        try:
            context.check(c.lib().fx_machine_write(context.handle, ctypes.byref(found)))
        except Error as error:  # the figures are good
            warnings.warn(f"fxjit: {error}", stacklevel=2)
    levels = tuple(MachineLevel(_text(level.name), level.bytes, tuple(level.read_gbps)) for level in found.level if level.bytes)
    return Machine(_text(found.cpu), found.threads, found.clock_ghz, tuple(found.gflops), levels, found.measured)
