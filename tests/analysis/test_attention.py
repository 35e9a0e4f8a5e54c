"""From token maps to sentence maps to heat maps."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradtruce.analysis.attention import (
    heat_map,
    sentence_maps,
    sentence_spans,
    share_inside,
    view_shares,
)


@given(st.lists(st.sampled_from(["lungs", "clear", "."]), max_size=20))
def test_spans_hold_every_word_once_and_in_order(tokens: list[str]):
    covered = [place for span in sentence_spans(tokens) for place in span]
    assert covered == sorted(set(covered))
    words = [place for place, token in enumerate(tokens) if token != "."]
    assert set(words) <= set(covered)


@given(st.lists(st.sampled_from(["lungs", "clear", "."]), max_size=20))
def test_each_span_is_one_sentence(tokens: list[str]):
    for span in sentence_spans(tokens):
        assert tokens[span.start] != "."
        assert "." not in [tokens[place] for place in span[:-1]]


def test_sentence_map_of_maps_that_sum_to_one_sums_to_one():
    maps = torch.rand(7, 2, 3, 4)
    maps /= maps.sum(dim=(1, 2, 3), keepdim=True)
    sums = sentence_maps(maps, [range(3), range(3, 7)]).sum(dim=(1, 2, 3))
    torch.testing.assert_close(sums, torch.ones(2))


def test_no_sentence_gives_no_map():
    assert sentence_maps(torch.rand(3, 2, 4, 5), []).shape == (0, 2, 4, 5)


@pytest.mark.parametrize("span", [range(2, 5), range(1, 1), range(-1, 2)])
def test_a_span_outside_the_tokens_is_refused(span: range):
    with pytest.raises(ValueError, match="must lie within the 4 tokens"):
        sentence_maps(torch.rand(4, 1, 2, 2), [span])


def test_heat_lies_between_zero_and_one_and_a_view_that_is_ignored_stays_dark():
    heat = heat_map(torch.rand(2, 4, 4) ** 4 * torch.tensor([1.0, 0.01]).reshape(2, 1, 1), (64, 48))
    assert heat.shape == (2, 64, 48)
    assert float(heat.min()) >= 0
    assert float(heat[0].max()) == pytest.approx(1.0)
    assert float(heat[1].max()) == 0


def test_heat_peaks_where_the_map_does():
    grid = torch.zeros(1, 4, 4)
    grid[0, 3, 1] = 1.0
    heat = heat_map(grid, (40, 40))[0]
    row, column = divmod(int(heat.argmax()), 40)
    assert (row // 10, column // 10) == (3, 1)


def test_even_attention_lights_up_nothing():
    assert float(heat_map(torch.full((2, 7, 7), 0.31), (28, 21)).max()) == 0


def test_a_weak_peak_is_shown_weakly():
    grid = torch.ones(1, 8, 8)
    grid[0, 2, 2] = 1.4
    assert 0.1 < float(heat_map(grid, (64, 64)).max()) < 0.25


def test_heat_does_not_depend_on_the_scale_of_the_map():
    grid = torch.rand(2, 5, 5) ** 3
    torch.testing.assert_close(heat_map(grid, (20, 20)), heat_map(grid * 1e-6, (20, 20)))


def test_a_map_of_zeros_stays_zero():
    nothing = torch.zeros(2, 3, 3)
    assert float(heat_map(nothing, (6, 6)).abs().sum()) == 0
    assert float(view_shares(nothing).abs().sum()) == 0
    assert share_inside(nothing, torch.ones(2, 6, 6, dtype=torch.bool)) == 0


def test_even_attention_falls_inside_a_mask_in_proportion_to_its_area():
    mask = torch.zeros(1, 32, 32, dtype=torch.bool)
    mask[0, 3:17, 5:12] = True
    share = share_inside(torch.full((1, 8, 8), 1 / 64), mask)
    assert share == pytest.approx(14 * 7 / 32**2)
