import numpy as np
import pytest
import torch

from gradtruce.analysis.layers import LayerConflict, layer_gramians, layer_names

LAYERS = ["a", "a", "b", "c"]


def rows(generator, tasks=3):
    shapes = [(4, 3), (4,), (5,), (2, 2)]
    return [[torch.randn(s, generator=generator) for s in shapes] for _ in range(tasks)]


def test_the_gramians_of_layers_sum_to_the_gramian_of_all():
    first, second = rows(torch.Generator().manual_seed(0)), rows(torch.Generator().manual_seed(1))
    flat = [
        torch.stack([torch.cat([e.flatten() for e in row]) for row in part]).double()
        for part in (first, second)
    ]
    found = layer_gramians(first, second, LAYERS)
    assert found.shape == (3, 3, 3)
    torch.testing.assert_close(found.sum(0), flat[0] @ flat[1].T)


def test_independent_gradients_have_a_centred_null_and_no_excess():
    generator = torch.Generator().manual_seed(2)
    meter = LayerConflict(LAYERS, ["x", "y"])
    for _ in range(300):
        meter.add(rows(generator, 2), rows(generator, 2))
    for i, j in ((0, 0), (0, 1), (1, 1)):
        for cosine in meter.cosine(i, j):
            assert abs(cosine.value) < 0.08
        for share in meter.negative(i, j):
            assert share.value == pytest.approx(0.5, abs=0.1)
    assert all(excess.low <= 0 <= excess.high for excess in meter.excess(0, 1))


def test_opposed_tasks_in_one_layer_exceed_the_null_there_and_only_there():
    generator = torch.Generator().manual_seed(3)
    truth = [torch.randn(4, generator=generator), torch.randn(4, generator=generator)]

    def noisy():
        noise = 0.3 * torch.randn(2, 2, 4, generator=generator)
        return [
            [truth[0] + noise[0, 0], truth[1] + noise[0, 1]],
            [-truth[0] + noise[1, 0], truth[1] + noise[1, 1]],
        ]

    meter = LayerConflict(["low", "high"], ["x", "y"])
    for _ in range(20):
        meter.add(noisy(), noisy())
    low, high, _ = meter.excess(0, 1)
    assert low.is_above(0.5)
    assert high.high > 0 > high.low
    assert meter.cosine(0, 1)[0].is_below(-0.5)


def test_a_layer_that_a_task_does_not_reach_has_no_cosine():
    meter = LayerConflict(["trunk", "head"], ["x", "y"])
    half = [[torch.ones(2), torch.ones(2)], [torch.ones(2), None]]
    meter.add(half, half)
    meter.add(half, half)
    trunk, head, shared = meter.cosine(0, 1)
    assert trunk.value == pytest.approx(1)
    assert shared.value == pytest.approx(1)  # the head of one task is no part of what both share
    assert np.isnan(head.value)


def test_layers_are_modules_and_merge_from_below():
    names = [f"net.{block}.{part}.weight" for block in range(4) for part in ("q", "k")]
    assert layer_names(names)[:3] == ["net.0.q", "net.0.k", "net.1.q"]
    assert set(layer_names(names, most=4)) == {f"net.{block}" for block in range(4)}
    assert set(layer_names(names, most=1)) == {"net"}
    assert layer_names(["scale"]) == ["scale"]


def test_no_layer_at_all_is_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        layer_names(["a.b"], most=0)
