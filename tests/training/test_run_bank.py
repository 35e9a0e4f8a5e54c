"""The bank of a run: whose images ask it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gradtruce.data.cluster_file import hash_of
from gradtruce.data.prepared import PreparedDataset, PreparedWriter
from gradtruce.data.retrieval.bank import RetrievalBank
from gradtruce.data.retrieval.bank_file import RetrievalFile
from gradtruce.data.study import SPLITS
from gradtruce.training.config import DataConfig
from gradtruce.training.retrieval.image_query import EncoderConfig, ImageQuery
from gradtruce.training.retrieval.run_bank import RunBank
from tests.training.conftest import made_up_study

SIZES = EncoderConfig("compact", (8,), (1,), features=6, image_size=32)


def written(folder: Path, report: str) -> PreparedDataset:
    """Write studies of the same ids, whatever they say, and return the set."""
    with PreparedWriter(folder, name="made up", source="a test") as writer:
        for split in SPLITS:
            for number in range(6):
                study = made_up_study(split, number, labelled=True)
                writer.add(replace(study, report=f"{report} {number}."))
    return PreparedDataset.open(folder)


@pytest.fixture
def mine(tmp_path: Path) -> PreparedDataset:
    return written(tmp_path / "mine", "Clear lungs")


def bank_of(data: PreparedDataset, path: Path, *, with_encoder: bool = True) -> RunBank:
    """Return a bank whose queries are not what its encoder makes of the images."""
    torch.manual_seed(0)
    train, every = data.split("train"), [one for split in SPLITS for one in data.split(split).ids]
    texts, images = (
        torch.nn.functional.normalize(torch.randn(count, 6), dim=1)
        for count in (len(train), len(every))
    )
    query = ImageQuery(SIZES)
    encoder = dict(query.state_dict()) if with_encoder else {}
    RetrievalFile(
        RetrievalBank(train.ids, texts),
        tuple(every),
        images,
        "by hand",
        reports_sha256=hash_of(train.ids, train.reports),
        encoder=encoder,
        encoder_config=query.record(),
    ).write(path)
    found = RunBank.of(DataConfig(path="set", retrieval=str(path), neighbours=3))
    assert found is not None
    return found


def test_its_own_set_is_asked_by_the_queries_in_the_file(
    mine: PreparedDataset, tmp_path: Path
) -> None:
    bank, train = bank_of(mine, tmp_path / "bank"), mine.split("train")
    found = bank.neighbours_in(mine, train).rows
    assert torch.equal(found, bank.neighbours(train).rows)
    assert all(place not in rows for place, rows in enumerate(found.tolist()))


def test_another_set_of_the_same_ids_is_asked_by_its_own_images(
    mine: PreparedDataset, tmp_path: Path
) -> None:
    bank, other = bank_of(mine, tmp_path / "bank"), written(tmp_path / "other", "An opacity")
    test = other.split("test")
    assert test.ids == mine.split("test").ids
    file = bank.search.file
    wanted, _ = file.bank.nearest(ImageQuery.of(file).of_studies(test), 3)
    told: list[tuple[int, int]] = []
    found = bank.neighbours_in(other, test, lambda *now: told.append(now)).rows
    assert told == [(6, 6)]  # studies that were looked at
    assert torch.equal(found, wanted)
    assert not torch.equal(found, bank.neighbours(test).rows)


def test_another_set_and_no_encoder_is_refused(mine: PreparedDataset, tmp_path: Path) -> None:
    bank = bank_of(mine, tmp_path / "bank", with_encoder=False)
    other = written(tmp_path / "other", "An opacity")
    with pytest.raises(ValueError, match="has no image encoder"):
        bank.neighbours_in(other, other.split("test"))


def test_training_on_another_set_is_refused(mine: PreparedDataset, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="made from other reports than the training reports"):
        bank_of(mine, tmp_path / "bank").require(written(tmp_path / "other", "An opacity"))
