"""The part of an analysis that needs the log alone."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from gradtruce.analysis.dynamics import conflict_of_pair, interference, pairs_of, update_of
from gradtruce.analysis.estimate import mean_estimate, share_estimate
from gradtruce.analysis.stages import STAGES, Stage, came_grad_stages, gramian_of
from gradtruce.study.gradient_dynamics.run import Json, OpenedRun

MOST_STEPS = 2000
"""Steps whose stages are worked out, evenly spaced over the run: the dual is solved for each."""

HOW = {
    "conflict": "cosines of task gradients over the parameters in scope; same_batch: every step's "
    "own batch; cross_task and within_task: two disjoint halves of a batch, every "
    "training.null_every steps; excess: cross_task less the mean of the two tasks' within_task",
    "update": "of the balancer's update before clipping, over the parameters in scope",
    "interference": "‖Σ λ g‖² / Σ λ²‖g‖² − 1 in every step (paper, equation 5)",
    "stages": "from the Gramian of every step, by the balancer's own stages",
    "intervals": "95 %, by the long-run variance along this one run; nothing of other seeds",
}


def analyse_log(run: OpenedRun, weights: Mapping[str, float]) -> Json:
    """Return conflict beside its null, and what became of the joint gradient.

    Args:
        run: Opened.
        weights: λ of every task; of fewer, there is no interference and there are no stages.
    """
    steps, nulls = run.steps, run.nulls
    pairs = pairs_of(steps)
    found: Json = {
        "how": HOW,
        "steps": len(steps),
        "null_lines": len(nulls),
        "scope": run.config.balance.scope,
        "conflict": {
            pair: conflict_of_pair(steps, nulls, pair, run.steps_per_epoch) for pair in pairs
        },
        "update": update_of(steps),
        "missing": _missing(run, pairs),
    }
    tasks = list(dict.fromkeys(task for line in steps for task in line.get("norms") or ()))
    if tasks and set(tasks) <= set(weights):
        known = {task: weights[task] for task in tasks}
        found["interference"] = interference(steps, known)
        if run.config.balance.name == "came_grad":
            found["stages"] = _stages(run, known)
    return found


def _missing(run: OpenedRun, pairs: Sequence[str]) -> list[str]:
    """Return in words what the log does not hold."""
    missing = []
    if not pairs:
        missing.append(
            "the log has no cosines: the balancer needs no gradients of tasks; train with "
            "balance.diagnostics = true"
        )
    if not run.nulls:
        missing.append(
            "the log has no null (training.null_every = 0, or a shorter run): shares of negative "
            "cosines can't be told from noise"
        )
    return missing


def _stages(run: OpenedRun, weights: Mapping[str, float]) -> Json:
    lines = [line for line in run.steps if line.get("cosines") and line.get("norms")]
    chosen = lines[:: max(1, -(-len(lines) // MOST_STEPS))]
    order = torch.tensor(list(weights.values()), dtype=torch.float64)
    found = [
        came_grad_stages(
            gramian_of(line["norms"], line["cosines"], list(weights)),
            order,
            run.config.balance.options,
        )
        for line in chosen
    ]
    return {"steps": len(found)} | {name: _stage([step[name] for step in found]) for name in STAGES}


def _stage(stages: Sequence[Stage]) -> Json:
    angles = [float(np.degrees(np.arccos(stage.joint_cosine))) for stage in stages]
    return {
        "magnitude": mean_estimate([s.magnitude for s in stages], is_positive=True).to_dict(),
        "angle": mean_estimate(angles).to_dict(),
        "valid": share_estimate([float(stage.validity >= 0) for stage in stages]).to_dict(),
    }
