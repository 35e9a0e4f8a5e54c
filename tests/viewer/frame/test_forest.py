"""Rows of forest plots, points, histograms: sound SVG whatever the values are."""

import xml.etree.ElementTree as ET

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gradtruce.viewer.frame.forest import WIDTH, difference_bar
from gradtruce.viewer.frame.histogram import CosineSet, Histogram, histogram
from gradtruce.viewer.frame.intervals import points_bar
from gradtruce.viewer.frame.score_text import difference_text, score_text

FINITE = st.floats(-10, 10)


@given(FINITE, FINITE, FINITE, st.floats(1e-6, 10), st.lists(FINITE, max_size=5))
def test_a_row_stays_inside_its_drawing(
    value: float, low: float, high: float, reach: float, points: list[float]
):
    row = ET.fromstring(
        str(difference_bar(value, low, high, reach=reach, css="better", points=points))
    )
    circles = [float(part.attrib["cx"]) for part in row if part.tag == "circle"]
    assert len(circles) == len(points) + 1
    assert all(0 <= place <= WIDTH for place in circles)


def test_the_shade_lies_on_both_sides_of_zero():
    row = ET.fromstring(str(difference_bar(0.1, None, None, reach=1.0, css="", detectable=0.5)))
    (shade,) = [part for part in row if part.tag == "rect"]
    left, width = float(shade.attrib["x"]), float(shade.attrib["width"])
    assert left + width / 2 == WIDTH / 2


def test_no_difference_is_no_dot():
    assert "circle" not in difference_bar(None, None, None, reach=1.0, css="untested")


def test_points_without_a_mean_are_not_drawn():
    assert points_bar([], None, (0.0, 1.0), "arm-0") == ""


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
