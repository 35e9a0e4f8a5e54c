"""Inflate a deflated DICOM file with a bound, before any parser does so without one."""

import zlib

from gradtruce.data.images.film import MAX_BYTES, UnfitImageError

_META_START = 144
"""Preamble (128), "DICM" (4) and the element that holds the length of the meta group (12)."""

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_PLAIN = b"1.2.840.10008.1.2.1".ljust(len(_DEFLATED), b"\0")


def inflated(content: bytes) -> bytes:
    """Return the file as explicit little endian where it is deflated, and as it is otherwise.

    Raises:
        UnfitImageError: If it is deflated and damaged, or holds more than `MAX_BYTES`.

    >>> inflated(b"not deflated")
    b'not deflated'
    """
    length = int.from_bytes(content[140:144], "little")
    if content[128:136] != b"DICM\x02\0\0\0" or length > len(content):
        if _DEFLATED in content[:4096]:
            raise UnfitImageError("a deflated DICOM file without meta header; save it again")
        return content
    start = _META_START + length
    meta = content[:start]
    if _DEFLATED not in meta:
        return content
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        body = stream.decompress(content[start:], MAX_BYTES)
    except zlib.error:
        body = b""
    if not body or not stream.eof:
        raise UnfitImageError("damaged DICOM file (deflated part); replace it or leave it out")
    return meta.replace(_DEFLATED, _PLAIN) + body
