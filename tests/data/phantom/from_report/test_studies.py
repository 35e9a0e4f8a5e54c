"""Studies drawn for made-up reports, and for the real ones where they are."""

import json
import pickle
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from gradtruce.data.label_file import LabelFile
from gradtruce.data.observations import FINDINGS
from gradtruce.data.phantom.from_report.studies import (
    SECTION,
    ReportRecord,
    phantom_studies,
    plan_study,
    study_from_report,
)
from gradtruce.data.phantom.from_report.survey import survey_plans
from gradtruce.data.phantom.from_report.visibility import visible
from gradtruce.data.prepared_schema import from_row, to_row

SIZE = 64
RECORD = ReportRecord(
    id="CXR7_IM-0001",
    patient="7",
    split="train",
    report="A made-up report.",
    mesh=("Pleural Effusion/right/large", "Scoliosis"),
    labels={"Pleural Effusion": 1},
    label_source="by hand",
    sections={"impression": "Made up."},
)


def films(record, **options):
    return [view.pixels for view in study_from_report(record, size=SIZE, **options).views]


def same(some, others):
    return all(np.array_equal(one, other) for one, other in zip(some, others, strict=True))


def test_text_and_labels_are_kept_and_images_are_called_synthetic():
    study = study_from_report(RECORD, size=SIZE)
    assert (study.report, study.labels) == (RECORD.report, RECORD.labels)
    assert study.label_source == "by hand"
    assert study.sections["impression"] == "Made up."
    assert study.is_synthetic
    account = study.sections[SECTION]
    assert account.startswith("Synthetic images for real text.")
    assert "side right (known)" in account
    assert "Not drawn: scoliosis." in account


def test_the_study_goes_into_a_prepared_set_and_back():
    study = study_from_report(RECORD, size=SIZE)
    again = from_row(to_row(study))
    assert same([view.pixels for view in again.views], films(RECORD))
    assert again.findings[0].side == "right"
    assert again.findings[0].regions[0].box == study.findings[0].regions[0].box


def test_films_are_as_many_as_the_report_lists_two_at_most():
    for views, expected in (
        (1, ["frontal"]),
        (2, ["frontal", "lateral"]),
        (4, ["frontal", "lateral"]),
    ):
        study = study_from_report(replace(RECORD, views=views), size=SIZE)
        assert [view.position for view in study.views] == expected


def test_the_same_record_gives_the_same_films_in_any_process():
    draw = pickle.loads(pickle.dumps(partial(study_from_report, size=SIZE)))
    record = pickle.loads(pickle.dumps(RECORD))
    assert same([view.pixels for view in draw(record).views], films(RECORD))


def test_another_seed_study_or_patient_gives_other_films():
    first = films(RECORD)
    for other in (replace(RECORD, id="CXR8_IM-0001"), replace(RECORD, patient="8")):
        assert not np.array_equal(first[0], films(other)[0])
    assert not np.array_equal(first[0], films(RECORD, seed=1)[0])


def test_the_text_has_no_part_in_the_films():
    other = replace(RECORD, report="Quite another text.", split="test", sections={})
    assert same(films(RECORD), films(other))


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("head", ["Pleural Effusion", "Consolidation/lung", "Pneumothorax"])
def test_the_right_of_the_patient_is_on_the_left_of_the_film(head, side):
    shares = []
    for number in range(4):
        record = ReportRecord(
            f"s{number}", f"p{number}", "train", "Text.", (f"{head}/{side}/large",)
        )
        with_it = study_from_report(record, size=SIZE)
        mask = with_it.findings[0].regions[0].mask
        shares.append(mask[:, : SIZE // 2].sum() / mask.sum())
        without = films(replace(record, mesh=()))[0].astype(int)
        moved = np.abs(with_it.views[0].pixels.astype(int) - without) * mask
        shares.append(moved[:, : SIZE // 2].sum() / moved.sum())
    assert min(shares) > 0.85 if side == "right" else max(shares) < 0.15


def test_labels_given_beside_the_records_go_before_theirs():
    labels = {RECORD.id: {"Pleural Effusion": 0, "Cardiomegaly": 1}}
    first, second = phantom_studies(
        [RECORD, replace(RECORD, id="other")], labels, label_source="a file", size=SIZE
    )
    assert [one.kind for one in first.findings] == ["enlarged heart"]
    assert (first.label_source, second.label_source) == ("a file", "by hand")
    assert [one.kind for one in second.findings] == ["pleural effusion"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": "harder"}, "no level is called 'harder'; known: easy"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"size": 8}, "at least 32 pixels, got 8"),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        study_from_report(RECORD, **options)


def test_a_report_without_image_and_labels_without_source_are_refused():
    with pytest.raises(ValueError, match="lists no image"):
        study_from_report(replace(RECORD, views=0), size=SIZE)
    with pytest.raises(ValueError, match="set label_source"):
        next(phantom_studies([RECORD], {}, size=SIZE))


def test_the_survey_counts_what_is_drawn_and_what_is_not():
    records = [RECORD, replace(RECORD, id="b", split="test", labels={}, mesh=("Cardiomegaly",))]
    counts = survey_plans(records, [plan_study(one) for one in records])
    assert counts["kinds"] == {"enlarged heart": 1, "pleural effusion": 1}
    assert counts["unmapped"] == {"scoliosis": 1}
    assert counts["without_labels"] == {"train": 0, "val": 0, "test": 1}
    assert counts["agreement"]["Cardiomegaly"] == {"none": 2, "none_drawn": 1}
    json.dumps(counts)
    with pytest.raises(ValueError, match="as many plans as records: 0 plans, 2 records"):
        survey_plans(records, [])


def test_large_findings_are_visible_to_a_linear_reader():
    drawn = []
    for number in range(60):
        mesh = ("Cardiomegaly/severe",) if number % 2 else ()
        record = ReportRecord(f"s{number}", f"p{number}", "train", "Text.", mesh)
        drawn.append(study_from_report(record, size=32, level="easy"))
    ((name, found),) = visible(drawn, side=12).items()
    assert (name, found.studies, found.masked) == ("Cardiomegaly", 30, 1.0)
    assert found.auc > 0.85


@pytest.fixture
def real_records(shared):
    """Return all real reports with their MeSH strings and one label file's labels."""
    folder = shared / "iu_xray"
    content = json.loads((folder / "annotation.json").read_text(encoding="utf-8"))
    reports = json.loads((folder / "openi_reports_sections.json").read_text(encoding="utf-8"))
    mesh = {one["uid"]: one for one in reports}
    labels = LabelFile.read(folder / "labels14_camanet_chexbert.csv")
    records = []
    for entry in (one for split in content.values() for one in split):
        key = "-".join(entry["id"].split("-")[:2])
        uid = int(key.partition("_")[0].removeprefix("CXR"))
        states = labels.states.get(entry["id"]) or labels.states.get(key, {})
        terms = {"mesh": mesh[uid]["mesh_major"], "automatic": mesh[uid]["mesh_automatic"]}
        records.append(
            ReportRecord(
                id=entry["id"],
                patient=str(uid),
                split=entry["split"],
                report=entry["report"],
                **{name: tuple(values) for name, values in terms.items()},
                labels=states,
                label_source=labels.source if states else "",
                views=len(entry["image_path"]),
            )
        )
    return records


def test_every_real_report_is_drawn_in_agreement_with_its_labels(real_records):
    plans = [plan_study(record) for record in real_records]
    counts = survey_plans(real_records, plans)
    assert len(plans) == 2955
    assert counts["without_labels"] == {"train": 0, "val": 0, "test": 590}
    for name in FINDINGS:
        table = Counter(counts["agreement"][name])
        assert table["positive_drawn"] == table["positive"] >= 5
        assert table["negative_drawn"] == table["negative_drawn_faint"] == 0
    assert len(counts["unmapped"]) < 80
    study = study_from_report(real_records[0], size=48)
    assert study.report == real_records[0].report
