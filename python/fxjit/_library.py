# SPDX-License-Identifier: Apache-2.0
"""libfxjit.so through ctypes: where it is found, its structures and its prototypes.

The library is looked for in FXJIT_LIBRARY (a file), beside this package, in the build tree or the installation that this package
lies in, and last by the system's loader. ctypes releases the GIL during every call.
"""
from __future__ import annotations

import ctypes
import ctypes.util
import os
from pathlib import Path
from typing import Iterator

RANK, PROFILE_THREADS, MACHINE_LEVELS, MACHINE_NAME = 8, 64, 4, 96  # FX_RANK, ...

DTYPES = ("f16", "f32", "f64", "bf16", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "bool")  # FX_DTYPE_MAP's order
DTYPE_CODE = {name: code for code, name in enumerate(DTYPES)}
DTYPE_BYTES = dict(zip(DTYPES, (2, 4, 8, 2, 1, 2, 4, 8, 1, 2, 4, 8, 1)))

PRECISIONS = {"default": 0, "strict": 1, "fast": 2}
STAGES = {"fx": 0, "core": 1, "program": 2, "llvm": 3, "asm": 4}
FORMS = dict(STAGES, obj=5)  # fx_stage_form
LOG_LEVELS = ("none", "warning", "info", "debug")  # fx_log_level

# fx_progress, fx_log, fx_dump
Progress = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32)
Log = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p)
Dump = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)


class Tensor(ctypes.Structure):
    """fx_tensor."""
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int), ("rank", ctypes.c_int32),
                ("dim", ctypes.c_int64 * RANK), ("stride", ctypes.c_int64 * RANK)]


class NamedTensor(ctypes.Structure):
    """fx_named_tensor."""
    _fields_ = [("name", ctypes.c_char_p), ("tensor", Tensor)]


class Type(ctypes.Structure):
    """fx_type."""
    _fields_ = [("dtype", ctypes.c_int), ("rank", ctypes.c_int32), ("dim", ctypes.c_int64 * RANK)]


class CompileOptions(ctypes.Structure):
    """fx_compile_options."""
    _fields_ = [("threads", ctypes.c_int32), ("precision", ctypes.c_int), ("target_triple", ctypes.c_char_p),
                ("target_cpu", ctypes.c_char_p), ("target_features", ctypes.c_char_p), ("no_fusion", ctypes.c_bool),
                ("no_in_place", ctypes.c_bool), ("verify", ctypes.c_bool), ("perf_map", ctypes.c_bool), ("gdb", ctypes.c_bool),
                ("profile", ctypes.c_bool), ("progress", ctypes.c_void_p),
                ("progress_user", ctypes.c_void_p), ("log_level", ctypes.c_int), ("log", ctypes.c_void_p), ("log_user", ctypes.c_void_p),
                ("dump", ctypes.c_uint32), ("dump_directory", ctypes.c_char_p), ("dump_text", ctypes.c_void_p),
                ("dump_user", ctypes.c_void_p)]


class PythonOptions(ctypes.Structure):
    """fx_python_options."""
    _fields_ = [("root", ctypes.c_char_p), ("verbose", ctypes.c_bool), ("imports", ctypes.c_bool)]


class ExplainFilter(ctypes.Structure):
    """fx_explain_filter."""
    _fields_ = [("node", ctypes.c_char_p), ("kernel", ctypes.c_char_p), ("parts", ctypes.c_uint32)]


class ProfileOptions(ctypes.Structure):
    """fx_profile_options."""
    _fields_ = [("runs", ctypes.c_int32), ("seconds", ctypes.c_double), ("warm_up", ctypes.c_int32), ("leave_out", ctypes.c_void_p),
                ("n_leave_out", ctypes.c_int32), ("traced_runs", ctypes.c_int32), ("before", ctypes.c_void_p),
                ("after", ctypes.c_void_p), ("user", ctypes.c_void_p)]


class UnitTime(ctypes.Structure):
    """fx_unit_time."""
    _fields_ = [("runs", ctypes.c_int64), ("median_us", ctypes.c_double), ("min_us", ctypes.c_double), ("max_us", ctypes.c_double),
                ("total_us", ctypes.c_double), ("run_us", ctypes.c_double), ("own_us", ctypes.c_double),
                ("busy_us", ctypes.c_double * PROFILE_THREADS), ("wait_us", ctypes.c_double), ("balance", ctypes.c_double)]


class Profile(ctypes.Structure):
    """fx_profile."""
    _fields_ = [("unit", ctypes.POINTER(UnitTime)), ("n_unit", ctypes.c_int32), ("threads", ctypes.c_int32), ("runs", ctypes.c_int64),
                ("wall_us", ctypes.c_double), ("wall_min_us", ctypes.c_double), ("wall_max_us", ctypes.c_double),
                ("total_us", ctypes.c_double), ("units_us", ctypes.c_double), ("entry_us", ctypes.c_double),
                ("wait_us", ctypes.c_double), ("event", ctypes.c_void_p), ("n_event", ctypes.c_int64), ("memory", ctypes.c_void_p)]


class MachineLevel(ctypes.Structure):
    """fx_machine_level."""
    _fields_ = [("name", ctypes.c_char_p), ("bytes", ctypes.c_int64), ("read_gbps", ctypes.c_double * 2)]


class Machine(ctypes.Structure):
    """fx_machine."""
    _fields_ = [("cpu", ctypes.c_char * MACHINE_NAME), ("threads", ctypes.c_int32), ("clock_ghz", ctypes.c_double),
                ("gflops", ctypes.c_double * 2), ("level", MachineLevel * MACHINE_LEVELS), ("measured", ctypes.c_int64)]


class Difference(ctypes.Structure):
    """fx_difference."""
    _fields_ = [("same_type", ctypes.c_bool), ("element", ctypes.c_int64), ("rank", ctypes.c_int32), ("position", ctypes.c_int64 * RANK),
                ("dtype", ctypes.c_int), ("actual", ctypes.c_double), ("expected", ctypes.c_double), ("bound", ctypes.c_double),
                ("ulp", ctypes.c_double)]


class BisectOptions(ctypes.Structure):
    """fx_bisect_options."""
    _fields_ = [("compile", ctypes.POINTER(CompileOptions)), ("against", ctypes.POINTER(CompileOptions)), ("ulp", ctypes.c_double),
                ("progress", ctypes.c_void_p), ("progress_user", ctypes.c_void_p)]


class Mismatch(ctypes.Structure):
    """fx_mismatch."""
    _fields_ = [("form", ctypes.c_int), ("pass", ctypes.c_char_p), ("why", ctypes.c_char_p), ("node", ctypes.c_char_p),
                ("op", ctypes.c_char_p), ("place", ctypes.c_char_p), ("kernel", ctypes.c_char_p), ("loops", ctypes.c_char_p),
                ("without", ctypes.c_char_p),
                ("first_is_wrong", ctypes.c_bool), ("nodes", ctypes.POINTER(ctypes.c_char_p)), ("n_nodes", ctypes.c_int32),
                ("at", Difference)]


class Operand(ctypes.Structure):
    """fx_operand."""
    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int), ("rank", ctypes.c_int32), ("dim", ctypes.c_int64 * RANK),
                ("has_value", ctypes.c_bool), ("value", ctypes.c_double), ("least", ctypes.c_double), ("most", ctypes.c_double),
                ("n_nan", ctypes.c_int64), ("n_inf", ctypes.c_int64)]


class Nonfinite(ctypes.Structure):
    """fx_nonfinite."""
    _fields_ = [("node", ctypes.c_char_p), ("op", ctypes.c_char_p), ("place", ctypes.c_char_p), ("is_nan", ctypes.c_bool),
                ("value", ctypes.c_double), ("element", ctypes.c_int64), ("rank", ctypes.c_int32), ("position", ctypes.c_int64 * RANK),
                ("n", ctypes.c_int64), ("n_of", ctypes.c_int64), ("operand", ctypes.POINTER(Operand)), ("n_operand", ctypes.c_int32)]


P, I32, I64, U64, TEXT, STATUS = (ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64, ctypes.c_uint64, ctypes.c_char_p, ctypes.c_int)
_TENSORS, _OUT = ctypes.POINTER(Tensor), ctypes.POINTER(P)
_OPTIONS = ctypes.POINTER(CompileOptions)

# name: (result, argument types). Texts that the caller frees are P, so that the pointer is not lost.
_PROTOTYPES = {
    "fx_version": (TEXT, []),
    "fx_status_text": (TEXT, [STATUS]),
    "fx_text_free": (None, [P]),
    "fx_context_new": (P, []),
    "fx_context_free": (None, [P]),
    "fx_context_diag_count": (I32, [P]),
    "fx_context_diag": (TEXT, [P, I32, ctypes.POINTER(ctypes.c_int)]),
    "fx_context_clear": (None, [P]),
    "fx_tensor_release": (None, [_TENSORS]),
    "fx_load": (STATUS, [P, TEXT, _OUT]),
    "fx_import_graph": (STATUS, [P, TEXT, ctypes.c_size_t, TEXT, ctypes.POINTER(NamedTensor), I32, _OUT]),
    "fx_module_save": (STATUS, [P, TEXT]),
    "fx_module_free": (None, [P]),
    "fx_module_name": (TEXT, [P]),
    "fx_module_graph": (P, [P]),
    "fx_module_tensor": (_TENSORS, [P, TEXT]),
    "fx_module_tensor_count": (I32, [P]),
    "fx_module_tensor_path": (TEXT, [P, I32]),
    "fx_module_input_count": (I32, [P]),
    "fx_module_output_count": (I32, [P]),
    "fx_module_input_name": (TEXT, [P, I32]),
    "fx_module_output_name": (TEXT, [P, I32]),
    "fx_module_input_type": (ctypes.POINTER(Type), [P, I32]),
    "fx_module_output_type": (ctypes.POINTER(Type), [P, I32]),
    "fx_graph_propagate": (STATUS, [P]),
    "fx_graph_dim_text": (TEXT, [P, I64]),
    "fx_graph_to_string": (P, [P]),
    "fx_graph_to_table": (P, [P]),
    "fx_graph_to_fx": (P, [P]),
    "fx_graph_to_dot": (P, [P]),
    "fx_graph_to_python": (P, [P, ctypes.POINTER(PythonOptions)]),
    "fx_interpret": (STATUS, [P, _TENSORS, I32, _TENSORS, I32]),
    "fx_compile": (STATUS, [P, _TENSORS, I32, _OPTIONS, _OUT]),
    "fx_compile_text": (STATUS, [P, _TENSORS, I32, _OPTIONS, ctypes.c_int, _OUT, ctypes.POINTER(ctypes.c_size_t)]),
    "fx_compiled_free": (None, [P]),
    "fx_run": (STATUS, [P, P, _TENSORS, I32, _TENSORS, I32]),
    "fx_compiled_state": (P, [P]),
    "fx_compiled_state_count": (I32, [P]),
    "fx_compiled_state_path": (TEXT, [P, I32]),
    "fx_state_tensor": (STATUS, [P, TEXT, _TENSORS]),
    "fx_state_reset": (None, [P]),
    "fx_compiled_fallback_count": (I32, [P]),
    "fx_compiled_fallback": (TEXT, [P, I32]),
    "fx_compiled_kernel_count": (I32, [P]),
    "fx_compiled_code_hash": (U64, [P]),
    "fx_compiled_flop": (I64, [P]),
    "fx_compiled_workspace_bytes": (ctypes.c_size_t, [P]),
    "fx_compiled_const_bytes": (ctypes.c_size_t, [P]),
    "fx_compiled_prototype": (TEXT, [P]),
    "fx_explain": (STATUS, [P, _OUT]),
    "fx_explanation_free": (None, [P]),
    "fx_explanation_to_string": (P, [P, ctypes.POINTER(ExplainFilter)]),
    "fx_explanation_to_json": (P, [P, ctypes.POINTER(ExplainFilter)]),
    "fx_explain_kernel": (STATUS, [P, I32, ctypes.c_int, _OUT]),
    "fx_profile_run": (STATUS, [P, P, _TENSORS, I32, ctypes.POINTER(ProfileOptions), ctypes.POINTER(ctypes.POINTER(Profile))]),
    "fx_profile_free": (None, [ctypes.POINTER(Profile)]),
    "fx_machine_measure": (STATUS, [P, ctypes.POINTER(Machine)]),
    "fx_machine_read": (STATUS, [P, ctypes.POINTER(Machine)]),
    "fx_machine_write": (STATUS, [P, ctypes.POINTER(Machine)]),
    "fx_bisect": (STATUS, [P, _TENSORS, I32, ctypes.POINTER(BisectOptions), _OUT]),
    "fx_bisect_form_name": (TEXT, [ctypes.c_int]),
    "fx_bisection_mismatch": (ctypes.POINTER(Mismatch), [P]),
    "fx_bisection_save": (STATUS, [P, TEXT]),
    "fx_bisection_free": (None, [P]),
    "fx_find_nonfinite": (STATUS, [P, _TENSORS, I32, _OPTIONS, ctypes.c_bool, _OUT]),
    "fx_nonfinites_count": (I32, [P]),
    "fx_nonfinites_get": (ctypes.POINTER(Nonfinite), [P, I32]),
    "fx_nonfinites_free": (None, [P]),
    "fx_op_count": (I32, []),
    "fx_op_at": (P, [I32]),
    "fx_op_find": (P, [TEXT]),
    "fx_op_target": (TEXT, [P]),
    "fx_op_schema": (TEXT, [P]),
}


def _candidates() -> Iterator[str]:
    """Files in the order in which they are tried."""
    chosen = os.environ.get("FXJIT_LIBRARY")
    if chosen:
        yield chosen
        return
    package = Path(__file__).absolute().parent
    yield str(package / "libfxjit.so")
    for folder in package.parents:  # build/release/python/fxjit, or lib/python3/dist-packages/fxjit of an installation
        for found in [folder / "libfxjit.so", *sorted(folder.glob("lib*/libfxjit.so")),
                      *sorted(folder.glob("*-linux-gnu/libfxjit.so"))]:
            yield str(found)
        if (folder / "CMakeLists.txt").is_file():  # the source tree: its builds, release first
            yield str(folder / "build" / "release" / "libfxjit.so")
            break
    yield ctypes.util.find_library("fxjit") or "libfxjit.so.0"


def find() -> str:
    """The path (or the loader's name) of the library; ImportError with the places that were tried."""
    tried = []
    for name in _candidates():
        if "/" not in name or os.path.exists(name):
            return name
        tried.append(name)
    raise ImportError(f"libfxjit.so was not found in {', '.join(tried)}; FXJIT_LIBRARY=FILE tells where it is")


def load(path: str | None = None) -> ctypes.CDLL:
    """Opens the library and sets the prototypes of its functions."""
    name = path or find()
    try:
        library = ctypes.CDLL(name)
    except OSError as error:
        raise ImportError(f"{name} cannot be loaded: {error}; FXJIT_LIBRARY=FILE names another library") from error
    missing = [symbol for symbol in _PROTOTYPES if not hasattr(library, symbol)]
    if missing:
        raise ImportError(f"{name} is of another version than this package: it lacks {', '.join(missing)}")
    for symbol, (result, arguments) in _PROTOTYPES.items():
        function = getattr(library, symbol)
        function.restype, function.argtypes = result, arguments
    return library


_loaded: ctypes.CDLL | None = None


def lib() -> ctypes.CDLL:
    """The library, opened at its first use."""
    global _loaded
    if _loaded is None:
        _loaded = load()
    return _loaded


def text(pointer: int | None) -> str:
    """A text that the library gives away, as a str; its memory is freed."""
    if not pointer:
        raise MemoryError("fxjit: out of memory")
    try:
        return ctypes.string_at(pointer).decode()
    finally:
        lib().fx_text_free(pointer)
