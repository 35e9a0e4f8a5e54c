"""Nothing that identifies a person leaves a DICOM header, not even in an error."""

import dataclasses
import logging
import traceback
import warnings

import pytest

pydicom = pytest.importorskip("pydicom")

from gradtruce.data.images.dicom.header import FIELDS  # noqa: E402
from gradtruce.data.images.read import read_film  # noqa: E402
from gradtruce.data.images.view_bytes import encode_view  # noqa: E402
from tests.data.images.dicom_files import (  # noqa: E402
    ENCODED,
    IDENTITY,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    dataset_of,
    dicom_bytes,
    radiograph,
    written,
)

WORDS = {
    part.lower()
    for value in IDENTITY.values()
    for part in (value, *value.replace("^", " ").split())
    if len(part) > 3 and part.lower() not in {"chest", "call", "portable"}
}


def leaks_in(text):
    return sorted(word for word in WORDS if word in text.lower())


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, *ENCODED])
def test_no_identity_is_in_what_is_returned(tmp_path, syntax):
    bits = 8 if syntax == JPEGBaseline8Bit else 12
    content = dicom_bytes(radiograph(bits), bits, syntax)
    assert len(leaks_in(content.decode("latin-1"))) == len(WORDS)
    (tmp_path / "a.dcm").write_bytes(content)
    film = read_film(tmp_path / "a.dcm")
    returned = [getattr(film, field.name) for field in dataclasses.fields(film)]
    assert leaks_in(repr(returned)) == []
    for stored in (encode_view(film.pixels), encode_view(film.pixels, jpeg=95)):
        assert leaks_in(stored.decode("latin-1")) == []


def test_fields_that_are_read_are_of_the_image_and_not_of_the_person():
    free = {"PN", "DA", "TM", "DT", "AS", "UI", "LO", "LT", "ST", "UT", "SH", "UC", "UR"}
    for name in FIELDS:
        assert pydicom.datadict.dictionary_VR(name) not in free, f"{name} may hold free text"


BREAKS = {
    "a name where a number must be": {"WindowCenter": "Nightingale"},
    "a name as the view": {"ViewPosition": "NIGHTINGALE"},
    "a name as the modality": {"Modality": "NIGHTINGALE"},
    "a name as the VOI function": {"VOILUTFunction": "NIGHTINGALE"},
    "a name as the photometric interpretation": {"PhotometricInterpretation": "NIGHTINGALE"},
    "a name as the orientation": {"PatientOrientation": ["NIGHTINGALE", "SEACOLE"]},
    "a name as the number of frames": {"NumberOfFrames": "Nightingale"},
    "cut off": {"Rows": 41},
    "too large": {"Rows": 65_000, "Columns": 65_000},
    "in part missing": {"Rows": None},
}


@pytest.mark.parametrize("broken", BREAKS)
def test_no_identity_is_in_an_error_a_warning_or_a_log(tmp_path, caplog, capfd, broken):
    with pydicom.config.disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fields = {
            name: pydicom.DataElement(
                pydicom.datadict.tag_for_keyword(name), "CS", value, already_converted=True
            )
            if isinstance(value, str)
            else value
            for name, value in BREAKS[broken].items()
        }
        content = broken_bytes(fields)
    (tmp_path / "a.dcm").write_bytes(content)
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        text = outcome_of(tmp_path / "a.dcm")
    captured = capfd.readouterr()
    texts = (text, caplog.text, captured.out, captured.err, repr([str(w) for w in warned]))
    assert [leaks_in(part) for part in texts] == [[]] * 5


def broken_bytes(fields):
    """Write the data set, elements given whole put in after the checks of pydicom."""
    whole = {name: e for name, e in fields.items() if isinstance(e, pydicom.DataElement)}
    dataset = dataset_of(
        radiograph(), **{name: value for name, value in fields.items() if name not in whole}
    )
    for element in whole.values():
        dataset[element.tag] = element
    return written(dataset, ExplicitVRLittleEndian)


def outcome_of(path):
    """Return the film or the whole story of the error, every chained one included."""
    try:
        return repr(read_film(path))
    except ValueError as error:
        return "".join(traceback.format_exception(error)) + repr(error.__context__)


def test_pydicom_speaks_again_afterwards(tmp_path):
    (tmp_path / "a.dcm").write_bytes(dicom_bytes(radiograph()))
    before = logging.getLogger("pydicom").level
    read_film(tmp_path / "a.dcm")
    assert logging.getLogger("pydicom").level == before
