"""What a backbone sees in the views of each study."""

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class ViewFeatures:
    """What the backbone sees in the views of each study.

    Attributes:
        features: Row after row of each view; zero where a view is absent.
        view_mask: False where a view is absent.
        token_mask: The same for the tokens of all views in one row.
        grid: Rows and columns of tokens in one view.
    """

    features: Float[Tensor, "batch views places channels"]
    view_mask: Bool[Tensor, "batch views"]
    token_mask: Bool[Tensor, "batch tokens"]
    grid: tuple[int, int]
