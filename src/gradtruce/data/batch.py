"""What the loader hands to a method."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@final
@dataclass(frozen=True, eq=False)
class Batch:
    """Several studies as tensors.

    Attributes:
        ids: Study ids.
        reports: Reference texts, cleaned as the data configuration says, never cut.
        pixel_values: Normalised images; an absent view is all zero.
        view_mask: False where a view is absent.
        input_ids: Reports as tokens: bos, words, eos, then pad; may be cut at the longest length.
        labels: State of each of the 14 observations: 1, 0, -1 (uncertain), NaN (missing).
        prior_pixel_values: Images of each study's prior study, changed by the same draw; `None`
            where priors were not asked for, as the three that follow.
        prior_mask: False where the prior, or a view of it, is absent.
        prior_input_ids: Report of the prior as tokens; all pad where there is no prior.
        prior_labels: Labels of the prior; NaN where there is no prior.
        clusters: Cluster of each report, -1 where it has none; `None` where no file gives them.
        retrieved: Text features of the training reports nearest to each study, nearest first;
            `None` where no bank was given.

    >>> batch = Batch(("a", "b"), ("Clear.", "Edema."), torch.zeros(2, 1, 3, 4, 4),
    ...               torch.ones(2, 1, dtype=torch.bool), torch.tensor([[1, 2], [1, 3]]),
    ...               torch.zeros(2, 14))
    >>> len(batch), batch.half(1).ids, batch.has_priors
    (2, ('b',), False)
    """

    ids: tuple[str, ...]
    reports: tuple[str, ...]
    pixel_values: Float[Tensor, "batch views 3 height width"]
    view_mask: Bool[Tensor, "batch views"]
    input_ids: Int[Tensor, "batch tokens"]
    labels: Float[Tensor, "batch observations"]
    prior_pixel_values: Float[Tensor, "batch prior_views 3 height width"] | None = None
    prior_mask: Bool[Tensor, "batch prior_views"] | None = None
    prior_input_ids: Int[Tensor, "batch prior_tokens"] | None = None
    prior_labels: Float[Tensor, "batch observations"] | None = None
    clusters: Int[Tensor, " batch"] | None = None
    retrieved: Float[Tensor, "batch neighbours features"] | None = None

    @property
    def has_priors(self) -> bool:
        """Whether the loader was asked for prior studies."""
        return self.prior_mask is not None

    def to(self, device: torch.device | str) -> "Batch":
        """Return the batch with its tensors on `device`; from pinned memory without waiting."""
        return self._with_tensors(lambda each: each.to(device, non_blocking=each.is_pinned()))

    def pin_memory(self) -> "Batch":
        """Return the batch in page-locked memory, from where a GPU copies while it computes."""
        return self._with_tensors(Tensor.pin_memory)

    def half(self, which: int) -> "Batch":
        """Return the studies of even (0) or odd (1) place: two disjoint halves of one batch."""
        return self.part(slice(which, None, 2))

    def part(self, places: slice) -> "Batch":
        """Return some of the studies, as a batch of its own.

        >>> labels, mask = torch.zeros(3, 14), torch.ones(3, 1, dtype=torch.bool)
        >>> batch = Batch(("a", "b", "c"), ("", "", ""), torch.zeros(3, 1, 3, 4, 4), mask,
        ...               torch.ones(3, 2, dtype=torch.long), labels)
        >>> batch.part(slice(1, 3)).ids
        ('b', 'c')
        """
        some = self._with_tensors(lambda each: each[places])
        return replace(some, ids=self.ids[places], reports=self.reports[places])

    def __len__(self) -> int:
        """Return the number of studies."""
        return len(self.ids)

    def _with_tensors(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        tensors: dict[str, Any] = {  # replace() takes any field by name
            name: change(value) for name, value in values.items() if isinstance(value, Tensor)
        }
        return replace(self, **tensors)
