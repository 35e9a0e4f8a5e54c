"""PromptMRG in a whole training: bank, prior, resuming, gradients of the published preset."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.retrieval.bank import RetrievalBank
from gradtruce.data.retrieval.bank_file import RetrievalFile
from gradtruce.methods.registry import load
from gradtruce.training.config import RunConfig
from gradtruce.training.loop import train
from gradtruce.training.stepper import Stepper
from tests.training.conftest import write_set

WIDTH = 6
OPTIONS: dict[str, Any] = {
    "backbone": "compact",
    "backbone_widths": [4, 8],
    "backbone_depths": [1, 1],
    "width": 8,
    "heads": 2,
    "layers": 1,
    "hidden": 16,
    "positions": 32,
    "text_features": WIDTH,
    "memory_width": 8,
    "memory_heads": 2,
    "memory_hidden": 16,
    "memory_layers": 1,
}
Config = Callable[..., RunConfig]


def noisy_labels(labels: Tensor, seed: int, width: int = WIDTH) -> Tensor:
    """Return features that tell of the labels, of length 1."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(labels.shape[1], width, generator=torch.Generator().manual_seed(9))
    noise = 0.3 * torch.randn(len(labels), width, generator=generator)
    return torch.nn.functional.normalize(labels.nan_to_num() @ directions + noise, dim=1)


def write_bank(data: Path, path: Path, width: int = WIDTH) -> Path:
    """Write a bank in which studies of like labels are near."""
    splits = [PreparedDataset.open(data).split(name) for name in ("train", "val", "test")]
    labels = [torch.from_numpy(split.labels).float() for split in splits]
    bank = RetrievalBank(splits[0].ids, noisy_labels(labels[0], seed=0, width=width))
    queries = noisy_labels(torch.cat(labels), seed=1, width=width)
    ids = tuple(study for split in splits for study in split.ids)
    RetrievalFile(bank, ids, queries, "labels and noise").write(path)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("promptmrg")
    data = write_set(folder / "set")
    return data, write_bank(data, folder / "retrieval.safetensors")


@pytest.fixture(scope="module")
def config_of(made: tuple[Path, Path]) -> Config:
    """Return a function that makes the configuration of a run of seconds."""

    def make(
        data: dict[str, Any] | None = None, options: dict[str, Any] | None = None, **training: Any
    ) -> RunConfig:
        return RunConfig(
            data={
                "path": str(made[0]),
                "image_size": 16,
                "max_tokens": 12,
                "min_frequency": 1,
                "retrieval": str(made[1]),
                "neighbours": 5,
                **(data or {}),
            },
            method={"name": "promptmrg", "options": OPTIONS | (options or {})},
            balance={"preset": "came_grad-promptmrg-mimic"},
            training={
                "steps": 6,
                "batch_size": 4,
                "validation": {"every": 2},
                "null_every": 2,
                "decoding": {"beams": 1},
                **training,
            },
        )

    return make


def lines_of(run: Path, kind: str) -> list[dict[str, Any]]:
    lines = map(json.loads, (run / "log.jsonl").read_text().splitlines())
    return [line for line in lines if line["kind"] == kind]


def test_it_trains_with_the_published_balance_and_logs_both_gradients(
    config_of: Config, tmp_path: Path
) -> None:
    config = config_of()
    assert (config.balance.name, config.balance.scope) == ("came_grad", "all")
    assert config.balance.options == {"radius": 0.2, "gain": 1.5, "fusion": 0.1}
    train(config, tmp_path / "run")
    steps = lines_of(tmp_path / "run", "step")
    assert [step["active"] for step in steps] == [{"report": True, "findings": True}] * 6
    for step in steps:
        assert set(step["cosines"]) == {"report|findings"}
        assert all(-1 <= cosine <= 1 for cosine in step["cosines"].values())
    nulls = lines_of(tmp_path / "run", "null")
    assert [null["step"] for null in nulls] == [2, 4, 6]
    assert all(set(null["within_task"]) == {"report", "findings"} for null in nulls)


def test_the_prior_follows_the_training_and_is_in_the_checkpoint(
    config_of: Config, tmp_path: Path
) -> None:
    train(config_of(steps=2), tmp_path / "early")  # 3 steps make an epoch
    train(config_of(steps=3), tmp_path / "late")
    early, late = (
        load(tmp_path / run / "checkpoints" / "last").states_objective.prior
        for run in ("early", "late")
    )
    present = [1, 13]  # Cardiomegaly, and No Finding in all other studies
    assert early[present].tolist() == [1.0, 1.0]
    assert early.sum() == pytest.approx(2 + 12 * 0.001)
    assert late[present].max() == 1.0
    assert late[present].min() < 1.0
    assert sorted(late.tolist())[:12] == pytest.approx([0.001] * 12)


def test_a_resumed_run_is_the_uninterrupted_one(
    config_of: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(config_of(), tmp_path / "whole")
    stop_after(4, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(config_of(), tmp_path / "run")
    monkeypatch.undo()
    train(config_of(), tmp_path / "run", resume=True)
    first, second = (
        load(tmp_path / name / "checkpoints" / "last").state_dict() for name in ("whole", "run")
    )
    assert all(torch.equal(value, second[key]) for key, value in first.items())


def stop_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Stepper.step

    def stopping(self: Stepper, batches: Any, number: int) -> Any:
        if number == steps:
            raise KeyboardInterrupt
        return step(self, batches, number)

    monkeypatch.setattr(Stepper, "step", stopping)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"data": {"retrieval": None}}, "'promptmrg' needs reports retrieved .* build retrieval"),
        ({"options": {"text_features": 7}}, "features of 7 numbers, .* got 6: set that to 6"),
        ({"data": {"max_tokens": 20}}, "20 tokens .* holds 19 beside its prompt"),
        ({"decoding": {"max_tokens": 19}}, "20 tokens .* holds 19 beside its prompt"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_made(
    config_of: Config, tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        train(config_of(**given), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_just_as_long_as_the_decoder_fits(config_of: Config, tmp_path: Path) -> None:
    train(config_of(data={"max_tokens": 19}, steps=1), tmp_path / "run")
