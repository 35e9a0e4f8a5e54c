"""Clusters from the command line to a training that needs them."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import BertConfig

from gradtruce.cli.app import run
from gradtruce.data.cluster_file import ClusterFile
from gradtruce.data.prepared import PreparedDataset
from gradtruce.evaluation.labelers.chexbert_model import CheXbert
from gradtruce.training.config import RunConfig
from gradtruce.training.loop import train
from tests.training.conftest import MethodOptions

Config = Callable[..., RunConfig]


def with_wcl(config: RunConfig, **options: object) -> RunConfig:
    method = {"name": "wcl", "options": MethodOptions | {"contrast_width": 4} | options}
    return RunConfig(**config.model_dump() | {"method": method})


@pytest.fixture
def clusters(tiny_set: Path, tmp_path: Path) -> Path:
    path = tmp_path / "clusters.json"
    assert run(["build", "clusters", str(tiny_set), "--output", str(path), "--clusters", "2"]) == 0
    return path


def test_built_clusters_are_those_of_the_training_reports(tiny_set: Path, clusters: Path) -> None:
    split = PreparedDataset.open(tiny_set).split("train")
    found = ClusterFile.read(clusters).clusters
    assert set(found) == set(split.ids)
    told = {report: found[study] for study, report in zip(split.ids, split.reports, strict=True)}
    assert sorted(told.values()) == [0, 1]


def test_wcl_trains_with_them_from_the_epoch_of_its_contrast(
    tiny_config: Config, clusters: Path, tmp_path: Path
) -> None:
    config = with_wcl(tiny_config(data={"clusters": str(clusters)}), contrast_epoch=1)
    train(config, tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    steps = [line["active"] for line in lines if line["kind"] == "step"]
    assert [active["contrast"] for active in steps] == [False] * 3 + [True]


def test_a_method_that_needs_clusters_says_how_to_make_them(
    tiny_config: Config, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"'contrast' of 'wcl' needs .* gradtruce build clusters"):
        train(with_wcl(tiny_config()), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_clusters_of_other_reports_are_refused(
    tiny_config: Config, clusters: Path, tmp_path: Path
) -> None:
    content = json.loads(clusters.read_text())
    clusters.write_text(json.dumps(content | {"reports_sha256": "0" * 64}))
    with pytest.raises(ValueError, match="other reports than the training reports"):
        train(with_wcl(tiny_config(data={"clusters": str(clusters)})), tmp_path / "run")


@pytest.mark.parametrize(
    ("output", "named"), [(".", "exists"), ("no/such.json", "there is no such folder")]
)
def test_a_file_that_can_not_be_made_is_told_before_the_work(
    output: str, named: str, tiny_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["build", "clusters", str(tiny_set), "--output", str(tmp_path / output)]) == 2
    assert named in capsys.readouterr().err


def test_vectors_of_chexbert_are_taken_where_asked_for(tiny_set: Path, tmp_path: Path) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "heart", "enlarged", "normal", "."]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=64,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=16,
    )
    weights = {f"module.{name}": value for name, value in CheXbert(config).state_dict().items()}
    torch.save({"model_state_dict": weights}, tmp_path / "chexbert.pth")
    path = tmp_path / "clusters.json"
    told = ["build", "clusters", str(tiny_set), "--output", str(path), "--clusters", "2"]
    weights_of = str(tmp_path / "chexbert.pth")
    assert run([*told, "--chexbert", weights_of]) == 2  # no features of it were asked for
    assert run([*told, "--features", "chexbert", "--chexbert", weights_of]) == 0
    file = ClusterFile.read(path)
    assert "[CLS] vectors of chexbert" in file.source
    assert sorted(Counter(file.clusters.values()).values()) == [6, 6]


def test_too_many_clusters_leave_no_file(
    tiny_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "clusters.json"
    assert run(["build", "clusters", str(tiny_set), "--output", str(path)]) == 2
    assert "ask for fewer" in capsys.readouterr().err
    assert not path.exists()
