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
    """

    ids: tuple[str, ...]
    reports: tuple[str, ...]
    pixel_values: Float[Tensor, "batch views 3 height width"]
    view_mask: Bool[Tensor, "batch views"]
    input_ids: Int[Tensor, "batch tokens"]
    labels: Float[Tensor, "batch observations"]

    def to(self, device: torch.device | str) -> "Batch":
        """Return the batch with its tensors on `device`."""
        return replace(
            self,
            pixel_values=self.pixel_values.to(device),
            view_mask=self.view_mask.to(device),
            input_ids=self.input_ids.to(device),
            labels=self.labels.to(device),
        )

    def half(self, which: int) -> "Batch":
        """Return the studies of even (0) or odd (1) place: two disjoint halves of one batch."""
        return replace(
            self,
            ids=self.ids[which::2],
            reports=self.reports[which::2],
            pixel_values=self.pixel_values[which::2],
            view_mask=self.view_mask[which::2],
            input_ids=self.input_ids[which::2],
            labels=self.labels[which::2],
        )

    def __len__(self) -> int:
        """Return the number of studies."""
        return len(self.ids)
