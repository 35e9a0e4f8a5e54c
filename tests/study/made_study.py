"""Study folders made without training: reports written with errors at known rates."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tomli_w

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.evaluate import evaluate
from gradtruce.evaluation.families.standard import standard_families
from gradtruce.evaluation.labelers.cached import CachedLabeler
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.evaluation.predictions import Prediction, write_predictions

STATED = {
    "Cardiomegaly": ("the heart is enlarged .", "heart size is normal ."),
    "Edema": ("there is pulmonary edema .", "no edema ."),
    "Atelectasis": ("there is basilar atelectasis .", "the lungs are clear ."),
    "Pleural Effusion": ("there is a small pleural effusion .", "no pleural effusion ."),
    "Pneumothorax": ("there is a left pneumothorax .", "no pneumothorax ."),
}
LABELER = CachedLabeler(RulesLabeler())
METHODS = {"r2gen": "R2Gen"}
ARMS = {"linear": 0.3, "came_grad": 0.2}
"""Share of findings that each arm gets wrong."""


def reports(wrong: float, seed: int, studies: int = 40) -> list[Prediction]:
    """Return references that are the same for all seeds, and reports with a share of errors."""
    truth = np.random.default_rng(99).random((studies, len(STATED))) < 0.35
    is_wrong = np.random.default_rng([seed, 5]).random(truth.shape) < wrong
    return [
        Prediction(
            f"s{row}",
            _text(truth[row]),
            _text(truth[row] ^ is_wrong[row]),
            findings=dict.fromkeys(OBSERVATIONS, 0.1)
            | dict(zip(STATED, (0.8 * (truth[row] ^ is_wrong[row]) + 0.1).tolist(), strict=True)),
        )
        for row in range(studies)
    ]


def _text(stated: np.ndarray) -> str:
    return " ".join(
        positive if each else negative
        for each, (positive, negative) in zip(stated, STATED.values(), strict=True)
    )


def write_run(folder: Path, predictions: Sequence[Prediction], *, steps: int = 4) -> None:
    """Write the files of a finished run that a study reads."""
    folder.mkdir(parents=True)
    write_predictions(folder / "predictions.jsonl", predictions)
    cosine = {"report|findings": -0.1}
    lines = [
        {
            "kind": "step",
            "step": step,
            "seconds": 0.1,
            "clipped": step == 1,
            "cosines": cosine,
            "coefficients": {"report": 1.0, "findings": float(step)},
        }
        for step in range(1, steps + 1)
    ]
    null = {
        "cross_task": {"report|findings": 0.1},
        "within_task": {"report": -0.1, "findings": 0.2},
    }
    lines.append({"kind": "null", "step": steps, **null})
    lines.append({"kind": "validation", "step": steps, "best": True})
    text = "".join(json.dumps({"schema": 1, **line}) + "\n" for line in lines)
    (folder / "log.jsonl").write_text(text)
    evaluate(predictions, standard_families(LABELER), resamples=0).write(folder / "metrics.json")


def plan(
    seeds: Sequence[int],
    arms: Sequence[str] = tuple(ARMS),
    methods: Mapping[str, str] = METHODS,
) -> dict[str, object]:
    """Return the tables of a plan."""
    return {
        "title": "A made study",
        "question": "Is fewer errors better?",
        "reference": "linear",
        "seeds": list(seeds),
        "run": {"training": {"select": "clinical.micro_13.uncertain_negative.f1"}},
        "data": {"phantom": {"label": "Phantom"}},
        "methods": {name: {"label": label} for name, label in methods.items()},
        "arms": {name: {"label": name.title(), "balance": {"name": name}} for name in arms},
    }


def make_study(
    folder: Path,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    *,
    arms: Mapping[str, float] = ARMS,
    methods: Mapping[str, str] = METHODS,
    studies: int = 40,
    leave_out: Sequence[tuple[str, int]] = (),
) -> Path:
    """Write a study whose runs are finished but for those left out, by arm and seed."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.toml").write_text(tomli_w.dumps(plan(seeds, list(arms), methods)))
    for at, method in enumerate(methods):
        for number, (arm, wrong) in enumerate(arms.items()):
            for seed in seeds:
                if (arm, seed) not in leave_out:
                    made = reports(wrong, 1000 * at + 100 * number + seed, studies)
                    write_run(folder / "runs" / method / "phantom" / arm / f"seed-{seed}", made)
    return folder
