# SPDX-License-Identifier: Apache-2.0
"""The Python code of docs/PYTHON.md and of README.md, executed from top to bottom in an empty folder."""
from __future__ import annotations

import importlib.util
import os
import re
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Pages(unittest.TestCase):
    def execute(self, page: Path, at_least: int) -> None:
        text = page.read_text()
        blocks = list(re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
        self.assertGreaterEqual(len(blocks), at_least)
        scope: dict = {"__name__": "page"}
        before = os.getcwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                for block in blocks:
                    line = text[:block.start(1)].count("\n")
                    exec(compile("\n" * line + block.group(1), str(page), "exec"), scope)
            finally:
                os.chdir(before)

    def test_python_page(self) -> None:
        self.execute(ROOT / "docs" / "PYTHON.md", 6)

    @unittest.skipUnless(importlib.util.find_spec("torchvision"), "torchvision is not installed")
    def test_readme(self) -> None:
        self.execute(ROOT / "README.md", 1)


if __name__ == "__main__":
    unittest.main()
