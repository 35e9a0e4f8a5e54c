"""Thin things keep their mass at any size of film, and their smoothness."""

import numpy as np
import pytest

from gradtruce.data.phantom.rays import Projection, floats
from gradtruce.data.phantom.strands import Strands

PATH = floats([[-40, 60, 0], [0, 120, 30], [50, 160, -10]])


@pytest.mark.parametrize("size", [48, 96, 256])
def test_mass_is_kept_whatever_the_size_of_the_film(size: int):
    wire = Strands.along(PATH, 1.5, spacing=1.0)
    film = Projection(size, 256.0, (0.0, 120.0))
    assert wire.draw(film).sum() * film.pitch**2 == pytest.approx(float(wire.mass.sum()), rel=1e-3)


def test_the_mass_of_a_wire_is_its_volume():
    wire = Strands.along(floats([[0, 0, 0], [0, 100, 0]]), 2.0, spacing=1.0)
    assert float(wire.mass.sum()) == pytest.approx(np.pi * 4 * 100, rel=1e-3)


def test_a_wire_moved_by_part_of_a_pixel_keeps_its_strength():
    film = Projection(64, 192.0, (0.0, 120.0))
    sums = []
    for offset in (0.0, 0.75, 1.5, 2.25):
        wire = Strands.along(PATH + floats([offset, 0, 0]), 1.0, spacing=1.0)
        sums.append(float((wire.draw(film) ** 2).sum()))
    assert max(sums) / min(sums) < 1.1


def test_what_lies_off_the_film_leaves_no_trace():
    wire = Strands.along(PATH + floats([900, 0, 0]), 3.0, spacing=1.0)
    assert wire.draw(Projection(64, 192.0, (0.0, 120.0))).max() == 0


def test_no_strands_draw_nothing():
    assert Strands.join([]).draw(Projection(64, 192.0, (0.0, 120.0))).max() == 0


def test_a_wire_seen_end_on_is_brighter_than_one_seen_broadside():
    wire = Strands.along(floats([[0, 120, -30], [0, 120, 30]]), 1.5, spacing=1.0)
    front = wire.draw(Projection(64, 192.0, (0.0, 120.0)))
    side = wire.draw(Projection(64, 192.0, (0.0, 120.0), is_lateral=True))
    assert front.max() > 3 * side.max()
