"""Gradients of shared features, which lie between the shared parameters and the heads."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradtruce.gradients.gramian import gramian


def admitted_features(
    features: Tensor | Sequence[Tensor] | None, device: torch.device
) -> list[Tensor]:
    """Return the features as a list.

    Raises:
        ValueError: If there are none, one is elsewhere, or one was not computed with a graph.
        TypeError: If they are no tensors.
    """
    if features is None:
        raise ValueError(
            "scope='features' balances at the shared representation: give it as "
            "backward(losses, features=z)"
        )
    found = [features] if isinstance(features, Tensor) else list(features)
    if not found:
        raise ValueError("features must hold at least one tensor, got none")
    for feature in found:
        if not isinstance(feature, Tensor):
            raise TypeError(f"features must be tensors, got {type(feature).__name__}")
        if feature.device != device:
            raise ValueError(f"features are on {feature.device}, the parameters on {device}")
        if feature.grad_fn is None:
            raise ValueError(
                "features must be what the shared parameters computed, with its graph; these have "
                "none: look for a detach() or torch.no_grad() in the trunk"
            )
    return found


def reach_of(
    features: Sequence[Tensor], losses: Mapping[int, Tensor], parameters: Sequence[nn.Parameter]
) -> tuple[list[bool], dict[int, list[bool]]]:
    """Return which parameters lie before the features, and which others each loss reaches.

    Raises:
        ValueError: If no parameter lies before the features.

    >>> trunk, head = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    >>> z = 2 * trunk
    >>> reach_of([z], {0: (z * head).sum()}, [trunk, head])
    ([True, False], {0: [False, True]})
    """
    sums = [feature.sum() for feature in features]
    inside = [gradient is not None for gradient in _gradients(sums, parameters)]
    if not any(inside):
        raise ValueError("no parameter of the model lies before the features")
    others = [p for p, is_inside in zip(parameters, inside, strict=True) if not is_inside]
    touched = {}
    for task, loss in losses.items():
        found = iter(_gradients([loss], others))
        touched[task] = [not is_inside and next(found) is not None for is_inside in inside]
    return inside, touched


def _gradients(
    outputs: Sequence[Tensor], parameters: Sequence[nn.Parameter]
) -> list[Tensor | None]:
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    if not trained:
        return [None] * len(parameters)
    found = iter(torch.autograd.grad(outputs, trained, retain_graph=True, allow_unused=True))
    return [next(found) if parameter.requires_grad else None for parameter in parameters]


def _dense(gradient: Tensor | None) -> Tensor | None:
    return None if gradient is None else gradient.contiguous()


def feature_gramian(
    losses: Mapping[int, Tensor],
    features: Sequence[Tensor],
    scale: Float[Tensor, ""] | None,
    *,
    tasks: int,
    home: torch.device,
) -> Float[Tensor, "tasks tasks"]:
    """Return the Gramian of the gradients of the losses by the features, unscaled.

    Args:
        losses: By the place of their task.
        features: What the losses are computed from.
        scale: The factor of a scaler, so that gradients do not vanish on the way.
        tasks: Number of tasks.
        home: Where the Gramian is wanted.

    Raises:
        ValueError: If no loss depends on the features.

    >>> z = torch.ones(2, requires_grad=True) * 1.0
    >>> cpu = torch.device("cpu")
    >>> feature_gramian({1: 3 * z.sum()}, [z], None, tasks=2, home=cpu)
    tensor([[ 0.,  0.],
            [ 0., 18.]], dtype=torch.float64)
    """
    rows: list[list[Tensor | None]] = [[None] * len(features) for _ in range(tasks)]
    for task, loss in losses.items():
        seed = None if scale is None else scale.to(loss.dtype)
        found = torch.autograd.grad(
            loss, features, grad_outputs=seed, retain_graph=True, allow_unused=True
        )
        rows[task] = [_dense(gradient) for gradient in found]
    if losses and not any(gradient is not None for row in rows for gradient in row):
        raise ValueError(
            "no loss depends on the features that were given; they must be the very tensors that "
            "the heads were run on"
        )
    products = gramian(rows, device=home)
    return products if scale is None else products / scale.to(products).square()
