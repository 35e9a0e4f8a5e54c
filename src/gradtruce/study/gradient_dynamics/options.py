"""What an analysis looks at, and how thoroughly."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, final, get_args

from gradtruce.naming import suggestion

Part = Literal["log", "layers", "noise", "sharpness", "landscape"]
Which = Literal["best", "last"]
AnalysedSplit = Literal["train", "val", "test"]

PARTS: Final[tuple[Part, ...]] = get_args(Part)
DEEP: Final = frozenset(PARTS) - {"log"}
"""Parts that need a checkpoint and the data; "log" reads the log alone."""


@final
@dataclass(frozen=True)
class AnalysisOptions:
    """What is measured at a checkpoint, and on how much.

    Attributes:
        parts: Any of `PARTS`, at least one.
        checkpoint: "last", which knows optimizer and balancer, or "best".
        split: Studies that gradients and losses are of.
        batches: Batches for conflict by layer and for noise at one point; disjoint, so that they
            all must be in one epoch.
        window: Steps of training after the checkpoint, for noise along a training; 0 for none.
        fixed_batches: Batches whose loss is the surface that sharpness and landscape are of.
        points: Places along a line of the landscape, odd; a map has half as many along each axis.
        reach: Largest amount of a filter-normalised direction; 1 is as long as the network.
        tolerance: Of an eigenvalue, relative.
        is_double: Whether sharpness and landscape are computed in float64.
        most_layers: Rows of the map of layers, at most.
        seed: Of batches, dropout, directions and the search for eigenvalues.

    Raises:
        ValueError: If a number is out of its range or a part is unknown.

    >>> AnalysisOptions(points=10)
    Traceback (most recent call last):
    ValueError: points must be odd, so that 0 is one of them, and at least 3, got 10
    """

    parts: tuple[Part, ...] = PARTS
    checkpoint: Which = "last"
    split: AnalysedSplit = "train"
    batches: int = 16
    window: int = 32
    fixed_batches: int = 4
    points: int = 21
    reach: float = 1.0
    tolerance: float = 1e-3
    is_double: bool = False
    most_layers: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every number."""
        parts_named(self.parts)
        if self.batches < 4:
            raise ValueError(f"batches must be at least 4, two pairs, got {self.batches}")
        if self.window and self.window < 4:
            raise ValueError(f"window must be 0 or at least 4 steps, got {self.window}")
        if min(self.fixed_batches, self.most_layers) < 1:
            raise ValueError("fixed_batches and most_layers must be at least 1")
        if self.points < 3 or self.points % 2 == 0:
            raise ValueError(
                f"points must be odd, so that 0 is one of them, and at least 3, got {self.points}"
            )
        if not self.reach > 0 or not 0 < self.tolerance < 1:
            raise ValueError(
                "reach must be above 0 and tolerance between 0 and 1, got "
                f"{self.reach} and {self.tolerance}"
            )

    @property
    def map_points(self) -> int:
        """Return the places along each axis of a map: about half of `points`, odd.

        >>> AnalysisOptions(points=21).map_points
        11
        """
        return max(3, self.points // 2 | 1)

    @property
    def is_deep(self) -> bool:
        """Whether a checkpoint is needed."""
        return not DEEP.isdisjoint(self.parts)


def parts_named(names: Sequence[str]) -> tuple[Part, ...]:
    """Return the parts of these names, in their usual order.

    Raises:
        ValueError: If there is no such part, or none is named.

    >>> parts_named(["noise", "log"])
    ('log', 'noise')
    """
    for name in names:
        if name not in PARTS:
            raise ValueError(f"no part is called {name!r}{suggestion(name, PARTS)}")
    if not names:
        raise ValueError(f"name at least one part: {', '.join(PARTS)}")
    return tuple(part for part in PARTS if part in names)
