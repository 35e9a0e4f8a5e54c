"""Which code measures and combines the rows of a step."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from gradtruce.gradients.combine import combine
from gradtruce.gradients.gramian import gramian
from gradtruce.gradients.rows import Row

KernelChoice = Literal["torch", "triton"]


class Kernels(ABC):
    """Measures and combines rows; every implementation gives the same numbers, up to rounding."""

    @abstractmethod
    def gramian(self, rows: Sequence[Row], *, device: torch.device) -> Float[Tensor, "tasks tasks"]:
        """Return the inner products of all pairs of rows, in float64, on a device."""

    @abstractmethod
    def combined(
        self,
        columns: Iterable[Sequence[Tensor | None]],
        coefficients: Float[Tensor, "sets tasks"],
        sets: Sequence[int],
    ) -> Row:
        """Return Σ a_k g_k of every parameter, in the memory of its first gradient.

        Args:
            columns: For each parameter, one gradient a task.
            coefficients: Rows of a, on the gradients' device.
            sets: For each parameter, which row of the coefficients is its own.
        """


@final
class TorchKernels(Kernels):
    """Operations of torch, on any device.

    >>> rows = [[torch.tensor([3.0, 4.0])], [torch.tensor([1.0, 0.0])]]
    >>> TorchKernels().combined(zip(*rows), torch.tensor([[1.0, 2.0]]), [0])
    [tensor([5., 4.])]
    """

    def gramian(self, rows: Sequence[Row], *, device: torch.device) -> Float[Tensor, "tasks tasks"]:
        """Return the Gramian; see `gradtruce.gradients.gramian.gramian`."""
        return gramian(rows, device=device)

    def combined(
        self,
        columns: Iterable[Sequence[Tensor | None]],
        coefficients: Float[Tensor, "sets tasks"],
        sets: Sequence[int],
    ) -> Row:
        """Return the combinations; see `gradtruce.gradients.combine.combine`."""
        by_set = coefficients.unbind()
        return [combine(column, by_set[s]) for column, s in zip(columns, sets, strict=True)]


def kernels_of(choice: KernelChoice, device: torch.device) -> Kernels:
    """Return the kernels of a choice.

    Raises:
        ValueError: If it is unknown, or Triton's and there is no Triton or no GPU.

    >>> type(kernels_of("torch", torch.device("cpu"))).__name__
    'TorchKernels'
    """
    if choice not in {"torch", "triton"}:
        raise ValueError(f"kernels must be 'torch' or 'triton', got {choice!r}")
    if choice == "torch":
        return TorchKernels()
    if find_spec("triton") is None:
        raise ValueError("kernels='triton' needs the package triton, which is not installed")
    fused = import_module("gradtruce.gradients.fused")
    if device.type != "cuda" and not fused.is_interpreted():
        raise ValueError(
            f"kernels='triton' needs a model on a GPU, and this one is on {device.type!r}; "
            "use kernels='torch'"
        )
    kernels: Kernels = fused.TritonKernels()
    return kernels
