"""A retrieval bank from the command line to the batches of a run and to one's own images."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gradtruce.cli.app import run
from gradtruce.data.prepared import PreparedDataset, PreparedWriter
from gradtruce.data.retrieval.bank_file import RetrievalFile
from gradtruce.data.retrieval.kept_search import KeptSearch
from gradtruce.data.study import SPLITS, Study
from gradtruce.training.config import DataConfig, RunConfig
from gradtruce.training.data_parts import load_data
from gradtruce.training.progress import Progress, counter
from gradtruce.training.retrieval.image_query import ImageQuery
from gradtruce.training.retrieval.retriever import retriever
from gradtruce.training.retrieval.run_bank import RunBank
from tests.training.conftest import made_up_study

COUNTS = {"train": 16, "val": 4, "test": 4}
SMALL = ("--width", "8", "--size", "32", "--preset", "r2gen-tiny")
WAYS = {"tfidf": (), "contrastive": ("--features", "contrastive", "--epochs", "1")}


def write_set(folder: Path, change: Callable[[Study], Study] = lambda study: study) -> Path:
    with PreparedWriter(folder, name="made up", source="a test") as writer:
        for split, count in COUNTS.items():
            for number in range(count):
                study = made_up_study(split, number, labelled=True)
                words = f" Film {chr(97 + number % 8)}."
                writer.add(change(replace(study, report=study.report + words)))
    return folder


def command(data: Path, output: Path, *more: str) -> list[str]:
    return ["build", "retrieval", str(data), "--output", str(output), *more]


@pytest.fixture(scope="session")
def sixteen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("retrieval") / "set")


@pytest.fixture(scope="session")
def banks(sixteen: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("banks")
    for name, more in WAYS.items():
        assert run(command(sixteen, folder / name, *SMALL, *more)) == 0
    return {name: folder / name for name in WAYS}


@pytest.mark.parametrize("way", WAYS)
def test_the_file_is_of_the_training_studies(
    way: str, banks: dict[str, Path], sixteen: Path
) -> None:
    data, file = PreparedDataset.open(sixteen), RetrievalFile.read(banks[way])
    file.require(data)
    assert file.bank.ids == data.split("train").ids
    assert file.bank.width == 8
    assert len(file.query_ids) == sum(COUNTS.values())
    assert set(file.shares) == {"5"}  # 16 reports are too few for 21
    assert 0.0 < file.shares["5"]["random"] < 1.0
    assert ("ridge" in file.source, "contrastive" in file.source) == (
        way == "tfidf",
        way != "tfidf",
    )


@pytest.mark.parametrize("way", WAYS)
def test_reports_and_labels_held_out_have_no_say(
    way: str, banks: dict[str, Path], tmp_path: Path
) -> None:
    def changed(study: Study) -> Study:
        if study.split == "train":
            return study
        return replace(study, report="A large pneumothorax.", labels={"Pneumothorax": 1})

    other = write_set(tmp_path / "other", changed)
    assert run(command(other, tmp_path / "bank", *SMALL, *WAYS[way])) == 0
    assert (tmp_path / "bank").read_bytes() == banks[way].read_bytes()


@pytest.mark.parametrize("way", WAYS)
def test_another_seed_gives_another_file(
    way: str, banks: dict[str, Path], sixteen: Path, tmp_path: Path
) -> None:
    assert run(command(sixteen, tmp_path / "bank", *SMALL, *WAYS[way], "--seed", "1")) == 0
    assert (tmp_path / "bank").read_bytes() != banks[way].read_bytes()


@pytest.mark.parametrize("way", WAYS)
def test_a_training_query_is_by_an_encoder_that_did_not_see_its_study(
    way: str, banks: dict[str, Path], sixteen: Path
) -> None:
    data = PreparedDataset.open(sixteen)
    file = RetrievalFile.read(banks[way])
    query = ImageQuery.of(file)
    for split in SPLITS:
        studies = list(data.split(split))
        found = query.of_studies(studies)
        kept = file.queries_of([study.id for study in studies])
        agrees = torch.isclose(found, kept, atol=1e-5).all(dim=1)
        assert agrees.all() if split != "train" else not agrees.any()


def config_of(data: Path, bank: Path, **options: object) -> RunConfig:
    given = {"path": str(data), "image_size": 16, "max_tokens": 12, "min_frequency": 1}
    given |= {"retrieval": str(bank), "neighbours": 5}
    return RunConfig(data=given | options, training={"batch_size": 4})


def test_a_run_reads_what_its_studies_find(banks: dict[str, Path], sixteen: Path) -> None:
    parts = load_data(config_of(sixteen, banks["tfidf"]))
    file = RetrievalFile.read(banks["tfidf"])
    for loader in (parts.train, parts.val, parts.test):
        for batch in loader:
            assert batch.retrieved is not None
            rows, _ = file.bank.nearest(file.queries_of(batch.ids), 5, exclude=batch.ids)
            assert torch.equal(batch.retrieved, file.bank.rows(rows))


def test_a_run_tells_how_far_its_first_search_is_and_no_other_run_searches(
    banks: dict[str, Path],
    sixteen: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bank = shutil.copy(banks["tfidf"], tmp_path / "bank")

    def keeping_all(data: DataConfig) -> RunBank:
        return RunBank(KeptSearch(bank, RetrievalFile.read(bank), least=1), data.neighbours)

    monkeypatch.setattr(RunBank, "of", staticmethod(keeping_all))
    told: list[Progress] = []
    for _ in range(2):
        load_data(config_of(sixteen, bank), retrieving=counter("retrieving", told.append))
        counts = [(each.done, each.total) for each in told]
        assert counts == [(len(PreparedDataset.open(sixteen).split(each)),) * 2 for each in SPLITS]
    assert {each.phase for each in told} == {"retrieving"}


def test_a_run_refuses_a_bank_that_is_not_its_own(
    banks: dict[str, Path], sixteen: Path, tmp_path: Path
) -> None:
    def changed(study: Study) -> Study:
        return replace(study, report=study.report + " No edema.")

    other = write_set(tmp_path / "other", changed)
    with pytest.raises(ValueError, match="made from other reports than the training reports"):
        load_data(config_of(other, banks["tfidf"]))
    with pytest.raises(ValueError, match=r"from 1 to 15 neighbours .* got 16; set data.neighbours"):
        load_data(config_of(sixteen, banks["tfidf"], neighbours=16))
    with pytest.raises(FileNotFoundError, match="no such file of retrieval"):
        load_data(config_of(sixteen, tmp_path / "none"))


@pytest.fixture
def supplied(sixteen: Path, tmp_path: Path) -> tuple[Path, Path]:
    data = PreparedDataset.open(sixteen)
    ids = [study for split in SPLITS for study in data.split(split).ids]
    rows = torch.randn(len(ids), 8, generator=torch.Generator().manual_seed(0))
    text, image = tmp_path / "text.safetensors", tmp_path / "image.safetensors"
    save_file({"features": rows[:16]}, text, {"ids": json.dumps(ids[:16])})
    save_file({"features": rows}, image, {"ids": json.dumps(ids)})
    return text, image


def test_features_of_ones_own_find_reports_for_the_set_but_not_for_other_images(
    supplied: tuple[Path, Path], banks: dict[str, Path], sixteen: Path, tmp_path: Path
) -> None:
    text, image = map(str, supplied)
    path = tmp_path / "bank"
    given = ("--text-features", text, "--image-features", image)
    assert run(command(sixteen, path, *given)) == 0
    data = config_of(sixteen, path).data
    studies = list(PreparedDataset.open(sixteen).split("val"))
    of_set = retriever(data, are_own=False)
    assert of_set is not None
    assert of_set(studies).shape == (4, 5, 8)
    with pytest.raises(ValueError, match="has no image encoder, because its features were given"):
        retriever(data, are_own=True)
    own = retriever(config_of(sixteen, banks["tfidf"]).data, are_own=True)
    assert own is not None
    unnamed = [replace(study, id="mine") for study in studies[:1]]
    kept = retriever(config_of(sixteen, banks["tfidf"]).data, are_own=False)
    assert kept is not None
    assert torch.equal(own(unnamed), kept(studies[:1]))
    assert retriever(DataConfig(path=str(sixteen)), are_own=True) is None


def test_what_gives_no_bank_is_refused_and_leaves_no_file(
    supplied: tuple[Path, Path],
    banks: dict[str, Path],
    sixteen: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text, image = map(str, supplied)
    path = tmp_path / "new"
    for arguments, message in (
        (command(sixteen, banks["tfidf"]), "exists; name a new file"),
        (command(sixteen, path, *SMALL, "--epochs", "2"), "--epochs needs --features contrastive"),
        (command(sixteen, path, "--text-features", text), "go together"),
        (
            command(sixteen, path, "--text-features", text, "--image-features", image, *SMALL),
            "without the options",
        ),
        (
            command(sixteen, path, "--text-features", image, "--image-features", image),
            "4 studies of the split 'val', such as 'val-0'",
        ),
        (command(sixteen, path, *SMALL, "--folds", "17"), "parted into 2 to 16 folds, got 17"),
        (command(sixteen, path, *SMALL, "--backbone-of", "no/run"), "no/run"),
        (
            command(sixteen, path, *SMALL, "--backbone-weights", "a", "--backbone-of", "b"),
            "give one of them",
        ),
        (
            command(sixteen, path, "--features", "contrastive", "--backbone-of", "b"),
            "trains a backbone of its own",
        ),
        (command(sixteen, path, "--preset", "r2gen-tny"), "r2gen-tiny"),
    ):
        assert run(arguments) == 2
        assert message in capsys.readouterr().err
    assert not path.exists()
