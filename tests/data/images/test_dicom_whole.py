"""A compressed frame that lost its end is refused though it has an end marker."""

import io

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")

from pydicom.encaps import encapsulate, get_frame  # noqa: E402

from gradtruce.data.images.read import read_film  # noqa: E402
from tests.data.images.dicom_files import (  # noqa: E402
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    dicom_bytes,
    radiograph,
    written,
)


@pytest.mark.parametrize("share", [0.5, 0.75, 0.95])
@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLosslessSV1])
def test_a_jpeg_frame_that_ends_early_is_refused(tmp_path, syntax, share):
    dataset = pydicom.dcmread(io.BytesIO(dicom_bytes(radiograph(8), 8, syntax)))
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    dataset.PixelData = encapsulate([frame[: int(share * len(frame))] + b"\xff\xd9"])
    path = tmp_path / "a.dcm"
    path.write_bytes(written(dataset, syntax))
    with pytest.raises(ValueError, match="cut off"):
        read_film(path)


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLosslessSV1])
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_jpeg_frame_of_one_grey_is_whole(tmp_path, syntax, grey):
    path = tmp_path / "a.dcm"
    path.write_bytes(dicom_bytes(np.full((40, 48), grey, np.uint8), 8, syntax))
    assert np.ptp(read_film(path).pixels) == 0
