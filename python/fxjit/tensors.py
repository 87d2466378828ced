# SPDX-License-Identifier: Apache-2.0
"""Tensors without copies: torch tensors, numpy arrays and everything with DLPack become fx_tensor structures that point to the same
memory, and results of the library become torch tensors, numpy arrays or fxjit.Tensor. Neither torch nor numpy is imported before a
value needs it.
"""
from __future__ import annotations

import ctypes
import sys
import weakref
from typing import Any, Sequence

from . import _library as c
from .errors import Error

_NUMPY_NAMES = {"f16": "float16", "f32": "float32", "f64": "float64", "bool": "bool", "i8": "int8", "i16": "int16", "i32": "int32",
                "i64": "int64", "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64"}
_OF_NUMPY = {name: dtype for dtype, name in _NUMPY_NAMES.items()}
_TORCH_NAMES = dict(_NUMPY_NAMES, bf16="bfloat16")
_OF_TORCH = {"torch." + name: dtype for dtype, name in _TORCH_NAMES.items()}

# ---- DLPack's structures ------------------------------------------------------------------------------------------------------


class _DLTensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32), ("ndim", ctypes.c_int32),
                ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16),
                ("shape", ctypes.POINTER(ctypes.c_int64)), ("strides", ctypes.POINTER(ctypes.c_int64)),
                ("byte_offset", ctypes.c_uint64)]


class _DLManaged(ctypes.Structure):
    pass


_Deleter = ctypes.CFUNCTYPE(None, ctypes.POINTER(_DLManaged))
_Destructor = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_DLManaged._fields_ = [("tensor", _DLTensor), ("context", ctypes.c_void_p), ("deleter", _Deleter)]

_DL_CODES = {"i": 0, "u": 1, "f": 2, "bf": 4, "bool": 6}
_DL_NAMES = {0: "i", 1: "u", 2: "f", 4: "bf"}
_KCPU = 1
_NAME, _USED = b"dltensor", b"used_dltensor"

_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype, _new_capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, _Destructor]
_capsule_valid = ctypes.pythonapi.PyCapsule_IsValid
_capsule_valid.restype, _capsule_valid.argtypes = ctypes.c_int, [ctypes.py_object, ctypes.c_char_p]
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype, _capsule_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
_capsule_rename = ctypes.pythonapi.PyCapsule_SetName
_capsule_rename.restype, _capsule_rename.argtypes = ctypes.c_int, [ctypes.py_object, ctypes.c_char_p]
# The destructor gets a capsule that is dying: it is passed by address, so that nothing counts references to it.
_dying_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_IsValid", ctypes.pythonapi))
_dying_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))

_exported: dict[int, tuple] = {}  # address of a managed tensor given away: what it must keep alive


@_Deleter
def _delete_exported(managed: Any) -> None:
    _exported.pop(ctypes.addressof(managed.contents), None)


@_Destructor
def _drop_capsule(capsule: int) -> None:
    """A capsule that nobody consumed takes its tensor along."""
    if _dying_valid(capsule, _NAME):
        _exported.pop(_dying_pointer(capsule, _NAME), None)


def _dl_dtype(dtype: str) -> tuple[int, int]:
    kind = "bool" if dtype == "bool" else dtype.rstrip("0123456789")
    return _DL_CODES[kind], 8 * c.DTYPE_BYTES[dtype]


class Tensor:
    """A tensor in memory of the library or of another owner. Convert it with numpy(), torch(), numpy.asarray or DLPack: all share
    the memory. `dtype` is fxjit's name ("f32"), `strides` count elements."""

    def __init__(self, struct: c.Tensor, owner: Any):
        self._struct, self._owner = struct, owner

    @property
    def dtype(self) -> str:
        """fxjit's name of the element type."""
        return c.DTYPES[self._struct.dtype]

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes."""
        return tuple(self._struct.dim[:self._struct.rank])

    @property
    def strides(self) -> tuple[int, ...]:
        """The strides, in elements."""
        return tuple(self._struct.stride[:self._struct.rank])

    def __repr__(self) -> str:
        return f"fxjit.Tensor({self.dtype}{list(self.shape)})"

    def numpy(self) -> Any:
        """A numpy array on the same memory; TypeError for bf16, which numpy lacks."""
        import numpy
        if self.dtype not in _NUMPY_NAMES:
            raise TypeError(f"numpy has no {self.dtype}; use torch() or DLPack")
        dtype = numpy.dtype(_NUMPY_NAMES[self.dtype])
        if 0 in self.shape:
            return numpy.empty(self.shape, dtype)
        low = sum(min(0, stride * (size - 1)) for size, stride in zip(self.shape, self.strides)) * dtype.itemsize
        high = sum(max(0, stride * (size - 1)) for size, stride in zip(self.shape, self.strides)) * dtype.itemsize + dtype.itemsize
        memory = (ctypes.c_byte * (high - low)).from_address(self._struct.data + low)
        memory._fxjit_owner = self._owner  # the array's base keeps the owner alive
        return numpy.ndarray(self.shape, dtype, memory, -low, tuple(stride * dtype.itemsize for stride in self.strides))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        array = self.numpy()
        return array if dtype is None or dtype == array.dtype else array.astype(dtype)

    def torch(self) -> Any:
        """A torch tensor on the same memory."""
        from torch.utils.dlpack import from_dlpack as torch_from_dlpack
        import torch
        if self.dtype == "bool":  # torch 1.13 reads no bool from DLPack
            bytes_ = Tensor(_with_dtype(self._struct, "u8"), self._owner)
            return torch_from_dlpack(bytes_.__dlpack__()).view(torch.bool)
        return torch_from_dlpack(self.__dlpack__())

    def __dlpack_device__(self) -> tuple[int, int]:
        return _KCPU, 0

    def __dlpack__(self, stream: Any = None, **_newer: Any) -> Any:
        sizes = (ctypes.c_int64 * c.RANK)(*self._struct.dim)
        strides = (ctypes.c_int64 * c.RANK)(*self._struct.stride)
        code, bits = _dl_dtype(self.dtype)
        managed = _DLManaged(_DLTensor(self._struct.data, _KCPU, 0, self._struct.rank, code, bits, 1, sizes, strides, 0), None,
                             _delete_exported)
        address = ctypes.addressof(managed)
        _exported[address] = (managed, sizes, strides, self._owner)
        return _new_capsule(address, _NAME, _drop_capsule)


def _with_dtype(struct: c.Tensor, dtype: str) -> c.Tensor:
    copy = c.Tensor.from_buffer_copy(struct)
    copy.dtype = c.DTYPE_CODE[dtype]
    return copy


class _Consumed:
    """Another library's managed tensor; its deleter is called when the last view of it goes."""

    def __init__(self, address: int, source: Any):
        self.source = source
        self._finalizer = weakref.finalize(self, _Consumed._delete, address)

    @staticmethod
    def _delete(address: int) -> None:
        managed = _DLManaged.from_address(address)
        if managed.deleter:
            managed.deleter(ctypes.byref(managed))


def from_dlpack(value: Any) -> Tensor:
    """The Tensor that shares memory with any object that has __dlpack__ (or with a capsule)."""
    capsule = value.__dlpack__() if hasattr(value, "__dlpack__") else value
    if not _capsule_valid(capsule, _NAME):
        raise TypeError(f"{type(value).__name__} gives no DLPack tensor, or it was consumed before")
    address = _capsule_pointer(capsule, _NAME)
    _capsule_rename(capsule, _USED)
    owner = _Consumed(address, value)
    inner = _DLManaged.from_address(address).tensor
    if inner.device_type != _KCPU:
        raise Error("E_ARG", [], f"a tensor lies on DLPack device {inner.device_type}; fxjit runs on the CPU")
    dtype = "bool" if inner.code == _DL_CODES["bool"] else f"{_DL_NAMES.get(inner.code, '?')}{inner.bits}"
    if dtype not in c.DTYPE_CODE or inner.lanes != 1:
        raise Error("E_TYPE", [],
                    f"DLPack element type (code {inner.code}, {inner.bits} bits, {inner.lanes} lanes) is not supported")
    shape = [inner.shape[i] for i in range(inner.ndim)]
    strides = [inner.strides[i] for i in range(inner.ndim)] if inner.strides else None
    return Tensor(describe((inner.data or 0) + inner.byte_offset, dtype, shape, strides), owner)


# ---- To the library -----------------------------------------------------------------------------------------------------------


def row_major(shape: Sequence[int]) -> list[int]:
    """Strides of packed elements."""
    strides, step = [0] * len(shape), 1
    for axis in range(len(shape) - 1, -1, -1):
        strides[axis] = step
        step *= max(shape[axis], 1)
    return strides


def describe(address: int | None, dtype: str, shape: Sequence[int], strides: Sequence[int] | None = None) -> c.Tensor:
    """The fx_tensor of memory at `address`."""
    if len(shape) > c.RANK:
        raise Error("E_SHAPE", [], f"a tensor has {len(shape)} dimensions; fxjit has at most {c.RANK}")
    struct = c.Tensor(address, c.DTYPE_CODE[dtype], len(shape))
    struct.dim[:len(shape)] = list(shape)
    struct.stride[:len(shape)] = list(strides) if strides is not None else row_major(shape)
    return struct


def is_torch(value: Any) -> bool:
    """Whether it is a torch tensor; false without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_tensor(value: Any) -> bool:
    """Whether `borrow` takes it without making a tensor of a number."""
    return is_torch(value) or isinstance(value, Tensor) or hasattr(value, "__array_interface__") or hasattr(value, "__dlpack__")


def torch_dtype(dtype: Any) -> str:
    """fxjit's name of a torch dtype; Error E_TYPE when there is none."""
    name = _OF_TORCH.get(str(dtype))
    if name is None:
        raise Error("E_TYPE", [], f"element type {dtype} is not supported")
    return name


def _borrow_torch(value: Any) -> tuple[c.Tensor, Any]:
    if value.device.type != "cpu":
        raise Error("E_ARG", [], f"a tensor lies on {value.device}; fxjit runs on the CPU")
    if str(value.layout) != "torch.strided":
        raise Error("E_ARG", [], f"a tensor's layout is {value.layout}; only torch.strided is supported")
    if value.is_conj() or value.is_neg():
        value = value.resolve_conj().resolve_neg()
    return describe(value.data_ptr(), torch_dtype(value.dtype), value.shape, value.stride()), value


def _borrow_numpy(value: Any) -> tuple[c.Tensor, Any]:
    import numpy
    array = numpy.asarray(value)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    dtype = _OF_NUMPY.get(array.dtype.name)
    if dtype is None:
        raise Error("E_TYPE", [], f"element type {array.dtype} is not supported")
    if any(stride % array.itemsize for stride in array.strides) or not array.flags.aligned:
        array = numpy.ascontiguousarray(array).copy() if not array.flags.aligned else numpy.ascontiguousarray(array)
    strides = [stride // array.itemsize for stride in array.strides]
    return describe(array.__array_interface__["data"][0], dtype, array.shape, strides), array


def borrow(value: Any) -> tuple[c.Tensor, Any]:
    """(fx_tensor, what must stay alive): the memory of a torch tensor, a numpy array, an fxjit.Tensor, anything with DLPack, or of
    a new array of a number or nested list."""
    if is_torch(value):
        return _borrow_torch(value)
    if isinstance(value, Tensor):
        return value._struct, value
    if not hasattr(value, "__array_interface__") and hasattr(value, "__dlpack__"):
        tensor = from_dlpack(value)
        return tensor._struct, tensor
    return _borrow_numpy(value)


def borrow_all(values: Sequence[Any]) -> tuple[Any, list]:
    """An array of fx_tensor for all values, and what must stay alive."""
    array, alive = (c.Tensor * max(len(values), 1))(), []
    for index, value in enumerate(values):
        array[index], owner = borrow(value)
        alive.append(owner)
    return array, alive


# ---- From the library ---------------------------------------------------------------------------------------------------------


class _Allocated:
    """Memory that fx_tensor_alloc made for a result."""

    def __init__(self, struct: c.Tensor):
        self._finalizer = weakref.finalize(self, _Allocated._release, c.Tensor.from_buffer_copy(struct))

    @staticmethod
    def _release(struct: c.Tensor) -> None:
        c.lib().fx_tensor_release(ctypes.byref(struct))


def adopt(struct: c.Tensor) -> Tensor:
    """Takes over a tensor that the library allocated."""
    copy = c.Tensor.from_buffer_copy(struct)
    return Tensor(copy, _Allocated(copy))


def new(dtype: str, shape: Sequence[int], as_torch: bool) -> Any:
    """Uninitialised memory for a result: a torch tensor or a numpy array; None when numpy lacks the element type."""
    if as_torch:
        import torch
        return torch.empty(tuple(shape), dtype=getattr(torch, _TORCH_NAMES[dtype]))
    if dtype not in _NUMPY_NAMES:
        return None
    import numpy
    return numpy.empty(tuple(shape), _NUMPY_NAMES[dtype])


def present(tensor: Tensor, as_torch: bool) -> Any:
    """The form in which a result is given to the caller."""
    if as_torch:
        return tensor.torch()
    return tensor.numpy() if tensor.dtype in _NUMPY_NAMES else tensor
