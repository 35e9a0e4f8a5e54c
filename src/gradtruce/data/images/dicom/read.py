"""Read a DICOM radiograph as 8-bit grey, and of its header only what the image needs."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

from gradtruce.data.images.dicom.header import FIELDS, read_header
from gradtruce.data.images.dicom.inflate import inflated
from gradtruce.data.images.dicom.orientation import position_of, upright
from gradtruce.data.images.dicom.pixels import stored_values
from gradtruce.data.images.dicom.quiet import guarded
from gradtruce.data.images.dicom.tone import grey_of
from gradtruce.data.images.film import Film
from gradtruce.data.images.shrink import shrunk

if TYPE_CHECKING:
    from pydicom import Dataset


def read_dicom(content: bytes, short_side: int, notes: tuple[str, ...] = ()) -> Film:
    """Return the film in the content of a DICOM file.

    Raises:
        UnfitImageError: If it is damaged, too large, or no single grey radiograph.
        ImportError: If pydicom is not installed.
    """
    dataset = _parse(content)
    header = read_header(dataset)
    stored, is_lossy = stored_values(dataset, header)
    grey, how, tone_notes = grey_of(stored, header)
    small = shrunk(Image.fromarray(grey), short_side, header.tallness)
    pixels, turn_notes = upright(small, header.orientation)
    return Film(
        pixels,
        position=position_of(header.view_position, header.view_codes, header.orientation),
        burned_in=header.burned_in,
        lossy=is_lossy or header.was_lossy,
        kind="dicom",
        grey=how,
        notes=(*notes, *tone_notes, *turn_notes),
    )


def _parse(content: bytes) -> Dataset:
    """Return the allow-listed elements; pydicom skips the others without keeping them."""
    try:
        import pydicom  # noqa: PLC0415 - an extra
    except ImportError:
        raise ImportError(
            'reading DICOM needs pydicom: pip install "gradtruce[dicom]", or export the images '
            "as PNG"
        ) from None
    return guarded(
        lambda: pydicom.dcmread(
            io.BytesIO(inflated(content)), force=True, specific_tags=list(FIELDS)
        ),
        "damaged DICOM file; replace it or leave it out",
    )
