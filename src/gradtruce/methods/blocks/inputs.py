"""What a method is told of each study before it writes."""

from dataclasses import dataclass, fields
from typing import final

from jaxtyping import Bool, Float, Int
from torch import Tensor

from gradtruce.data.batch import Batch


@final
@dataclass(frozen=True, eq=False)
class Inputs:
    """All of a batch that `encode` may look at; the fields are those of `Batch`.

    Attributes:
        pixel_values: Normalised images.
        view_mask: False where a view is absent.
        labels: 1, 0, -1 or NaN for each observation. They are there also when reports are
            generated: a method that looks at them then must be asked to by name in its
            configuration.
        retrieved: Text features of the nearest training reports, nearest first.
        prior_pixel_values: Images of the prior study.
        prior_mask: False where the prior, or a view of it, is absent.
        prior_input_ids: Report of the prior; all pad where there is no prior.
        prior_labels: Labels of the prior; NaN where there is no prior.

    >>> import torch
    >>> inputs = Inputs(torch.zeros(2, 1, 3, 4, 4), torch.tensor([[True], [True]]))
    >>> inputs.labels is None
    True
    """

    pixel_values: Float[Tensor, "batch views 3 height width"]
    view_mask: Bool[Tensor, "batch views"]
    labels: Float[Tensor, "batch observations"] | None = None
    retrieved: Float[Tensor, "batch neighbours features"] | None = None
    prior_pixel_values: Float[Tensor, "batch prior_views 3 height width"] | None = None
    prior_mask: Bool[Tensor, "batch prior_views"] | None = None
    prior_input_ids: Int[Tensor, "batch prior_tokens"] | None = None
    prior_labels: Float[Tensor, "batch observations"] | None = None

    @classmethod
    def of(cls, batch: Batch) -> "Inputs":
        """Return those of a batch.

        >>> import torch
        >>> images, mask = torch.zeros(1, 1, 3, 4, 4), torch.tensor([[True]])
        >>> batch = Batch(("a",), ("",), images, mask, torch.tensor([[1, 2]]), torch.zeros(1, 14))
        >>> Inputs.of(batch).labels.shape
        torch.Size([1, 14])
        """
        return cls(**{field.name: getattr(batch, field.name) for field in fields(cls)})
