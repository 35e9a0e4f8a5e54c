"""The file of a retrieval bank: kept, mapped, and refused where it is not of the data set."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gradtruce.data.cluster_file import hash_of
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.retrieval.bank import RetrievalBank
from gradtruce.data.retrieval.bank_file import RetrievalFile
from gradtruce.data.retrieval.neighbours import Neighbours
from gradtruce.data.retrieval.supplied import supplied_file
from gradtruce.data.study import SPLITS

WIDTH = 6


def directions(count: int, seed: int = 0) -> torch.Tensor:
    rows = torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(rows, dim=1)


def every_id(data: PreparedDataset) -> tuple[str, ...]:
    return tuple(study for split in SPLITS for study in data.split(split).ids)


@pytest.fixture
def file(prepared: PreparedDataset) -> RetrievalFile:
    train, ids = prepared.split("train"), every_id(prepared)
    return RetrievalFile(
        RetrievalBank(train.ids, directions(len(train))),
        ids,
        directions(len(ids), 1),
        "by hand",
        seed=3,
        reports_sha256=hash_of(train.ids, train.reports),
        encoder={"weight": torch.ones(2)},
        encoder_config={"backbone": "compact"},
        shares={"5": {"retrieved": 0.5, "random": 0.1}},
    )


def test_a_file_is_read_as_it_was_written(
    file: RetrievalFile, prepared: PreparedDataset, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        file.write(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["a", "b"]
    read = RetrievalFile.read(tmp_path / "a")
    read.require(prepared)
    assert read.bank.ids == file.bank.ids
    assert read.query_ids == file.query_ids
    assert torch.equal(read.bank.features, file.bank.features)
    assert torch.equal(read.queries, file.queries)
    assert torch.equal(read.encoder["weight"], torch.ones(2))
    names = ("source", "seed", "reports_sha256", "encoder_config", "shares")
    assert all(getattr(read, name) == getattr(file, name) for name in names)


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_study_held_out_must_not_be_in_the_bank(
    split: str, file: RetrievalFile, prepared: PreparedDataset
) -> None:
    held_out = prepared.split(split).ids
    bank = RetrievalBank([*held_out, "train-3"], directions(len(held_out) + 1))
    with pytest.raises(ValueError, match=rf"3 studies of the split '{split}', such as '{split}-0'"):
        replace(file, bank=bank).require(prepared)


def test_a_bank_of_other_studies_or_reports_is_refused(
    file: RetrievalFile, prepared: PreparedDataset
) -> None:
    with pytest.raises(ValueError, match="made from other reports than the training reports"):
        replace(file, reports_sha256="0" * 64).require(prepared)
    bank = RetrievalBank(["train-0", "elsewhere"], directions(2))
    with pytest.raises(
        ValueError, match="1 studies that the data set has not, such as 'elsewhere'"
    ):
        replace(file, bank=bank).require(prepared)
    shorter = replace(file, query_ids=file.query_ids[:-1], queries=file.queries[:-1])
    with pytest.raises(ValueError, match="no query features of 1 of 3 studies, for one 'test-2'"):
        shorter.require(prepared)


def test_a_file_that_is_none_is_refused(file: RetrievalFile, tmp_path: Path) -> None:
    path = tmp_path / "file.safetensors"
    with pytest.raises(FileNotFoundError, match="gradtruce build retrieval"):
        RetrievalFile.read(path)
    path.write_bytes(b"no safetensors")
    with pytest.raises(ValueError, match="damaged"):
        RetrievalFile.read(path)
    save_file({"rows": torch.ones(1)}, path)
    with pytest.raises(ValueError, match="no file of retrieval"):
        RetrievalFile.read(path)
    file.write(path)
    content = path.read_bytes()
    path.write_bytes(content[:-8])
    with pytest.raises(ValueError, match="damaged"):
        RetrievalFile.read(path)
    path.write_bytes(content.replace(b'\\"schema\\": 1', b'\\"schema\\": 9'))
    with pytest.raises(ValueError, match="must be of schema 1"):
        RetrievalFile.read(path)
    path.write_bytes(content.replace(b'\\"source\\"', b'\\"sauces\\"'))
    with pytest.raises(ValueError, match="lacks 'source'"):
        RetrievalFile.read(path)
    replace(file, queries=directions(16)[:, :4]).write(path)
    with pytest.raises(ValueError, match="a query of 6 numbers for each of its 16 studies"):
        RetrievalFile.read(path)


def test_neighbours_are_of_other_studies_and_in_their_order(
    file: RetrievalFile, prepared: PreparedDataset
) -> None:
    train = prepared.split("train").ids
    found = Neighbours.of(file, train, 4)
    assert all(place not in rows for place, rows in enumerate(found.rows.tolist()))
    features = found.features([7, 2])
    assert features.shape == (2, 4, WIDTH)
    cosines = features @ file.queries_of(["train-2"])[0]
    assert cosines[1].tolist() == sorted(cosines[1].tolist(), reverse=True)


def write_features(path: Path, ids: list[str], features: torch.Tensor) -> Path:
    save_file({"features": features}, path, {"ids": json.dumps(ids)})
    return path


def test_features_of_a_user_become_a_bank(prepared: PreparedDataset, tmp_path: Path) -> None:
    train, every = list(prepared.split("train").ids), list(every_id(prepared))
    texts, images = 5 * directions(10), directions(17, 1).half()
    text = write_features(tmp_path / "text", train[::-1], texts)
    image = write_features(tmp_path / "image", ["elsewhere", *every], images)
    file = supplied_file(prepared, text, image)
    file.require(prepared)
    torch.testing.assert_close(file.bank.features, texts.flip(0) / 5)
    torch.testing.assert_close(file.queries, images[1:].float(), atol=1e-3, rtol=0.0)
    assert (file.bank.ids, file.query_ids) == (tuple(train), tuple(every))
    assert not file.encoder


def test_features_that_do_not_do_are_refused(prepared: PreparedDataset, tmp_path: Path) -> None:
    train, every = list(prepared.split("train").ids), list(every_id(prepared))
    good = write_features(tmp_path / "good", train, directions(10))
    images = write_features(tmp_path / "images", every, directions(16))

    def refused(message: str, text: Path = good, image: Path = images) -> None:
        with pytest.raises(ValueError, match=message):
            supplied_file(prepared, text, image)

    def wrong(ids: list[str], features: torch.Tensor) -> Path:
        return write_features(tmp_path / "wrong", ids, features)

    refused("lacks 1 of 10 studies, for one 'train-9'", wrong(train[:-1], directions(9)))
    refused("'val', such as 'val-0', 'val-1'", wrong(every, directions(16)))
    refused("lacks 2 of 16 studies, for one 'test-1'", image=wrong(every[:-2], directions(14)))
    refused("of one width, got 6 in .* and 5", image=wrong(every, torch.ones(16, 5)))
    zero = directions(10)
    zero[4] = 0
    refused("study 'train-4' must be finite and not zero", wrong(train, zero))
    refused(
        "study 'train-4' must be finite",
        wrong(train, zero.index_fill(0, torch.tensor(4), torch.nan)),
    )
    refused("each once, got 10 ids", wrong(train, directions(9)))
    refused("not a file of features", wrong(train, directions(10)[0]))
    save_file({"features": directions(10)}, tmp_path / "no ids")
    refused("in its header 'ids'", tmp_path / "no ids")
    save_file({"rows": directions(10)}, tmp_path / "no matrix")
    refused("one matrix 'features'", tmp_path / "no matrix")
    with pytest.raises(FileNotFoundError, match="no such file of features"):
        supplied_file(prepared, tmp_path / "none", images)
