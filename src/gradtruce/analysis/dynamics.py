"""What the log of a run tells of its gradients: conflict beside its null, magnitude, validity.

Everything here is over the parameters that the log's geometry is about (those in the balancer's
scope), and of the update as the balancer leaves it, before clipping.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from gradtruce.analysis.estimate import (
    Estimate,
    mean_estimate,
    share_difference,
    share_estimate,
)

Line = Mapping[str, Any]  # a line of a log
Json = dict[str, Any]  # a JSON object
Steps = Float[np.ndarray, " steps"]

BINS: Final = 20
"""Bins of a histogram of cosines, from −1 to 1."""


def column(lines: Sequence[Line], *path: str) -> Steps:
    """Return one number of every line, NaN where it has none.

    >>> column([{"norms": {"a": 1.5}}, {}, {"norms": {"a": None}}], "norms", "a")
    array([1.5, nan, nan])
    """
    return np.array([_number(line, path) for line in lines], dtype=np.float64)


def _number(line: Any, path: Sequence[str]) -> float:  # of any depth
    for key in path:
        line = line.get(key) if isinstance(line, Mapping) else None
    return math.nan if line is None else float(line)


def pairs_of(steps: Sequence[Line]) -> list[str]:
    """Return the pairs of tasks that have cosines, as "i|j".

    >>> pairs_of([{"step": 1}, {"cosines": {"a|b": 0.1}}])
    ['a|b']
    """
    return list(dict.fromkeys(pair for line in steps for pair in line.get("cosines") or ()))


def conflict_of_pair(
    steps: Sequence[Line], nulls: Sequence[Line], pair: str, steps_per_epoch: int
) -> Json:
    """Return cosines, shares of negative ones, and what exceeds the null, of two tasks.

    Three kinds of cosines: `same_batch`, of every step, where both gradients share the noise of one
    batch; `cross_task`, of the null's lines, one task on one half of a batch and the other on the
    other half; `within_task`, the null itself, one task on both halves. The excess compares the
    second with the third, like with like; the null of a pair is the mean of its two tasks'.

    Args:
        steps: Lines of kind "step".
        nulls: Lines of kind "null", none where it was not measured.
        pair: "i|j".
        steps_per_epoch: Of the run, to sort the null's lines into epochs.

    >>> steps = [{"epoch": 0, "cosines": {"a|b": c}} for c in (-0.5, 0.5)]
    >>> nulls = [{"step": 1, "cross_task": {"a|b": -0.1}, "within_task": {"a": 0.2, "b": 0.4}}] * 2
    >>> found = conflict_of_pair(steps, nulls, "a|b", steps_per_epoch=2)
    >>> found["same_batch"]["negative"]["value"], found["excess"]["negative"]["value"]
    (0.5, 1.0)
    """
    tasks = pair.split("|")
    same, cross = column(steps, "cosines", pair), column(nulls, "cross_task", pair)
    within = {task: column(nulls, "within_task", task) for task in tasks}
    epochs = column(steps, "epoch")
    null_epochs = (column(nulls, "step") - 1) // steps_per_epoch
    known = sorted({int(epoch) for epoch in epochs[~np.isnan(epochs)]})
    return {
        "same_batch": _described(same),
        "cross_task": _described(cross),
        "within_task": {task: _described(values) for task, values in within.items()},
        "excess": _excess(cross, list(within.values())),
        "epochs": [
            {
                "epoch": epoch,
                "same_batch": _shares(same[epochs == epoch]),
                "cross_task": _shares(cross[null_epochs == epoch]),
                "within_task": {
                    task: _shares(values[null_epochs == epoch]) for task, values in within.items()
                },
            }
            for epoch in known
        ],
    }


def update_of(steps: Sequence[Line]) -> Json:
    """Return what became of the joint gradient: length, validity, angle; by epoch and in all.

    `retained` is ‖update‖ / ‖Σ λ_k g_k‖; `valid` the share of steps in which the update lowers
    every loss to first order; `angle` the one between the two, in degrees. `second_moment` is the
    mean of ‖g‖², to which the trace of the noise covariance and the expected gradient's square add
    up: it bounds the trace from above, and is all that norms can tell of it.

    >>> line = {"epoch": 0, "update_norm": 3.0, "joint_norm": 2.0, "gain": 1.5, "validity": 0.1,
    ...         "joint_cosine": 1.0}
    >>> found = update_of([line, line])["all"]
    >>> found["retained"]["value"], found["valid"]["value"], found["angle"]["value"]
    (1.5, 1.0, 0.0)
    """
    epochs = column(steps, "epoch")
    known = sorted({int(epoch) for epoch in epochs[~np.isnan(epochs)]})
    by_epoch = [[line for line in steps if line.get("epoch") == epoch] for epoch in known]
    return {
        "all": _update(steps),
        "epochs": [
            {"epoch": epoch, **_update(lines)} for epoch, lines in zip(known, by_epoch, strict=True)
        ],
    }


def interference(steps: Sequence[Line], weights: Mapping[str, float]) -> Json:
    """Return what the inner products of tasks do to the energy of the joint gradient.

    The paper's equation 5: ‖Σ λ_k g_k‖² = Σ λ_k²‖g_k‖² + 2 Σ λ_i λ_j ⟨g_i, g_j⟩. The number is the
    last sum as a share of the one before: −1 if all cancelled, 0 for orthogonal tasks.

    >>> line = {"joint_norm": 1.0, "norms": {"a": 1.0, "b": 1.0}}
    >>> interference([line, line], {"a": 1.0, "b": 1.0})["value"]
    -0.5
    """
    alone = sum(
        (weight * np.nan_to_num(column(steps, "norms", task))) ** 2
        for task, weight in weights.items()
    )
    joint = column(steps, "joint_norm") ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return mean_estimate(joint / alone - 1).to_dict()


def excess_over_null(cross: Steps, within: Sequence[Steps]) -> tuple[Estimate, Estimate]:
    """Return by how much two tasks conflict more than each with itself: share of negative, cosine.

    Args:
        cross: Cosines of two tasks on disjoint halves.
        within: Cosines of each task with itself on disjoint halves, in the same lines.

    Returns:
        Share of negative cosines above the null's (positive is conflict), and mean cosine above the
        null's (negative is conflict).

    >>> share, cosine = excess_over_null(np.full(9, -0.3), [np.full(9, 0.3), np.full(9, 0.5)])
    >>> share.value, cosine.value, share.is_above(0.2)
    (1.0, -0.7, True)
    """
    null = sum(within) / len(within)
    shares = sum(_negative(values) for values in within) / len(within)
    return share_difference(_negative(cross) - shares), mean_estimate(cross - null)


def _excess(cross: Steps, within: Sequence[Steps]) -> Json | None:
    if not len(cross):
        return None
    share, cosine = excess_over_null(cross, within)
    return {"negative": share.to_dict(), "cosine": cosine.to_dict()}


def _described(cosines: Steps) -> Json:
    known = cosines[~np.isnan(cosines)]
    counts, edges = np.histogram(known, bins=BINS, range=(-1.0, 1.0))
    return {
        **_shares(cosines),
        "histogram": {"edges": edges.round(6).tolist(), "counts": counts.tolist()},
    }


def _shares(cosines: Steps) -> Json:
    return {
        "negative": share_estimate(_negative(cosines)).to_dict(),
        "cosine": mean_estimate(cosines).to_dict(),
    }


def _negative(cosines: Steps) -> Steps:
    return np.where(np.isnan(cosines), np.nan, (cosines < 0).astype(np.float64))


def _update(steps: Sequence[Line]) -> Json:
    validity, cosines = column(steps, "validity"), column(steps, "joint_cosine")
    valid = np.where(np.isnan(validity), np.nan, (validity >= 0).astype(np.float64))
    moments = {
        name: mean_estimate(column(steps, f"{name}_norm") ** 2, is_positive=True)
        for name in ("joint", "update")
    }
    return {
        "retained": mean_estimate(column(steps, "gain"), is_positive=True).to_dict(),
        "valid": share_estimate(valid).to_dict(),
        "validity": mean_estimate(validity).to_dict(),
        "angle": mean_estimate(np.degrees(np.arccos(cosines))).to_dict(),
        "clipped": share_estimate(column(steps, "clipped")).to_dict(),
        "second_moment": {name: found.to_dict() for name, found in moments.items()},
        "squared_gain": moments["update"].value / moments["joint"].value,
    }
