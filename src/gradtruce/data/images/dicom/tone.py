"""From stored values to the grey that is meant to be seen: modality LUT, VOI, polarity."""

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64, UInt8

from gradtruce.data.images.dicom.header import Header, LookupTable

TAIL = 0.001
"""Share of the pixels that is cut at either end where a file has no window."""

Values = Float64[np.ndarray, " values"]
Counts = Int64[np.ndarray, " values"]


def grey_of(
    stored: Int32[np.ndarray, "height width"], header: Header
) -> tuple[UInt8[np.ndarray, "height width"], str, tuple[str, ...]]:
    """Return the image as 8-bit grey, how it came about, and notes.

    The order is that of DICOM PS3.3 C.11 and PS3.4 N.2: modality LUT or rescale; the first VOI
    LUT, else the first window; polarity. It is worked out once for every value that can be
    stored, so that the pixels are looked up and no copy of the image in float is made. Without a
    usable window, up to 8 bits show their full range, and more bits the range from the 0.1 to the
    99.9 percentile of the pixels that are not padding.
    """
    lowest = -(1 << (header.bits - 1)) if header.is_signed else 0
    codes = np.arange(lowest, lowest + (1 << header.bits))
    index = (stored - lowest).clip(0, len(codes) - 1)
    counts = np.bincount(index.ravel(), minlength=len(codes))
    modality = _modality(codes, header)
    counts[_padded(codes, header)] = 0
    brightness, how, notes = _brightness(modality, counts, header)
    if header.photometric == "MONOCHROME1":
        brightness = 1 - brightness
    contrary = {"MONOCHROME1": "IDENTITY", "MONOCHROME2": "INVERSE"}.get(header.photometric)
    if header.shape and header.shape == contrary:
        notes = (*notes, "Presentation LUT Shape contradicts the photometric interpretation")
    table = np.rint(brightness * 255).astype(np.uint8)
    return table[index], how, notes


def _modality(codes: np.ndarray, header: Header) -> Values:
    if header.modality_lut is not None:
        return _looked_up(codes.astype(np.float64), header.modality_lut)
    return codes * header.slope + header.intercept


def _padded(codes: np.ndarray, header: Header) -> Bool[np.ndarray, " values"]:
    if header.padding is None:
        return np.zeros(len(codes), dtype=bool)
    low, high = header.padding
    return (codes >= low) & (codes <= high)


def _brightness(
    modality: Values, counts: Counts, header: Header
) -> tuple[Values, str, tuple[str, ...]]:
    """Return the brightness from 0 to 1 of every value, how it came about, and notes."""
    notes: tuple[str, ...] = ()
    if header.voi_luts:
        lut = header.voi_luts[0]
        top = (1 << max(1, int(lut.values.max()).bit_length())) - 1
        shown = _looked_up(modality, lut) / top
        if _has_contrast(shown, counts):
            return shown, f"VOI LUT 1 of {len(header.voi_luts)}", notes
        notes = ("VOI LUT shows nothing",)
    if header.windows:
        seen = _windowed(modality, *header.windows[0], header.voi_function)
        if seen is not None and _has_contrast(seen, counts):
            return seen, f"VOI window 1 of {len(header.windows)}", notes
        notes = (*notes, "VOI window shows nothing")
    if header.bits <= 8:
        return _stretched(modality, modality.min(), modality.max()), "full range", notes
    return _by_percentiles(modality, counts), "percentiles 0.1 to 99.9", notes


def _looked_up(values: Values, lut: LookupTable) -> Values:
    first = lut.first - (1 << 16) if lut.first >= 1 << 15 and values.min() < 0 else lut.first
    index = np.clip(np.floor(values) - first, 0, len(lut.values) - 1).astype(np.int64)
    looked_up: Values = lut.values[index]
    return looked_up


def _windowed(values: Values, center: float, width: float, function: str) -> Values | None:
    """Return PS3.3 C.11.2.1.2 and C.11.2.1.3, or `None` where the window is not valid."""
    if not (np.isfinite(center) and np.isfinite(width)):
        return None
    if width < (1 if function == "LINEAR" else np.finfo(np.float64).tiny):
        return None
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -700, 700)))
    if function == "LINEAR":
        center, width = center - 0.5, width - 1
    if width == 0:
        return (values > center).astype(np.float64)
    return np.clip((values - center) / width + 0.5, 0, 1)


def _has_contrast(brightness: Values, counts: Counts) -> bool:
    """Return whether the pixels that are there get more than one grey."""
    seen = np.rint(brightness[counts > 0] * 255)
    return bool(seen.size) and bool(seen.min() < seen.max())


def _by_percentiles(modality: Values, counts: Counts) -> Values:
    order = np.argsort(modality, kind="stable")
    share = np.cumsum(counts[order]) / max(1, counts.sum())
    low, high = (modality[order[np.searchsorted(share, at)]] for at in (TAIL, 1 - TAIL))
    return _stretched(modality, low, high)


def _stretched(values: Values, low: float, high: float) -> Values:
    if not high > low:
        return np.zeros_like(values)
    return np.clip((values - low) / (high - low), 0, 1)
