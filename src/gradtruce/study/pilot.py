"""A short training by linear scalarization, for what its task gradients say of the conflict."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from scipy import stats

from gradtruce.analysis.conflict import negative_share
from gradtruce.evaluation.labelers.cached import CachedLabeler
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.methods.base import PRIMARY_TASK
from gradtruce.training.config import BalanceConfig, RunConfig
from gradtruce.training.config_file import write_config
from gradtruce.training.data_parts import load_data
from gradtruce.training.progress import ProgressCallback, without_transformers_bars
from gradtruce.training.runlog import RunLog, read_log
from gradtruce.training.select import LOSSES
from gradtruce.training.trainer import Trainer

BLOCKS: Final = 10
"""Consecutive stretches of a pilot whose means an interval is made of: steps that follow each other
resemble each other, stretches less so."""

Line = dict[str, Any]  # a line of a run's log


@final
@dataclass(frozen=True)
class Estimate:
    """A mean over the steps of a pilot, with its 95 % interval.

    Attributes:
        value: The mean.
        low: Lower end.
        high: Upper end.

    >>> Estimate(0.1, -0.1, 0.3).is_above(0.0)
    False
    """

    value: float
    low: float
    high: float

    def is_above(self, limit: float) -> bool:
        """Return whether the whole interval lies above a limit."""
        return self.low > limit

    def __str__(self) -> str:
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


@final
@dataclass(frozen=True)
class PairMeasures:
    """What a pilot says of the primary task and one auxiliary task.

    Attributes:
        auxiliary: Name of the auxiliary task.
        conflict_ratio: Share of steps in which the two gradients, on one batch, have a negative
            cosine: the number that the paper publishes.
        cosine: Mean cosine between the gradient of one task on one half of a batch and that of the
            other task on the other half. Its sign is that of the inner product of the expected
            gradients; that of one batch is not, since both tasks share its noise.
        excess: Share of negative cosines between the tasks on two halves, minus the share between
            each task and itself on two halves: conflict beyond noise.
        null_ratio: That second share, the mean of both tasks.
        norm_ratio: Median of λ‖g‖ of the auxiliary task over λ‖g‖ of the primary one.
        magnitude_kept: Median of ‖λ_p g_p + λ_a g_a‖ / √(‖λ_p g_p‖² + ‖λ_a g_a‖²); below 1 where
            the tasks cancel (the interaction term of eq. 5).
    """

    auxiliary: str
    conflict_ratio: float
    cosine: Estimate
    excess: Estimate
    null_ratio: float
    norm_ratio: float
    magnitude_kept: float


def pilot_config(config: RunConfig, steps: int) -> RunConfig:
    """Return the configuration of a pilot: linear scalarization, all diagnostics, constant rates.

    Method, data, task weights, clipping and learning rates are those of the run. The rates stay
    constant after the warm-up, as they nearly do in the first steps of a long run.

    Args:
        config: Of the run that advice is wanted for.
        steps: Optimizer steps of the pilot.

    Raises:
        ValueError: If there are too few steps to make an interval of.
    """
    if steps < 2 * BLOCKS:
        raise ValueError(f"a pilot needs at least {2 * BLOCKS} steps, got {steps}")
    schedule = config.training.schedule
    warm_up = min(schedule.warm_up, steps // 4)
    training = config.training.model_copy(
        update={
            "steps": steps,
            "null_every": 1,
            "select": LOSSES + PRIMARY_TASK,
            "schedule": type(schedule)(name="constant", warm_up=warm_up),
            "validation": type(config.training.validation)(every=steps, studies=2, beams=1),
        }
    )
    balance = BalanceConfig(
        name="linear", scope=config.balance.scope, weights=config.balance.weights
    )
    return config.model_copy(update={"training": training, "balance": balance})


def run_pilot(config: RunConfig, folder: Path, progress: ProgressCallback) -> Path:
    """Train the pilot in this process; return its log. The test split is not touched.

    Args:
        config: As `pilot_config` returns it.
        folder: Where log and checkpoints go; made here.
        progress: Told how far it is.

    Raises:
        FileExistsError: If the folder exists.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} exists; remove it or give another folder")
    data = load_data(config)
    trainer = Trainer(config, data, folder, CachedLabeler(RulesLabeler()), progress)
    (folder / "checkpoints").mkdir(parents=True)
    write_config(config, folder / "config.toml")
    with without_transformers_bars(), RunLog(folder / "log.jsonl") as log:
        trainer.run(log)
    return folder / "log.jsonl"


def measure(log: Path, weights: Mapping[str, float]) -> tuple[PairMeasures, ...]:
    """Return what the log of a run by linear scalarization says of each auxiliary task.

    Args:
        log: With step lines, and null lines where the null was measured.
        weights: λ of every task.

    Raises:
        ValueError: If the log has too few steps or no null.
    """
    steps, nulls = list(read_log(log, "step")), list(read_log(log, "null"))
    if min(len(steps), len(nulls)) < 2 * BLOCKS:
        raise ValueError(
            f"{log}: advice needs at least {2 * BLOCKS} steps and as many measurements of the null "
            f"(training.null_every = 1), found {len(steps)} and {len(nulls)}"
        )
    if "cosines" not in steps[-1]:
        raise ValueError(f"{log}: has no task gradients; train with balance.diagnostics = true")
    auxiliaries = [task for task in steps[-1]["norms"] if task != PRIMARY_TASK]
    return tuple(_pair(task, steps, nulls, weights) for task in auxiliaries)


def estimate(values: Sequence[float]) -> Estimate:
    """Return the mean of a series of steps with a t interval over the means of stretches of it.

    >>> estimate([1.0] * 20)
    Estimate(value=1.0, low=1.0, high=1.0)
    """
    length = math.ceil(len(values) / BLOCKS)
    starts = range(0, len(values), length)
    means = [statistics.mean(values[start : start + length]) for start in starts]
    mean = statistics.mean(values)
    half = float(stats.t.ppf(0.975, len(means) - 1)) * statistics.stdev(means)
    half /= math.sqrt(len(means))
    return Estimate(mean, mean - half, mean + half)


def _pair(
    task: str, steps: Sequence[Line], nulls: Sequence[Line], weights: Mapping[str, float]
) -> PairMeasures:
    used = [line for line in steps if _cosine(line["cosines"], task) is not None]
    halves = [entry for line in nulls if (entry := _halves(line, task)) is not None]
    if min(len(used), len(halves)) < 2 * BLOCKS:
        raise ValueError(
            f"task {task!r} has a gradient beside {PRIMARY_TASK!r} in {len(used)} steps of the "
            f"pilot and {len(halves)} measurements of the null; both must be at least "
            f"{2 * BLOCKS}: give it more steps (--steps), or leave this task out"
        )
    whole = [float(_cosine(line["cosines"], task) or 0.0) for line in used]
    primary, auxiliary = (
        [weights[name] * line["norms"][name] for line in used] for name in (PRIMARY_TASK, task)
    )
    return PairMeasures(
        auxiliary=task,
        conflict_ratio=negative_share(whole) or 0.0,
        cosine=estimate([cross for cross, _ in halves]),
        excess=estimate(
            [float(cross < 0) - statistics.fmean(one < 0 for one in own) for cross, own in halves]
        ),
        null_ratio=statistics.fmean(one < 0 for _, own in halves for one in own),
        norm_ratio=statistics.median(
            other / first for first, other in zip(primary, auxiliary, strict=True)
        ),
        magnitude_kept=statistics.median(
            _kept(first, other, cosine)
            for first, other, cosine in zip(primary, auxiliary, whole, strict=True)
        ),
    )


def _kept(first: float, second: float, cosine: float) -> float:
    squares = first**2 + second**2
    return math.sqrt(max(squares + 2.0 * first * second * cosine, 0.0) / squares)


def _halves(line: Line, task: str) -> tuple[float, tuple[float, float]] | None:
    """Return the cosine across tasks on two halves, and those of each task with itself."""
    within = line["within_task"]
    cross, primary, own = (
        _cosine(line["cross_task"], task),
        within.get(PRIMARY_TASK),
        within.get(task),
    )
    if cross is None or primary is None or own is None:
        return None
    return cross, (primary, own)


def _cosine(table: Mapping[str, float | None], task: str) -> float | None:
    return table.get(f"{PRIMARY_TASK}|{task}", table.get(f"{task}|{PRIMARY_TASK}"))
