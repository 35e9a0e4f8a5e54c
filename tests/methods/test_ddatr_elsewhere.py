"""A trained DDaTR generates for a prepared set with the prior studies that it was trained with."""

import json
from dataclasses import replace
from pathlib import Path

from gradtruce.cli.app import run
from gradtruce.data.prepared import PreparedWriter
from tests.training.conftest import made_up_study


def test_generated_findings_are_those_of_the_run(tmp_path: Path) -> None:
    with PreparedWriter(tmp_path / "set", name="made up", source="a test") as writer:
        for split, count in {"train": 12, "val": 4, "test": 4}.items():
            first = made_up_study(split, 0, labelled=True)
            writer.add(first)
            for number in range(1, count):
                study = made_up_study(split, number, labelled=True)
                writer.add(replace(study, patient=first.patient, prior=first.id))
    settings = [
        "data.image_size=32", "data.min_frequency=1", "training.steps=2", "training.batch_size=4",
        "training.decoding.beams=1",
    ]  # fmt: skip
    words = ["train", "--config", "ddatr-demo", "--data", str(tmp_path / "set")]
    changed = [word for setting in settings for word in ("--set", setting)]
    assert run([*words, "--output", str(tmp_path / "run"), *changed]) == 0
    again = tmp_path / "again.jsonl"
    words = ["generate", str(tmp_path / "set"), "--run", str(tmp_path / "run")]
    assert run([*words, "--output", str(again)]) == 0
    assert findings(again) == findings(tmp_path / "run" / "predictions.jsonl")


def findings(path: Path) -> dict[str, dict[str, float]]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {line["id"]: line["findings"] for line in lines if "findings" in line}
