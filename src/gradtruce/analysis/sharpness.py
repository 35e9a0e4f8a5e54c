"""Sharpness of a minimum: the largest eigenvalue of the Hessian, by Lanczos on double backward."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

Terms = Sequence[Callable[[], Tensor]]
"""Scalars whose sum is the loss, such as one a batch: each has a graph of its own, made when it is
called, so that one batch is held at a time."""

VECTORS: Final = 12
"""Directions that Lanczos holds, each as long as the parameters; fewer cost more restarts."""


@final
@dataclass(frozen=True)
class Curvature:
    """The largest eigenvalue of a Hessian.

    Attributes:
        value: λ; below 0 where the loss bends down in every direction.
        residual: ‖Hv − λv‖ / |λ| of the unit eigenvector found, measured after the search.
        products: Products of the Hessian with a vector that it took.
    """

    value: float
    residual: float
    products: int


def hessian_product(
    terms: Terms, parameters: Sequence[Tensor], vector: Float[Tensor, " params"]
) -> Float[Tensor, " params"]:
    """Return Hv of the sum of the terms, exact, by differentiating ⟨∇L, v⟩ (Pearlmutter 1994).

    Args:
        terms: See `Terms`.
        parameters: Of which H is the Hessian, in this order; one that is not reached gives zeros.
        vector: v.

    >>> weight = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> hessian_product([lambda: (weight**3).sum()], [weight], torch.tensor([1.0, 1.0]))
    tensor([ 6., 12.])
    """
    pieces = _pieces(vector, parameters)
    total = [torch.zeros_like(parameter) for parameter in parameters]
    for term in terms:
        with twice_differentiable():
            slopes = torch.autograd.grad(term(), parameters, create_graph=True, allow_unused=True)
            inner = [
                (slope * piece).sum()
                for slope, piece in zip(slopes, pieces, strict=True)
                if _bends(slope)
            ]
            if not inner:
                continue  # a loss that is linear in all of them
            bends = torch.autograd.grad(sum(inner[1:], inner[0]), parameters, allow_unused=True)
        for place, bend in enumerate(bends):
            if bend is not None:
                total[place] += bend
    return torch.cat([entry.flatten() for entry in total])


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """Compute attention by plain products, since its fused kernels have no second derivative.

    >>> with twice_differentiable():
    ...     torch.nn.functional.scaled_dot_product_attention(*torch.ones(3, 1, 2, 2)).shape
    torch.Size([1, 2, 2])
    """
    with sdpa_kernel(SDPBackend.MATH):
        yield


def largest_eigenvalue(
    terms: Terms,
    parameters: Sequence[Tensor],
    *,
    tolerance: float = 1e-3,
    iterations: int = 40,
    seed: int = 0,
    watch: Callable[[int], None] | None = None,
) -> Curvature:
    """Return the largest eigenvalue of the Hessian, not the one of largest size.

    Args:
        terms: See `Terms`. The same call must give the same value: no dropout, fixed batches.
        parameters: Of which the Hessian is taken; all of one type and device.
        tolerance: Of the eigenvalue, relative.
        iterations: Restarts of Lanczos at most, each of about 10 products.
        seed: Of the vector to start from.
        watch: Told the number of products so far.

    Raises:
        ArithmeticError: If it is not found in so many iterations.
        ValueError: If there are fewer than 3 numbers in the parameters.

    >>> weight = torch.ones(4, requires_grad=True)
    >>> scale = torch.tensor([1.0, 2.0, 3.0, 8.0])
    >>> found = largest_eigenvalue([lambda: (scale * weight**2).sum() / 2], [weight])
    >>> round(found.value, 4)
    8.0
    """
    size = sum(parameter.numel() for parameter in parameters)
    if size < 3:
        raise ValueError(f"an eigenvalue is searched among 3 parameters or more, got {size}")
    like = parameters[0]
    kind = torch.zeros(0, dtype=like.dtype).numpy().dtype
    count = 0

    def product(vector: Float[np.ndarray, " params"]) -> Float[np.ndarray, " params"]:
        nonlocal count
        count += 1
        if watch is not None:
            watch(count)
        there = torch.from_numpy(np.ascontiguousarray(vector.ravel())).to(like)
        return hessian_product(terms, parameters, there).cpu().numpy()

    start = np.random.default_rng(seed).standard_normal(size).astype(kind)
    operator = LinearOperator((size, size), matvec=product, dtype=kind)
    try:
        values, vectors = eigsh(
            operator,
            k=1,
            which="LA",
            v0=start,
            ncv=min(size, VECTORS),
            tol=tolerance,
            maxiter=iterations,
        )
    except ArpackNoConvergence as error:
        raise ArithmeticError(
            f"the largest eigenvalue was not found to {tolerance:g} in {count} products; allow "
            "more iterations or a larger tolerance, or look for it in float64"
        ) from error
    value, vector = float(values[0]), vectors[:, 0]
    gap = float(np.linalg.norm(product(vector) - value * vector))
    return Curvature(value, gap / abs(value) if value else math.inf, count)


def _bends(slope: Tensor | None) -> bool:
    return slope is not None and slope.requires_grad


def _pieces(vector: Float[Tensor, " params"], parameters: Sequence[Tensor]) -> list[Tensor]:
    sizes = [parameter.numel() for parameter in parameters]
    return [
        piece.view_as(parameter)
        for piece, parameter in zip(torch.split(vector, sizes), parameters, strict=True)
    ]
