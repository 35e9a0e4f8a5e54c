import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import affine_grid, grid_sample, interpolate

from gradtruce.data.pixels import adjust, centre_crop, crop, mirror, resize, rotate
from gradtruce.data.pixels import resize_short_side as short_side

NOISE = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
SIDES = st.integers(1, 40)


@pytest.mark.parametrize("shape", [(20, 30), (13, 47), (80, 120), (40, 7)])
def test_resizing_agrees_with_torch_s_antialiased_bilinear(shape):
    film = torch.from_numpy(NOISE)[None, None].float()
    expected = interpolate(film, shape, mode="bilinear", antialias=True)[0, 0].numpy()
    assert np.abs(resize(NOISE, shape) - expected).max() <= 1.01


def test_shrinking_by_two_weighs_neighbours_1_3_3_1():
    row = np.array([[0, 0, 0, 80, 0, 0, 0, 0]], dtype=np.uint8)
    # triangle of width 4 around 1, 3, 5, 7 (pixel edges): 80 x 1/8 and 80 x 3/8
    assert resize(row, (1, 4)).tolist()[0][1:] == [30, 10, 0]


@pytest.mark.parametrize(("angle", "turns"), [(90.0, 1), (180.0, 2)])
def test_right_angles_are_exact(angle, turns):
    film = NOISE[:, :40]
    np.testing.assert_array_equal(rotate(film, angle), np.rot90(film, turns))


def test_turning_agrees_with_torch_s_bilinear_sampling():
    smooth = resize(resize(NOISE[:, :40], (6, 6)), (40, 40))
    radians = np.deg2rad(7.0)
    cosine, sine = np.cos(radians), np.sin(radians)
    theta = torch.tensor([[[cosine, -sine, 0.0], [sine, cosine, 0.0]]], dtype=torch.float32)
    film = torch.tensor(smooth)[None, None].float()
    grid = affine_grid(theta, [1, 1, 40, 40], align_corners=False)
    expected = grid_sample(film, grid, align_corners=False)[0, 0].numpy()
    difference = np.abs(rotate(smooth, 7.0) - expected)[6:-6, 6:-6]
    assert difference.max() <= 1.01


def test_brightness_and_contrast_by_hand():
    film = np.array([[10, 20], [100, 250]], dtype=np.uint8)
    assert adjust(film, brightness=1.1).tolist() == [[11, 22], [110, 255]]
    assert adjust(film, contrast=0.0).tolist() == [[95, 95], [95, 95]]
    assert adjust(film, contrast=2.0).tolist() == [[0, 0], [105, 255]]


@given(SIDES, SIDES, SIDES, st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_a_window_lies_inside_and_is_as_large_as_asked(height, width, size, top, left):
    size = min(size, height, width)
    film = np.arange(height * width).reshape(height, width).astype(np.uint8)
    for window in (crop(film, size, top, left), centre_crop(film, size)):
        assert window.shape == (size, size)


@given(SIDES, SIDES, SIDES)
def test_the_short_side_is_as_asked_and_the_aspect_kept(height, width, size):
    resized = short_side(np.zeros((height, width), dtype=np.uint8), size)
    assert min(resized.shape) == size
    assert abs(max(resized.shape) - size * max(height, width) / min(height, width)) <= 0.5


@given(st.integers(0, 255), SIDES, SIDES)
def test_a_flat_film_stays_flat(level, height, width):
    film = np.full((height, width), level, dtype=np.uint8)
    assert (resize(film, (9, 11)) == level).all()
    assert (adjust(film, contrast=1.7) == level).all()


def test_mirroring_twice_changes_nothing():
    np.testing.assert_array_equal(mirror(mirror(NOISE)), NOISE)
