"""Read from a compressed frame itself how large it is, before a native decoder sees it."""

from dataclasses import dataclass

_J2K_START = b"\xff\x4f\xff\x51"
_NO_LENGTH = {0x01, *range(0xD0, 0xD9)}
_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # not tables or JPG; JPEG-LS


@dataclass(frozen=True)
class Codestream:
    """Size of a compressed frame as its own header tells it."""

    rows: int
    columns: int
    components: int
    precision: int
    is_whole: bool


def codestream_of(frame: bytes) -> Codestream | None:
    r"""Return the size of a JPEG, JPEG-LS or JPEG 2000 frame, or `None` where it cannot be read.

    >>> head = bytes.fromhex("ffd8 ffc0 000b 08 0002 0003 01 011100")
    >>> codestream_of(head + b"\xff\xd9")
    Codestream(rows=2, columns=3, components=1, precision=8, is_whole=True)
    """
    is_whole = frame.rstrip(b"\0")[-2:] == b"\xff\xd9"
    start = frame.find(_J2K_START, 0, 4096)  # at 0, or after the boxes of a JP2 file
    if start >= 0:
        return _jpeg_2000(frame[start + 2 :], is_whole=is_whole)
    return _jpeg(frame, is_whole=is_whole) if frame[:2] == b"\xff\xd8" else None


def _jpeg_2000(size: bytes, *, is_whole: bool) -> Codestream | None:
    if len(size) < 43:
        return None
    right, bottom, left, top = (int.from_bytes(size[at : at + 4], "big") for at in range(6, 22, 4))
    components = int.from_bytes(size[38:40], "big")
    return Codestream(bottom - top, right - left, components, (size[40] & 0x7F) + 1, is_whole)


def _jpeg(frame: bytes, *, is_whole: bool) -> Codestream | None:
    at = 2
    while at + 9 < len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker in _FRAME_MARKERS:
            rows = int.from_bytes(frame[at + 5 : at + 7], "big")
            columns = int.from_bytes(frame[at + 7 : at + 9], "big")
            return Codestream(rows, columns, frame[at + 9], frame[at + 4], is_whole)
        if marker == 0xFF:
            at += 1
        elif marker in _NO_LENGTH:
            at += 2
        else:
            at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None
