"""Retrieved reports in the batches of the loader: the same whatever the epoch, workers or place."""

from collections.abc import Iterator

import pytest
import torch

from gradtruce.data.batch import Batch
from gradtruce.data.loader import Loader
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.retrieval.bank import RetrievalBank
from gradtruce.data.retrieval.neighbours import Neighbours
from gradtruce.data.tokenizer import build_tokenizer
from gradtruce.data.transforms import ImageProcessor


def loader(prepared: PreparedDataset, **options: object) -> Loader:
    split = prepared.split("train")
    rows = torch.randn(10, 4, generator=torch.Generator().manual_seed(0))
    bank = RetrievalBank(split.ids, torch.nn.functional.normalize(rows, dim=1))
    found, _ = bank.nearest(rows.flip(0), 3, exclude=split.ids)
    tokenizer = build_tokenizer(["heart"], min_frequency=1)
    given = {
        "batch_size": 2,
        "max_tokens": 8,
        "shuffle": True,
        "neighbours": Neighbours(bank, found),
    }
    return Loader(split, tokenizer, ImageProcessor(8), **(given | options))


def by_study(batches: Iterator[Batch]) -> dict[str, torch.Tensor]:
    return {
        study: row
        for batch in batches
        for study, row in zip(batch.ids, batch.retrieved, strict=True)
    }


def test_every_epoch_worker_and_rank_gives_a_study_the_same_reports(
    prepared: PreparedDataset,
) -> None:
    first = loader(prepared)
    wanted = by_study(iter(first))
    assert len(wanted) == 10
    assert wanted["train-0"].shape == (3, 4)
    first.set_epoch(5)
    others = [first, *(loader(prepared, rank=rank, world_size=2) for rank in range(2))]
    with loader(prepared, workers=2) as parallel:
        for other in [*others, parallel]:
            found = by_study(iter(other))
            assert all(torch.equal(row, wanted[study]) for study, row in found.items())


def test_a_loader_that_goes_on_has_the_batches_that_were_left(prepared: PreparedDataset) -> None:
    whole = [(batch.ids, batch.retrieved) for batch in loader(prepared)]
    first, second = loader(prepared), loader(prepared)
    batches = iter(first)
    for _ in range(2):
        next(batches)
    second.load_state_dict(first.state_dict())
    left = [(batch.ids, batch.retrieved) for batch in second]
    assert [ids for ids, _ in left] == [ids for ids, _ in whole[2:]]
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(left, whole[2:], strict=True))


@pytest.mark.parametrize("limit", [1, 3])
def test_the_first_studies_alone_have_their_own_neighbours(
    prepared: PreparedDataset, limit: int
) -> None:
    wanted = by_study(iter(loader(prepared)))
    found = by_study(iter(loader(prepared, limit=limit, shuffle=False)))
    assert len(found) == limit
    assert all(torch.equal(row, wanted[study]) for study, row in found.items())


def test_without_a_bank_there_is_nothing_retrieved(prepared: PreparedDataset) -> None:
    assert next(iter(loader(prepared, neighbours=None))).retrieved is None
