"""Tell from its first bytes what a file is, whatever its name ends in."""

from pathlib import PurePath

from gradtruce.data.images.film import Kind

_MAGIC: dict[bytes, Kind] = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg"}
_FOREIGN = {
    b"GIF8": "a GIF image",
    b"BM": "a BMP image",
    b"II*\0": "a TIFF image",
    b"MM\0*": "a TIFF image",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 image",
    b"\xff\x4f\xff\x51": "a JPEG 2000 image",
    b"\x1f\x8b": "a gzip archive",
    b"PK\x03\x04": "a zip archive",
    b"%PDF": "a PDF document",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b"<?xml": "an XML document",
}
_ENDINGS: dict[str, Kind] = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".dcm": "dicom",
    ".dicom": "dicom",
    ".dic": "dicom",
}
_VALUE_KINDS = {b"UL", b"UI", b"CS", b"OB", b"DA", b"TM", b"SH", b"LO", b"DT"}


def kind_of(content: bytes) -> Kind | None:
    """Return what kind of image the content is, or `None`.

    >>> kind_of(bytes(128) + b"DICM"), kind_of(b"GIF89a")
    ('dicom', None)
    """
    for magic, kind in _MAGIC.items():
        if content.startswith(magic):
            return kind
    return "dicom" if content[128:132] == b"DICM" or _is_bare_dicom(content) else None


def describe_foreign(content: bytes) -> str:
    """Return what content of no supported kind seems to be.

    >>> describe_foreign(b"GIF89a"), describe_foreign(b"?")
    ('a GIF image', 'a file of no known kind')
    """
    for magic, name in _FOREIGN.items():
        if content.startswith(magic):
            return name
    return "a WebP image" if content[8:12] == b"WEBP" else "a file of no known kind"


def ending_says(path: PurePath) -> Kind | None:
    """Return the kind that the name's ending stands for, or `None` where it stands for none.

    >>> ending_says(PurePath("film.JPG")), ending_says(PurePath("1.2.3"))
    ('jpeg', None)
    """
    return _ENDINGS.get(path.suffix.lower())


def _is_bare_dicom(content: bytes) -> bool:
    """Return whether it starts with an element of group 2 or 8, without preamble."""
    if len(content) < 16 or content[:2] not in {b"\x02\0", b"\x08\0"} or content[3] != 0:
        return False
    length = int.from_bytes(content[4:8], "little")
    return content[4:6] in _VALUE_KINDS or length <= 64
