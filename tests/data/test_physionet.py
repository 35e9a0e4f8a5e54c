"""Tables in PhysioNet's layout, with made-up ids."""

import gzip

import pytest

from gradtruce.data.physionet import read_metadata, read_splits

COLUMNS = (
    "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,"
    "StudyDate,StudyTime,ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,"
    "PatientOrientationCodeSequence_CodeMeaning\n"
)


def metadata(tmp_path, *rows):
    path = tmp_path / "mimic-cxr-2.0.0-metadata.csv.gz"
    path.write_bytes(gzip.compress((COLUMNS + "".join(row + "\n" for row in rows)).encode()))
    return path


def row(view="AP", date="21500131", time="101500.5", study="50"):
    return f'ab-cd,10,{study},"CHEST (PA, LAT)",{view},3000,2500,{date},{time},x,y,Erect'


def test_a_row_of_metadata_is_an_image(tmp_path):
    (image,) = read_metadata(metadata(tmp_path, row()))
    assert (image.dicom_id, image.subject_id, image.study_id) == ("ab-cd", "10", "50")
    assert (image.view_code, image.position) == ("AP", "frontal")
    assert image.acquired.isoformat() == "2150-01-31T10:15:00.500000"


@pytest.mark.parametrize(
    ("time", "clock"),
    [
        ("0", "00:00:00"),
        ("", "00:00:00"),
        ("7", "00:00:07"),
        ("80556.875", "08:05:56.875000"),
        ("235959.0", "23:59:59"),
    ],
)
def test_a_time_may_have_lost_its_leading_zeros(tmp_path, time, clock):
    (image,) = read_metadata(metadata(tmp_path, row(time=time)))
    assert image.acquired.time().isoformat() == clock


def test_views_and_dates_may_be_missing(tmp_path):
    images = list(read_metadata(metadata(tmp_path, row(view="", date=""), row(view="LAO"))))
    assert [image.position for image in images] == ["unknown", "unknown"]
    assert images[0].acquired is None


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row(date="21501301"), "line 3: StudyDate and StudyTime must be like"),
        (row(date="May"), "StudyDate and StudyTime must be like"),
        (row(time="250000"), "StudyDate and StudyTime must be like"),
        (row(study="s50"), "line 3: needs a dicom_id, and digits for subject_id and study_id"),
        ("a,b", "line 3: too many or too few cells"),
    ],
)
def test_a_bad_row_of_metadata_is_named(tmp_path, bad, message):
    with pytest.raises(ValueError, match=message):
        list(read_metadata(metadata(tmp_path, row(), bad)))


def test_missing_columns_are_named(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("dicom_id,subject_id,study_id,StudyDate\n")
    with pytest.raises(ValueError, match=r"m\.csv: lacks the columns ViewPosition, StudyTime"):
        next(read_metadata(path))
    with pytest.raises(ValueError, match=r"m\.csv: lacks the columns split"):
        read_splits(path)


def splits(tmp_path, *rows):
    path = tmp_path / "mimic-cxr-2.0.0-split.csv.gz"
    text = "dicom_id,study_id,subject_id,split\n" + "".join(row + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_splits_are_by_study(tmp_path):
    path = splits(tmp_path, "a,50,10,train", "b,50,10,train", "c,51,11,validate", "d,52,12,test")
    assert read_splits(path) == {"50": "train", "51": "val", "52": "test"}


def test_a_patient_in_two_splits_is_a_leak(tmp_path):
    with pytest.raises(ValueError, match="line 3: patient 10, study 51, is in test and in another"):
        read_splits(splits(tmp_path, "a,50,10,train", "b,51,10,test"))


def test_an_unknown_split_is_named(tmp_path):
    with pytest.raises(ValueError, match="line 2: split must be train, validate or test, is 'val'"):
        read_splits(splits(tmp_path, "a,50,10,val"))
