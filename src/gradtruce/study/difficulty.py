"""How hard a phantom is, measured with linear scalarization alone, before optimizers are compared.

A data set on which every method scores 0 or 1 compares nothing. The measurement trains the same
small method from several seeds and sets beside it what writers get who look at no image, what the
truth gets once it is written as text and read back, and what a reader of the true masks gets.
"""

import argparse
import json
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gradtruce.data.observations import FINDINGS
from gradtruce.data.prepared import PreparedDataset
from gradtruce.evaluation.baselines import baseline_predictions
from gradtruce.evaluation.evaluate import evaluate
from gradtruce.evaluation.families.standard import standard_families
from gradtruce.evaluation.labelers.cached import CachedLabeler
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.evaluation.metrics import Metrics
from gradtruce.evaluation.predictions import read_predictions
from gradtruce.evaluation.significance import minimal_detectable_difference
from gradtruce.evaluation.training_texts import read_training_texts
from gradtruce.files import write_whole
from gradtruce.study.difficulty_table import AUC, HEADLINE, difficulty_table
from gradtruce.study.machine import machine
from gradtruce.study.masks import score_of_masks
from gradtruce.study.plans.plan import load_plan
from gradtruce.study.running.processes import Job, WatchCallback, run_jobs
from gradtruce.training.config import BalanceConfig, RunConfig
from gradtruce.training.runlog import plain

Json = dict[str, Any]  # a JSON object


def measure_difficulty(
    config: RunConfig,
    folder: Path,
    *,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    workers: int = 2,
    watch: WatchCallback | None = None,
) -> Json:
    """Train by linear scalarization from each seed; write `difficulty.json` and `difficulty.md`.

    Args:
        config: Data, method and training; its balancer and seed are replaced.
        folder: Made here; holds a run folder a seed.
        seeds: At least two.
        workers: Trainings at a time, each a process with one thread.
        watch: Told the progress of every run.

    Raises:
        ValueError: If there are fewer than two seeds.
        FileExistsError: If the folder exists.
        ChildProcessError: If a training fails.
    """
    if len(set(seeds)) < 2:
        raise ValueError(f"difficulty needs two different seeds or more, got {list(seeds)}")
    if folder.exists():
        raise FileExistsError(f"{folder} exists; remove it or give another folder")
    jobs = [
        Job(f"seed-{seed}", _with_seed(config, seed), folder / f"seed-{seed}") for seed in seeds
    ]
    folder.mkdir(parents=True)
    seconds = run_jobs(jobs, workers=workers, watch=watch)
    measured = summarise_difficulty(config, [job.folder for job in jobs], list(seconds.values()))
    write_whole(folder / "difficulty.json", _json(measured))
    write_whole(folder / "difficulty.md", difficulty_table(measured))
    return measured


def _with_seed(config: RunConfig, seed: int) -> RunConfig:
    weights = config.balance.weights
    return config.model_copy(
        update={
            "balance": BalanceConfig(name="linear", weights=weights, diagnostics=False),
            "training": config.training.model_copy(update={"seed": seed, "null_every": 0}),
        }
    )


def summarise_difficulty(
    config: RunConfig, folders: Sequence[Path], seconds: Sequence[float]
) -> Json:
    """Return the measurement from run folders of several seeds.

    Args:
        config: What the runs have in common.
        folders: One a seed.
        seconds: How long each training took, side by side with others.
    """
    dataset = PreparedDataset.open(config.data.path)
    runs = [{name: score.value for name, score in _metrics(folder).items()} for folder in folders]
    f1, auc = ([_number(run.get(name)) for run in runs] for name in (HEADLINE, AUC))
    return {
        "schema": 1,
        "kind": "difficulty",
        "data": {
            "name": dataset.manifest.name,
            "splits": dict(dataset.manifest.splits),
            "parameters": dataset.manifest.parameters,
            "image_size": config.data.image_size,
            "views": config.data.views,
        },
        "seeds": len(runs),
        HEADLINE: _spread(f1)
        | {"smallest_detectable_difference": _detectable(statistics.stdev(f1), len(runs))},
        AUC: _spread(auc),
        "findings_above_zero": [_above_zero(run) for run in runs],
        "f1_by_finding": {
            name: statistics.fmean(
                _number(run[f"clinical.per_class.{name}.uncertain_negative.f1"]) for run in runs
            )
            for name in FINDINGS
        },
        "bleu_4": _spread([_number(run.get("nlg.bleu_4")) for run in runs]),
        "truth_written_as_text": _number(runs[0].get(HEADLINE.replace("clinical.", "labeler."))),
        "true_masks": score_of_masks(dataset, views=config.data.views),
        "baselines": _baselines(config, folders[0]),
        "seconds": list(seconds),
        "machine": machine(),
    }


def _json(measured: Mapping[str, Any]) -> str:
    return json.dumps(plain(measured), indent=1, allow_nan=False) + "\n"


def _metrics(folder: Path) -> Mapping[str, Any]:
    return Metrics.read(folder / "metrics.json").flat()


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _spread(values: Sequence[float]) -> Json:
    return {
        "mean": statistics.fmean(values),
        "standard_deviation": statistics.stdev(values),
        "values": list(values),
    }


def _detectable(deviation: float, seeds: int) -> float:
    """Return the difference that so many seeds show, for two arms that are not correlated."""
    return minimal_detectable_difference(math.sqrt(2) * deviation, seeds)


def _above_zero(run: Mapping[str, float | None]) -> int:
    return sum(
        _number(run[f"clinical.per_class.{name}.uncertain_negative.f1"]) > 0 for name in FINDINGS
    )


def _baselines(config: RunConfig, folder: Path) -> Json:
    labeler = CachedLabeler(RulesLabeler())
    tested = read_predictions(folder / "predictions.jsonl")
    training = read_training_texts(Path(config.data.path), config.data.cleaning)
    written = baseline_predictions(tested, training, labeler)
    return {
        name: evaluate(predictions, standard_families(labeler), resamples=0)[HEADLINE].value
        for name, predictions in written.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the difficulty of a prepared phantom with the demo's method."""
    parser = argparse.ArgumentParser(prog="python -m gradtruce.study.difficulty")
    parser.add_argument("--data", type=Path, required=True, help="prepared phantom")
    parser.add_argument("--output", type=Path, required=True, help="folder to make")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2, help="trainings at a time")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    given = parser.parse_args(arguments)
    data = f"data.phantom.run.data.path={str(given.data.absolute())!r}"
    config = load_plan("demo", [data, *given.settings]).runs()[0].config
    measure_difficulty(config, given.output, seeds=range(given.seeds), workers=given.workers)
    sys.stdout.write((given.output / "difficulty.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
