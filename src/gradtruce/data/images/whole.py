"""Whether a PNG or JPEG is whole: decoders take one that ends early, or is zeros from a place on.

Pillow does not compare the check sums of a PNG's pixels, and does not pass on that libjpeg filled
what was missing with grey. An aborted download or a crash leaves such files.
"""

import io
import re
import zlib
from collections.abc import Iterator
from typing import Final

from PIL import Image, ImageChops

_PNG_START: Final = 8
_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_ALONE: Final = {0x01, *range(0xD0, 0xD9)}
_FRAMES: Final = {0xC0, 0xC1, 0xC2}
_SCAN, _END, _PROGRESSIVE = 0xDA, 0xD9, 0xC2
_UNDECODED: Final = {127, 128}
_FILLING: Final = b"\0" + bytes(range(1, 255)) * 16  # 0, lest a last FF makes a marker of it


def png_fault(content: bytes) -> str:
    r"""Return in a few words why a PNG is not as it was written; "" if it is.

    >>> png_fault(b"\x89PNG\r\n\x1a\n" + bytes.fromhex("0000000049454e44ae426082"))
    ''
    >>> png_fault(b"\x89PNG\r\n\x1a\n" + bytes.fromhex("0000000049454e44ae426083"))
    'a check sum differs'
    """
    at = _PNG_START
    while at + 12 <= len(content):
        end = at + 8 + int.from_bytes(content[at : at + 4], "big")
        if end + 4 > len(content):
            break
        chunk = memoryview(content)[at + 4 : end]
        if zlib.crc32(chunk) != int.from_bytes(content[end : end + 4], "big"):
            return "a check sum differs"
        if content[at + 4 : at + 8] == b"IEND":
            return ""
        at = end + 4
    return "it is cut off"


def jpeg_fault(content: bytes) -> str:
    r"""Return in a few words why a JPEG does not come to its end; "" if it does.

    It must have its end marker, and before it scans that give every component all its bits.

    >>> jpeg_fault(b"\xff\xd8\xff\xd9"), jpeg_fault(b"\xff\xd8\xff\xda\x00\x02" + bytes(9))
    ('', 'it is cut off')
    """
    missing: dict[int, list[int]] = {}  # by component, for each coefficient the bits not given
    for marker, at in _markers(content):
        if marker == _END:
            is_whole = not any(any(bits) for bits in missing.values())
            return "" if is_whole else "a scan is missing"
        if marker in _FRAMES:
            for place in range(at + 10, at + 10 + 3 * content[at + 9], 3):
                missing[content[place]] = [1] * 64
        elif marker == _SCAN:
            _take_scan(content[at + 4 : at + 4 + 12], missing)
    return "it is cut off"


def _take_scan(header: bytes, missing: dict[int, list[int]]) -> None:
    """Note what a scan gives: of some components, a range of coefficients down to some bit."""
    count = header[0]
    first, last, bits = header[1 + 2 * count : 4 + 2 * count]
    for component in header[1 : 1 + 2 * count : 2]:
        if component in missing:
            given = [bits & 15] * (last - first + 1)
            missing[component][first : last + 1] = given


def ends_early(content: bytes, image: Image.Image) -> bool:
    """Return whether the pixels of a JPEG run out before its end marker.

    The decoder fills what is missing with grey. So where the last pixel is that grey, or the JPEG
    is progressive, it is decoded again with more bytes before the end marker: they change nothing
    in a whole image. (A cut within the very last block can go unnoticed.)

    Args:
        content: Of the file; it has an end marker.
        image: Decoded from it, at any scale.

    >>> buffer = io.BytesIO()
    >>> Image.new("L", (64, 64), 128).save(buffer, "JPEG")
    >>> whole = buffer.getvalue()
    >>> ends_early(whole, Image.open(buffer))
    False
    """
    markers = list(_markers(content))
    last = image.getpixel((image.width - 1, image.height - 1))
    values = set(last) if isinstance(last, tuple) else {last}
    is_progressive = any(marker == _PROGRESSIVE for marker, _ in markers)
    if not is_progressive and not values <= _UNDECODED:
        return False
    with Image.open(io.BytesIO(filled_up(content)), formats=("JPEG",)) as other:
        other.draft(None, image.size)
        return other.size != image.size or _differ(image, other)


def filled_up(content: bytes) -> bytes:
    r"""Return a JPEG with more bytes before its end marker; a whole one decodes to the same image.

    >>> filled_up(b"\xff\xd8\xff\xd9")[:4]
    b'\xff\xd8\x00\x01'
    """
    end = next((at for marker, at in _markers(content) if marker == _END), len(content))
    return content[:end] + _FILLING + content[end:]


def _differ(one: Image.Image, other: Image.Image) -> bool:
    difference = ImageChops.difference(one, other)
    return any(band.getbbox() is not None for band in difference.split())


def _markers(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield every marker and its place, as far as the JPEG can be followed."""
    at = 2
    while at + 2 <= len(content):
        if content[at] != 0xFF:
            return
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        yield marker, at
        if marker == _END:
            return
        if marker in _ALONE:
            at += 2
            continue
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if marker == _SCAN:
            found = _NEXT_MARKER.search(content, at)
            if not found:
                return
            at = found.start()
