"""Loading that uses every tensor and fills every parameter, or says what is wrong."""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

COUNTER = "num_batches_tracked"
"""Counter of a batch normalisation that files of before 2018 lack; it changes nothing."""

SHOWN = 4


@torch.no_grad()
def load_strictly(module: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Copy `state` into a module: each entry is used, each parameter and buffer is filled.

    Args:
        module: Changed only if everything fits.
        state: Tensors by the names that the module gives them.
        source: What a message calls the file.

    Raises:
        ValueError: If names or shapes differ; the message has the first ones that do.

    >>> layer = nn.Linear(1, 1)
    >>> load_strictly(layer, {"weight": torch.ones(1, 1), "bias": torch.ones(1)}, "a.pth")
    >>> load_strictly(layer, {"weight": torch.ones(1, 1)}, "b.pth")
    Traceback (most recent call last):
    ValueError: b.pth: does not fit this network: it lacks bias; ...
    """
    own = module.state_dict()
    needed = {name for name in own if not name.endswith(COUNTER)}
    problems = [
        _named("it lacks", needed - state.keys()),
        _named("it has, and the network has not,", state.keys() - own.keys()),
        _shapes(own, state),
    ]
    found = "; ".join(problem for problem in problems if problem)
    if found:
        raise ValueError(
            f"{source}: does not fit this network: {found}; take the file of this architecture, or "
            "set the widths and depths of the backbone to those of the file"
        )
    for name, value in state.items():
        own[name].copy_(value)


def _named(what: str, names: Collection[str]) -> str:
    if not names:
        return ""
    shown = ", ".join(sorted(names)[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{what} {shown}{more}"


def _shapes(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    differing = [
        f"{name} ({tuple(state[name].shape)}, the network has {tuple(value.shape)})"
        for name, value in own.items()
        if name in state and state[name].shape != value.shape
    ]
    return _named("it has other shapes:", differing)
