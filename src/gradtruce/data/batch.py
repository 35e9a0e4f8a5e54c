"""What the loader hands to a method."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


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
        clusters: Cluster of each report, -1 where it has none; `None` where no file gives them.
    """

    ids: tuple[str, ...]
    reports: tuple[str, ...]
    pixel_values: Float[Tensor, "batch views 3 height width"]
    view_mask: Bool[Tensor, "batch views"]
    input_ids: Int[Tensor, "batch tokens"]
    labels: Float[Tensor, "batch observations"]
    clusters: Int[Tensor, " batch"] | None = None

    def to(self, device: torch.device | str) -> "Batch":
        """Return the batch with its tensors on `device`."""
        return replace(
            self,
            pixel_values=self.pixel_values.to(device),
            view_mask=self.view_mask.to(device),
            input_ids=self.input_ids.to(device),
            labels=self.labels.to(device),
            clusters=None if self.clusters is None else self.clusters.to(device),
        )

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
        return replace(
            self,
            ids=self.ids[places],
            reports=self.reports[places],
            pixel_values=self.pixel_values[places],
            view_mask=self.view_mask[places],
            input_ids=self.input_ids[places],
            labels=self.labels[places],
            clusters=None if self.clusters is None else self.clusters[places],
        )

    def __len__(self) -> int:
        """Return the number of studies."""
        return len(self.ids)
