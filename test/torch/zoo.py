# SPDX-License-Identifier: Apache-2.0
"""The torchvision models that torch.fx traces, with weights that are cheap to make and keep activations in range, and small inputs.

MODELS maps a name to (constructor, shape of the small input, shape of the full one).
"""
from __future__ import annotations

import contextlib
import math
from typing import Callable, Iterator

import torch
import torchvision.models as tv
from torch import nn
from torchvision.models import segmentation, video

SMALL, LARGE = (1, 3, 64, 64), (1, 3, 224, 224)

MODELS: dict[str, tuple[Callable[[], nn.Module], tuple, tuple]] = {
    "squeezenet1_0": (tv.squeezenet1_0, SMALL, LARGE),
    "resnet18": (tv.resnet18, SMALL, LARGE),
    "mobilenet_v3_small": (tv.mobilenet_v3_small, SMALL, LARGE),
    "mobilenet_v2": (tv.mobilenet_v2, SMALL, LARGE),
    "alexnet": (tv.alexnet, SMALL, LARGE),
    "vgg11": (tv.vgg11, (1, 3, 32, 32), LARGE),
    "resnet50": (tv.resnet50, SMALL, LARGE),
    "resnext50_32x4d": (tv.resnext50_32x4d, SMALL, LARGE),
    "wide_resnet50_2": (tv.wide_resnet50_2, SMALL, LARGE),
    "mobilenet_v3_large": (tv.mobilenet_v3_large, SMALL, LARGE),
    "efficientnet_b0": (tv.efficientnet_b0, SMALL, LARGE),
    "efficientnet_v2_s": (tv.efficientnet_v2_s, SMALL, LARGE),
    "densenet121": (tv.densenet121, SMALL, LARGE),
    "googlenet": (lambda: tv.googlenet(init_weights=False), SMALL, LARGE),
    "inception_v3": (lambda: tv.inception_v3(init_weights=False), (1, 3, 96, 96), (1, 3, 299, 299)),
    "mnasnet1_0": (tv.mnasnet1_0, SMALL, LARGE),
    "regnet_y_400mf": (tv.regnet_y_400mf, SMALL, LARGE),
    "convnext_tiny": (tv.convnext_tiny, SMALL, LARGE),
    "swin_t": (tv.swin_t, SMALL, LARGE),
    "swin_v2_t": (tv.swin_v2_t, SMALL, (1, 3, 256, 256)),
    "fcn_resnet50": (lambda: segmentation.fcn_resnet50(weights=None, weights_backbone=None), SMALL, LARGE),
    "deeplabv3_resnet50": (lambda: segmentation.deeplabv3_resnet50(weights=None, weights_backbone=None), SMALL, LARGE),
    "lraspp_mobilenet_v3_large": (lambda: segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None), SMALL,
                                  LARGE),
    "r3d_18": (video.r3d_18, (1, 3, 4, 32, 32), (1, 3, 16, 112, 112)),
    "s3d": (video.s3d, (1, 3, 13, 209, 209), (1, 3, 16, 224, 224)),
}


@contextlib.contextmanager
def _no_initialisation() -> Iterator[None]:
    """torch.nn.init's functions do nothing: the weights are set afterwards."""
    names = [name for name in dir(nn.init) if name.endswith("_") and not name.startswith("_")]
    kept = {name: getattr(nn.init, name) for name in names}
    for name in names:
        setattr(nn.init, name, lambda tensor, *_args, **_kwargs: tensor)
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(nn.init, name, function)


def _fill(tensor: torch.Tensor, block: torch.Tensor, scale: float, offset: float = 0.0) -> None:
    """Repeats a block of random numbers: much faster than drawing a hundred million."""
    flat = tensor.view(-1)
    whole = flat.numel() // block.numel() * block.numel()
    flat[:whole].view(-1, block.numel()).copy_(block)
    flat[whole:].copy_(block[:flat.numel() - whole])
    flat.mul_(scale).add_(offset)


def build(name: str, full: bool = False) -> tuple[nn.Module, torch.Tensor]:
    """The model in eval mode and an input."""
    constructor, small, large = MODELS[name]
    with _no_initialisation():
        model = constructor().eval()
    generator = torch.Generator().manual_seed(len(name))
    block = torch.rand(65521, generator=generator) * 2 - 1  # a prime: repetitions do not line up with rows
    with torch.no_grad():
        for path, tensor in model.state_dict(keep_vars=True).items():
            if not tensor.is_floating_point():
                continue
            if tensor.dim() > 1:
                _fill(tensor.data, block, math.sqrt(4.5 / tensor[0].numel()))
            elif path.endswith(("running_var", "weight")):
                _fill(tensor.data, block, 0.3, 1.0)
            else:
                _fill(tensor.data, block, 0.1)
    return model, torch.rand(large if full else small, generator=generator) * 2 - 1
