"""Affinity propagation: clusters from similarities, their number not given."""

import torch
from jaxtyping import Float
from torch import Tensor

from gradtruce.gradients.counter import Draws

ROUNDING = 2.0**-52  # of float64: how far similarities are moved apart, so that none are tied


def affinity_propagation(
    similarity: Float[Tensor, "things things"],
    *,
    damping: float = 0.5,
    patience: int = 50,
    limit: int = 1200,
) -> list[int] | None:
    """Return the cluster of every thing, or `None` where messages do not settle (Frey, Dueck 2007).

    Clusters are numbered by their first member.
    The preference of every thing to be an exemplar is the median of all similarities. Runs on the
    host, in float64, and draws nothing: ties are broken by place.

    Args:
        similarity: s(i, j), how well j serves as the exemplar of i; the diagonal counts in the
            median only.
        damping: Share of the old messages, from 0.5 to below 1.
        patience: Rounds in which the exemplars must stay the same.
        limit: Rounds at most.

    >>> near, far = [0.0, -1.0, -9.0, -9.0], [-9.0, -9.0, 0.0, -2.0]
    >>> similarity = torch.tensor([near, [-1.0, 0.0, -9.0, -9.0], far, [-9.0, -9.0, -2.0, 0.0]])
    >>> affinity_propagation(similarity)
    [0, 0, 1, 1]
    """
    S = similarity.detach().to("cpu", torch.float64).clone()
    count = len(S)
    preference = _median(S)
    S.fill_diagonal_(preference)
    if count == 1 or not bool((preference - S).any()):
        return [0] * count
    S += ROUNDING * S.abs() * Draws(seed=0, step=0, starts=(0,)).normal(0, S)
    responsibility, availability = torch.zeros_like(S), torch.zeros_like(S)
    was, stable = torch.zeros(count, dtype=torch.bool), 0
    for _ in range(limit):
        responsibility.lerp_(_responsibility(S, availability), 1 - damping)
        availability.lerp_(_availability(responsibility), 1 - damping)
        is_exemplar = (responsibility + availability).diagonal() > 0
        stable = stable + 1 if torch.equal(is_exemplar, was) else 0
        was = is_exemplar
        if stable >= patience and bool(is_exemplar.any()):
            return _clusters(S, is_exemplar.nonzero().flatten())
    return None


def _responsibility(
    S: Float[Tensor, "things things"], availability: Float[Tensor, "things things"]
) -> Float[Tensor, "things things"]:
    """Return how much better j serves i than the best other candidate."""
    best, second = (availability + S).topk(2, dim=1).values.unbind(1)
    winner = (availability + S).argmax(1, keepdim=True)
    others = best.unsqueeze(1).expand_as(S).scatter(1, winner, second.unsqueeze(1))
    return S - others


def _availability(
    responsibility: Float[Tensor, "things things"],
) -> Float[Tensor, "things things"]:
    """Return how much support j has from others for being the exemplar of i."""
    own = responsibility.diagonal()
    support = responsibility.clamp_min(0.0).fill_diagonal_(0.0)
    total = support.sum(0)
    available = (own + total - support).clamp_max(0.0)
    return available.diagonal_scatter(total)


def _clusters(S: Float[Tensor, "things things"], exemplars: Tensor) -> list[int]:
    """Return the cluster of every thing, after each cluster has chosen its best exemplar."""
    for place, members in enumerate(_members(S, exemplars)):
        within = S[members][:, members].sum(0)
        exemplars[place] = members[within.argmax()]
    chosen = exemplars[_nearest(S, exemplars)].tolist()
    numbers = {exemplar: number for number, exemplar in enumerate(dict.fromkeys(chosen))}
    return [numbers[exemplar] for exemplar in chosen]


def _nearest(S: Float[Tensor, "things things"], exemplars: Tensor) -> Tensor:
    nearest = S[:, exemplars].argmax(1)
    nearest[exemplars] = torch.arange(len(exemplars))
    return nearest


def _members(S: Float[Tensor, "things things"], exemplars: Tensor) -> list[Tensor]:
    nearest = _nearest(S, exemplars)
    return [(nearest == place).nonzero().flatten() for place in range(len(exemplars))]


def _median(values: Tensor) -> float:
    """Return the median, the mean of the middle two of an even number."""
    ordered = values.flatten().sort().values
    middle = len(ordered) // 2
    low = ordered[middle] if len(ordered) % 2 else ordered[middle - 1]
    return float((low + ordered[middle]) / 2)
