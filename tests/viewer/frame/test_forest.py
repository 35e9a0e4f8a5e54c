"""Rows of forest plots, points, histograms: sound SVG whatever the values are."""

import xml.etree.ElementTree as ET

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gradtruce.viewer.frame.forest import WIDTH, difference_axis, difference_bar, domain_around_zero
from gradtruce.viewer.frame.histogram import CosineSet, Histogram, histogram
from gradtruce.viewer.frame.score_text import difference_text, score_text

FINITE = st.floats(-10, 10)


@given(FINITE, FINITE, FINITE, st.lists(FINITE), st.lists(FINITE, max_size=5))
def test_a_row_stays_inside_its_drawing(
    value: float, low: float, high: float, others: list[float], points: list[float]
):
    domain = domain_around_zero(others)
    drawing = difference_bar(value, low, high, domain=domain, css="better", points=points)
    row = ET.fromstring(str(drawing))
    circles = [float(part.attrib["cx"]) for part in row if part.tag == "circle"]
    assert len(circles) == len(points) + 1
    assert all(0 <= place <= WIDTH for place in circles)


def test_the_shade_lies_on_both_sides_of_zero():
    row = ET.fromstring(
        str(difference_bar(0.1, None, None, domain=(-1.0, 1.0), css="", detectable=0.5))
    )
    (shade,) = [part for part in row if part.tag == "rect"]
    left, width = float(shade.attrib["x"]), float(shade.attrib["width"])
    assert left + width / 2 == WIDTH / 2


def test_no_difference_is_no_dot():
    assert "circle" not in difference_bar(None, None, None, domain=(-1.0, 1.0), css="untested")


@given(st.lists(FINITE, min_size=1))
def test_all_values_and_zero_lie_inside_the_edges(values: list[float]):
    low, high = domain_around_zero(values)
    assert low < high
    assert all(low <= value <= high for value in [0.0, *values])


def test_zero_is_named_where_it_does_not_hide_an_edge():
    assert ">0<" in difference_axis((-0.4, 0.2))
    assert ">0<" not in difference_axis((-0.4, 0.01))


@given(st.lists(st.floats(-1, 1) | st.just(float("nan")), max_size=30))
def test_any_cosines_give_sound_svg(values: list[float]):
    drawing = str(
        histogram(Histogram("<t>", "", (CosineSet('"><b>', "null", np.array(values, float)),)))
    )
    ET.fromstring(drawing)
    assert "nan" not in drawing
    assert "<b>" not in drawing


def test_a_set_tells_its_size_and_its_negative_share():
    assert CosineSet("a", "null", np.array([-0.1, -0.2, 0.3, 0.4])).note.startswith("4 values, 50")
    assert CosineSet("a", "null", np.array([])).note == "not measured"


def test_a_difference_that_rounds_to_zero_has_no_sign():
    assert difference_text(-0.0001) == difference_text(0.0001) == score_text(-0.0004) == ".000"
