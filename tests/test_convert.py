"""`gradtruce convert`: a published checkpoint becomes a folder that `predict` takes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gradtruce.cli.app import run
from gradtruce.methods.registry import load
from tests.reference import r2gen_published as reference
from tests.reference import xpronet_published as xpronet

REPORT = "clear lungs. the heart is normal"
SIZES = reference.Sizes(vocabulary=len({*REPORT.replace(".", " .").split(), "<unk>"}) + 1)


def arguments(folder: Path) -> list[str]:
    """Write checkpoint and annotation; return the words of the command."""
    record = {"id": "CXR1_IM-1", "report": REPORT, "image_path": ["a.png"], "split": "train"}
    (folder / "annotation.json").write_text(json.dumps({"train": [record], "val": [], "test": []}))
    torch.save({"epoch": 1, "state_dict": dict(reference.draw(SIZES))}, folder / "model_best.pth")
    words = ["convert", "r2gen", str(folder / "model_best.pth"), "--output", str(folder / "model")]
    words += ["--annotation", str(folder / "annotation.json")]
    return [*words, "--min-frequency", "1", "--heads", str(SIZES.heads), "--size", "64"]


def test_a_published_r2gen_becomes_a_folder_that_predict_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(tmp_path)) == 0
    assert "R2Gen with 11 tokens" in capsys.readouterr().out
    assert load(tmp_path / "model").config.layers == SIZES.layers
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (80, 64), dtype=np.uint8)).save(tmp_path / "film.png")
    told = ["predict", str(tmp_path / "film.png"), "--run", str(tmp_path / "model")]
    assert run([*told, "--output", str(tmp_path / "read")]) == 0
    assert (tmp_path / "read" / "index.html").is_file()
    decoding = "decoding: published beam search of width 3, at most 60 tokens, as saved with the"
    assert decoding in capsys.readouterr().out


def test_a_published_xpronet_becomes_a_folder_and_says_whose_labels_it_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = arguments(tmp_path)
    words[1] = "xpronet"
    sizes = xpronet.Sizes(vocabulary=SIZES.vocabulary)
    torch.save({"state_dict": dict(xpronet.draw(sizes))}, tmp_path / "model_best.pth")
    assert run([*words, "--prototypes-read", str(sizes.read)]) == 0
    printed = capsys.readouterr().out
    assert "XProNet with 11 tokens" in printed
    assert "labels of the reference report" in printed
    method = load(tmp_path / "model")
    assert method.config.prototypes_read == sizes.read
    assert "oracle" in method.told


def test_what_is_wrong_is_one_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = arguments(tmp_path)
    assert run([*words, "--min-frequency", "7"]) == 2
    assert "no word occurs 7 times" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
    (tmp_path / "model").mkdir()
    assert run(words) == 2
    assert "exists; name a new folder" in capsys.readouterr().err
    assert run(["convert", "r2gne"]) == 2
    assert "r2gne" in capsys.readouterr().err
