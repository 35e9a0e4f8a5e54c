"""Read the few header fields that an image needs; no other field is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from jaxtyping import Float64

from gradtruce.data.images.dicom.quiet import guarded
from gradtruce.data.images.film import UnfitImageError, refuse_bomb

if TYPE_CHECKING:
    from pydicom import Dataset

FIELDS = (
    *("Modality", "PresentationIntentType", "ViewPosition", "ViewCodeSequence"),
    *("PatientOrientation", "BurnedInAnnotation", "LossyImageCompression"),
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames"),
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept"),
    *("VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction"),
    *("PresentationLUTShape", "PixelData"),
)
"""Every element that is read. None identifies a person, a place, a date or a device."""

VoiFunction = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]

_RADIOGRAPHS = {"", "CR", "DX", "RG", "RF", "OT", "SC"}
_REQUIRED = ("Rows", "Columns", "BitsAllocated", "PhotometricInterpretation")


@dataclass(frozen=True, eq=False)
class LookupTable:
    """Output values for the inputs `first`, `first` + 1, …; inputs outside take the end values."""

    first: int
    values: Float64[np.ndarray, " entries"]


@dataclass(frozen=True, eq=False)
class Header:
    """What of a DICOM header the pixels need, checked.

    Attributes:
        rows: Height in pixels.
        columns: Width in pixels.
        bits: Bits stored, 1 to 16.
        is_signed: Whether stored values are two's complement.
        photometric: Such as "MONOCHROME1".
        tallness: Height of a pixel through its width.
        padding: Lowest and highest stored value that stands for "no image here".
        modality_lut: Table from stored values to modality values, before the VOI.
        slope: Of the rescale.
        intercept: Of the rescale.
        voi_luts: VOI tables, the first counts.
        windows: Centre and width of each VOI window, the first counts.
        voi_function: How a window is applied.
        shape: Presentation LUT shape, "IDENTITY", "INVERSE" or "".
        orientation: Letters of the directions in which columns and rows grow.
        view_position: Text of the field, in capitals.
        view_codes: Code values of the view.
        burned_in: Burned-in annotation flag.
        was_lossy: Lossy compression flag.
    """

    rows: int
    columns: int
    bits: int
    is_signed: bool
    photometric: str
    tallness: float
    padding: tuple[int, int] | None
    modality_lut: LookupTable | None
    slope: float
    intercept: float
    voi_luts: tuple[LookupTable, ...]
    windows: tuple[tuple[float, float], ...]
    voi_function: VoiFunction
    shape: str
    orientation: tuple[str, ...]
    view_position: str
    view_codes: tuple[str, ...]
    burned_in: bool | None
    was_lossy: bool


def read_header(dataset: Dataset) -> Header:
    """Return the checked header fields of a data set that was read with `FIELDS` alone.

    Raises:
        UnfitImageError: If a field that is needed lacks or is damaged, or if this is no single
            grey radiograph of at most 16 bits.
    """
    return guarded(lambda: _header(dataset), "damaged DICOM header; replace it or leave it out")


def _refuse_other_objects(dataset: Dataset) -> None:
    if _text(dataset, "Modality") not in _RADIOGRAPHS:
        raise UnfitImageError("its Modality is not that of a radiograph (CR, DX); leave it out")
    if _text(dataset, "PresentationIntentType") == "FOR PROCESSING":
        raise UnfitImageError(
            "raw detector values (Presentation Intent Type FOR PROCESSING), not an image to look "
            "at; use the FOR PRESENTATION image of that view"
        )
    if "PixelData" not in dataset:
        raise UnfitImageError("a DICOM file without pixel data, or cut off; replace or leave it")
    for name in _REQUIRED:
        if dataset.get(name) in {None, ""}:
            raise UnfitImageError(f"its DICOM header lacks {name}; replace it or leave it out")


def _header(dataset: Dataset) -> Header:
    _refuse_other_objects(dataset)
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    refuse_bomb(columns, rows)
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        raise UnfitImageError("a DICOM file of several frames; export the one frame to use")
    bits = _bits(dataset)
    is_signed = bool(int(dataset.get("PixelRepresentation") or 0))
    voi_function = _text(dataset, "VOILUTFunction") or "LINEAR"
    if voi_function not in {"LINEAR", "LINEAR_EXACT", "SIGMOID"}:
        raise UnfitImageError("its VOI LUT Function is none of the standard; export it as PNG")
    annotation = _text(dataset, "BurnedInAnnotation")
    return Header(
        rows=rows,
        columns=columns,
        bits=bits,
        is_signed=is_signed,
        photometric=_text(dataset, "PhotometricInterpretation"),
        tallness=_tallness(dataset),
        padding=_padding(dataset, is_signed=is_signed),
        modality_lut=next(_tables(dataset, "ModalityLUTSequence"), None),
        slope=_number(dataset, "RescaleSlope", 1.0),
        intercept=_number(dataset, "RescaleIntercept", 0.0),
        voi_luts=tuple(_tables(dataset, "VOILUTSequence")),
        windows=tuple(
            zip(_numbers(dataset, "WindowCenter"), _numbers(dataset, "WindowWidth"), strict=False)
        ),
        voi_function=cast("VoiFunction", voi_function),
        shape=_text(dataset, "PresentationLUTShape"),
        orientation=tuple(str(value).strip() for value in _values(dataset, "PatientOrientation")),
        view_position=_text(dataset, "ViewPosition"),
        view_codes=tuple(
            str(item.get("CodeValue") or "") for item in dataset.get("ViewCodeSequence") or ()
        ),
        burned_in={"YES": True, "NO": False}.get(annotation),
        was_lossy=_text(dataset, "LossyImageCompression") == "01",
    )


def _bits(dataset: Dataset) -> int:
    allocated = int(dataset.BitsAllocated)
    stored = int(dataset.get("BitsStored") or allocated)
    high = dataset.get("HighBit")
    if allocated not in {8, 16} or not 1 <= stored <= allocated:
        raise UnfitImageError("not 8 or 16 bits allocated a pixel; export it as PNG")
    if high not in {None, ""} and int(high) != stored - 1:
        raise UnfitImageError("its High Bit is not its Bits Stored less 1; export it as PNG")
    return stored


def _values(dataset: Dataset, name: str) -> Sequence[object]:
    value = dataset.get(name)
    if value is None or value == "":
        return ()
    is_one = isinstance(value, str | int | float) or not isinstance(value, Sequence)
    return (value,) if is_one else value


def _text(dataset: Dataset, name: str) -> str:
    values = _values(dataset, name)
    return str(values[0]).strip().upper() if values else ""


def _numbers(dataset: Dataset, name: str) -> list[float]:
    return [float(str(value)) for value in _values(dataset, name)]


def _number(dataset: Dataset, name: str, absent: float) -> float:
    numbers = _numbers(dataset, name)
    if numbers and not np.isfinite(numbers[0]):
        raise UnfitImageError(f"its {name} is not finite; replace it or leave it out")
    return numbers[0] if numbers else absent


def _tallness(dataset: Dataset) -> float:
    """Return the height of a pixel through its width, within 1/4 to 4."""
    for name in ("PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio"):
        numbers = _numbers(dataset, name)
        if len(numbers) == 2 and all(np.isfinite(n) and n > 0 for n in numbers):
            tallness = numbers[0] / numbers[1]
            if not 0.25 <= tallness <= 4:
                raise UnfitImageError(f"its {name} is not believable; export it as PNG")
            return 1.0 if abs(tallness - 1) < 0.005 else tallness
    return 1.0


def _padding(dataset: Dataset, *, is_signed: bool) -> tuple[int, int] | None:
    ends = [
        int(str(values[0]))
        for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")
        if (values := _values(dataset, name))
    ]
    if not ends:
        return None
    wrapped = [end - (1 << 16) if is_signed and end >= 1 << 15 else end for end in ends]
    return min(wrapped), max(wrapped)


def _tables(dataset: Dataset, name: str) -> Iterator[LookupTable]:
    order = ">" if dataset.original_encoding[1] is False else "<"
    for item in dataset.get(name) or ():
        count, first, _ = (int(value) for value in item.LUTDescriptor)
        count = (count & 0xFFFF) or 1 << 16
        data = item.LUTData
        if isinstance(data, bytes):
            is_narrow = len(data) in {count, count + 1}
            values = np.frombuffer(data, "u1" if is_narrow else f"{order}u2")
        else:
            values = np.asarray(data if isinstance(data, Sequence) else [data])
        if len(values) < count:
            raise UnfitImageError(f"its {name} is shorter than it says; replace or leave it out")
        yield LookupTable(first, values[:count].astype(np.float64))
