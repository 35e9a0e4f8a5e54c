"""The cache moves, repeats and forgets the memory with everything else."""

import pytest
import torch

from gradtruce.methods.blocks.cache import ReportCache


def filled() -> ReportCache:
    cache = ReportCache()
    cache.memory = torch.arange(2.0)[:, None]
    keys = torch.arange(2.0)[:, None, None, None]
    cache.self_attention_cache.update(keys, keys, 0)
    cache.cross_attention(0, lambda: (keys, keys))
    return cache


def rows(cache: ReportCache) -> list[list[float]]:
    parts = [cache.memory, *cache.cross_attention(0, pytest.fail)]
    return [part.flatten().tolist() for part in parts]


def test_reordering_moves_every_part() -> None:
    cache = filled()
    cache.reorder_cache(torch.tensor([1, 0]))
    assert rows(cache) == [[1.0, 0.0]] * 3


def test_repeating_and_selecting_move_every_part() -> None:
    cache = filled()
    cache.batch_repeat_interleave(2)
    assert rows(cache) == [[0.0, 0.0, 1.0, 1.0]] * 3
    cache.batch_select_indices(torch.tensor([3]))
    assert rows(cache) == [[1.0]] * 3


def test_a_reset_cache_starts_again() -> None:
    cache = filled()
    cache.reset()
    assert cache.memory is None
    assert cache.get_seq_length() == 0
    fresh = torch.full((2, 1, 1, 1), 7.0)
    assert cache.cross_attention(0, lambda: (fresh, fresh))[0].unique().tolist() == [7.0]


def test_cropping_is_refused() -> None:
    with pytest.raises(ValueError, match="without an assistant model"):
        filled().crop(-1)
