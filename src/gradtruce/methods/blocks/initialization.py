"""How every kind of module starts, in one place, because `transformers` asks module by module."""

import math

import torch
from torch import nn
from transformers import initialization as init

from gradtruce.methods.blocks.decoder import ReportDecoder
from gradtruce.methods.blocks.encoder import Encoder
from gradtruce.methods.blocks.norms import MemoryNorm, Norm

MEMORY_NORM_BIAS = 0.1


@torch.no_grad()
def initialize(module: nn.Module) -> None:
    """Set the weights of one module, its children already set.

    Transformer matrices and embeddings are Xavier-uniform and the biases of MCLN 0.1, as published;
    convolutions are Kaiming-normal; all other linear layers keep torch's own start. Weights just
    loaded from a file are left alone, which the functions of `transformers.initialization` see to.

    >>> from gradtruce.methods.blocks.norms import MemoryNorm
    >>> norm = MemoryNorm(4, 12, published=True)
    >>> initialize(norm)
    >>> norm.shift_change[0].bias
    Parameter containing:
    tensor([0.1000, 0.1000, 0.1000, 0.1000], requires_grad=True)
    """
    if isinstance(module, Encoder | ReportDecoder):
        _xavier(module)
    elif isinstance(module, MemoryNorm | Norm):
        _norm(module)
    elif isinstance(module, nn.Linear):
        init.kaiming_uniform_(module.weight, a=math.sqrt(5))
        bound = 1 / math.sqrt(module.in_features)
        init.uniform_(module.bias, -bound, bound)
    elif isinstance(module, nn.Conv2d):
        init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.GroupNorm):
        init.ones_(module.weight)
        init.zeros_(module.bias)


def _norm(module: Norm | MemoryNorm) -> None:
    init.ones_(module.scale)
    init.zeros_(module.shift)
    if isinstance(module, MemoryNorm):
        for layer in (*module.scale_change, *module.shift_change):
            if isinstance(layer, nn.Linear):
                init.constant_(layer.bias, MEMORY_NORM_BIAS)


def _xavier(module: Encoder | ReportDecoder) -> None:
    for name, parameter in module.named_parameters():
        if parameter.dim() > 1 and not name.startswith("scores."):
            init.xavier_uniform_(parameter)
