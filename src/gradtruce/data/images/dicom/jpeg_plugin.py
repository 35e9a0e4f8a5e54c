"""A decoder plug-in of pydicom for the JPEG processes that its own cannot decode safely.

Lossless JPEG is what many archives store; of pydicom's plug-ins GDCM ends the process on a damaged
frame, and pylibjpeg-libjpeg is under the GPL. libjpeg-turbo, as imagecodecs (BSD) brings it,
decodes lossless JPEG of 2 to 16 bits and extended JPEG of 12, and reports damage as an error.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import Decoder, DecodeRunner

NAME = "imagecodecs"
"""What the plug-in is called in pydicom."""

DECODER_DEPENDENCIES = {  # pydicom looks for this name
    "1.2.840.10008.1.2.4.51": ("imagecodecs>=2025.3",),
    "1.2.840.10008.1.2.4.57": ("imagecodecs>=2025.3",),
    "1.2.840.10008.1.2.4.70": ("imagecodecs>=2025.3",),
}


def is_available(uid: str) -> bool:
    """Return whether the plug-in can decode that transfer syntax here.

    >>> is_available("1.2.840.10008.1.2.4.50")
    False
    """
    return uid in DECODER_DEPENDENCIES and find_spec("imagecodecs") is not None


def register(decoder: Decoder) -> None:
    """Make the plug-in known to a decoder of pydicom, once."""
    if is_available(decoder.UID) and NAME not in decoder.available_plugins:
        decoder.add_plugin(NAME, (__name__, "decode_frame"))


def decode_frame(source: bytes, runner: DecodeRunner) -> bytes:
    """Return the samples of a frame as pydicom lays them out."""
    import imagecodecs  # noqa: PLC0415 - an extra

    samples: np.ndarray = imagecodecs.jpeg8_decode(source)
    return samples.astype(f"<u{runner.bits_allocated // 8}").tobytes()
