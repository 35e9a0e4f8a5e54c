"""A trained PromptMRG on other studies: zero-shot reports, one's own images, the run report."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gradtruce.cli.app import run
from gradtruce.data.prepared import PreparedWriter
from tests.training.conftest import made_up_study

RATES = "training.learning_rate={backbone=1e-3,rest=1e-3}"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a set, a bank of it and a run."""
    folder = tmp_path_factory.mktemp("elsewhere")
    write(folder / "set", offset=0)
    small = [
        "--set", "data.image_size=32", "--set", "data.min_frequency=1",
        "--set", "data.neighbours=5", "--set", "training.steps=2", "--set", "training.batch_size=4",
        "--set", "method.options.text_features=6", "--set", "training.decoding.beams=1",
        "--set", RATES,
    ]  # fmt: skip
    bank = str(folder / "bank.safetensors")
    words = ["build", "retrieval", str(folder / "set"), "--output", bank, "--width", "6"]
    assert run([*words, "--preset", "r2gen-tiny", "--size", "32", "--folds", "2"]) == 0
    words = ["train", "--config", "promptmrg-demo", "--data", str(folder / "set")]
    small += ["--set", f"data.retrieval={bank}"]
    assert run([*words, "--output", str(folder / "run"), *small]) == 0
    return folder


def write(folder: Path, offset: int) -> Path:
    with PreparedWriter(folder, name="made up", source="a test") as writer:
        for split, count in {"train": 12, "val": 4, "test": 4}.items():
            for number in range(offset, offset + count):
                writer.add(made_up_study(split, number, labelled=True))
    return folder


def predictions(trained: Path, data: Path, output: Path, *options: str) -> list[dict[str, str]]:
    words = ["generate", str(data), "--run", str(trained / "run"), "--output", str(output)]
    assert run([*words, *options]) == 0
    return [json.loads(line) for line in output.read_text().splitlines() if '"reference"' in line]


def test_its_own_test_reports_come_out_again(trained: Path, tmp_path: Path) -> None:
    found = predictions(trained, trained / "set", tmp_path / "again.jsonl")
    lines = (trained / "run" / "predictions.jsonl").read_text().splitlines()
    assert found == [json.loads(line) for line in lines if '"reference"' in line]


def test_a_set_it_never_saw_is_asked_of_the_bank_it_was_trained_with(
    trained: Path, tmp_path: Path
) -> None:
    other = write(tmp_path / "other", offset=100)
    config = tmp_path / "zero-shot.toml"
    config.write_text(
        'extends = "promptmrg-iu-xray-zero-shot"\n[training]\n'
        "decoding = { beams = 1, max_tokens = 8, min_tokens = 5 }\n"
    )
    found = predictions(
        trained, other, tmp_path / "zero.jsonl", "--config", str(config), "--split", "all"
    )
    assert len(found) == 20
    assert all(len(each["generated"].split()) >= 5 for each in found)


def test_own_images_get_a_report(trained: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 40), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "film.png")
    words = ["predict", str(tmp_path / "film.png"), "--run", str(trained / "run")]
    assert run([*words, "--output", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "index.html").is_file()


def test_the_run_report_shows_where_it_looks(trained: Path) -> None:
    assert run(["report", str(trained / "run")]) == 0
    assert (trained / "run" / "report.html").is_file()


def test_a_file_that_is_there_or_a_run_that_is_not_is_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there.jsonl"
    there.write_text("kept")
    for options, message in (
        (["--run", str(trained / "run"), "--output", str(there)], "exists; name a new file"),
        (["--run", "nowhere", "--output", str(tmp_path / "new")], "is nowhere a run folder?"),
    ):
        assert run(["generate", str(trained / "set"), *options]) == 2
        assert message in capsys.readouterr().err
    assert there.read_text() == "kept"
