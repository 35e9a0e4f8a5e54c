"""Line charts: sound SVG whatever the values are."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradtruce.viewer.frame.axes import log_ticks, ticks
from gradtruce.viewer.frame.chart import Panel, Series, binned, line_chart
from gradtruce.viewer.frame.intervals import interval_bar, range_bar


def panel(values: list[float], **options: object) -> Panel:
    y = np.array(values, dtype=float)
    return Panel("title", "caption", (Series("run", 0, np.arange(1.0, len(y) + 1), y),), **options)


@given(
    st.lists(st.floats(-1e30, 1e30) | st.just(float("nan")), min_size=1, max_size=20),
    st.sampled_from(["linear", "log"]),
)
def test_any_values_give_sound_svg_without_nan(values: list[float], scale: str):
    drawing = str(line_chart(panel(values, scale=scale, reference=0.0)))
    ET.fromstring(drawing)
    assert "nan" not in drawing
    assert "inf" not in drawing


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_and_inside(low: float, width: float):
    high = low + width
    marks = ticks(low, high)
    assert len(marks) <= 7
    slack = 1e-6 * max(abs(low), abs(high), width)
    assert all(low - slack <= mark <= high + slack for mark in marks)


@given(st.floats(1e-8, 1e8), st.floats(1.5, 1e8))
def test_log_ticks_lie_inside_and_are_several(low: float, factor: float):
    marks = log_ticks(low, low * factor)
    assert len(marks) >= 1
    assert all(low * 0.99 <= mark <= low * factor * 1.01 for mark in marks)


def test_a_log_scale_with_a_value_of_zero_falls_back_to_a_linear_one():
    ET.fromstring(str(line_chart(panel([0.0, 1.0], scale="log"))))


def test_no_finite_value_gives_a_sentence():
    assert "No value" in line_chart(panel([float("nan")]))


def test_text_in_a_chart_is_escaped():
    drawing = str(
        line_chart(Panel("<script>", "", (Series('"><b>', 0, np.arange(2.0), np.ones(2)),)))
    )
    assert "<script>" not in drawing
    assert "<b>" not in drawing


def test_bins_leave_out_what_is_not_finite_and_keep_the_mean():
    x, mean, low, high = binned(np.arange(100.0), np.r_[np.full(50, np.nan), np.ones(50)], bins=10)
    assert len(x) == 10
    np.testing.assert_array_equal(mean, np.ones(10))
    assert (low <= mean).all()
    assert (mean <= high).all()


def test_no_step_gives_no_bin():
    assert [len(part) for part in binned(np.array([]), np.array([]))] == [0, 0, 0, 0]


@pytest.mark.parametrize("value", [-3.0, 0.0, 0.4, 9.0])
def test_an_interval_stays_inside_its_drawing(value: float):
    drawing = ET.fromstring(str(interval_bar(value, value - 1, value + 1, (-1.0, 1.0), "arm-0")))
    (circle,) = [part for part in drawing if part.tag == "circle"]
    assert 0 <= float(circle.attrib["cx"]) <= 160


def test_a_range_without_values_is_not_drawn():
    assert range_bar(np.array([np.nan]), (-1.0, 1.0), "arm-0") == ""
