"""Noise along a training: a few more steps from the last checkpoint, in memory alone."""

from collections.abc import Iterator
from copy import deepcopy

import torch

from gradtruce.analysis.noise import NoiseTrace
from gradtruce.data.loader import Loader
from gradtruce.study.gradient_dynamics.names import JOINT, UPDATE
from gradtruce.study.gradient_dynamics.noise_part import (
    CLIPPED,
    Noise,
    described,
    step_rows,
)
from gradtruce.study.gradient_dynamics.options import AnalysisOptions
from gradtruce.study.gradient_dynamics.run import (
    Checkpoint,
    Json,
    MicroBatches,
    OpenedRun,
    left_alone,
    load_seeded,
)
from gradtruce.training.assembly import build_training
from gradtruce.training.stepper import Stepper

HOW = (
    "gradients of successive steps of a training that goes on from the last checkpoint, in memory, "
    "with the learning rates of the run's last steps; half the squared differences of neighbours "
    "(window_variance: to their mean, with the movement of the parameters in it)"
)


def noise_along_training(
    run: OpenedRun, point: Checkpoint, options: AnalysisOptions
) -> tuple[Json, dict[str, NoiseTrace]]:
    """Return the noise of successive gradients, of the training going on for a window of steps.

    Nothing of the run or of the checkpoint's model is changed. The update is what the optimizer
    gets, once before and once after clipping; the joint gradient is taken at the same parameters
    from the same batch, with the same dropout.

    Raises:
        ValueError: If the checkpoint can't be gone on from.
    """
    if point.state is None or point.step is None:
        raise ValueError("training goes on from the last checkpoint only (--checkpoint last)")
    data = load_seeded(run, options.seed)
    with torch.random.fork_rng():
        parts = build_training(run.config, data)
        parts.method.load_state_dict(deepcopy(point.method.state_dict()))
        parts.optimizer.load_state_dict(deepcopy(dict(point.state["optimizer"])))
        parts.gradients.load_state_dict(deepcopy(point.state["gradients"]))
        if parts.scaler is not None:
            parts.scaler.load_state_dict(deepcopy(point.state["scaler"]))
        here = Checkpoint(parts.method, point.step, point.state, point.weights, point.waiting)
        parameters = [each for each in parts.method.parameters() if each.requires_grad]
        noise = Noise(run, parameters, point.weights)

        def take_update(name: str) -> None:
            noise.add(name, [None if p.grad is None else p.grad.clone() for p in parameters])

        parts.optimizer.register_step_pre_hook(lambda *_: take_update(UPDATE))
        stepper = Stepper(parts, run.config.training)  # clips in a hook of its own, after the first
        if run.config.training.clip.kind != "none":
            parts.optimizer.register_step_pre_hook(lambda *_: take_update(UPDATE + CLIPPED))
        torch.manual_seed(options.seed)
        first = max(0, min(point.step, parts.total_steps) - options.window)
        micros = _endless(data.train, run.config.training.accumulation)
        for step, micro in zip(range(first, first + options.window), micros, strict=False):
            seed = options.seed + step
            with left_alone(parts.method, seed):
                rows = step_rows(run, here, micro, parameters, None)
            noise.add_rows(rows)
            torch.manual_seed(seed)
            stepper.step([batch.to(parts.method.device) for batch in micro], step)
    traces = {name: meter.along_training() for name, meter in noise.meters.items()}
    rates = [line.get("learning_rates") for line in run.steps[first : first + options.window]]
    header = {
        "how": HOW,
        "steps": options.window,
        "numbers": noise.numbers,
        "learning_rates": [rates[0], rates[-1]] if rates else [],
    }
    is_matched = traces[JOINT].samples.shape == traces[UPDATE].samples.shape
    return header | described(traces if is_matched else {JOINT: traces[JOINT]}), traces


def _endless(loader: Loader, size: int) -> Iterator[MicroBatches]:
    """Yield the micro-batches of one step after another, epoch after epoch."""
    epoch = 0
    with loader:
        while True:
            loader.set_epoch(epoch)
            micro: MicroBatches = []
            for batch in loader:
                micro.append(batch)
                if len(micro) == size:
                    yield micro
                    micro = []
            epoch += 1
