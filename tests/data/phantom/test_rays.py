"""Lengths along rays, against plain numerical integration."""

import numpy as np
import pytest

from gradtruce.data.phantom.canvas import union
from gradtruce.data.phantom.rays import LEVELS_Y, Interval, Projection, Stack, floats


def marched(stack: Stack, film: Projection, column: int, row: int) -> float:
    """Return the length inside a stack along one frontal ray, by a thousand small steps."""
    place = int(np.argmin(np.abs(LEVELS_Y - film.y[row, column])))
    low, high = float(stack.low[place]), float(stack.high[place])
    half, depth = (high - low) / 2, float(stack.depth[place])
    if half == 0:
        return 0.0
    along = np.linspace(-300, 300, 6001)
    share = (float(film.u[row, column]) - (low + high) / 2) / half
    power = stack.low_power if share < 0 else stack.high_power
    inside = abs(share) ** power + ((along - stack.centre[place]) / depth) ** 2 <= 1
    return float(inside.sum() * 0.1)


@pytest.mark.parametrize("powers", [(2.0, 2.0), (5.0, 2.2), (1.5, 3.0)])
def test_the_length_inside_a_stack_is_that_of_a_march_along_the_ray(powers: tuple[float, float]):
    ball = Stack.ellipsoid(floats([10, 120, -5]), floats([60, 80, 40]))
    stack = Stack(ball.low, ball.high, ball.centre, ball.depth, *powers)
    film = Projection(64, 256.0, (0.0, 120.0))
    length = stack.cut(film).length
    for column, row in ((32, 32), (40, 20), (25, 40), (45, 30), (5, 5)):
        assert length[row, column] == pytest.approx(marched(stack, film, column, row), abs=1.0)


@pytest.mark.parametrize("is_lateral", [False, True])
def test_an_ellipsoid_has_the_same_volume_from_the_front_and_from_the_side(is_lateral: bool):
    ball = Stack.ellipsoid(floats([0, 120, 0]), floats([60, 80, 40]))
    film = Projection(128, 256.0, (0.0, 120.0), is_lateral)
    volume = float(ball.cut(film).length.sum()) * film.pitch**2
    assert volume == pytest.approx(4 / 3 * np.pi * 60 * 80 * 40, rel=0.01)


def test_the_front_of_the_patient_is_at_the_left_of_a_lateral_film():
    film = Projection(128, 300.0, (0.0, 100.0), is_lateral=True)
    across, _ = film.to_pixels(floats([[0, 100, 80]]))
    assert across[0] < 63.5


def test_pixels_and_places_agree_in_any_pose():
    film = Projection(128, 380.0, (7.0, 130.0), turn=0.1, tilt=0.05)
    x, z = 31.0, -40.0
    across, down = film.to_pixels(floats([[x, 90.0, z]]))
    column, row = round(float(across[0])), round(float(down[0]))
    expected = film.across(floats([x]), floats([z]))[0]
    assert film.u[row, column] == pytest.approx(float(expected), abs=film.pitch)
    assert film.y[row, column] == pytest.approx(90.0, abs=film.pitch)


def test_a_union_counts_no_millimetre_twice():
    rng = np.random.default_rng(0)
    ends = np.sort(rng.uniform(0, 100, (4, 2, 20, 20)).astype(np.float32), axis=1)
    order = np.argsort(ends[:, 0], axis=0)[:, None]
    ends = np.take_along_axis(ends, np.broadcast_to(order, ends.shape), axis=0)
    solids = [Interval(one[0], one[1]) for one in ends]
    part = Interval(np.full((20, 20), 10, np.float32), np.full((20, 20), 90, np.float32))
    grid = np.linspace(0, 100, 4001)[:, None, None]
    covered = np.zeros((4001, 20, 20), bool)
    for solid in solids:
        covered |= (grid >= solid.near) & (grid <= solid.far)
    covered &= (grid >= 10) & (grid <= 90)
    assert np.allclose(union(part, solids), covered.sum(0) * 0.025, atol=0.2)


def test_a_smaller_stack_lies_inside_the_larger_one():
    film = Projection(64, 256.0, (0.0, 120.0))
    ball = Stack.ellipsoid(floats([0, 120, 0]), floats([60, 80, 40]))
    whole, core = ball.cut(film), ball.inset(10.0).cut(film)
    assert (core.overlap(whole) >= core.length - 1e-3).all()
    assert core.length.sum() < whole.length.sum()
