"""A comparison folder in the formats of the project, small and made in seconds."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gradtruce.data.observations import FINDINGS, OBSERVATIONS
from gradtruce.data.prepared import PreparedWriter
from gradtruce.data.study import Finding, Region, Study, View
from gradtruce.data.tokenizer import build_tokenizer
from gradtruce.data.transforms import ImageProcessor
from gradtruce.evaluation.comparison import compare
from gradtruce.evaluation.evaluate import evaluate
from gradtruce.evaluation.families.standard import standard_families
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.evaluation.predictions import Prediction, write_predictions
from gradtruce.methods.registry import build as build_method
from gradtruce.training.config import BalanceConfig, DataConfig, MethodConfig, RunConfig
from gradtruce.training.config_file import write_config

SIZE = 64
TEST_STUDIES = 30
SENTENCES = {
    "Cardiomegaly": "the heart is enlarged .",
    "Pleural Effusion": "there is a small left pleural effusion .",
    "Edema": "mild pulmonary edema is present .",
    "Pneumothorax": "there is a right apical pneumothorax .",
    "Fracture": "an old rib fracture is seen on the right .",
    "Atelectasis": "linear atelectasis at the left base .",
}
DENIALS = {
    "Pleural Effusion": "no pleural effusion .",
    "Pneumothorax": "no pneumothorax is seen .",
    "Cardiomegaly": "the heart is normal in size .",
}
OPTIONS = {
    "backbone": "compact",
    "backbone_widths": [8, 16],
    "backbone_depths": [1, 1],
    "width": 16,
    "heads": 2,
    "layers": 1,
    "hidden": 16,
}


def report_of(present: list[str]) -> str:
    stated = [SENTENCES[name] for name in present]
    denied = [text for name, text in DENIALS.items() if name not in present]
    return " ".join(stated + denied)


def film(random: np.random.Generator, boxes: list[tuple[int, int, int, int]]) -> np.ndarray:
    rows, columns = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    body = 190 * np.exp(-(((columns - 0.5) / 0.42) ** 4) - ((rows - 0.55) / 0.6) ** 6)
    for centre in (0.3, 0.7):
        body -= 120 * np.exp(-(((columns - centre) / 0.13) ** 2) - ((rows - 0.45) / 0.26) ** 2)
    body += 12 * np.sin(rows * 40) + random.normal(0, 4, (SIZE, SIZE))
    for left, top, right, bottom in boxes:
        body[top:bottom, left:right] += 50
    return body.clip(0, 255).astype(np.uint8)


def study(number: int, split: str, present: list[str], random: np.random.Generator) -> Study:
    findings, boxes = [], []
    for name in present:
        left, top = (int(place) for place in random.integers(6, SIZE - 24, 2))
        box = (left, top, left + 14, top + 12)
        mask = np.zeros((SIZE, SIZE), dtype=bool)
        mask[box[1] : box[3], box[0] : box[2]] = True
        boxes.append(box)
        regions = (Region(0, box, mask),)
        findings.append(Finding(name, name.lower(), severity="mild", side="left", regions=regions))
    labels = {name: int(name in present) for name in FINDINGS}
    return Study(
        id=f"p{number:04d}-1",
        patient=f"p{number:04d}",
        split=split,
        views=(View(film(random, boxes), "frontal"), View(film(random, []), "lateral")),
        report=report_of(present),
        labels={**labels, "No Finding": int(not present)},
        label_source="phantom truth",
        findings=tuple(findings),
        is_synthetic=True,
    )


def draw(random: np.random.Generator) -> list[str]:
    chances = dict(zip(SENTENCES, (0.4, 0.35, 0.25, 0.1, 0.08, 0.3), strict=True))
    return [name for name, chance in chances.items() if random.random() < chance]


def generated(study: Study, skill: float, random: np.random.Generator) -> str:
    present = [f.observation for f in study.findings if random.random() < skill]
    invented = [name for name in SENTENCES if name not in present and random.random() < 0.08]
    return report_of([name for name in SENTENCES if name in {*present, *invented}])


def probabilities(study: Study, random: np.random.Generator) -> dict[str, float]:
    raised = {name: 2.5 * (study.labels.get(name) == 1) - 1.5 for name in OBSERVATIONS}
    return {name: 1 / (1 + math.exp(-shift - random.normal())) for name, shift in raised.items()}


def write_log(folder: Path, gain: float, steps: int, random: np.random.Generator) -> None:
    lines: list[dict[str, object]] = []
    for step in range(1, steps + 1):
        norms = {
            "report": 2.2 * 0.999**step * random.lognormal(0, 0.2),
            "findings": 0.4 * random.lognormal(0, 0.3),
        }
        joint = norms["report"] + 4 * norms["findings"]
        gradient = joint * gain * random.lognormal(0, 0.2)
        record = {
            "losses": {
                "report": 4 * math.exp(-step / 250) + 0.8 + random.normal(0, 0.1),
                "findings": 0.45 * math.exp(-step / 400) + 0.12 + random.normal(0, 0.02),
            },
            "coefficients": {"report": gain, "findings": 4 * gain * random.lognormal(0, 0.1)},
            "norms": norms,
            "cosines": {"report|findings": float(np.tanh(random.normal(0.15, 0.2)))},
            "joint_norm": joint,
            "update_norm": joint * gain,
            "gradient_norm": gradient,
            "clipped": bool(gradient > 5),
            "learning_rates": {"backbone": 1e-3, "rest": 1e-3},
            "seconds": 0.12,
        }
        lines.append({"kind": "step", "step": step, "epoch": 0, **record})
        if step % 25 == 0:
            cosines = np.tanh(random.normal(0.1, 0.25, 3))
            cross = {"report|findings": float(cosines[0])}
            within = {"report": float(cosines[1]), "findings": float(cosines[2])}
            lines.append({"kind": "null", "step": step, "cross_task": cross, "within_task": within})
        if step % (steps // 6) == 0:
            score = 0.6 * (1 - math.exp(-step / 300))
            lines.append(
                {
                    "kind": "validation",
                    "step": step,
                    "epoch": 0,
                    "scores": {"clinical.micro_13.uncertain_negative.f1": score},
                    "best": step < steps,
                }
            )
    lines.append({"kind": "note", "step": 1, "text": "the scope has 12 parameters"})
    text = "".join(json.dumps({"schema": 1, **line}) + "\n" for line in lines)
    (folder / "log.jsonl").write_text(text, encoding="utf-8")


def write_run(
    folder: Path, data: Path, arm: int, predictions: list[Prediction], texts: list[str], steps: int
) -> None:
    folder.mkdir()
    balance = (
        BalanceConfig(name="linear", weights={"report": 1.0, "findings": 4.0}),
        BalanceConfig(name="came_grad", options={"radius": 0.5, "gain": 1.5, "fusion": 0.2}),
    )[arm]
    config = RunConfig(
        data=DataConfig(path=str(data), image_size=SIZE),
        method=MethodConfig(options=OPTIONS),
        balance=balance,
    )
    write_config(config, folder / "config.toml")
    write_log(folder, (1.0, 1.5)[arm], steps, np.random.default_rng(arm))
    write_predictions(folder / "predictions.jsonl", predictions)
    evaluate(predictions, standard_families(RulesLabeler()), resamples=40).write(
        folder / "metrics.json"
    )
    torch.manual_seed(arm)
    method = build_method("r2gen", build_tokenizer(texts, 1), OPTIONS)
    method.save_pretrained(folder / "checkpoints" / "best")
    ImageProcessor(SIZE).save(folder / "checkpoints" / "best")


def scores_of(predictions: list[Prediction]) -> dict[str, object]:
    flat = evaluate(predictions, standard_families(RulesLabeler()), resamples=40).flat()
    return {name: vars(score) for name, score in flat.items()}


def write_comparison(folder: Path, steps: int = 120) -> Path:
    """Make data, two run folders and summary.json."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(5)
    sizes = {"train": 8, "val": 3, "test": TEST_STUDIES}
    studies = [
        study(number, split, draw(random), random)
        for number, split in enumerate(split for split, size in sizes.items() for _ in range(size))
    ]
    parameters = {"seed": 0, "level": "standard"}
    with PreparedWriter(
        folder / "data", name="phantom standard", source="tests", parameters=parameters
    ) as writer:
        for each in studies:
            writer.add(each)
    test = [each for each in studies if each.split == "test"]
    texts = [*SENTENCES.values(), *DENIALS.values()]
    arms = {}
    for arm, skill in enumerate((0.65, 0.7)):
        arms[arm] = [
            Prediction(
                id=each.id,
                reference=each.report,
                generated=generated(each, skill, random),
                findings=probabilities(each, random),
                labels=each.labels,
                label_source="phantom truth",
            )
            for each in test
        ]
        name = ("linear", "came_grad")[arm]
        write_run(folder / name, folder / "data", arm, arms[arm], texts, steps)
    write_summary(folder, arms)
    return folder


def write_summary(folder: Path, arms: dict[int, list[Prediction]]) -> None:
    names = ("linear", "came_grad")
    labels = ("Linear scalarization", "CAME-Grad")
    flat = scores_of(arms[0])
    wanted = [name for name, score in flat.items() if score["low"] is not None]
    families = standard_families(RulesLabeler())
    compared = compare(arms[1], arms[0], families, wanted, resamples=40)
    differences = {name: each.score for name, each in compared.items()}
    normal = [replace(each, generated=report_of([]), findings=None) for each in arms[0]]
    summary = {
        "schema": 1,
        "kind": "comparison",
        "is_synthetic": True,
        "data": {"level": "standard", "image_size": SIZE, "seed": 0},
        "arms": {
            name: {
                "label": label,
                "run": name,
                "scores": scores_of(arms[arm]),
                "seconds": 192.0,
                "seconds_per_step": 0.12,
                "seconds_per_step_without_diagnostics": 0.09 if arm == 0 else None,
                "best_step": 100,
                "clipped_share": 0.1,
            }
            for arm, (name, label) in enumerate(zip(names, labels, strict=True))
        },
        "baselines": {
            "all_normal": {"label": "All-normal report", "scores": scores_of(normal)},
            "most_frequent": {"label": "Most frequent report", "scores": scores_of(normal)},
        },
        "differences": {name: vars(score) for name, score in differences.items()},
        "caveats": ["One pair of runs can't rank optimizers."],
        "machine": {"torch": "2.13.0", "cores": 2},
    }
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")


@pytest.fixture(scope="session")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a comparison folder that no test may change."""
    return write_comparison(tmp_path_factory.mktemp("runs") / "demo")


@pytest.fixture
def copy_of(comparison: Path, tmp_path: Path) -> Callable[[], Path]:
    """Return a function that copies the comparison folder, to be damaged."""
    import shutil  # noqa: PLC0415

    def copy() -> Path:
        return Path(shutil.copytree(comparison, tmp_path / "demo"))

    return copy
