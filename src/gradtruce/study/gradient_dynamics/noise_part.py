"""Noise of the gradients that tasks, sum and balancer give, at one point and along a training."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Final, final

import torch
from torch import Tensor

from gradtruce.analysis.conflict import Row, shared_places
from gradtruce.analysis.estimate import ratio_estimate
from gradtruce.analysis.noise import NoiseMeter, NoiseTrace, effective_gain
from gradtruce.gradients import TaskGradients
from gradtruce.study.gradient_dynamics.names import JOINT, UPDATE
from gradtruce.study.gradient_dynamics.options import AnalysisOptions
from gradtruce.study.gradient_dynamics.run import (
    Checkpoint,
    Json,
    MicroBatches,
    OpenedRun,
    left_alone,
    losses_of,
)
from gradtruce.training.assembly import build_engine
from gradtruce.training.counts import normalizers_of
from gradtruce.training.stepper import clip_gradients
from gradtruce.training.world import ALONE

CLIPPED: Final = " clipped"

HOW = (
    "gradients of disjoint batches at the same parameters and the same state of the balancer, the "
    "model in training mode; half the squared differences of pairs, 95 % by Student's t over pairs"
)


@final
class Noise:
    """Meters of the gradients of a step, all over one choice of parameters.

    Args:
        run: Whose scope and clipping hold.
        parameters: All that are trained.
        weights: λ.
    """

    def __init__(
        self, run: OpenedRun, parameters: Sequence[Tensor], weights: Mapping[str, float]
    ) -> None:
        self._parameters, self._weights = list(parameters), weights
        self._clip, self._scope = run.config.training.clip, run.config.balance.scope
        self._places: list[int] | None = None
        self.meters: dict[str, NoiseMeter] = {}

    @property
    def numbers(self) -> int:
        """Return how many numbers the gradients have that are measured."""
        return sum(self._parameters[place].numel() for place in self._places or ())

    def add_rows(self, rows: Mapping[str, Row]) -> None:
        """Take the task gradients of a step, and their weighted sum."""
        if self._places is None:
            whole = list(range(len(self._parameters)))
            shared = shared_places(list(rows.values()))
            self._places = whole if self._scope == "all" or not shared else shared
        for task, row in rows.items():
            self.add(task, row)
        self.add_with_clipping(JOINT, weighted_sum(rows, self._weights))

    def add_with_clipping(self, name: str, gradient: Row) -> None:
        """Take a gradient of all parameters, and what clipping leaves of it."""
        self.add(name, gradient)
        if self._clip.kind == "none":
            return
        for parameter, entry in zip(self._parameters, gradient, strict=True):
            parameter.grad = None if entry is None else entry.clone()
        clip_gradients(self._parameters, self._clip)
        self.add(name + CLIPPED, [parameter.grad for parameter in self._parameters])
        for parameter in self._parameters:
            parameter.grad = None

    def add(self, name: str, gradient: Row) -> None:
        """Take a gradient of all parameters, of which those in scope are looked at."""
        assert self._places is not None  # rows come first
        meter = self.meters.setdefault(name, NoiseMeter())
        meter.add([gradient[place] for place in self._places])


def weighted_sum(rows: Mapping[str, Row], weights: Mapping[str, float]) -> list[Tensor | None]:
    """Return Σ λ_k g_k, `None` where no task reaches.

    >>> weighted_sum({"a": [torch.ones(1), None]}, {"a": 4.0})
    [tensor([4.]), None]
    """
    found: list[Tensor | None] = []
    for entries in zip(*rows.values(), strict=True):
        parts = [
            weights[task] * entry
            for task, entry in zip(rows, entries, strict=True)
            if entry is not None
        ]
        found.append(sum(parts[1:], parts[0]) if parts else None)
    return found


def noise_at_point(
    run: OpenedRun, point: Checkpoint, batches: Sequence[MicroBatches], options: AnalysisOptions
) -> tuple[Json, dict[str, NoiseTrace]]:
    """Return the noise of tasks, joint gradient and update at the checkpoint's parameters."""
    method = point.method
    parameters = [each for each in method.parameters() if each.requires_grad]
    noise = Noise(run, parameters, point.weights)
    engine = build_engine(run.config, method)
    state = deepcopy(engine.state_dict() if point.state is None else point.state["gradients"])
    with left_alone(method, options.seed):
        method.train()
        for micro in batches:
            engine.load_state_dict(deepcopy(state))
            rows = step_rows(run, point, micro, parameters, engine)
            update = taken_gradients(parameters)
            noise.add_rows(rows)
            if not engine.needs_step:
                noise.add_with_clipping(UPDATE, update)
    traces = {name: meter.at_one_point() for name, meter in noise.meters.items()}
    missing = []
    if engine.needs_step:
        missing.append(f"{run.config.balance.name} updates only together with an optimizer")
    if point.state is None:
        missing.append("the balancer's state is not kept with the best checkpoint; it is fresh")
    header = {"how": HOW, "batches": len(batches), "numbers": noise.numbers, "missing": missing}
    return header | described(traces), traces


def step_rows(
    run: OpenedRun,
    point: Checkpoint,
    micro: MicroBatches,
    parameters: Sequence[Tensor],
    engine: TaskGradients | None,
) -> dict[str, list[Tensor | None]]:
    """Return the task gradients of one step, and let an engine fill `.grad` from the same pass."""
    device = point.method.device
    normalizers = normalizers_of([each.to(device) for each in micro], point.method, ALONE)
    rows: dict[str, list[Tensor | None]] = {}
    is_fed = engine is not None and not engine.needs_step
    for place, batch in enumerate(micro):
        losses = losses_of(run, point, batch, normalizers)
        known = [(task, loss) for task, loss in losses.items() if loss.requires_grad]
        for number, (task, loss) in enumerate(known):
            keep = is_fed or number < len(known) - 1
            found = torch.autograd.grad(loss, parameters, retain_graph=keep, allow_unused=True)
            rows[task] = _added(rows.get(task), found)
        if engine is not None and is_fed:
            engine.backward(losses, last=place == len(micro) - 1)
    return rows


def taken_gradients(parameters: Sequence[Tensor]) -> list[Tensor | None]:
    """Return `.grad` of the parameters and empty it."""
    found = [parameter.grad for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    return found


def described(traces: Mapping[str, NoiseTrace]) -> Json:
    """Return every kind of gradient's noise, and update against joint gradient."""
    found: Json = {
        "gradients": {
            name: {
                "trace": noise.trace.to_dict(),
                "second_moment": noise.second_moment.to_dict(),
                "window_variance": noise.window_variance,
                "signal": noise.signal,
                "noise_share": noise.noise_share,
            }
            for name, noise in traces.items()
        }
    }
    if UPDATE in traces:
        found["update_over_joint"] = against(traces[UPDATE], traces[JOINT])
    if UPDATE + CLIPPED in traces:
        found["clipped_update_over_joint"] = against(
            traces[UPDATE + CLIPPED], traces[JOINT + CLIPPED]
        )
    return found


def against(one: NoiseTrace, other: NoiseTrace) -> Json:
    """Return the ratio of two traces of the same batches, raw and divided by the squared gain."""
    gain = effective_gain(one, other)
    ratio = ratio_estimate(one.samples, other.samples, paired=True)
    return {
        "ratio": ratio.to_dict(),
        "gain": gain,
        "ratio_over_squared_gain": ratio.value / gain**2,
        "trace_over_squared_gain": one.trace.value / gain**2,
    }


def _added(row: list[Tensor | None] | None, more: Row) -> list[Tensor | None]:
    if row is None:
        return list(more)
    return [
        new if old is None else old if new is None else old + new
        for old, new in zip(row, more, strict=True)
    ]
