"""Which view of a study is compared with which view of its prior."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Int
from torch import Tensor


@final
@dataclass(frozen=True, eq=False)
class Pairs:
    """Views that are compared, study by study.

    Attributes:
        current: Places among the present views of the batch.
        prior: Places among all views of the priors, in one row.
        studies: Which study of the batch each pair is of.
    """

    current: Int[Tensor, " pairs"]
    prior: Int[Tensor, " pairs"]
    studies: Int[Tensor, " pairs"]


@torch.compiler.disable  # type: ignore[untyped-decorator]  # torch does not annotate it
def pair_views(
    view_mask: Bool[Tensor, "batch views"], prior_mask: Bool[Tensor, "batch prior_views"]
) -> Pairs:
    """Return the pairs: the first present view with the first of the prior, and so on.

    Views stand in reading order, the first frontal and the first lateral one in front. Where one
    study has more views than the other, those left over are compared with nothing. How many pairs
    there are is read by the host, so a compiled graph breaks here.

    >>> mask = torch.tensor([[True, True], [False, True], [True, False]])
    >>> prior = torch.tensor([[True, False], [True, True], [False, False]])
    >>> pairs = pair_views(mask, prior)
    >>> pairs.current, pairs.prior, pairs.studies
    (tensor([0, 2]), tensor([0, 2]), tensor([0, 1]))
    """
    has_partner = view_mask & (view_mask.cumsum(1) <= prior_mask.sum(1, keepdim=True))
    is_partner = prior_mask & (prior_mask.cumsum(1) <= view_mask.sum(1, keepdim=True))
    return Pairs(
        has_partner[view_mask].nonzero().squeeze(1),
        is_partner.flatten().nonzero().squeeze(1),
        has_partner.nonzero()[:, 0],
    )
