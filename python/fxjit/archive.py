# SPDX-License-Identifier: Apache-2.0
"""The .fxm archive: graph.json and weights.safetensors, stored in a zip so that the weights' data begin at a multiple of 64 bytes
of the file and can be mapped. Written to a temporary file and renamed: the file is whole or untouched.
"""
from __future__ import annotations

import json
import os
import tempfile
import zipfile
from typing import Any, BinaryIO, Mapping

from . import _library as c
from .tensors import borrow

ALIGNMENT = 64
_SAFETENSORS = {"f16": "F16", "f32": "F32", "f64": "F64", "bf16": "BF16", "i8": "I8", "i16": "I16", "i32": "I32", "i64": "I64",
                "u8": "U8", "u16": "U16", "u32": "U32", "u64": "U64", "bool": "BOOL"}


def _packed(tensor: Any) -> memoryview:
    """The elements in row-major order."""
    import numpy
    if hasattr(tensor, "detach"):
        import torch
        flat = tensor.detach().contiguous().reshape(-1)
        return memoryview(flat.view(torch.uint8).numpy()) if flat.numel() else memoryview(b"")
    return memoryview(numpy.ascontiguousarray(tensor).reshape(-1).view(numpy.uint8))


def _layout(tensors: Mapping[str, Any]) -> tuple[list[str], dict]:
    """The order of the tensors (wide elements first, so that all are aligned) and the header of the safetensors."""
    structs = {key: borrow(tensor)[0] for key, tensor in tensors.items()}
    order = sorted(tensors, key=lambda key: (-c.DTYPE_BYTES[c.DTYPES[structs[key].dtype]], key))
    header, at = {}, 0
    for key in order:
        dtype, shape = c.DTYPES[structs[key].dtype], list(structs[key].dim[:structs[key].rank])
        size = c.DTYPE_BYTES[dtype]
        for dim in shape:
            size *= dim
        header[key] = {"dtype": _SAFETENSORS[dtype], "shape": shape, "data_offsets": [at, at + size]}
        at += size
    return order, header


def _entry(name: str, size: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)  # the date stays 1980-01-01: equal models give equal files
    info.compress_type, info.file_size = zipfile.ZIP_STORED, size
    return info


def _write_weights(archive: zipfile.ZipFile, tensors: Mapping[str, Any]) -> None:
    order, header = _layout(tensors)
    words = json.dumps(header, separators=(",", ":")).encode()
    size = 8 + len(words) + ALIGNMENT + max((entry["data_offsets"][1] for entry in header.values()), default=0)
    with archive.open(_entry("weights.safetensors", size), "w") as out:
        words += b" " * (-(archive.fp.tell() + 8 + len(words)) % ALIGNMENT)
        out.write(len(words).to_bytes(8, "little") + words)
        for key in order:
            out.write(_packed(tensors[key]))


def _write(file: BinaryIO, graph: dict, tensors: Mapping[str, Any]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        text = json.dumps(graph, allow_nan=False).encode()
        archive.writestr(_entry("graph.json", len(text)), text)
        _write_weights(archive, tensors)


def write(path: str | os.PathLike, graph: dict, tensors: Mapping[str, Any]) -> None:
    """Writes graph (the object of graph.json) and tensors by key to `path`, atomically."""
    path = os.fspath(path)
    handle, temporary = tempfile.mkstemp(prefix=".fxm-", dir=os.path.dirname(path) or ".")
    try:
        with os.fdopen(handle, "wb") as file:
            _write(file, graph, tensors)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
