from dataclasses import fields

import numpy as np
import pytest

from gradtruce.data.prepared import PreparedDataset, PreparedWriter
from gradtruce.data.prepared_schema import check_study, from_row, to_row
from gradtruce.data.study import Finding, Region, View


def test_every_field_survives_writing_and_reading(tmp_path, rich_study, make_study):
    with PreparedWriter(tmp_path / "set", name="rich", source="by hand") as writer:
        writer.add(make_study("before", patient="p"))
        writer.add(rich_study)
        writer.add(make_study("v", "val"))
        writer.add(make_study("t", "test"))
    read = PreparedDataset.open(tmp_path / "set").study("rich")
    for name in ("id", "patient", "split", "report", "label_source", "prior", "is_synthetic"):
        assert getattr(read, name) == getattr(rich_study, name)
    assert dict(read.sections) == dict(rich_study.sections)
    assert dict(read.labels) == dict(rich_study.labels)
    for mine, theirs in zip(read.views, rich_study.views, strict=True):
        assert mine.position == theirs.position
        np.testing.assert_array_equal(mine.pixels, theirs.pixels)
    for found, written in zip(read.findings, rich_study.findings, strict=True):
        for field in fields(Finding):
            if field.name != "regions":
                assert getattr(found, field.name) == getattr(written, field.name)
        for mine, theirs in zip(found.regions, written.regions, strict=True):
            assert (mine.view, mine.box) == (theirs.view, theirs.box)
            np.testing.assert_array_equal(mine.mask, theirs.mask)


def test_a_study_with_the_least_survives(make_study):
    study = from_row(to_row(make_study(views=1, labels={}, label_source="")))
    assert (study.labels, study.findings, study.sections, study.prior) == ({}, (), {}, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": " "}, "its id is blank"),
        ({"patient": ""}, "its patient is blank"),
        ({"split": "validate"}, "its split is 'validate'"),
        ({"report": " \n"}, "its report is empty; give it a report or leave it out"),
        ({"report": "\ud800"}, "its text is not valid Unicode"),
        ({"views": ()}, "it has no view"),
        ({"label_source": ""}, "labels without a source"),
        ({"labels": {"Oedema": 1}}, "label 'Oedema' is none of the 14"),
        ({"labels": {"Edema": 2}}, "label 'Edema' is 2; it must be 1, 0 or -1"),
        ({"findings": (Finding("Oedema", "x"),)}, "finding 'Oedema' is none of the 14"),
    ],
)
def test_a_study_that_breaks_a_rule_is_named(make_study, changes, message):
    study = make_study("bad")
    for name, value in changes.items():
        object.__setattr__(study, name, value)
    with pytest.raises(ValueError, match=message) as error:
        check_study(study)
    assert str(error.value).startswith("study ")


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((3, 3), dtype=np.float32), np.zeros((3, 3, 3), np.uint8), np.zeros((0, 3), np.uint8)],
)
def test_a_view_that_is_not_grey_bytes_is_refused(make_study, pixels):
    study = make_study("bad")
    object.__setattr__(study.views[0], "pixels", pixels)
    with pytest.raises(ValueError, match=r"study 'bad': a view must be .* uint8"):
        check_study(study)


@pytest.mark.parametrize(
    "region",
    [
        Region(2, (0, 0, 1, 1), np.ones((20, 16), bool)),
        Region(0, (0, 0, 1, 1), np.ones((9, 9), bool)),
    ],
)
def test_a_region_that_fits_no_view_is_refused(make_study, region):
    study = make_study("bad", findings=(Finding("Edema", "x", regions=(region,)),))
    with pytest.raises(ValueError, match=r"study 'bad': a region of view \d has a mask of shape"):
        check_study(study)


def test_one_pixel_is_a_view(make_study):
    film = View(np.array([[200]], dtype=np.uint8), "frontal")
    study = make_study()
    object.__setattr__(study, "views", (film,))
    assert from_row(to_row(study)).views[0].pixels.tolist() == [[200]]
