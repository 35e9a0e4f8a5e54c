"""A user's own prior study: read whole, compared with, shown."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gradtruce.data.tokenizer import build_tokenizer
from gradtruce.data.transforms import ImageProcessor
from gradtruce.methods.registry import build
from gradtruce.training.config import DataConfig, RunConfig
from gradtruce.training.config_file import write_config
from gradtruce.viewer.report.own_prior import own_prior
from gradtruce.viewer.report.read_images import read_images
from tests.methods.studies import SMALL
from tests.viewer.conftest import DENIALS, SENTENCES

DATA = DataConfig(path="runs/set", priors=True, views=1, max_tokens=12)


@pytest.fixture
def films(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Return an image, one of before, and the report of that."""
    draw = np.random.default_rng(0)
    for name in ("now", "before"):
        pixels = draw.integers(0, 255, (40, 40), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    (tmp_path / "before.txt").write_text("The HEART is enlarged.\n", encoding="utf-8")
    return tmp_path / "now.png", tmp_path / "before.png", tmp_path / "before.txt"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run of DDaTR with random weights."""
    torch.manual_seed(0)
    folder = tmp_path / "run" / "checkpoints" / "best"
    texts = [*SENTENCES.values(), *DENIALS.values()]
    build("ddatr", build_tokenizer(texts, 1), SMALL["ddatr"]).save_pretrained(folder)
    ImageProcessor(32).save(folder)
    write_config(RunConfig(data=DATA), tmp_path / "run" / "config.toml")
    return tmp_path / "run"


def test_the_prior_is_read_with_its_report_as_in_training(films: tuple[Path, Path, Path]) -> None:
    _, before, report = films
    study = own_prior([before], report, DATA, each=False)
    assert study is not None
    assert study.report == "the heart is enlarged ."
    assert [view.pixels.shape for view in study.views] == [(40, 40)]


def test_a_study_is_compared_with_the_prior_that_is_given(
    run: Path, films: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    now, before, report = films
    said: list[str] = []
    (alone,) = read_images(run, [now], tmp_path / "alone", tell=said.append)
    (both,) = read_images(
        run, [now], tmp_path / "both", prior=[before], prior_report=report, tell=said.append
    )
    assert alone.findings != both.findings
    assert said[1].startswith("compared with no prior study; this method can, with --prior and")
    assert said[3] == "compared with the prior study before"
    page = (tmp_path / "both" / "index.html").read_text(encoding="utf-8")
    assert "Compared with the prior study" in page
    assert "the heart is enlarged." in page
    assert "prior study" not in (tmp_path / "alone" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"images": []}, "give --prior and --prior-report"),
        ({"report": None}, "give --prior and --prior-report"),
        ({"each": True}, "a prior study belongs to one study"),
        ({"data": None}, "was not trained to compare studies"),
        ({"data": DATA.model_copy(update={"priors": False})}, "was not trained to compare studies"),
        ({"report": Path("empty.txt")}, "empty.txt: says nothing"),
        ({"report": Path("before.png")}, "before.png: must be text in UTF-8"),
    ],
)
def test_half_a_prior_or_one_for_nothing_is_refused(
    given: dict, message: str, films: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, before, report = films
    monkeypatch.chdir(before.parent)
    Path("empty.txt").write_text(" \n")
    asked = {"images": [before], "report": report, "data": DATA, "each": False} | given
    with pytest.raises(ValueError, match=message):
        own_prior(**asked)


def test_a_report_that_is_not_there_is_named(films: tuple[Path, Path, Path]) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.txt: there is no such file"):
        own_prior([films[1]], Path("nowhere.txt"), DATA, each=False)
