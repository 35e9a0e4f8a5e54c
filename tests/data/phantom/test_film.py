"""From attenuation to grey."""

import numpy as np

from gradtruce.data.phantom.anatomy import Anatomy, Pose
from gradtruce.data.phantom.canvas import Canvas
from gradtruce.data.phantom.chest import build_chest
from gradtruce.data.phantom.film import film_curve
from gradtruce.data.phantom.level import LEVELS
from gradtruce.data.phantom.normal import Inside, paint_normal
from gradtruce.data.phantom.rays import Projection
from gradtruce.data.phantom.texture import clouds, soften


def canvas_of(number: int = 0) -> Canvas:
    rng = np.random.default_rng(number)
    chest = build_chest(Anatomy.draw(rng), Pose.draw(rng, LEVELS["standard"]))
    canvas = Canvas(chest, Projection(96, 370.0, (0.0, 138.0)), LEVELS["standard"])
    paint_normal(canvas, Inside.of(chest, canvas.spacing))
    return canvas


def test_the_film_grows_brighter_with_attenuation_and_stays_in_range():
    grey = film_curve(np.linspace(-3, 4, 500, dtype=np.float32))
    assert (np.diff(grey) >= 0).all()
    assert 0 <= grey.min() < grey.max() <= 1


def test_a_lung_full_of_fluid_attenuates_no_more_than_the_tissue_around_it():
    canvas = canvas_of()
    canvas.fluid += 1e4
    flooded = canvas.attenuation()
    solid = 0.0195 * canvas.tissue
    lungs = canvas.aeration > 20
    bare = (canvas.bone < 0.05) & lungs & (canvas.gas < 0.1)
    assert (flooded[lungs] < (solid + 0.046 * canvas.bone)[lungs] + 1e-3).all()
    assert np.allclose(flooded[bare], solid[bare], atol=0.02)


def test_the_same_opacity_adds_less_where_there_is_less_air():
    canvas = canvas_of()
    before = canvas.attenuation()
    canvas.fluid += 30
    added = canvas.attenuation() - before
    rich, poor = canvas.aeration > 120, (canvas.aeration > 5) & (canvas.aeration < 25)
    assert added[poor].mean() < 0.7 * added[rich].mean()


def test_clouds_have_the_same_shape_at_any_size():
    small, large = clouds([3], 64, 5.0), clouds([3], 128, 5.0)
    assert np.corrcoef(small.ravel(), large[::2, ::2].ravel())[0, 1] > 0.95


def test_softening_keeps_the_mean():
    image = np.random.default_rng(0).uniform(size=(96, 96)).astype(np.float32)
    assert abs(float(soften(image, 12.0).mean()) - float(image.mean())) < 0.01
