"""Random numbers by coordinate: uniform, independent, and the same however they are shared out."""

import pytest
import torch
from scipy import stats
from torch import Tensor

from gradtruce.gradients import counter
from gradtruce.gradients.counter import Draws

MANY = 1 << 17


def drawn(
    seed: int = 0, step: int = 0, count: int = MANY, dtype: torch.dtype = torch.float64
) -> Tensor:
    return Draws(seed, step, (0,), count).uniform(0, torch.empty(count, dtype=dtype))


def test_the_hash_is_splitmix64() -> None:
    # the first outputs of the public reference implementation for the seed 1234567
    wanted = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    words = torch.arange(1, 5) * counter._signed(counter._GOLDEN) + 1234567
    found = [word % (1 << 64) for word in counter._hash(words).tolist()]
    assert found == wanted
    assert counter._mixed(1234567) == wanted[0]


@pytest.mark.parametrize("seed", [0, 1, -1, 2**63])
def test_numbers_are_uniform(seed: int) -> None:
    u = drawn(seed)
    assert 0 <= float(u.min()) < float(u.max()) < 1
    assert stats.kstest(u.numpy(), "uniform").pvalue > 1e-3


def test_neighbours_steps_and_seeds_are_independent() -> None:
    u = drawn()
    for other in (u.roll(1), u.roll(2), u.roll(1 << 10), drawn(step=1), drawn(seed=1)):
        assert abs(float(torch.corrcoef(torch.stack([u, other]))[0, 1])) < 4 / MANY**0.5
        cells = (u * 8).long() * 8 + (other * 8).long()
        assert stats.chisquare(cells.bincount(minlength=64).numpy()).pvalue > 1e-3


def test_shards_hold_the_numbers_of_the_whole() -> None:
    whole = drawn(count=1000)
    for start, end in ((0, 1), (0, 333), (333, 1000), (999, 1000)):
        draws = Draws(0, 0, (start,), 1000)
        assert torch.equal(draws.uniform(0, whole[start:end]), whole[start:end])


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drawn(count=1000)
    monkeypatch.setattr(counter, "CHUNK", 7)
    assert torch.equal(drawn(count=1000), whole)


def test_coordinates_far_out_are_told_apart() -> None:
    like = torch.empty(4, dtype=torch.float64)
    draws = Draws(0, 0, (0, 1 << 40, (1 << 40) + 1), 1)
    far, next_to_it = draws.uniform(1, like), draws.uniform(2, like)
    assert torch.equal(far[1:], next_to_it[:-1])
    assert not torch.equal(far, draws.uniform(0, like))


def test_float32_numbers_are_the_first_bits_of_float64() -> None:
    short, long = drawn(dtype=torch.float32), drawn()
    assert short.dtype == torch.float32
    assert float(short.max()) < 1
    assert torch.equal(short.double(), (long * 2**24).floor() / 2**24)


def test_half_precision_gradients_get_float32_numbers() -> None:
    like = torch.empty(5, dtype=torch.bfloat16)
    assert torch.equal(Draws(0, 0, (0,), 5).uniform(0, like), drawn(count=5, dtype=torch.float32))


def test_numbers_lie_in_memory_as_the_gradient_does() -> None:
    like = torch.empty(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    found = Draws(0, 0, (0,), 120).uniform(0, like)
    assert found.stride() == like.stride()
    flat = drawn(count=120, dtype=torch.float32)
    assert torch.equal(found.permute(0, 2, 3, 1).flatten(), flat)


def test_normal_numbers_are_normal() -> None:
    n = Draws(3, 1, (0,), MANY).normal(0, torch.empty(MANY, dtype=torch.float64))
    assert n.isfinite().all()
    assert stats.kstest(n.numpy(), "norm").pvalue > 1e-3
    assert abs(float((n[1:] * n[:-1]).mean())) < 4 / MANY**0.5


def test_orders_are_equally_likely() -> None:
    found = [tuple(Draws(0, step).order(3)) for step in range(3000)]
    counts = [found.count(order) for order in set(found)]
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 1e-3


def test_an_empty_gradient_gets_nothing() -> None:
    assert Draws(0, 0, (0,), 0).uniform(0, torch.empty(0, 3)).shape == (0, 3)
