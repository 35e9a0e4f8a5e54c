"""Heat maps over radiographs."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from gradtruce.viewer.report.pictures import data_uri, film_png, heat_png, overlay, overlay_png


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


def test_a_film_survives_its_png():
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7)).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(opened(film_png(pixels))), pixels)


def test_where_nothing_is_hot_the_film_is_unchanged():
    pixels = np.full((5, 6), 123, dtype=np.uint8)
    assert set(overlay(pixels, np.zeros((5, 6))).get_flattened_data()) == {(123, 123, 123)}


def test_hotter_is_more_opaque():
    heat = np.linspace(0, 1, 20)[None]
    opacity = np.asarray(opened(heat_png(heat)).convert("RGBA"))[0, :, 3].astype(int)
    assert (np.diff(opacity) >= 0).all()
    assert opacity[0] == 0
    assert opacity[-1] > 150


def test_heat_beyond_its_range_is_cut():
    np.testing.assert_array_equal(
        np.asarray(opened(heat_png(np.array([[-1.0, 5.0]]))).convert("RGBA")),
        np.asarray(opened(heat_png(np.array([[0.0, 1.0]]))).convert("RGBA")),
    )


def test_an_overlay_of_another_size_is_refused():
    with pytest.raises(ValueError, match="must have the size"):
        overlay_png(np.zeros((4, 4), dtype=np.uint8), np.zeros((4, 5)))


def test_a_data_uri_holds_the_bytes():
    assert base64.b64decode(data_uri(b"abc").partition(",")[2]) == b"abc"
