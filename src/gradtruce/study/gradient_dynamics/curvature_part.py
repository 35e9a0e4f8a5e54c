"""Sharpness of one run's checkpoint, and the landscapes of one or two."""

from collections.abc import Callable, Sequence
from itertools import starmap

import numpy as np
import torch
from torch import Tensor

from gradtruce.analysis.landscape import (
    across,
    along,
    barrier,
    between,
    filter_normalised,
    random_direction,
)
from gradtruce.analysis.sharpness import largest_eigenvalue
from gradtruce.study.gradient_dynamics.names import JOINT
from gradtruce.study.gradient_dynamics.options import AnalysisOptions
from gradtruce.study.gradient_dynamics.run import Json
from gradtruce.study.gradient_dynamics.surface import HOW, Surface

LANDSCAPE_HOW = (
    HOW + "; standard normal directions of a seed, the same for both runs, each filter scaled to "
    "the length of the run's own (Li et al. 2018); biases and normalisation stand still"
)
LINE_HOW = HOW + " of the first run's batches and λ; buffers of real numbers move along"


def sharpness_of(
    surface: Surface, options: AnalysisOptions, watch: Callable[[int], None] | None = None
) -> Json:
    """Return the largest Hessian eigenvalue of the joint loss and of every task's.

    Raises:
        ArithmeticError: If a search does not end.
    """
    found = {
        name: largest_eigenvalue(
            surface.terms(name),
            surface.parameters,
            tolerance=options.tolerance,
            seed=options.seed,
            watch=watch,
        )
        for name in (JOINT, *surface.weights)
    }
    return {
        "how": HOW + "; Lanczos (ARPACK) on exact products of the Hessian by double backward",
        "studies": surface.studies,
        "type": str(next(iter(surface.parameters)).dtype).removeprefix("torch."),
        "tolerance": options.tolerance,
        "losses": surface.evaluate(),
        "eigenvalues": {name: vars(curvature) for name, curvature in found.items()},
    }


def landscape_of(surface: Surface, options: AnalysisOptions) -> Json:
    """Return the losses along one direction, and on a square of two."""
    parameters = surface.parameters
    first, second = (
        filter_normalised(random_direction(parameters, 2 * options.seed + place), parameters)
        for place in (0, 1)
    )
    line, square = (
        _amounts(options.reach, options.points),
        _amounts(options.reach, options.map_points),
    )
    grid = across(parameters, (first, second), square, surface.evaluate)
    return {
        "how": LANDSCAPE_HOW,
        "studies": surface.studies,
        "seed": options.seed,
        "line": {"amounts": line, "losses": along(parameters, first, line, surface.evaluate)},
        "map": {
            "amounts": square,
            "losses": {name: values.tolist() for name, values in grid.items()},
        },
    }


def line_between(first: Surface, second: Surface, options: AnalysisOptions) -> Json:
    """Return the first run's losses on the line to the second, and how high they rise on it.

    Raises:
        ValueError: If the two are of different shapes.
    """
    amounts = np.linspace(0.0, 1.0, options.points).round(12).tolist()
    losses = between(_moving(first), _moving(second), amounts, first.evaluate)
    return {
        "how": LINE_HOW,
        "amounts": amounts,
        "losses": losses,
        "barrier": {name: barrier(amounts, values) for name, values in losses.items()},
    }


def have_same_shapes(first: Surface, second: Surface) -> bool:
    """Return whether two models have parameters and buffers of the same shapes."""
    one, other = _moving(first), _moving(second)
    return len(one) == len(other) and all(
        starmap(lambda a, b: a.shape == b.shape, zip(one, other, strict=True))
    )


def _moving(surface: Surface) -> Sequence[Tensor]:
    method = surface.point.method
    buffers = [buffer for buffer in method.buffers() if torch.is_floating_point(buffer)]
    return [*method.parameters(), *buffers]


def _amounts(reach: float, points: int) -> list[float]:
    amounts: list[float] = np.linspace(-reach, reach, points).round(12).tolist()
    return amounts
