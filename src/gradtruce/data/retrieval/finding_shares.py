"""How often a retrieved report has the findings of the study that asked, against chance."""

from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gradtruce.data.observations import POSITIVE

COUNTS: Final = (5, 21)
"""Numbers of neighbours that are measured; 21 is what PromptMRG reads."""


def finding_shares(
    labels: Float[Tensor, "studies observations"],
    of_bank: Float[Tensor, "reports observations"],
    neighbours: Int[Tensor, "studies neighbours"],
    *,
    is_own_left_out: bool,
) -> dict[str, float]:
    """Return the share of retrieved reports that have what the study has, and that of chance.

    For each observation, the studies that have it: the mean share of their retrieved reports that
    have it too. Then the mean over the observations, so that a rare one counts as much as a
    frequent one. Uncertain and missing labels are not positive.

    Args:
        labels: Of the studies that ask.
        of_bank: Of the reports in the bank.
        neighbours: Rows of the bank.
        is_own_left_out: Whether each study is in the bank and was left out of what it may find.

    Returns:
        "retrieved" and "random", from 0 to 1; nothing where no study has a positive label.

    >>> labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> finding_shares(labels, labels, torch.tensor([[0], [0]]), is_own_left_out=False)
    {'retrieved': 0.5, 'random': 0.5}
    """
    asks, has = labels == POSITIVE, of_bank == POSITIVE
    found, chance = [], []
    for observation in asks.any(dim=0).nonzero()[:, 0].tolist():
        theirs = neighbours[asks[:, observation]]
        found.append(has[:, observation][theirs].double().mean())
        positives, own = int(has[:, observation].sum()), int(is_own_left_out)
        chance.append((positives - own) / max(len(of_bank) - own, 1))
    if not found:
        return {}
    mean = float(torch.stack(found).mean())
    return {"retrieved": round(mean, 4), "random": round(sum(chance) / len(chance), 4)}
