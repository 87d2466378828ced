# SPDX-License-Identifier: Apache-2.0
"""Models with leaf modules, written as Python files of torch.nn.Module classes, run by torch with the original's weights: the same bits.

usage: test_module_source.py FXJIT      (the program; the package fxjit exports the models)"""
import subprocess
import sys
import tempfile
import unittest

import torch
import torch.fx

import fxjit

FXJIT = None


class Block(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = torch.nn.Conv2d(channels, channels, 3, padding=1, groups=2)
        self.norm = torch.nn.BatchNorm2d(channels)
        self.act = torch.nn.ReLU(inplace=True)

    def forward(self, x):
        return x + self.act(self.norm(self.conv(x)))


class Net(torch.nn.Module):
    """Sequential containers, a module that is called twice, parameters and buffers of its own."""

    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, stride=2), torch.nn.GELU(), Block(8))
        self.block = Block(8)
        self.pool = torch.nn.AdaptiveAvgPool2d(1)
        self.head = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LayerNorm(8), torch.nn.Linear(8, 4))
        self.scale = torch.nn.Parameter(torch.rand(4))
        self.register_buffer("shift", torch.rand(4))

    def forward(self, x, twice: bool = True):
        x = self.block(self.block(self.stem(x)))
        return torch.softmax(self.head(self.pool(x)) * self.scale + self.shift, -1), x.flatten(1).size(1)


class ModuleSource(unittest.TestCase):
    def test_runs_alone(self):
        torch.manual_seed(3)
        original = torch.fx.symbolic_trace(Net().eval())
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/net.fxm"
            fxjit.export(original, path)
            text = subprocess.run([FXJIT, "show", "--format", "module", path], capture_output=True, text=True, check=True).stdout
        namespace = {"__name__": "written"}
        exec(text, namespace)
        written = namespace["Net"]().eval()
        written.load_state_dict(original.state_dict())
        self.assertEqual(list(written.state_dict()), list(original.state_dict()))
        x = torch.rand(2, 3, 12, 12)
        with torch.no_grad():
            ours, theirs = written(x), original(x)
        self.assertTrue(torch.equal(ours[0], theirs[0]))
        self.assertEqual(ours[1], theirs[1])


if __name__ == "__main__":
    FXJIT = sys.argv.pop(1)
    unittest.main()
