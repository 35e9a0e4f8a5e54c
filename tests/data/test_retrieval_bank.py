"""The search against a slow restatement of it, and what it refuses."""

import math

import pytest
import torch

from gradtruce.data.retrieval import bank as module
from gradtruce.data.retrieval.bank import RetrievalBank, from_keys, sort_keys


def directions(count: int, width: int = 8, seed: int = 0) -> torch.Tensor:
    rows = torch.randn(count, width, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(rows, dim=1)


def named(features: torch.Tensor) -> RetrievalBank:
    return RetrievalBank([f"s{row}" for row in range(len(features))], features)


def slow(
    bank: RetrievalBank, queries: torch.Tensor, k: int, exclude: list[str] | None = None
) -> list[list[int]]:
    """Return the rows in the order of falling cosine and rising row, one query after another."""
    found = []
    for place, query in enumerate(queries):
        scores = (bank.features @ (query / query.norm())).tolist()
        rows = [
            row for row in range(len(bank)) if exclude is None or bank.ids[row] != exclude[place]
        ]
        found.append(sorted(rows, key=lambda row: (-scores[row], row))[:k])
    return found


@pytest.mark.parametrize(("block", "queries"), [(7, 3), (50, 64), (10_000, 10_000)])
def test_the_nearest_are_those_of_the_slow_search(
    block: int, queries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    monkeypatch.setattr(module, "QUERIES", queries)
    bank, asked = named(directions(60)), 3.0 * directions(20, seed=1)
    for k in (1, 5, 60):
        rows, similarities = bank.nearest(asked, k)
        assert rows.tolist() == slow(bank, asked, k)
        cosines = torch.nn.functional.cosine_similarity(asked[:, None], bank.rows(rows), dim=2)
        torch.testing.assert_close(similarities, cosines)


def test_a_search_tells_how_many_queries_of_how_many_are_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "QUERIES", 8)
    told: list[tuple[int, int]] = []
    named(directions(9)).nearest(directions(20, seed=1), 2, progress=lambda *now: told.append(now))
    assert told == [(8, 20), (16, 20), (20, 20)]


def test_a_study_never_finds_itself_though_others_of_its_text_are_found() -> None:
    features = directions(6)[[0, 1, 0, 2, 0, 3]]
    bank = named(features)
    rows, _ = bank.nearest(features, 5, exclude=bank.ids)
    assert all(row not in found for row, found in enumerate(rows.tolist()))
    assert rows[2, :2].tolist() == [0, 4]  # equal to it, the lowest row first
    assert rows.tolist() == slow(bank, features, 5, list(bank.ids))
    unknown, _ = bank.nearest(features, 6, exclude=["elsewhere"] * 6)
    assert sorted(unknown[0].tolist()) == list(range(6))


@pytest.mark.parametrize("block", [4, 64])
def test_at_equal_cosine_the_lowest_row_comes_first(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    axes = torch.cat([torch.eye(3), -torch.eye(3)])  # products with them are exact
    draws = torch.Generator().manual_seed(0)
    bank = named(axes[torch.randint(6, (40,), generator=draws)])
    asked = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, -2.0], [1.0, -1.0, 1.0], [0.5, 0.5, 0.5]])
    for k in (1, 7, 20, 39):
        rows, _ = bank.nearest(asked, k, exclude=["s0", "s1", "s2", "none"])
        assert rows.tolist() == slow(bank, asked, k, ["s0", "s1", "s2", "none"])


def test_keys_keep_every_order_of_floats() -> None:
    scores = torch.tensor([[-1.0, -0.0, 0.0, 1e-40, 0.5, 0.5, 1.0, -1e-40, -0.5]])
    rows, values = from_keys(sort_keys(scores, 3).sort(descending=True).values)
    assert (rows - 3).tolist() == [[6, 4, 5, 3, 1, 2, 7, 8, 0]]
    assert torch.equal(values, scores[:, [6, 4, 5, 3, 1, 2, 7, 8, 0]])


def test_half_a_million_rows_have_keys_of_their_own() -> None:
    keys = sort_keys(torch.zeros(1, 500_000), 2**31)
    assert (keys[0, :-1] > keys[0, 1:]).all()


@pytest.mark.parametrize(
    ("queries", "k", "message"),
    [
        (torch.ones(2, 7), 1, "must be as wide as the bank, 8, got 7"),
        (torch.zeros(2, 8), 1, "query 0 must be finite and not zero"),
        (torch.full((1, 8), math.nan), 1, "query 0 must be finite"),
        (torch.full((1, 8), math.inf), 1, "query 0 must be finite"),
        (torch.ones(2, 8), 5, r"from 1 to 4 neighbours .* 4 reports, got 5; set data.neighbours"),
        (torch.ones(2, 8), 0, "from 1 to 4 neighbours"),
    ],
)
def test_queries_that_can_find_nothing_are_refused(
    queries: torch.Tensor, k: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        named(directions(4)).nearest(queries, k)


def test_a_study_of_the_bank_has_one_neighbour_less() -> None:
    bank = named(directions(4))
    with pytest.raises(ValueError, match=r"from 1 to 3 .* a study's own left out, got 4"):
        bank.nearest(directions(1), 4, exclude=["s1"])
    with pytest.raises(ValueError, match="one study for each of the 2 queries, got 1"):
        bank.nearest(directions(2), 1, exclude=["s1"])


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0, 3.0])
def test_a_row_that_is_no_direction_is_refused_by_the_name_of_its_study(value: float) -> None:
    features = directions(4)
    features[2] = value
    with pytest.raises(ValueError, match="of length 1, the row of study 's2'"):
        named(features)


def test_ids_and_rows_must_belong_together() -> None:
    with pytest.raises(ValueError, match="'a' twice"):
        RetrievalBank(["a", "b", "a"], directions(3))
    with pytest.raises(ValueError, match="got 2 ids and 3 rows"):
        RetrievalBank(["a", "b"], directions(3))
    with pytest.raises(ValueError, match="at least one row"):
        RetrievalBank([], torch.zeros(0, 8))
