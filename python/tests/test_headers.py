# SPDX-License-Identifier: Apache-2.0
"""The package's structures, constants and prototypes are those of include/fxjit."""
from __future__ import annotations

import ctypes
import re
import unittest
from pathlib import Path

from fxjit import _library as c
from fxjit import errors

INCLUDE = Path(__file__).resolve().parents[2] / "include" / "fxjit"
STRUCTURES = {"fx_tensor": c.Tensor, "fx_named_tensor": c.NamedTensor, "fx_type": c.Type, "fx_compile_options": c.CompileOptions,
              "fx_python_options": c.PythonOptions, "fx_explain_filter": c.ExplainFilter, "fx_profile_options": c.ProfileOptions,
              "fx_unit_time": c.UnitTime, "fx_profile": c.Profile, "fx_machine_level": c.MachineLevel, "fx_machine": c.Machine,
              "fx_difference": c.Difference, "fx_bisect_options": c.BisectOptions, "fx_mismatch": c.Mismatch, "fx_operand": c.Operand,
              "fx_nonfinite": c.Nonfinite}
COUNTS = {"FX_RANK": c.RANK, "FX_PROFILE_THREADS": c.PROFILE_THREADS, "FX_MACHINE_LEVELS": c.MACHINE_LEVELS,
          "FX_MACHINE_NAME": c.MACHINE_NAME}
SCALARS = {"int32_t": ctypes.c_int32, "int64_t": ctypes.c_int64, "uint32_t": ctypes.c_uint32, "uint64_t": ctypes.c_uint64, "size_t": ctypes.c_size_t,
           "bool": ctypes.c_bool, "double": ctypes.c_double, "char": ctypes.c_char, "fx_bisect_form": ctypes.c_int,
           "fx_machine_level": c.MachineLevel, "fx_difference": c.Difference,
           "fx_log_level": ctypes.c_int, "fx_dtype": ctypes.c_int, "fx_status": ctypes.c_int, "fx_precision": ctypes.c_int, "fx_stage_form": ctypes.c_int,
           "fx_dim": ctypes.c_int64, "fx_tensor": c.Tensor}


def header_text() -> str:
    """All public headers without comments and marks."""
    text = "\n".join(path.read_text() for path in sorted(INCLUDE.glob("*.h")))
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    return re.sub(r"\b(FX_API|FX_GIVES|FX_TAKES|FX_KEEPS|const|struct)\b", " ", text)


class Headers(unittest.TestCase):
    def setUp(self) -> None:
        self.text = header_text()

    def fields(self, name: str) -> list[tuple[str, int, str]]:
        """(type, how many of them, name) of each field."""
        body = re.search(r"typedef\s+%s\s*\{([^}]*)\}\s*%s\s*;" % (name, name), self.text).group(1)
        out = []
        for declaration in filter(None, (line.strip() for line in body.split(";"))):
            function = re.search(r"\(\*(\w+)\)\(", declaration)
            if function:
                out.append(("void*", 1, function.group(1)))
                continue
            base, rest = re.match(r"(\w+)\s*(.*)", declaration, re.DOTALL).groups()
            for item in rest.split(","):
                stars, field, count = re.match(r"([\s*]*)(\w+)\s*(?:\[(\w+)\])?", item).groups()
                out.append((base + stars.strip(), COUNTS[count] if count in COUNTS else int(count or 1), field))
        return out

    def test_structures(self) -> None:
        for name, structure in STRUCTURES.items():
            fields = self.fields(name)
            self.assertEqual([field for _, _, field in fields], [field for field, *_ in structure._fields_], name)
            for (base, count, field), (_, kind) in zip(fields, structure._fields_):
                size = ctypes.sizeof(SCALARS.get(base, ctypes.c_void_p)) * count
                self.assertEqual(ctypes.sizeof(kind), size, f"{name}.{field}")

    def test_constants(self) -> None:
        dtypes = re.findall(r'X\((\w+), "(\w+)", "torch\.\w+", (\d+)\)', self.text)
        self.assertEqual([name for _, name, _ in dtypes], list(c.DTYPES))
        self.assertEqual([int(size) for *_, size in dtypes], [c.DTYPE_BYTES[name] for name in c.DTYPES])
        statuses = re.findall(r"X\((\w+), (\d+), \"", self.text)
        self.assertEqual([name for name, _ in sorted(statuses, key=lambda item: int(item[1]))], list(errors.STATUSES))
        for name, value in COUNTS.items():
            self.assertRegex(self.text, r"\b%s\s*=?\s*%d\b" % (name, value))
        levels = {name: index for index, name in enumerate(c.LOG_LEVELS)}
        for table, prefix in ((c.PRECISIONS, "FX_PRECISION_"), (c.STAGES, "FX_STAGE_"), (c.FORMS, "FX_STAGE_"), (levels, "FX_LOG_")):
            values = re.search(r"enum \w+ \{([^}]*%s[^}]*)\}" % prefix, self.text).group(1).split(",")
            found = {value.strip()[len(prefix):].lower(): index for index, value in enumerate(values)}
            self.assertEqual(table, {name: found[name] for name in table})

    def test_prototypes(self) -> None:
        for symbol, (result, arguments) in c._PROTOTYPES.items():
            before = re.search(r"\b%s\s*\(" % symbol, self.text)
            self.assertIsNotNone(before, f"{symbol} is in no header")
            found = re.search(r"([\w*]+\s*\**)\s*\b%s\s*\(([^;]*)\)\s*;" % symbol, self.text[max(0, before.start() - 80):])
            self.assertIsNotNone(found, f"{symbol} is in no header")
            given = [item.strip() for item in found.group(2).split(",")]
            given = [] if given == ["void"] else given
            self.assertEqual(len(given), len(arguments), symbol)
            for item, kind in [*zip(given, arguments), (found.group(1), result)]:
                base = re.match(r"\w+", item).group(0)
                given_kind = ctypes.c_void_p if "*" in item else SCALARS.get(base, ctypes.c_void_p)
                expected = ctypes.sizeof(given_kind) if item.strip() != "void" else 0
                self.assertEqual(ctypes.sizeof(kind) if kind else 0, expected, f"{symbol}: {item}")


if __name__ == "__main__":
    unittest.main()
