"""How hard a phantom is to read: contrast of findings, noise and clutter."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal, final

LevelName = Literal["easy", "standard", "hard"]


@final
@dataclass(frozen=True)
class Level:
    """Numbers that set the difficulty of the images.

    Attributes:
        opacity: Factor on the density of opacities.
        thin: Factor on the width of thin findings: lines, tubes, wires, gaps.
        change: Factor on changes of shape, such as a wider heart or a collapsed lung.
        noise: Standard deviation of noise at mid grey, as a share of the grey range.
        pose: Factor on the variation of pose, exposure and contrast.
        clutter: Mean number of distractors a film: skin folds, electrodes, cables, buttons.
        detail: Factor on the contrast of the normal texture of the lung.
    """

    opacity: float
    thin: float
    change: float
    noise: float
    pose: float
    clutter: float
    detail: float

    def faint(self) -> "Level":
        """Return the level at which findings that are only possible are drawn.

        >>> LEVELS["easy"].faint().opacity < LEVELS["easy"].opacity
        True
        """
        return replace(
            self, opacity=0.7 * self.opacity, thin=0.85 * self.thin, change=0.85 * self.change
        )


LEVELS: Final[Mapping[LevelName, Level]] = MappingProxyType(
    {
        "easy": Level(
            opacity=1.6, thin=2.1, change=1.3, noise=0.006, pose=0.6, clutter=0.0, detail=0.8
        ),
        "standard": Level(
            opacity=1.2, thin=1.7, change=1.05, noise=0.011, pose=1.0, clutter=0.4, detail=1.0
        ),
        "hard": Level(
            opacity=0.7, thin=1.0, change=0.8, noise=0.02, pose=1.4, clutter=1.6, detail=1.15
        ),
    }
)
