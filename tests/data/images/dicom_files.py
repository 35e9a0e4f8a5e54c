"""Write small DICOM radiographs for tests, of any transfer syntax that can be encoded here."""

import io
import warnings
from typing import Any

import numpy as np
import pytest
from PIL import Image

pydicom = pytest.importorskip("pydicom")

from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.encaps import encapsulate  # noqa: E402
from pydicom.uid import (  # noqa: E402
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

IDENTITY = {  # what must never get out
    "PatientName": "Nightingale^Florence",
    "PatientID": "MRN-99887766",
    "PatientBirthDate": "18200512",
    "AccessionNumber": "ACC-31337",
    "StudyDate": "19991231",
    "InstitutionName": "Scutari Hospital",
    "ReferringPhysicianName": "Seacole^Mary",
    "StudyDescription": "Chest for Mrs Nightingale",
    "SeriesDescription": "Portable at the bed of Nightingale",
    "SOPInstanceUID": "1.2.826.0.1.3680043.8.498.4711",
    "StudyInstanceUID": "1.2.826.0.1.3680043.8.498.4712",
    "ImageComments": "call Dr Seacole",
    "DeviceSerialNumber": "SN-5550001",
}
NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)
ENCODED = (RLELossless, JPEG2000Lossless, JPEGLSLossless, JPEGLosslessSV1, JPEGBaseline8Bit)


def radiograph(bits: int = 12, *, signed: bool = False, shape: tuple[int, int] = (40, 48)) -> Any:
    """Return stored values that use the whole range of `bits`: a ramp with noise."""
    ramp = np.linspace(0, 1, shape[0] * shape[1]).reshape(shape)
    noise = np.random.default_rng(0).normal(0, 0.03, shape)
    values = np.rint(np.clip(ramp + noise, 0, 1) * ((1 << bits) - 1)).astype(np.int64)
    values[0, 0], values[-1, -1] = 0, (1 << bits) - 1
    if signed:
        return (values - (1 << (bits - 1))).astype("i1" if bits <= 8 else "<i2")
    return values.astype("u1" if bits <= 8 else "<u2")


def dataset_of(pixels: Any, bits: int = 12, **fields: Any) -> Dataset:
    """Return a data set of those stored values with all of `IDENTITY`, changed by `fields`.

    A field of `None` is left out.
    """
    dataset = Dataset()
    colours = 1 if pixels.ndim == 2 else 3
    values = {
        **IDENTITY,
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1",
        "Modality": "DX",
        "PhotometricInterpretation": "MONOCHROME2" if colours == 1 else "RGB",
        "SamplesPerPixel": colours,
        "PlanarConfiguration": None if colours == 1 else 0,
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": pixels.dtype.itemsize * 8,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        **fields,
    }
    for name, value in values.items():
        if value is not None:
            setattr(dataset, name, value)
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    dataset["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    return dataset


def dicom_bytes(
    pixels: Any, bits: int = 12, syntax: str = ExplicitVRLittleEndian, **fields: Any
) -> bytes:
    """Return the bytes of a DICOM file."""
    dataset = dataset_of(pixels, bits, **fields)
    if syntax in ENCODED:
        _compress(dataset, pixels, syntax)
    return written(dataset, syntax)


def written(dataset: Dataset, syntax: str) -> bytes:
    """Return the data set as a file with preamble and meta header."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = IDENTITY["SOPInstanceUID"]
    dataset.file_meta = meta
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if syntax == ExplicitVRBigEndian and dataset.BitsAllocated == 16:
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
        pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def _compress(dataset: Dataset, pixels: Any, syntax: str) -> None:
    if syntax == JPEGBaseline8Bit:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=98)
        frame = buffer.getvalue()
        dataset.LossyImageCompression = "01"
    elif syntax == JPEGLosslessSV1:
        frame = jpeg_lossless(dataset, pixels)
    else:
        pytest.importorskip(
            {RLELossless: "numpy", JPEGLSLossless: "jpeg_ls"}.get(syntax, "openjpeg")
        )
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.compress(syntax, generate_instance_uid=False)
        return
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def jpeg_lossless(dataset: Dataset, pixels: Any) -> bytes:
    """Return the pixels as a lossless JPEG frame."""
    imagecodecs = pytest.importorskip("imagecodecs")
    return imagecodecs.jpeg8_encode(
        pixels.view(f"u{pixels.dtype.itemsize}"),
        lossless=True,
        bitspersample=dataset.BitsStored,
    )


__all__ = [
    "ENCODED",
    "IDENTITY",
    "NATIVE",
    "DeflatedExplicitVRLittleEndian",
    "ExplicitVRBigEndian",
    "ExplicitVRLittleEndian",
    "ImplicitVRLittleEndian",
    "JPEG2000Lossless",
    "JPEGBaseline8Bit",
    "JPEGLSLossless",
    "JPEGLosslessSV1",
    "RLELossless",
    "dataset_of",
    "dicom_bytes",
    "radiograph",
    "written",
]
