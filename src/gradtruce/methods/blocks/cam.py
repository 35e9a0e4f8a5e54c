"""Class activation maps, and the one map of all that a method believes to see (CAMANet)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def class_activation(
    features: Float[Tensor, "batch places channels"],
    weight: Float[Tensor, "observations pooled"],
) -> Float[Tensor, "batch observations places"]:
    """Return how much each place speaks for each observation, at least 0 and without gradient.

    It is what a linear head would score, its bias left out, if a study looked everywhere as it does
    at that place. Over the mean of the features alone that is the map of Zhou et al. 2016. Over the
    mean and the maximum side by side both halves of the weight count, because the mean and the
    maximum of a constant are that constant.

    Args:
        features: Of the backbone; zero where a view is absent, whose map is then zero.
        weight: Of the head, over the mean or over mean and maximum.

    >>> features = torch.tensor([[[1.0, 0.0], [0.0, 2.0]]])
    >>> class_activation(features, torch.tensor([[1.0, -1.0]]))
    tensor([[[1., 0.]]])
    >>> class_activation(features, torch.tensor([[1.0, -1.0, 0.0, 3.0]]))
    tensor([[[1., 4.]]])
    """
    with torch.no_grad():
        halves = weight.view(len(weight), -1, features.shape[2])
        return torch.einsum("bpc,koc->bkp", features, halves).relu()


def min_max(
    values: Float[Tensor, "batch places"], present: Bool[Tensor, "batch places"]
) -> Float[Tensor, "batch places"]:
    """Return the values of the present places brought to 0 to 1, row by row; 0 elsewhere.

    A row whose values are all the same becomes 0.

    >>> present = torch.tensor([[True, True, False], [True, True, False]])
    >>> min_max(torch.tensor([[2.0, 4.0, 9.0], [3.0, 3.0, 9.0]]), present)
    tensor([[0., 1., 0.],
            [0., 0., 0.]])
    """
    low = values.masked_fill(~present, torch.inf).amin(dim=1, keepdim=True)
    high = values.masked_fill(~present, -torch.inf).amax(dim=1, keepdim=True)
    span = high - low
    return ((values - low) / span.where(span > 0, 1.0)).where(present, 0.0)


def discriminative_map(
    cam: Float[Tensor, "batch observations places"],
    scores: Float[Tensor, "batch observations"],
    present: Bool[Tensor, "batch places"],
) -> Float[Tensor, "batch places"]:
    """Return the visual discriminative map of each study, 0 to 1 over all its present views.

    The maximum, place by place, of the maps of all observations that the head itself believes
    present (a probability of one half or more); all zero where it believes none. A constant for
    gradients.

    >>> cam = torch.tensor([[[1.0, 3.0], [9.0, 0.0]]])
    >>> present = torch.ones(1, 2, dtype=torch.bool)
    >>> discriminative_map(cam, torch.tensor([[0.4, -2.0]]), present)
    tensor([[0., 1.]])
    """
    with torch.no_grad():
        believed = cam.where((scores >= 0).unsqueeze(2), 0.0)
        return min_max(believed.amax(dim=1), present)
