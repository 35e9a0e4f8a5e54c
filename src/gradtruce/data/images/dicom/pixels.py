"""Decode the stored values of a DICOM image: one decoder a transfer syntax, in a fixed order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int32

from gradtruce.data.images.dicom.codestream import codestream_of
from gradtruce.data.images.dicom.header import Header
from gradtruce.data.images.dicom.jpeg_plugin import register
from gradtruce.data.images.dicom.quiet import guarded
from gradtruce.data.images.film import UnfitImageError
from gradtruce.data.images.whole import filled_up

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.pixels.decoders.base import Decoder

_PLUGINS = {  # GDCM and pylibjpeg-rle are left out: damage makes them end the process
    # transfer syntax → decoders in the order of trust
    "1.2.840.10008.1.2.4.50": ("pillow",),  # JPEG baseline
    "1.2.840.10008.1.2.4.51": ("imagecodecs", "pylibjpeg"),  # JPEG extended
    "1.2.840.10008.1.2.4.57": ("imagecodecs", "pylibjpeg"),  # JPEG lossless
    "1.2.840.10008.1.2.4.70": ("imagecodecs", "pylibjpeg"),  # JPEG lossless, first-order
    "1.2.840.10008.1.2.4.80": ("pyjpegls", "pylibjpeg"),  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.81": ("pyjpegls", "pylibjpeg"),  # JPEG-LS near-lossless
    "1.2.840.10008.1.2.4.90": ("pylibjpeg",),  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91": ("pylibjpeg",),  # JPEG 2000
    "1.2.840.10008.1.2.4.201": ("pylibjpeg",),  # high-throughput JPEG 2000
    "1.2.840.10008.1.2.4.202": ("pylibjpeg",),
    "1.2.840.10008.1.2.4.203": ("pylibjpeg",),
    "1.2.840.10008.1.2.5": ("pydicom",),  # RLE
}
_RLE = "1.2.840.10008.1.2.5"
_JPEG = {f"1.2.840.10008.1.2.4.{last}" for last in ("50", "51", "57", "70")}
_LOSSY = {f"1.2.840.10008.1.2.4.{last}" for last in ("50", "51", "81", "91", "203")}
_MONOCHROME = {"MONOCHROME1", "MONOCHROME2"}
_COLOUR = {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"}
_CUT = "damaged DICOM image, or cut off; replace it or leave it out"
_TINGE = 16  # JPEG rounds colour; more than that between the channels is no grey image

Stored = Int32[np.ndarray, "height width"]


def stored_values(dataset: Dataset, header: Header) -> tuple[Stored, bool]:
    """Return the stored values, and whether the transfer syntax loses anything.

    A colour image is taken only if it is grey in truth; its luminance is returned.

    Raises:
        UnfitImageError: If the image is damaged, is in colour, claims another size in its
            compressed frame than in the header, or needs a decoder that is not installed.
    """
    colours = 1 if header.photometric in _MONOCHROME else 3
    if colours == 3 and (header.photometric not in _COLOUR or header.bits != 8):
        raise UnfitImageError("neither a grey image nor one of 8-bit colour; export it as PNG")
    syntax = _transfer_syntax(dataset)
    plugin, decoder = _decoder(syntax)
    if syntax in _PLUGINS:
        _check_frame(dataset, header, colours, is_rle=syntax == _RLE)
    values = _decoded(dataset, decoder, plugin)
    if syntax in _JPEG and _may_end_early(values):
        _fill_up(dataset)
        if not np.array_equal(_decoded(dataset, decoder, plugin), values):
            raise UnfitImageError(_CUT)
    expected = (header.rows, header.columns) if colours == 1 else (header.rows, header.columns, 3)
    if values.shape != expected:
        raise UnfitImageError("its pixels are not as many as its header says; replace it")
    return (_grey_of(values) if colours == 3 else values).astype(np.int32), syntax in _LOSSY


def _decoded(dataset: Dataset, decoder: Decoder, plugin: str) -> np.ndarray:
    return guarded(lambda: decoder.as_array(dataset, index=0, decoding_plugin=plugin)[0], _CUT)


def _may_end_early(values: np.ndarray) -> bool:
    """Return whether the end looks like what libjpeg makes up: middle grey, or the row above."""
    middle = 1 << (8 * values.dtype.itemsize - 1)
    is_grey = np.abs(values[-1, -1].astype(np.int64) - middle).max() <= 1
    return bool(is_grey or np.array_equal(values[-1], values[-2:][0]))


def _fill_up(dataset: Dataset) -> None:
    from pydicom.encaps import encapsulate, get_frame  # noqa: PLC0415 - an extra

    frame = bytes(get_frame(dataset.PixelData, 0, number_of_frames=1))
    dataset.PixelData = encapsulate([filled_up(frame)], has_bot=False)


def _transfer_syntax(dataset: Dataset) -> str:
    """Return the UID as the file has it, or for uncompressed data as the file was parsed."""
    meta = getattr(dataset, "file_meta", None)
    named = guarded(lambda: str(meta.get("TransferSyntaxUID") or "") if meta else "", "damaged")
    if named:
        return named
    if dataset["PixelData"].is_undefined_length:
        raise UnfitImageError(
            "its DICOM header does not say how the pixels are compressed; save it again"
        )
    is_implicit, is_little = dataset.original_encoding
    if is_implicit:
        return "1.2.840.10008.1.2"
    return "1.2.840.10008.1.2.1" if is_little else "1.2.840.10008.1.2.2"


def _decoder(syntax: str) -> tuple[str, Decoder]:
    """Return the first decoder that is installed; "" stands for uncompressed data."""
    from pydicom.pixels.decoders.base import get_decoder  # noqa: PLC0415 - an extra
    from pydicom.uid import UID  # noqa: PLC0415 - an extra

    decoder = guarded(
        lambda: get_decoder(UID(syntax)),
        "its transfer syntax is none for a still image; export it as PNG",
    )
    register(decoder)
    if not UID(syntax).is_encapsulated:
        return "", decoder
    for plugin in _PLUGINS.get(syntax, ()):
        if plugin in decoder.available_plugins:
            return plugin, decoder
    raise UnfitImageError(
        f"compressed as {UID(syntax).name}, for which no decoder is installed; "
        'pip install "gradtruce[dicom]", or export it as PNG'
    )


def _check_frame(dataset: Dataset, header: Header, colours: int, *, is_rle: bool) -> None:
    """Raise where the compressed frame is not what the header claims: decoders trust it."""
    from pydicom.encaps import get_frame  # noqa: PLC0415 - an extra

    frame = guarded(
        lambda: bytes(get_frame(dataset.PixelData, 0, number_of_frames=1)),
        "damaged DICOM image (compressed frame); replace it or leave it out",
    )
    if is_rle:
        return
    stream = codestream_of(frame)
    if stream is None or not stream.is_whole:
        raise UnfitImageError(_CUT)
    allocated = int(dataset.BitsAllocated)
    if (stream.rows, stream.columns, stream.components) != (
        *(header.rows, header.columns),
        colours,
    ) or stream.precision > allocated:
        raise UnfitImageError("its compressed image is not what its header says; replace it")


def _grey_of(values: np.ndarray) -> np.ndarray:
    spread = values.max(axis=-1).astype(np.int16) - values.min(axis=-1)
    if int(spread.max()) > _TINGE:
        raise UnfitImageError("in colour, so no radiograph; export the radiograph as grey")
    luminance: np.ndarray = (values @ np.array([299, 587, 114]) + 500) // 1000
    return luminance
