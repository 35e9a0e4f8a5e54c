import numpy as np
import pytest

from gradtruce.data.images.png import encode_png
from gradtruce.data.images.view_bytes import decode_view, encode_view

SMOOTH = np.add.outer(np.arange(100), np.arange(120)).astype(np.uint8)


def test_png_is_the_default_and_loses_nothing():
    noise = np.random.default_rng(0).integers(0, 256, (33, 17), dtype=np.uint8)
    for pixels in (noise, np.asfortranarray(noise), noise[::2, ::-1]):
        np.testing.assert_array_equal(decode_view(encode_view(pixels)), pixels)


def test_jpeg_loses_little_and_is_smaller():
    noise = np.random.default_rng(0).normal(0, 4, SMOOTH.shape)
    photo = (127 + 100 * np.sin(SMOOTH / 80) + noise).astype(np.uint8)
    stored = encode_view(photo, jpeg=95)
    assert len(stored) < len(encode_view(photo))
    assert np.abs(decode_view(stored).astype(int) - photo).mean() < 3


def test_the_same_pixels_give_the_same_bytes():
    assert encode_view(SMOOTH, jpeg=95) == encode_view(SMOOTH.copy(), jpeg=95)
    assert encode_view(SMOOTH) == encode_view(SMOOTH.copy())


@pytest.mark.parametrize("quality", [0, 101, -5])
def test_a_quality_outside_1_to_100_is_refused(quality):
    with pytest.raises(ValueError, match=f"from 1 to 100, got {quality}"):
        encode_view(SMOOTH, jpeg=quality)


@pytest.mark.parametrize(
    "data", [b"", b"nothing", encode_view(SMOOTH)[:80], encode_view(SMOOTH, 95)[:300]]
)
def test_damaged_bytes_are_named(data):
    with pytest.raises(ValueError, match=r"a stored view is damaged .*; prepare the set again"):
        decode_view(data)


def test_a_mask_is_no_view():
    with pytest.raises(ValueError, match="not 8-bit grey"):
        decode_view(encode_png(SMOOTH > 100))
