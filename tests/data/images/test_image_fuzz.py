"""Any bytes give a film or one line that names the file: no other error, no hang, no flood."""

import random
import resource
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gradtruce.data.images.film import Film
from gradtruce.data.images.read import read_film

SECONDS = 5
MEGABYTES = 300


def raster_seeds(folder):
    noise = np.random.default_rng(0).integers(0, 256, (24, 24), dtype=np.uint8)
    grey, colour = Image.fromarray(noise), Image.fromarray(np.stack([noise] * 3, axis=-1))
    exif = Image.Exif()
    exif[0x0112] = 6
    ways = {
        "grey.png": (grey, {}),
        "sixteen.png": (Image.fromarray(noise.astype(np.uint16) * 16), {}),
        "palette.png": (colour.quantize(16), {"transparency": 3}),
        "alpha.png": (colour.convert("RGBA"), {}),
        "grey.jpg": (grey, {"exif": exif}),
        "progressive.jpg": (colour, {"progressive": True}),
        "cmyk.jpg": (colour.convert("CMYK"), {}),
    }
    for name, (image, options) in ways.items():
        image.save(folder / name, **options)
    return {name: (folder / name).read_bytes() for name in ways}


def dicom_seeds():
    pytest.importorskip("pydicom")
    files = pytest.importorskip("tests.data.images.dicom_files")
    syntaxes = (*files.NATIVE, files.DeflatedExplicitVRLittleEndian, *files.ENCODED)
    return {
        f"{syntax}.dcm": files.dicom_bytes(
            files.radiograph(8), 8, syntax, WindowCenter=[90, 5], WindowWidth=[100, 9]
        )
        for syntax in syntaxes
    }


def mutated(content, chance):
    """Return the content with some bytes changed, taken out, put in, repeated, or cut off."""
    changed = bytearray(content)
    low = chance.choice([0, len(changed) // 4])
    for _ in range(chance.choice([1, 1, 2, 3, 8])):
        at = chance.randrange(min(low, len(changed) - 1), len(changed))
        count = chance.randrange(1, 9)
        way = chance.random()
        if way < 0.6:
            changed[at] = chance.choice([0, 255, 127, 128, chance.randrange(256)])
        elif way < 0.7:
            del changed[at : at + count]
        elif way < 0.8:
            changed[at:at] = chance.randbytes(count)
        elif way < 0.9:
            changed[at:at] = changed[at : at + 50 * count]
        else:
            del changed[max(at, 1) :]
        if not changed:
            changed = bytearray(b"\0")
    return bytes(changed)


def check(path, content):
    """Read the content; return whether it was a film."""
    path.write_bytes(content)
    started = time.monotonic()
    try:
        film = read_film(path, 64)
    except ValueError as error:
        message = str(error)
        assert message.startswith(str(path))
        assert "\n" not in message
        assert len(message) < len(str(path)) + 250
        return False
    finally:
        assert time.monotonic() - started < SECONDS
    assert isinstance(film, Film)
    assert film.pixels.dtype == np.uint8
    assert film.pixels.ndim == 2
    return True


def fuzz(seeds, folder, rounds, capfd):
    """Mutate each seed `rounds` times; the peak of memory may not rise by more than a bound."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number, (name, content) in enumerate(seeds.items()):
        chance = random.Random(number)
        films = sum(check(folder / name, mutated(content, chance)) for _ in range(rounds))
        assert 0 < films < rounds, f"{name}: the mutations are too mild or too strong"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    assert grown / 1024 < MEGABYTES
    assert capfd.readouterr() == ("", "")


def test_mutated_rasters(tmp_path, capfd):
    fuzz(raster_seeds(tmp_path), tmp_path, 300, capfd)


def test_mutated_dicom_files(tmp_path, capfd):
    fuzz(dicom_seeds(), tmp_path, 200, capfd)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["raster", "dicom"])
def test_many_mutations(tmp_path, capfd, kind):
    seeds = raster_seeds(tmp_path) if kind == "raster" else dicom_seeds()
    fuzz(seeds, tmp_path, 5000, capfd)


STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", bytes(128) + b"DICM", b"\x08\0\x05\0", b"")


@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_at_all(tmp_path_factory, start, rest):
    pytest.importorskip("pydicom")
    check(tmp_path_factory.getbasetemp() / "any", start + rest + b"\0")


def test_sequences_nested_a_thousand_deep_are_an_error_and_no_crash(tmp_path):
    pytest.importorskip("pydicom")
    files = pytest.importorskip("tests.data.images.dicom_files")
    content = files.dicom_bytes(files.radiograph(8), 8)
    sequence = b"\x40\0\x75\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff"
    at = content.index(b"\x28\0\x02\0US")
    assert not check(tmp_path / "a.dcm", content[:at] + sequence * 5000 + content[at:])
