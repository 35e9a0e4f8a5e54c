"""Tensors in pieces (FSDP2), put together to be saved and cut again when they are loaded."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor


def put_together(tensor: Tensor) -> Tensor:
    """Return the whole of a tensor that may be in pieces; all processes must ask for it.

    >>> put_together(torch.ones(2))
    tensor([1., 1.])
    """
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def cut_like(whole: Tensor, like: Tensor) -> Tensor:
    """Return a tensor, the same in all processes, in pieces where another one is.

    >>> cut_like(torch.ones(2), torch.zeros(2))
    tensor([1., 1.])
    """
    if not isinstance(like, DTensor) or whole.shape != like.shape:
        return whole
    here = whole.to(like.device, like.dtype)
    return distribute_tensor(here, like.device_mesh, like.placements)


def load_whole(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give a module, in pieces or not, the weights of a whole one.

    >>> layer = nn.Linear(1, 1)
    >>> load_whole(layer, {"weight": torch.ones(1, 1), "bias": torch.ones(1)})
    >>> layer.bias.item()
    1.0
    """
    here = module.state_dict()
    cut = {
        name: cut_like(weight, here[name]) if name in here else weight
        for name, weight in weights.items()
    }
    module.load_state_dict(cut)


def whole_optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return the state of an optimizer as of parameters that are not in pieces.

    All processes must ask for it. What was in pieces is put together on the processor, one tensor
    after another, since the whole need not fit on a device.
    """
    state = optimizer.state_dict()
    of_parameters = {
        place: {name: _together(value) for name, value in entries.items()}
        for place, entries in state["state"].items()
    }
    return {**state, "state": of_parameters}


def load_optimizer_state(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Hand back what `whole_optimizer_state` returned, in pieces where the parameters are."""
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    of_parameters = {
        place: {name: _cut(value, parameters[place]) for name, value in entries.items()}
        for place, entries in state["state"].items()
    }
    optimizer.load_state_dict({**state, "state": of_parameters})


def _together(value: Any) -> Any:  # tensors and numbers
    return put_together(value).cpu() if isinstance(value, DTensor) else value


def _cut(value: Any, like: Tensor) -> Any:  # as above
    return cut_like(value, like) if isinstance(value, Tensor) else value
