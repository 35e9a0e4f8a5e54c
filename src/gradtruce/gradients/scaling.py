"""The factor of a gradient scaler, and what a step that it skips must not leave behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.optim import Optimizer


def scale_of(scaler: torch.amp.GradScaler | None, device: torch.device) -> Float[Tensor, ""] | None:
    """Return the present factor of a scaler on the device, without waiting for it.

    >>> scale_of(torch.amp.GradScaler("cpu", init_scale=8.0), torch.device("cpu"))
    tensor(8.)
    """
    if scaler is None:
        return None
    scaled: Tensor = scaler.scale(torch.ones((), device=device))
    return scaled


def enabled_scaler(scaler: object | None) -> torch.amp.GradScaler | None:
    """Return the scaler, or `None` where it is switched off.

    Raises:
        TypeError: If it is of another kind.

    >>> enabled_scaler(torch.amp.GradScaler("cpu", enabled=False))
    """
    if scaler is None:
        return None
    if not isinstance(scaler, torch.amp.GradScaler):
        raise TypeError(f"scaler must be a torch.amp.GradScaler, got {type(scaler).__name__}")
    return scaler if scaler.is_enabled() else None


def take(optimizer: Optimizer, scaler: torch.amp.GradScaler | None) -> None:
    """Step an optimizer, by the scaler where there is one, and empty `.grad`.

    >>> weight = nn.Parameter(torch.ones(1))
    >>> weight.grad = torch.ones(1)
    >>> take(torch.optim.SGD([weight], lr=0.5), None)
    >>> weight.item(), weight.grad
    (0.5, None)
    """
    if scaler is None:
        optimizer.step()
    else:
        scaler.step(optimizer)
        scaler.update()
    optimizer.zero_grad(set_to_none=True)


@final
class KeptState:
    """Remembers the state of a balancer, to undo what a step that is not taken did to it.

    Args:
        balancer: Its parameters and buffers are copied.

    >>> module = nn.BatchNorm1d(1)
    >>> kept = KeptState(module)
    >>> module.running_mean.fill_(torch.nan)
    tensor([nan])
    >>> kept.restore_unless(torch.tensor(False))
    >>> module.running_mean
    tensor([0.])
    """

    def __init__(self, balancer: nn.Module) -> None:
        self._balancer = balancer
        self._buffers = {name: buffer.clone() for name, buffer in balancer.named_buffers()}
        self._parameters = {name: p.detach().clone() for name, p in balancer.named_parameters()}

    @contextmanager
    def back_on_errors(self) -> Iterator[None]:
        """Go back to what was remembered if an error comes out of the `with` block."""
        try:
            yield
        except BaseException:
            self.restore_unless(torch.tensor(False))
            raise

    def restore_unless(self, finite: Bool[Tensor, ""]) -> None:
        """Go back to what was remembered where the flag is False, without reading it."""
        for name, now in list(self._balancer.named_buffers()):
            kept = self._buffers.get(name)
            if kept is not None and kept.shape == now.shape:
                # not in place: a record may hold the same tensor
                owner, _, last = name.rpartition(".")
                module = self._balancer.get_submodule(owner)
                setattr(module, last, torch.where(finite.to(now.device), now, kept))
        for name, parameter in self._balancer.named_parameters():
            kept = self._parameters[name]
            with torch.no_grad():
                parameter.copy_(torch.where(finite.to(parameter.device), parameter, kept))
