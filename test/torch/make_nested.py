"""Writes test/golden/nested_*.txt: graphs and code of torch.fx 1.13 for concrete_args, with users spelled as later versions do."""
import sys
import torch
from torch import fx
from torch.fx import PH


def flags(x, flag, n, scale, y):
    return x if flag else n


def nested(d, x):
    return {"boxes": [d["a"] + x, d["b"][0]], "n": (d["b"][1],)}


def specialised(d, x):
    return {"boxes": [d["a"], d["b"][0]], "n": (d["b"][1],)}


def pairs(a, b):
    return [a[0] + b[0], a[1]]


CASES = {
    "flags": (flags, {"flag": True, "n": -3, "scale": 2.5, "y": None}),
    "nested": (nested, {"d": {"a": PH, "b": [PH, PH]}}),
    "specialised": (specialised, {"d": {"a": PH, "b": (PH, 3)}, "x": None}),
    "pairs": (pairs, {"a": [PH, PH], "b": (PH,)}),
}
for name, (function, concrete) in CASES.items():
    tracer = fx.Tracer()
    graph = tracer.trace(function, concrete_args=concrete)
    module = fx.GraphModule(tracer.root, graph)
    with open(f"{sys.argv[1]}/nested_{name}.txt", "w") as out:
        out.write(str(graph).replace("[#users=", "[num_users=") + "\n" + module.code)
