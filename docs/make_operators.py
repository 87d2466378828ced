#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/OPERATORS.md from what the program says of itself and from ONNX's own cases.

    /usr/bin/python3 docs/make_operators.py build/release/fxjit            writes the page
    /usr/bin/python3 docs/make_operators.py build/release/fxjit --check    fails when the page is out of date

Needs Debian's python3-onnx and libonnx-testdata. A case counts for every operator of its graph; one whose expected outputs an engine
does not reproduce (or cannot, for want of an operator) is not counted as passing.
"""
import collections
import json
import os
import subprocess
import sys

import onnx

DATA = "/usr/share/libonnx-testdata/data"
PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "OPERATORS.md")
NEWEST = 28
ENGINES = ("interpreter", "compiled")


def run(program, *args):
    done = subprocess.run([program, *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return json.loads(done.stdout)


def results(program, folder, engine):
    return {case["name"]: case for case in run(program, "verify", "--json", "--engine", engine, folder)["cases"]}


def operators_of(graph):
    for node in graph.node:
        yield (node.domain + "." if node.domain not in ("", "ai.onnx") else "") + node.op_type
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from operators_of(attribute.g)


def cases(program):
    """(operators, {engine: passed}, skipped) of every case."""
    for group in sorted(os.listdir(DATA)):
        folder = os.path.join(DATA, group)
        by_engine = [results(program, folder, engine) for engine in ENGINES]
        for name in sorted(by_engine[0]):
            model = onnx.load(os.path.join(folder, name, "model.onnx"), load_external_data=False)
            outcome = [engine.get(name, {}).get("result") for engine in by_engine]
            yield set(operators_of(model.graph)), [o == "passed" for o in outcome], outcome[1] == "skipped"


def operator_rows(table):
    yield "| operator | element types | compiled form |"
    yield "|---|---|---|"
    for row in table["operators"]:
        yield f"| `{row['schema'].split('(')[0]}` | {' '.join(row['dtypes'])} | {row['form']} |"


def onnx_rows(table, counts):
    yield "| ONNX operator | opsets | cases | interpreter | compiled |"
    yield "|---|---|---|---|---|"
    for row in sorted(table["onnx"], key=lambda r: r["name"].lower()):
        n = counts[row["name"]]
        figures = " | ".join(str(x) for x in n) if n[0] else "– | – | –"
        yield f"| {row['name']} | {row['since']} to {NEWEST} | {figures} |"


def missing_rows(table, counts):
    known = {row["name"] for row in table["onnx"]}
    missing = sorted(((n[0], name) for name, n in counts.items() if name not in known), key=lambda m: (-m[0], m[1].lower()))
    yield ", ".join(f"{name} ({n})" for n, name in missing) + "."


def page(program):
    table = run(program, "ops", "--json")
    counts, total, skipped = collections.defaultdict(lambda: [0, 0, 0]), [0, 0, 0], 0
    for operators, passed, is_skipped in cases(program):
        skipped += is_skipped
        for count in [total] + [counts[name] for name in operators]:
            count[0] += 1
            count[1] += passed[0]
            count[2] += passed[1]
    yield "# Operators"
    yield ""
    yield "Written by `docs/make_operators.py`; a test holds it against the program."
    yield f"{len(table['operators'])} operators, {len(table['onnx'])} ONNX operators."
    yield f"Of the {total[0]} cases in Debian's libonnx-testdata (opset 17 and below) the interpreter gives the expected outputs of"
    yield f"{total[1]}, compiled code of {total[2]}; {skipped} are skipped for value types that fxjit lacks."
    yield ""
    yield "## ONNX"
    yield ""
    yield "Cases: those of libonnx-testdata whose graph has the operator, however many others it has beside; – where there is none."
    yield ""
    yield from onnx_rows(table, counts)
    yield ""
    yield "Not translated, with the number of cases that wait for each:"
    yield ""
    yield from missing_rows(table, counts)
    yield ""
    yield "## The operator table"
    yield ""
    yield "Compiled form: `kernel`: stages of a kernel of generated code; `view`: no code, the value is read through other indices;"
    yield "`operators`: written out in other rows; `call`: the reference kernel at run time."
    yield ""
    yield from operator_rows(table)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    text = "\n".join(page(sys.argv[1])) + "\n"
    if "--check" not in sys.argv:
        with open(PAGE, "w", encoding="utf-8") as out:
            out.write(text)
        return
    with open(PAGE, encoding="utf-8") as old:
        if old.read() != text:
            sys.exit("docs/OPERATORS.md is out of date: /usr/bin/python3 docs/make_operators.py PATH/fxjit writes it anew")


if __name__ == "__main__":
    main()
