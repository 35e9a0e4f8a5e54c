"""The losses that most methods share, each divided by a count that the caller may give."""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int, Real
from torch import Tensor, nn

from gradtruce.data.observations import UNCERTAIN

UncertainPolicy = Literal["negative", "positive", "ignore"]


def token_nll(
    logits: Float[Tensor, "batch tokens vocabulary"],
    targets: Int[Tensor, "batch tokens"],
    pad: int,
    count: Real[Tensor, ""],
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Return the negative log-likelihood of all targets that are not pad, over `count`.

    With `smoothing`, that share of every target is spread evenly over all words.

    >>> targets = torch.tensor([[5, 2, 0]])
    >>> token_nll(torch.zeros(1, 3, 8), targets, pad=0, count=torch.tensor(2.0))
    tensor(2.0794)
    """
    total = nn.functional.cross_entropy(
        logits.flatten(0, 1),
        targets.flatten(),
        ignore_index=pad,
        reduction="sum",
        label_smoothing=smoothing,
    )
    return total / count


def labelled_cells(
    labels: Float[Tensor, "batch observations"], uncertain: UncertainPolicy
) -> Bool[Tensor, "batch observations"]:
    """Return which labels count: those not missing, and uncertain ones unless ignored.

    >>> labelled_cells(torch.tensor([[1.0, -1.0, float("nan")]]), "ignore")
    tensor([[ True, False, False]])
    """
    known = ~labels.isnan()
    return known & (labels != UNCERTAIN) if uncertain == "ignore" else known


@torch.compiler.disable  # type: ignore[untyped-decorator]  # torch does not annotate it
def has_labels(labels: Float[Tensor, "batch observations"], uncertain: UncertainPolicy) -> bool:
    """Return whether any label counts; the host reads it, so a compiled graph breaks here.

    >>> has_labels(torch.tensor([[float("nan"), -1.0]]), "ignore")
    False
    """
    return bool(labelled_cells(labels, uncertain).any())


def findings_bce(
    logits: Float[Tensor, "batch observations"],
    labels: Float[Tensor, "batch observations"],
    uncertain: UncertainPolicy,
    count: Real[Tensor, ""],
) -> Float[Tensor, ""]:
    """Return the binary cross-entropy of all labels that count, over `count`.

    >>> labels = torch.tensor([[1.0, -1.0, float("nan")]])
    >>> findings_bce(torch.zeros(1, 3), labels, "negative", count=torch.tensor(2.0))
    tensor(0.6931)
    """
    targets = labels.where(labels != UNCERTAIN, float(uncertain == "positive"))
    targets = targets.nan_to_num().to(logits.dtype)
    counted = labelled_cells(labels, uncertain)
    cells = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return cells.where(counted, 0.0).sum() / count
