# SPDX-License-Identifier: Apache-2.0
"""export: what stands in the .fxm file, and that fxjit reads from it what torch.fx has."""
from __future__ import annotations

import json
import math
import operator
import os
import struct
import tempfile
import unittest
import zipfile

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import fxjit


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.tied = nn.Linear(3, 3)
        self.other = nn.Linear(3, 3)
        self.other.weight = nn.Parameter(self.tied.weight.detach())  # another object on the same memory

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.norm(self.conv(x)), inplace=True).mean([2, 3]) * 0.5
        return self.other(self.tied(y)) + torch.tensor([1.0, 2.0, 3.0])


@torch.fx.wrap
def by_shape(x: torch.Tensor) -> torch.Tensor:
    """Cannot be traced without knowing the shape."""
    return x * 2 if x.shape[0] > 1 else x


@torch.fx.wrap
def plain(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Can be traced without any shape."""
    return torch.relu(x) + y


class Files(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "model.fxm")
        torch.manual_seed(1)
        self.module, self.x = Block().eval(), torch.rand(2, 3, 8, 8)
        self.graph = torch.fx.symbolic_trace(self.module)

    def read(self) -> tuple[dict, dict, int]:
        """graph.json, the header of the safetensors, and where its data begin in the file."""
        with zipfile.ZipFile(self.path) as archive, open(self.path, "rb") as file:
            info = archive.getinfo("weights.safetensors")
            self.assertEqual(info.compress_type, zipfile.ZIP_STORED)
            file.seek(info.header_offset + 26)
            name, extra = struct.unpack("<HH", file.read(4))
            start = info.header_offset + 30 + name + extra
            file.seek(start)
            size, = struct.unpack("<Q", file.read(8))
            return json.loads(archive.read("graph.json")), json.loads(file.read(size)), start + 8 + size

    def test_archive(self) -> None:
        fxjit.export(self.graph, self.path, (self.x,))
        graph, header, start = self.read()
        self.assertEqual(start % 64, 0)
        self.assertEqual((graph["format"], graph["version"]), ("fxjit", 1))
        ends = sorted(entry["data_offsets"] for entry in header.values())
        self.assertEqual([low for low, _ in ends], [0] + [high for _, high in ends[:-1]])  # no holes
        sizes = {"F32": 4, "I64": 8}
        self.assertEqual([name for name, entry in header.items() if entry["data_offsets"][0] % sizes[entry["dtype"]]], [])
        where = header["conv.weight"]["data_offsets"]
        with open(self.path, "rb") as file:
            file.seek(start + where[0])
            self.assertEqual(file.read(where[1] - where[0]), self.module.conv.weight.detach().numpy().tobytes())

    def test_tree_of_modules(self) -> None:
        fxjit.export(self.graph, self.path, (self.x,))
        module = self.read()[0]["module"]
        conv = module["modules"]["conv"]
        self.assertEqual(conv["class"], "torch.nn.modules.conv.Conv2d")
        self.assertEqual(conv["attributes"]["stride"], {"tuple": [1, 1]})
        self.assertEqual(conv["tensors"]["weight"], {"tensor": "conv.weight", "buffer": False})
        self.assertIn("torch.ops.aten.conv2d.default", [node["target"] for node in conv["graph"]["nodes"]])
        self.assertTrue(module["modules"]["norm"]["tensors"]["running_mean"]["buffer"])
        self.assertEqual(module["modules"]["other"]["tensors"]["weight"]["tensor"], "tied.weight")  # shared
        self.assertEqual(module["tensors"]["_tensor_constant0"]["buffer"], True)

    def test_equal_modules_give_equal_files(self) -> None:
        fxjit.export(self.graph, self.path, (self.x,))
        with open(self.path, "rb") as file:
            first = file.read()
        fxjit.export(self.graph, self.path, (self.x,))
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), first)

    def test_a_failing_export_leaves_the_file(self) -> None:
        fxjit.export(self.graph, self.path, (self.x,))
        before = os.stat(self.path).st_mtime_ns
        with self.assertRaises(fxjit.Error):
            fxjit.export(torch.fx.symbolic_trace(lambda x: by_shape(x)), self.path)
        self.assertEqual(os.stat(self.path).st_mtime_ns, before)
        self.assertEqual(os.listdir(os.path.dirname(self.path)), ["model.fxm"])

    def test_loading_without_torch_tensors(self) -> None:
        fxjit.export(self.graph, self.path, (self.x,))
        module = fxjit.load(self.path)
        self.assertEqual(module.input_types[0], ("f32", (2, 3, 8, 8)))
        self.assertTrue(np.array_equal(module.parameters["conv.bias"], self.module.conv.bias.detach().numpy()))

    def test_every_kind_of_value(self) -> None:
        graph = torch.fx.Graph()
        x = graph.placeholder("x", torch.Tensor)
        y = graph.placeholder("y", default_value=None)
        item = graph.call_function(operator.getitem, (x, (slice(None), slice(1, None, 2), Ellipsis, None)))
        to = graph.call_method("to", (item, torch.float16), {"memory_format": torch.channels_last})
        zeros = graph.call_function(torch.zeros, ((3, 4),), {"device": torch.device("cpu"), "dtype": torch.int64,
                                                             "layout": torch.strided})
        named = graph.call_method("unusual", (to, 1e-5, 1e20, math.inf, -0.0, 1 + 2j, "a'b\n", True, None, range(1, 5, 2),
                                              torch.Size([1, 2])))
        shape = graph.call_function(getattr, (zeros, "shape"))
        graph.output({"out": named, "more": [shape, (y,), torch.bool]}, type_expr=torch.Tensor)
        module = torch.fx.GraphModule(nn.Module(), graph)
        fxjit.export(module, self.path)
        self.assertEqual(str(fxjit.load(self.path)), str(graph).replace("[#users=", "[num_users="))

    def test_stack_traces_are_locations(self) -> None:
        tracer = torch.fx.Tracer()
        tracer.record_stack_traces = True
        fxjit.export(torch.fx.GraphModule(self.module, tracer.trace(self.module)), self.path)
        nodes = {node["name"]: node for node in self.read()[0]["module"]["graph"]["nodes"]}
        self.assertEqual(os.path.basename(nodes["relu"]["loc"]["file"]) in ("test_export.py", "overrides.py"), True)
        self.assertGreater(nodes["mul"]["loc"]["line"], 0)

    def test_symbolic_sizes(self) -> None:
        fxjit.export(self.graph, self.path, (self.x,), dynamic={"x": {0: fxjit.Dim("batch", 1, 16)}})
        graph = self.read()[0]["module"]["graph"]
        self.assertEqual(graph["symbols"], [{"name": "batch", "min": 1, "max": 16, "hint": 2, "multiple": 1}])
        self.assertEqual(graph["nodes"][0]["types"], [{"dtype": "f32", "shape": ["batch", 3, 8, 8]}])
        self.assertEqual(fxjit.load(self.path).input_types[0], ("f32", ("batch", 3, 8, 8)))

    def test_flattened_inputs(self) -> None:
        traced = torch.fx.symbolic_trace(lambda d: [d["a"] + d["b"]], concrete_args={"d": {"a": torch.fx.PH, "b": torch.fx.PH}})
        fxjit.export(traced, self.path)
        graph = self.read()[0]["module"]["graph"]
        self.assertEqual(graph["in_spec"], {"tuple": [{"dict": {"a": {"leaf": True}, "b": {"leaf": True}}}]})
        self.assertEqual(graph["out_spec"], {"list": [{"leaf": True}]})

    def test_functions_are_bodies(self) -> None:
        traced = torch.fx.symbolic_trace(lambda x, y: plain(x, y) + plain(y, x))
        for inputs in (None, (torch.rand(3), torch.rand(3))):
            fxjit.export(traced, self.path, inputs)
            nodes = [node for node in self.read()[0]["module"]["graph"]["nodes"] if "body" in node]
            self.assertEqual([node["target"] for node in nodes], ["__main__.plain"] * 2)
            opcodes = [node["op"] for node in nodes[0]["body"]["nodes"]]
            self.assertEqual(opcodes, ["placeholder"] * 2 + ["call_function"] * 2 + ["output"])

    def test_bodies_belong_to_shapes(self) -> None:
        traced = torch.fx.symbolic_trace(lambda x: by_shape(x).sum() + by_shape(x[:1]).sum() + by_shape(x + 1).sum())
        fxjit.export(traced, self.path, (torch.rand(3),))
        bodies = [node["body"]["nodes"] for node in self.read()[0]["module"]["graph"]["nodes"] if "body" in node]
        self.assertEqual([len(body) for body in bodies], [3, 2, 3])
        x = torch.rand(3)
        torch.testing.assert_close(fxjit.load(self.path).run(x), traced(x))

    def test_all_problems_are_told(self) -> None:
        traced = torch.fx.symbolic_trace(lambda x: by_shape(by_shape(x) + 1))
        with self.assertRaises(fxjit.Error) as caught:
            fxjit.export(traced, self.path)
        self.assertEqual(len(caught.exception.diagnostics), 2)
        self.assertIn("by_shape_1", caught.exception.diagnostics[1])
        with self.assertRaisesRegex(fxjit.Error, "fixed sizes"):
            fxjit.export(torch.fx.symbolic_trace(lambda x: wrapped_view(x)), self.path, (torch.rand(4, 2),),
                         dynamic={"x": {0: "n"}})

    def test_graph_modules_in_graph_modules(self) -> None:
        from torch.fx.passes.split_module import split_module
        whole = split_module(self.graph, self.module, lambda node: int(node.name in ("tied", "other", "add")))
        fxjit.export(whole, self.path, (self.x,))
        module = fxjit.load(self.path)
        self.assertIn("call_module[target=submod_0]", str(module))
        torch.testing.assert_close(module.run(self.x), self.module(self.x).detach(), rtol=1e-4, atol=1e-5)

    def test_program_runs_the_file(self) -> None:
        fxjit.export(self.graph, self.path, (self.x,))
        torch.testing.assert_close(fxjit.load(self.path).run(self.x), self.module(self.x).detach(), rtol=1e-4, atol=1e-5)


@torch.fx.wrap
def wrapped_view(x: torch.Tensor) -> torch.Tensor:
    """Its graph holds for one shape."""
    return x.view(x.shape[0] * x.shape[1]) if x.dim() == 2 else x


if __name__ == "__main__":
    unittest.main()
