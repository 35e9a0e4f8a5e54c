"""How weights start, in one place, because `transformers` asks module by module."""

import torch
from torch import nn


@torch.no_grad()
def initialize(module: nn.Module) -> None:
    """Set the weights of one module, its children already set.

    Convolutions start Kaiming-normal; every other module knows its own start: Xavier-uniform where
    the published transformers are, torch's elsewhere. `transformers` asks only for modules that
    have parameters of their own, and guards those just loaded from a file against `torch.nn.init`,
    by which a `reset_parameters` must therefore work. Batch normalisation also resets buffers, and
    starts well by itself.

    >>> layer = nn.Linear(2, 2)
    >>> before = layer.weight.clone()
    >>> initialize(layer)
    >>> bool((layer.weight != before).all())
    True
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif not isinstance(module, nn.BatchNorm2d):
        reset = getattr(module, "reset_parameters", None)
        if reset is not None:
            reset()
