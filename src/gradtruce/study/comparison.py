"""Two balancers on one data set: same seed, same data order, same clipping, one summary."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from gradtruce.analysis.conflict import negative_share
from gradtruce.data.prepared import PreparedDataset
from gradtruce.evaluation.baselines import (
    ALL_NORMAL,
    MOST_FREQUENT,
    TITLES,
    baseline_predictions,
)
from gradtruce.evaluation.comparison import compare as compare_systems
from gradtruce.evaluation.evaluate import evaluate
from gradtruce.evaluation.families.standard import final_families
from gradtruce.evaluation.family import Family
from gradtruce.evaluation.labelers.cached import CachedLabeler
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.evaluation.metrics import Metrics
from gradtruce.evaluation.predictions import Prediction, read_predictions
from gradtruce.evaluation.significance import Score
from gradtruce.evaluation.training_texts import read_training_texts
from gradtruce.files import write_whole
from gradtruce.gradients.balancer import Balancer
from gradtruce.study.machine import machine
from gradtruce.study.plans.plan import StudyPlan
from gradtruce.study.running.processes import Job, WatchCallback, run_jobs
from gradtruce.study.timing import seconds_per_step
from gradtruce.training.config import DataConfig, RunConfig
from gradtruce.training.runlog import plain, read_log

Json = dict[str, Any]  # a JSON object

_LEAN: Final = " without diagnostics"

CAVEATS: Final = (
    "One pair of runs can't rank optimizers: how much a score moves from one training seed to "
    "another is not measured here.",
    "The intervals are over test studies (paired bootstrap), not over training seeds.",
    "The conflict between tasks must be read beside the null: gradients of one task on two halves "
    "of a batch have a negative cosine in many steps too.",
)


def compare(plan: StudyPlan, folder: Path, *, watch: WatchCallback | None = None) -> Path:
    """Train both arms side by side, score them and the baselines, and write `summary.json`.

    The arms are two processes with one thread each. They differ in the balancer and in nothing
    else.

    Args:
        plan: Two arms on one method, one data set and one seed.
        folder: Where the arms' run folders and the summary go; none of them may exist.
        watch: Told the progress of the arms.

    Returns:
        The path of the summary.

    Raises:
        ValueError: If the plan has more or less than two arms, or several runs of one.
        FileExistsError: If a run folder or the summary exists.
        ChildProcessError: If a training fails; the message is the training's own.
    """
    configs = arm_configs(plan, folder)
    path = folder / "summary.json"
    for found in (path, *(folder / name for name in configs)):
        if found.exists():
            raise FileExistsError(f"{found} exists; remove it or give another folder")
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [Job(name, config, folder / name) for name, config in configs.items()]
    seconds = run_jobs(jobs, workers=len(jobs), watch=watch)
    summary = plain(summarise(plan, folder, seconds))
    write_whole(path, json.dumps(summary, indent=1, allow_nan=False) + "\n")
    return path


def arm_configs(plan: StudyPlan, folder: Path) -> dict[str, RunConfig]:
    """Return the configuration of each of the two arms by name.

    Args:
        plan: Two arms on one method, one data set and one seed.
        folder: Of the comparison.

    Raises:
        ValueError: If the plan has more or less than two arms, or several runs of one.

    >>> from gradtruce.study.plans.plan import load_plan
    >>> list(arm_configs(load_plan("demo"), Path("runs/demo")))
    ['linear', 'came_grad']
    """
    counts = {
        "method": len(plan.methods),
        "data set": len(plan.data),
        "seed": len(plan.seeds),
    }
    for what, count in counts.items():
        if count != 1:
            raise ValueError(f"a comparison has one {what}, got {count}; run: gradtruce study run")
    if len(plan.arms) != 2:
        raise ValueError(f"a comparison has two arms, got {len(plan.arms)}")
    return {run.arm: run.config for run in plan.runs(folder)}


def summarise(plan: StudyPlan, folder: Path, seconds: Mapping[str, float]) -> Json:
    """Return the summary of a comparison whose arms are trained.

    Args:
        plan: Two arms on one method, one data set and one seed.
        folder: Holds the arms' run folders.
        seconds: How long each arm took, by name.
    """
    labeler = CachedLabeler(RulesLabeler())
    configs = arm_configs(plan, folder)
    data = next(iter(configs.values())).data
    dataset = PreparedDataset.open(data.path)
    training = read_training_texts(Path(data.path), data.cleaning)
    families = final_families(labeler, training)
    tested = {name: read_predictions(folder / name / "predictions.jsonl") for name in configs}
    metrics = {name: Metrics.read(folder / name / "metrics.json") for name in configs}
    first, second = configs
    timing = _timing(configs, plan.timing_steps)
    return {
        "schema": 1,
        "kind": "comparison",
        "is_synthetic": dataset.manifest.is_synthetic,
        "data": _describe_data(data, dataset),
        "arms": {
            name: _describe_arm(plan, folder, name, metrics[name], timing)
            | {"seconds": seconds[name]}
            for name in configs
        },
        "baselines": _baselines(baseline_predictions(tested[first], training, labeler), families),
        "differences": _scores(_differences(tested[second], tested[first], metrics, families)),
        "timing": timing,
        "caveats": list(CAVEATS),
        "machine": machine(),
    }


def _timing(arms: Mapping[str, RunConfig], steps: int) -> Json:
    """Time every arm, and those that could do without diagnostics also without."""
    configs = dict(arms)
    for name, arm in arms.items():
        if arm.balance.diagnostics and Balancer.known[arm.balance.name].needs == "losses":
            lean = arm.balance.model_copy(update={"diagnostics": False})
            configs[name + _LEAN] = arm.model_copy(update={"balance": lean})
    measured = seconds_per_step(configs, steps)
    return {
        "seconds_per_step": measured,
        "steps": steps,
        "how": "after the trainings, in turns on the same batches, in one process; medians",
    }


def _describe_data(config: DataConfig, dataset: PreparedDataset) -> Json:
    manifest = dataset.manifest
    return {
        "name": manifest.name,
        "source": manifest.source,
        "splits": dict(manifest.splits),
        **manifest.parameters,
        "image_size": config.image_size,
        "views": config.views,
    }


def _describe_arm(plan: StudyPlan, folder: Path, name: str, metrics: Metrics, timing: Json) -> Json:
    log = folder / name / "log.jsonl"
    steps = list(read_log(log, "step"))
    best = [line["step"] for line in read_log(log, "validation") if line["best"]]
    typical = statistics.median(line["seconds"] for line in steps)
    measured = timing["seconds_per_step"]
    lean = measured.get(name + _LEAN)
    return {
        "label": plan.arms[name].label,
        "run": name,
        "scores": _scores(metrics.flat()),
        "seconds_per_step": typical,
        "seconds_per_step_without_diagnostics": (
            None if lean is None else typical * lean / measured[name]
        ),
        "best_step": best[-1],
        "steps": len(steps),
        "clipped_share": sum(line["clipped"] for line in steps) / len(steps),
        "negative_cosines": _negative_cosines(log),
    }


def _negative_cosines(log: Path) -> Json:
    """Return the share of negative cosines: in the steps, and in the null."""
    steps, nulls = list(read_log(log, "step")), list(read_log(log, "null"))
    tables = {
        "same_batch": [line.get("cosines", {}) for line in steps],
        "cross_task": [line["cross_task"] for line in nulls],
        "within_task": [line["within_task"] for line in nulls],
    }
    return {
        kind: {
            name: negative_share(line.get(name) for line in lines)
            for name in dict.fromkeys(name for line in lines for name in line)
        }
        for kind, lines in tables.items()
    }


def _baselines(written: Mapping[str, Sequence[Prediction]], families: Sequence[Family]) -> Json:
    return {
        name: {"label": TITLES[name], "scores": _scores(evaluate(written[name], families).flat())}
        for name in (ALL_NORMAL, MOST_FREQUENT)
    }


def _differences(
    second: Sequence[Prediction],
    first: Sequence[Prediction],
    metrics: Mapping[str, Metrics],
    families: Sequence[Family],
) -> dict[str, Score]:
    """Return second − first of every score that has an interval in both."""
    names = [
        name
        for name, score in next(iter(metrics.values())).flat().items()
        if all(each.flat()[name].low is not None for each in metrics.values())
    ]
    differences = compare_systems(second, first, families, names)
    return {name: difference.score for name, difference in differences.items()}


def _scores(scores: Mapping[str, Score]) -> Json:
    return {
        name: {"value": score.value, "low": score.low, "high": score.high}
        | ({"reason": score.reason} if score.reason else {})
        for name, score in scores.items()
    }
