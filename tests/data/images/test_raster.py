import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from gradtruce.data.images.film import MAX_PIXELS
from gradtruce.data.images.png import decode_png, encode_png
from gradtruce.data.images.read import read_film, read_grey

GRADIENT = np.tile(np.arange(0, 256, 2, dtype=np.uint8), (64, 1))  # 64 x 128, dark to bright


def save(path, image, **options):
    image.save(path, **options)
    return path


def test_a_small_grey_png_is_read_as_it_is(tmp_path):
    path = save(tmp_path / "a.png", Image.fromarray(GRADIENT))
    np.testing.assert_array_equal(read_grey(path), GRADIENT)


def test_the_short_side_shrinks_and_the_aspect_stays(tmp_path):
    path = save(tmp_path / "a.png", Image.new("L", (900, 600)))
    assert read_grey(path, 300).shape == (300, 450)
    assert read_grey(path, 601).shape == (600, 900)


def test_shrinking_does_not_alias(tmp_path):
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (512, 256))
    path = save(tmp_path / "a.png", Image.fromarray(stripes))
    assert read_grey(path, 64)[8:-8, 8:-8].std() < 3


def test_sixteen_bits_become_eight_over_the_full_scale(tmp_path):
    values = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(16, 16)
    path = save(tmp_path / "a.png", Image.fromarray(values))
    np.testing.assert_array_equal(read_grey(path), (values.astype(int) * 255 // 65535))


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_fewer_bits_in_a_sixteen_bit_file_are_stretched_from_their_own_depth(tmp_path, bits):
    values = np.linspace(0, 2**bits - 1, 256).astype(np.uint16).reshape(16, 16)
    path = save(tmp_path / "a.png", Image.fromarray(values))
    film = read_film(path)
    assert film.grey == f"{bits} bits"
    np.testing.assert_array_equal(film.pixels, values.astype(int) * 255 // (2**bits - 1))


def test_an_empty_sixteen_bit_image_is_black(tmp_path):
    path = save(tmp_path / "a.png", Image.fromarray(np.zeros((3, 4), np.uint16)))
    assert read_grey(path).max() == 0


def test_twelve_bits_in_sixteen_with_alpha_are_refused_and_not_read_as_black(tmp_path):
    path = tmp_path / "a.png"
    for brightest in (4095, 65535):
        row = b"\0" + struct.pack(">HH", brightest, 65535) * 4
        path.write_bytes(png_of(struct.pack(">IIBBBBB", 4, 2, 16, 4, 0, 0, 0), row * 2))
        if brightest == 65535:
            assert read_film(path).pixels.min() == 255
        else:
            with pytest.raises(ValueError, match=r"16 bits with colour or alpha .* fewer bits"):
                read_film(path)


def test_colour_and_palette_become_luminance(tmp_path):
    grey = Image.fromarray(GRADIENT)
    palette = save(tmp_path / "p.png", grey.convert("RGB").quantize(256))
    colour = save(tmp_path / "c.png", grey.convert("RGB"))
    np.testing.assert_allclose(read_grey(palette), GRADIENT, atol=3)
    np.testing.assert_array_equal(read_grey(colour), GRADIENT)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA"])
def test_transparency_lies_on_black(tmp_path, mode):
    image = Image.fromarray(np.full((4, 4), 200, np.uint8)).convert("LA")
    image.putalpha(Image.fromarray(np.array([[0] * 4] * 2 + [[255] * 4] * 2, dtype=np.uint8)))
    path = save(tmp_path / "a.png", image if mode == "LA" else image.convert("RGBA"))
    if mode == "PA":
        path = save(tmp_path / "a.png", Image.open(path).quantize(4))
    pixels = read_grey(path)
    assert pixels[0].tolist() == [0] * 4
    np.testing.assert_allclose(pixels[3], 200, atol=1)


def test_a_one_bit_image_becomes_black_and_white(tmp_path):
    path = save(tmp_path / "a.png", Image.fromarray(np.array([[True, False]])))
    assert read_grey(path).tolist() == [[255, 0]]


def test_jpeg_in_grey_colour_and_cmyk_is_read(tmp_path):
    for mode in ("L", "RGB", "CMYK"):
        image = Image.fromarray(GRADIENT).convert("RGB").convert(mode)
        path = save(tmp_path / f"{mode}.jpg", image, quality=95)
        np.testing.assert_allclose(read_grey(path), GRADIENT, atol=6)


def test_exif_orientation_is_applied(tmp_path):
    image = Image.new("L", (40, 20))
    ImageDraw.Draw(image).rectangle((0, 0, 5, 5), fill=255)  # top left
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise for display
    path = save(tmp_path / "a.jpg", image, exif=exif, quality=100)
    pixels = read_grey(path)
    assert pixels.shape == (40, 20)
    assert pixels[2, 17] > 200  # top right
    assert pixels[37, 2] < 50


def test_unreadable_orientation_is_no_guess(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "a.jpg", Image.new("L", (40, 20)), exif=exif)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"\x01\x12\x00\x03", b"\x01\x12\x00\x0c"))
    with pytest.raises(ValueError, match=r"a\.jpg: damaged image"):
        read_grey(path)


def png_that_claims(width: int, height: int) -> bytes:
    return png_of(struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0), bytes(1000))


def png_of(header: bytes, rows: bytes) -> bytes:
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@pytest.mark.parametrize("side", [8_001, 12_000, 60_000])
def test_an_image_bomb_is_refused_before_it_is_decoded(tmp_path, side):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_that_claims(side, side))
    with pytest.raises(ValueError, match=f"bomb.png: more than {MAX_PIXELS:,} pixels; shrink it"):
        read_grey(path)


@pytest.mark.parametrize(
    ("suffix", "keep"), [("png", 0.5), ("jpg", 0.5), ("png", 0.95), ("jpg", 0.9)]
)
def test_a_truncated_image_is_refused(tmp_path, suffix, keep):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    path = save(tmp_path / f"a.{suffix}", Image.fromarray(noise))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(ValueError, match=r"a\.\w+: damaged image \(.*\); replace it"):
        read_grey(path)


def test_a_jpeg_of_a_thousand_scans_is_refused_unread(tmp_path):
    path = save(tmp_path / "a.jpg", Image.fromarray(GRADIENT), progressive=True)
    assert read_grey(path).shape == GRADIENT.shape
    path.write_bytes(path.read_bytes()[:-2] + b"\xff\xda\x00\x08" * 1000 + b"\xff\xd9")
    with pytest.raises(ValueError, match=r"a\.jpg: a JPEG of more than 100 scans"):
        read_grey(path)


def test_a_large_jpeg_decoded_at_a_part_of_its_size_looks_the_same(tmp_path):
    wave = np.sin(np.arange(1800) / 60)[:, None] * np.cos(np.arange(2000) / 90)
    image = Image.fromarray((127 + 120 * wave).astype(np.uint8))
    small = read_grey(save(tmp_path / "a.jpg", image, quality=95), 128)
    exact = read_grey(save(tmp_path / "a.png", image), 128)
    assert small.shape == exact.shape == (128, 142)
    np.testing.assert_allclose(small.astype(int), exact, atol=3)


def test_a_jpeg_is_lossy_and_a_png_not(tmp_path):
    jpeg = read_film(save(tmp_path / "a.jpg", Image.fromarray(GRADIENT)))
    png = read_film(save(tmp_path / "a.png", Image.fromarray(GRADIENT)))
    assert (jpeg.lossy, jpeg.kind, png.lossy, png.kind) == (True, "jpeg", False, "png")
    assert (png.position, png.burned_in, png.notes) == ("unknown", None, ())


def test_png_in_memory_is_lossless_for_grey_and_mask():
    random_numbers = np.random.default_rng(0)
    grey = random_numbers.integers(0, 256, (33, 17), dtype=np.uint8)
    mask = random_numbers.random((33, 17)) < 0.5
    for pixels in (grey, mask, np.asfortranarray(grey), grey[::2, ::-1]):
        decoded = decode_png(encode_png(pixels))
        assert decoded.dtype == pixels.dtype
        np.testing.assert_array_equal(decoded, pixels)
