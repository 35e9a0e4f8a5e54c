"""Answers of a search that are kept beside the bank: the same rows, never those of another bank."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gradtruce.data.retrieval.bank import RetrievalBank
from gradtruce.data.retrieval.bank_file import RetrievalFile
from gradtruce.data.retrieval.kept_search import LEAST, KeptSearch
from gradtruce.data.retrieval.neighbours import Neighbours

IDS = tuple(f"s{number}" for number in range(20))
ASKING = (*IDS, "x", "y")


def written(path: Path, seed: int = 0) -> Path:
    """Write a bank of 20 reports and queries of 22 studies, and return its path."""
    draw = torch.Generator().manual_seed(seed)
    texts, images = (
        torch.nn.functional.normalize(torch.randn(count, 6, generator=draw), dim=1)
        for count in (len(IDS), len(ASKING))
    )
    RetrievalFile(RetrievalBank(IDS, texts), ASKING, images, "by hand").write(path)
    return path


def search(path: Path, least: int = 1) -> KeptSearch:
    return KeptSearch(path, RetrievalFile.read(path), least=least)


def kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.npy"))


def test_what_is_kept_is_what_would_be_found_and_is_mapped(tmp_path: Path) -> None:
    bank = search(written(tmp_path / "bank"))
    wanted = Neighbours.of(bank.file, ASKING, 3)
    first = bank.neighbours(ASKING, 3)
    (answer,) = kept(tmp_path)
    again = search(tmp_path / "bank").neighbours(ASKING, 3)
    assert torch.equal(first.rows, wanted.rows)
    assert torch.equal(again.rows.long(), wanted.rows)
    assert torch.equal(again.features([21, 0]), wanted.features([21, 0]))
    assert answer.read_bytes()[:6] == b"\x93NUMPY"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bank", answer.name]


def test_what_is_there_is_not_searched_again(tmp_path: Path) -> None:
    bank = search(written(tmp_path / "bank"))
    bank.neighbours(IDS, 2)
    answer = bank.answer(IDS, 2)
    np.save(answer, np.zeros((20, 2), dtype="<i4"))
    assert not search(tmp_path / "bank").neighbours(IDS, 2).rows.any()


def test_a_search_tells_how_far_it_is_and_a_known_answer_nothing(tmp_path: Path) -> None:
    written(tmp_path / "bank")
    told: list[tuple[int, int]] = []

    def tell(done: int, total: int) -> None:
        told.append((done, total))

    search(tmp_path / "bank", least=LEAST).neighbours(ASKING, 3, progress=tell)
    assert told == []  # it takes no time
    search(tmp_path / "bank").neighbours(ASKING, 3, progress=tell)
    assert told == [(22, 22)]
    search(tmp_path / "bank").neighbours(ASKING, 3, progress=tell)
    assert told == [(22, 22)]


def test_another_bank_split_or_number_is_another_answer(tmp_path: Path) -> None:
    bank = search(written(tmp_path / "bank"))
    answers = {bank.answer(IDS, 2), bank.answer(IDS, 3), bank.answer(IDS[:9], 2)}
    answers.add(search(written(tmp_path / "bank", seed=1)).answer(IDS, 2))
    assert len(answers) == 4
    assert all(answer.parent == tmp_path for answer in answers)


def test_a_small_search_leaves_no_file(tmp_path: Path) -> None:
    search(written(tmp_path / "bank"), least=LEAST).neighbours(ASKING, 3)
    assert not kept(tmp_path)


def test_a_folder_that_cannot_be_written_to_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = search(written(tmp_path / "bank"))
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    assert bank.neighbours(IDS, 2).rows.shape == (20, 2)
    assert not kept(tmp_path)


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(stream: object, _rows: object) -> None:
        stream.write(b"half")
        raise OSError("no space left on device")

    bank = search(written(tmp_path / "bank"))
    monkeypatch.setattr("numpy.save", full)
    with pytest.raises(OSError, match="no space left"):
        bank.neighbours(IDS, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["bank"]


@pytest.mark.parametrize("damage", ["cut", "wrong shape", "wrong kind", "empty"])
def test_a_damaged_answer_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    bank = search(written(tmp_path / "bank"))
    bank.neighbours(IDS, 2)
    answer = bank.answer(IDS, 2)
    if damage == "cut":
        answer.write_bytes(answer.read_bytes()[:-8])
    elif damage == "empty":
        answer.write_bytes(b"")
    else:
        shape, dtype = ((9, 2), "<i4") if damage == "wrong shape" else ((20, 2), "<f4")
        np.save(answer, np.zeros(shape, dtype=dtype))
    with pytest.raises(ValueError, match=rf"{answer.name}: damaged.*remove it, it is made again"):
        bank.neighbours(IDS, 2)
