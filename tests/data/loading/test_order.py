import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gradtruce.data.loading.order import Order


def all_ranks(epoch=0, *, world_size, **options):
    ranks = [Order(rank=rank, world_size=world_size, **options) for rank in range(world_size)]
    return [order.batches(epoch) for order in ranks]


@given(
    studies=st.integers(1, 200),
    batch_size=st.integers(1, 8),
    world_size=st.integers(1, 5),
    shuffle=st.booleans(),
    bucket=st.booleans(),
)
def test_ranks_share_all_studies_in_as_many_batches_none_twice(
    studies, batch_size, world_size, shuffle, bucket
):
    rest = studies % (batch_size * world_size)
    assume(not 0 < rest < world_size or (studies > rest and batch_size > 1))
    lengths = np.random.default_rng(studies).integers(3, 60, studies) if bucket else None
    ranks = all_ranks(
        studies=studies,
        batch_size=batch_size,
        world_size=world_size,
        shuffle=shuffle,
        lengths=lengths,
    )
    assert len({len(batches) for batches in ranks}) == 1
    sizes = [len(rows) for batches in ranks for rows in batches]
    assert 1 <= min(sizes) <= max(sizes) <= batch_size
    rows = np.concatenate([rows for batches in ranks for rows in batches])
    assert sorted(rows) == list(range(studies))


@given(st.integers(12, 100), st.integers(1, 4), st.integers(1, 3), st.booleans())
def test_ranks_together_see_what_one_process_with_larger_batches_sees(n, batch, world, bucket):
    lengths = np.arange(n)[::-1].copy() if bucket else None
    options = {"studies": n, "shuffle": True, "drop_last": True, "seed": 3, "lengths": lengths}
    ranks = all_ranks(1, batch_size=batch, world_size=world, **options)
    (alone,) = all_ranks(1, batch_size=batch * world, world_size=1, **options)
    together = [np.concatenate(step) for step in zip(*ranks, strict=True)]
    for ours, theirs in zip(together, alone, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_buckets_pad_less_and_stay_random():
    lengths = np.random.default_rng(0).integers(5, 60, 400)

    def padding(order, epoch):
        batches = order.batches(epoch)
        return sum(int((lengths[rows].max() - lengths[rows]).sum()) for rows in batches)

    plain, bucketed = (
        Order(studies=400, batch_size=8, shuffle=True, lengths=each) for each in (None, lengths)
    )
    assert padding(bucketed, 0) < 0.2 * padding(plain, 0)
    first, second = bucketed.batches(0), bucketed.batches(1)
    assert {frozenset(rows.tolist()) for rows in first} != {frozenset(r.tolist()) for r in second}
    means = [lengths[rows].mean() for rows in first]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.5  # short ones not first


def test_an_epoch_is_a_function_of_its_number():
    order = Order(studies=50, batch_size=4, shuffle=True, seed=7)
    later = [rows.tolist() for rows in order.batches(5)]
    order.batches(9)
    again = Order(studies=50, batch_size=4, shuffle=True, seed=7).batches(5)
    assert later == [rows.tolist() for rows in again]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"studies": 0}, "studies must be at least 1, got 0"),
        ({"rank": 2, "world_size": 2}, "rank must be from 0 to world_size - 1 = 1, got 2"),
        ({"lengths": np.ones(3, dtype=np.int64)}, "one number a study: 10, got 3"),
        ({"batch_size": 1, "world_size": 3}, "leave a rank of 3 without one"),
        ({"world_size": 11}, "leave a rank of 11 without one"),
        ({"batch_size": 6, "world_size": 2, "drop_last": True}, "fewer than one batch of 6 on 2"),
    ],
)
def test_what_gives_no_batches_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Order(**({"studies": 10, "batch_size": 4} | options))
