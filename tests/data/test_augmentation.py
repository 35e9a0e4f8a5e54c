from typing import get_args

import numpy as np
import pytest

from gradtruce.data.augmentation import AUGMENTATIONS, Augmentation, Draw
from gradtruce.data.pixels import zoom
from gradtruce.training.config import DataConfig

NOISE = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
ALL = Augmentation(flip=True, rotation=10.0, brightness=0.2, contrast=0.3)


def changed(augmentation, film, size, seed):
    draw = augmentation.draw(np.random.default_rng(seed))
    return augmentation.apply(film, size, draw)


def test_training_resizes_as_r2gen_and_crops_inside():
    augmentation = Augmentation()
    fitted = augmentation.fit(NOISE, 224)
    assert fitted.shape == (256, 384)
    crops = [changed(augmentation, fitted, 224, seed) for seed in range(20)]
    assert {crop.shape for crop in crops} == {(224, 224)}
    assert len({crop.tobytes() for crop in crops}) > 15
    windows = np.lib.stride_tricks.sliding_window_view(fitted, (224, 224))
    assert any((windows[y] == crops[0]).all(axis=(1, 2)).any() for y in range(33))


def test_every_window_is_drawn_as_often():
    tops = [Augmentation().draw(np.random.default_rng(seed)).top for seed in range(3000)]
    counts = np.bincount((np.array(tops) * 3).astype(int), minlength=3)
    assert counts.sum() == 3000
    assert np.abs(counts - 1000).max() < 100


def test_the_same_generator_draws_the_same():
    fitted = ALL.fit(NOISE, 32)
    first, second = (changed(ALL, fitted, 32, 5) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_crop_does_not_depend_on_what_else_is_on():
    plain, rich = (each.draw(np.random.default_rng(3)) for each in (Augmentation(), ALL))
    assert (plain.top, plain.left) == (rich.top, rich.left)
    assert plain == Draw(top=plain.top, left=plain.left)


def test_nothing_is_mirrored_unless_asked():
    ramp = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    for flip, outcomes in ((False, {False}), (True, {False, True})):
        augmentation = Augmentation(margin=1.0, flip=flip)
        drawn = [changed(augmentation, ramp, 64, seed) for seed in range(30)]
        assert {bool(view[0, 0] > view[0, -1]) for view in drawn} == outcomes


def test_camanet_turns_and_scales_half_of_the_views_and_mirrors_none():
    augmentation = AUGMENTATIONS["camanet"]
    draws = [augmentation.draw(np.random.default_rng(seed)) for seed in range(2000)]
    moved = [draw for draw in draws if draw.zoom != 1.0]
    assert abs(len(moved) - 1000) < 100
    assert all((draw.angle != 0.0) == (draw.zoom != 1.0) for draw in draws)
    assert 0.8 <= min(draw.zoom for draw in moved) < 0.82
    assert 1.18 < max(draw.zoom for draw in moved) <= 1.2
    assert 9.5 < max(abs(draw.angle) for draw in moved) <= 10.0
    assert not any(draw.is_mirrored for draw in draws)


def test_every_name_that_a_configuration_may_give_is_there():
    names = get_args(DataConfig.model_fields["augmentation"].annotation)
    assert set(names) == set(AUGMENTATIONS)


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.2, 1.9])
def test_zooming_keeps_the_centre_and_the_shape(factor):
    rows, columns = np.mgrid[-32:33, -40:41]
    film = (200 * np.exp(-(rows**2 + columns**2) / 50)).astype(np.uint8)
    zoomed = zoom(film, factor)
    assert zoomed.shape == film.shape
    assert np.unravel_index(zoomed.argmax(), zoomed.shape) == (32, 40)
    assert zoomed.sum() / film.sum() == pytest.approx(factor**2, rel=0.02)
    np.testing.assert_allclose(zoomed, zoomed[::-1, ::-1], atol=1)


def test_brightness_stays_in_its_range():
    film = np.full((8, 8), 100, dtype=np.uint8)
    augmentation = Augmentation(margin=1.0, brightness=0.1)
    values = [changed(augmentation, film, 8, seed)[0, 0] for seed in range(50)]
    assert 90 <= min(values) < 95 < 105 < max(values) <= 110


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"margin": 0.9}, "margin must be at least 1"),
        ({"rotation": -1.0}, "rotation must be 0 to 180"),
        ({"brightness": 1.0}, "brightness must be"),
        ({"contrast": -0.1}, "contrast must be"),
        ({"zoom": 1.0}, "zoom must be"),
        ({"moved": 1.1}, "moved must be 0 to 1"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**options)
