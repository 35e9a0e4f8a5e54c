"""What each stage of CAME-Grad does to the gradient, from the inner products that a log keeps.

The paper says that stage 1 "significantly compresses" the magnitude and that stage 2 restores it
(section 3.3). Norms, cosines and weights give the Gramian back, and with it every stage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from gradtruce.balance.came_grad import CAMEGrad, enhance
from gradtruce.gradients.solvers.rectification import fuse, norm, rectify, significant

STAGES: Final = ("mean", "rectified", "enhanced", "fused")


@final
@dataclass(frozen=True)
class Stage:
    """The gradient after a stage.

    Attributes:
        magnitude: Its norm in units of ‖Σ λ_k g_k‖.
        joint_cosine: Cosine of its angle to Σ λ_k g_k.
        validity: Smallest cosine to a task gradient; below 0, some loss rises to first order.
    """

    magnitude: float
    joint_cosine: float
    validity: float


def gramian_of(
    norms: Mapping[str, float], cosines: Mapping[str, float | None], tasks: Sequence[str]
) -> Float[Tensor, "tasks tasks"]:
    """Return G from the norms and the cosines of one line of a log.

    Args:
        norms: ‖g_k‖ by task.
        cosines: Cosine by "i|j"; `None` where one of the two is zero.
        tasks: In the order wanted.

    >>> gramian_of({"a": 1.0, "b": 2.0}, {"a|b": 0.5}, ["a", "b"])
    tensor([[1., 1.],
            [1., 4.]], dtype=torch.float64)
    """
    found = torch.zeros(len(tasks), len(tasks), dtype=torch.float64)
    for i, one in enumerate(tasks):
        for j, other in enumerate(tasks):
            known = cosines.get(f"{one}|{other}", cosines.get(f"{other}|{one}"))
            found[i, j] = norms[one] * norms[other] * (1.0 if i == j else known or 0.0)
    return found


def came_grad_stages(
    gramian: Float[Tensor, "tasks tasks"],
    weights: Float[Tensor, " tasks"],
    options: Mapping[str, Any],
) -> dict[str, Stage]:
    """Return the mean gradient, and the gradient after each stage of CAME-Grad.

    Args:
        gramian: G of the unweighted task gradients.
        weights: λ.
        options: Of the balancer, such as {"radius": 0.5}; its defaults where not given.

    Raises:
        TypeError: If it has no such option.

    >>> G = torch.tensor([[1.0, -0.5], [-0.5, 4.0]], dtype=torch.float64)
    >>> stages = came_grad_stages(G, torch.tensor([1.0, 4.0], dtype=torch.float64), {})
    >>> round(stages["enhanced"].magnitude, 6)
    1.5
    """
    balancer = CAMEGrad(**options)
    scale = weights if balancer.fold_weights else torch.ones_like(weights)
    rows = gramian * scale.outer(scale)
    active = significant(rows)
    joint = weights / scale * active
    mean = active / active.sum().clamp_min(1).to(rows)
    rectified, _ = rectify(rows, balancer.radius, active)
    enhanced, _ = enhance(rectified, rows, joint, gain=balancer.gain, max_gain=balancer.max_gain)
    fused = fuse(enhanced, balancer.gain * joint, balancer.fusion)
    steps = (mean, rectified, enhanced, fused)
    return {name: _stage(rows, joint, step) for name, step in zip(STAGES, steps, strict=True)}


def _stage(gramian: Tensor, joint: Tensor, coefficients: Tensor) -> Stage:
    length, whole = norm(gramian, coefficients), norm(gramian, joint)
    slopes = gramian @ coefficients
    cosines = slopes / (gramian.diagonal().sqrt() * length)
    return Stage(
        magnitude=float(length / whole),
        joint_cosine=float((joint @ slopes / (length * whole)).clamp(-1, 1)),
        validity=float(cosines[joint > 0].amin().clamp(-1, 1)),
    )
