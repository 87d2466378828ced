#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the small models of this folder: make_models.py [OUTPUT_DIR]. Needs torch, numpy and onnx (Debian: python3-torch, python3-onnx).

Each NAME/ has model.onnx, in/NAME.npy for every input and PyTorch's own results in out/NAME.npy. The files are committed; run this
only to change them.
"""
import os
import sys

import numpy as np
import torch
import torch.nn as nn


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = nn.Linear(16, 32), nn.Linear(32, 4)

    def forward(self, x):
        return torch.softmax(self.out(torch.relu(self.hidden(x))), dim=-1)


class ConvNet(nn.Module):
    """Everything a residual block has, in small: strides, padding, groups, batch norm, pooling, a skip."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8)
        self.wide, self.depth = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.pool, self.head = nn.MaxPool2d(2), nn.Linear(8, 5)

    def forward(self, x):
        x = self.pool(torch.relu(self.norm(self.stem(x))))
        x = torch.relu(x + self.depth(self.wide(x)))
        return self.head(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


@torch.no_grad()
def write(root, name, module, x, axes=None):
    torch.manual_seed(0)
    for p in module.parameters():
        nn.init.normal_(p, 0, 0.3)
    for m in module.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.normal_(0, 0.2)
            m.running_var.uniform_(0.5, 1.5)
    module.eval()
    y = module(x)
    folder = os.path.join(root, name)
    for kind, value in (("in", x), ("out", y)):
        os.makedirs(os.path.join(folder, kind), exist_ok=True)
        np.save(os.path.join(folder, kind, f"{kind}put0.npy"), value.numpy())
    torch.onnx.export(module, (x,), os.path.join(folder, "model.onnx"), opset_version=13, input_names=["input0"],
                      output_names=["output0"], dynamic_axes=axes)


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    torch.manual_seed(7)
    write(root, "mlp", Mlp(), torch.randn(3, 16))
    write(root, "mlp_dynamic", Mlp(), torch.randn(3, 16), {"input0": {0: "batch"}})
    write(root, "convnet", ConvNet(), torch.randn(2, 3, 16, 16))


if __name__ == "__main__":
    main()
