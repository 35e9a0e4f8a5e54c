"""A file that lacks a part is refused, wherever it was cut and whatever stands in its place."""

import io

import numpy as np
import pytest
from PIL import Image

from gradtruce.data.images.film import UnfitImageError
from gradtruce.data.images.raster import read_raster

NOISE = np.random.default_rng(0).integers(0, 256, (24, 40), dtype=np.uint8)
DARK_BELOW = np.where(np.arange(24)[:, None] < 10, NOISE, 7).astype(np.uint8)


def encoded(pixels, kind, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


FILES = {
    "png": (encoded(NOISE, "png"), "png"),
    "png of 16 bits": (encoded(NOISE.astype(np.uint16) * 200, "png"), "png"),
    "png in colour": (encoded(np.stack([NOISE] * 3, axis=-1), "png"), "png"),
    "jpeg": (encoded(NOISE, "jpeg", quality=90), "jpeg"),
    "jpeg, dark below": (encoded(DARK_BELOW, "jpeg", quality=90), "jpeg"),
    "jpeg in colour": (encoded(np.stack([NOISE] * 3, axis=-1), "jpeg"), "jpeg"),
    "progressive jpeg": (encoded(NOISE, "jpeg", progressive=True), "jpeg"),
}


def kept_in_part(content, kind, short_side):
    """Return where a file is cut and is taken for another image than the whole one."""
    whole = read_raster(content, kind, short_side).pixels
    ways = [lambda at: content[:at], lambda at: content[:at] + bytes(len(content) - at)]
    if kind == "jpeg":
        ways.append(lambda at: content[:at] + b"\xff\xd9")
    found = []
    for number, way in enumerate(ways):
        for at in range(1, len(content)):
            try:
                film = read_raster(way(at), kind, short_side)
            except UnfitImageError:
                continue
            if film.pixels.shape != whole.shape or not is_same(film.pixels, whole, kind):
                found.append((number, at))
    return found


def is_same(pixels, whole, kind):
    """Return whether images are equal; a JPEG but for its last block, which may lack some bits."""
    other = pixels != whole
    if kind == "jpeg":
        other[-16:, -16:] = False
    return not other.any()


@pytest.mark.parametrize("name", FILES)
def test_no_part_of_an_image_is_taken_for_an_image(name):
    assert kept_in_part(*FILES[name], 256) == []


def test_a_changed_byte_in_the_pixels_of_a_png_is_noticed():
    content = bytearray(FILES["png of 16 bits"][0])
    content[len(content) // 2] ^= 1
    with pytest.raises(UnfitImageError, match="check sum"):
        read_raster(bytes(content), "png", 256)


def test_what_follows_the_end_is_no_fault():
    for content, kind in FILES.values():
        assert read_raster(content + b"\n\0more", kind, 256).pixels.shape == (24, 40)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("grey", [127, 128])
def test_a_whole_jpeg_of_middle_grey_is_taken(options, grey):
    content = encoded(np.full((41, 53), grey, np.uint8), "jpeg", **options)
    assert np.ptp(read_raster(content, "jpeg", 256).pixels) == 0
