"""Prototypes from the command line to a training that starts from them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from gradtruce.cli.app import run
from gradtruce.data.observations import OBSERVATIONS
from gradtruce.methods.xpronet import ORACLE
from gradtruce.training.assembly import build_method
from gradtruce.training.config import RunConfig
from gradtruce.training.data_parts import load_data
from gradtruce.training.loop import train
from gradtruce.training.prototypes import RECORD, ROWS, preset_config

Config = Callable[..., RunConfig]


def command(data: Path, output: Path, *more: str) -> list[str]:
    start = ["build", "prototypes", str(data), "--output", str(output)]
    return [*start, "--preset", "xpronet-tiny", "--size", "32", *more]


def rows_of(path: Path) -> tuple[torch.Tensor, dict[str, Any]]:
    with safe_open(path, "pt") as file:
        return file.get_tensor(ROWS), json.loads(file.metadata()[RECORD])


@pytest.fixture
def prototypes(tiny_set: Path, tmp_path: Path) -> Path:
    path = tmp_path / "prototypes.safetensors"
    assert run(command(tiny_set, path)) == 0
    return path


def with_xpronet(config: RunConfig, **method: object) -> RunConfig:
    given = {"preset": "xpronet-tiny", **method}
    return RunConfig(**config.model_dump() | {"method": given})


def test_the_file_says_what_it_was_made_of(prototypes: Path) -> None:
    rows, record = rows_of(prototypes)
    config = preset_config("xpronet-tiny")
    assert rows.shape == (14 * config.prototypes, config.image_features + config.text_features)
    assert rows.isfinite().all()
    assert record["observations"] == list(OBSERVATIONS)
    assert (record["schema"], record["kind"], record["seed"]) == (1, "prototypes", 0)
    assert len(record["data"]) == 64


def test_the_same_seed_gives_the_same_file(
    tiny_set: Path, prototypes: Path, tmp_path: Path
) -> None:
    for name, seed, is_same in (("again", "0", True), ("other", "1", False)):
        path = tmp_path / f"{name}.safetensors"
        assert run(command(tiny_set, path, "--seed", seed)) == 0
        assert (path.read_bytes() == prototypes.read_bytes()) == is_same


def test_half_of_the_mirrored_ones_are_of_unmirrored_images(
    tiny_set: Path, prototypes: Path, tmp_path: Path
) -> None:
    path = tmp_path / "mirrored.safetensors"
    assert run(command(tiny_set, path, "--mirrored")) == 0
    mirrored, plain = (rows_of(each)[0].view(14, 8, -1) for each in (path, prototypes))
    assert mirrored.shape == plain.shape
    assert not torch.equal(mirrored, plain)


def test_a_method_starts_from_them_and_trains(
    tiny_config: Config, prototypes: Path, tmp_path: Path
) -> None:
    config = with_xpronet(tiny_config(), start_from=[str(prototypes)])
    method = build_method(config, load_data(config).tokenizer)
    torch.testing.assert_close(method.prototypes.rows.detach(), rows_of(prototypes)[0])
    train(config, tmp_path / "run")
    assert "told" not in (tmp_path / "run" / "metrics.json").read_text()


def test_the_oracle_is_printed_with_the_scores(tiny_config: Config, tmp_path: Path) -> None:
    options = {"selecting_labels": "oracle"}
    train(with_xpronet(tiny_config(), options=options), tmp_path / "run")
    lines = (tmp_path / "run" / "predictions.jsonl").read_text().splitlines()
    assert {json.loads(line)["told"] for line in lines} == {ORACLE}
    assert ORACLE in (tmp_path / "run" / "metrics.json").read_text()


def test_what_gives_no_prototypes_is_refused(
    tiny_set: Path,
    unlabelled_set: Path,
    prototypes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "new.safetensors"
    for arguments, message in (
        (command(tiny_set, prototypes), "exists; name a new file"),
        (command(unlabelled_set, path), "no training study has labels"),
        (command(tiny_set, path, "--preset", "r2gen-tiny"), "is of r2gen"),
        (command(tiny_set, path, "--backbone-weights", "a", "--backbone-of", "b"), "one of them"),
    ):
        assert run(arguments) == 2
        assert message in capsys.readouterr().err
    assert not path.exists()
