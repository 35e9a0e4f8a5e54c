import pytest

from gradtruce.data.preparing.pipeline import prepare
from gradtruce.data.sources.base import Problem, Record, Settings
from gradtruce.data.sources.iu_xray import IUXRay
from gradtruce.data.sources.patient_split import PatientSplit
from tests.data.sources.iu_xray_downloads import Download, xml


@pytest.fixture
def download(tmp_path):
    return Download(tmp_path)


def annotated(download, **options):
    return IUXRay(download.images, annotation=download.annotation, **options)


def listed(source):
    """Return records by id, and problems in order."""
    entries = list(source.records())
    records = {one.id: one for one in entries if isinstance(one, Record)}
    return records, [one for one in entries if isinstance(one, Problem)]


def studies(source):
    records, _ = listed(source)
    return {name: source.build(record, Settings()).study for name, record in records.items()}


def shades(study):
    return [int(view.pixels[0, 0]) for view in study.views]


def test_a_target_that_the_download_lacks_is_refused(download):
    with pytest.raises(ValueError, match="target 'impression' needs reports"):
        annotated(download, target="impression")
    with pytest.raises(ValueError, match="target must be one of findings, impression, "):
        annotated(download, target="last_paragraph")


def test_xml_joined_to_the_annotation_adds_sections_and_terms(download):
    reports = download.write_xml(major=("Opacity/lung", "Edema"), automatic=("edema",))
    first = studies(annotated(download, reports=reports))["CXR1_1_IM-0001"]
    assert first.report == "Findings of CXR1_1_IM-0001. XXXX."
    assert first.sections == {
        "comparison": "None.",
        "indication": "Cough.",
        "impression": "Normal.",
        "mesh_major": "Opacity/lung;Edema",
        "mesh_automatic": "edema",
    }
    both = annotated(download, reports=reports, target="findings+impression")
    assert studies(both)["CXR4_IM-2050"].report == "Findings of CXR4_IM-2050. XXXX. Normal."
    impression = studies(annotated(download, reports=reports, target="impression"))
    assert impression["CXR4_IM-2050"].report == "Normal."
    assert impression["CXR4_IM-2050"].sections["findings"] == "Findings of CXR4_IM-2050. XXXX."


def test_xml_alone_is_split_by_patient_and_named_by_number(download):
    reports = download.write_xml()
    split = PatientSplit((0.5, 0.25, 0.25), seed=7)
    source = IUXRay(download.images, reports=reports, split=split)
    records, problems = listed(source)
    assert set(records) == {"CXR1", "CXR4", "CXR5", "CXR2372"}
    assert [one.id for one in problems if "none of its 2 images" in one.reason] == ["CXR2"]
    assert all(record.split == split.of(record.patient) for record in records.values())
    assert source.parameters["split"]["shares"] == [0.5, 0.25, 0.25]
    assert shades(studies(source)["CXR5"]) == [50, 51]


def test_the_csv_pair_alone_gives_sections_terms_and_positions(download):
    reports, projections = download.write_kaggle()
    source = IUXRay(download.images, reports=reports, projections=projections)
    records, problems = listed(source)
    first = source.build(records["CXR1"], Settings()).study
    assert [view.position for view in first.views] == ["frontal", "lateral"]
    assert first.sections["mesh_major"] == "Opacity/lung/left;Edema"
    assert first.sections["examination"] == "Chest, 2 views"
    assert {one.id: one.reason for one in problems}["CXR4"].startswith("1 of 2 images")


def test_studies_without_the_target_are_counted_and_never_stop(download):
    reports = download.write_xml()
    (reports / "5.xml").write_text(xml(5, impression=""))
    (reports / "4.xml").write_text(xml(4, impression="XXXX."))
    _, problems = listed(IUXRay(download.images, reports=reports, target="impression"))
    found = [(one.id, one.reason, one.action) for one in problems if "image" not in one.kind]
    assert found == [
        ("CXR4", "impression holds no word; left out", "noted"),
        ("CXR5", "no impression section; left out", "noted"),
    ]


BROKEN = {
    "cut short": b"<eCitation><uId",
    "entities": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><eCitation>&x;</eCitation>',
    "latin-1": xml(2, findings="\xb5").encode("latin-1"),
    "a megabyte": xml(2, findings="a " * 600_000).encode(),
    "empty": b"",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("joined", [True, False], ids=["joined", "alone"])
def test_an_unreadable_report_stops_or_costs_its_study(download, content, joined):
    reports = download.write_xml()
    (reports / "1.xml").write_bytes(content)
    options = {"annotation": download.annotation} if joined else {}
    source = IUXRay(download.images, reports=reports, **options)
    records, problems = listed(source)
    (problem,) = (one for one in problems if one.kind == "unreadable report")
    name = "CXR1_1_IM-0001" if joined else "CXR1"
    assert (problem.id, problem.file, problem.action) == (name, "1.xml", "study skipped")
    assert name not in records
    with pytest.raises(ValueError, match=f"study '{name}': 1.xml: "):
        prepare(source, download.root / "set")


def test_reports_out_of_reach_are_problems(download):
    reports = download.write_xml((1, 4, 5))
    (download.root / "secret.xml").write_text(xml(7))
    (reports / "7.xml").symlink_to(download.root / "secret.xml")
    (reports / "8.xml").symlink_to(reports / "8.xml")
    (reports / "9.xml").symlink_to(reports / "gone")
    source = IUXRay(download.images, reports=reports)
    _, problems = listed(source)
    found = {one.id: one for one in problems}
    assert "leads out of" in found["CXR7"].reason
    assert "round in a circle" in found["CXR8"].reason
    assert found["CXR9"].kind == "missing report"
    assert source.fingerprint()


def test_two_reports_of_one_study_are_a_problem(download):
    reports = download.write_xml()
    (reports / "again.xml").write_text(xml(4))
    records, problems = listed(IUXRay(download.images, reports=reports))
    assert "CXR4" not in records
    assert [(one.id, one.kind) for one in problems if one.kind != "missing image"] == [
        ("CXR4", "duplicate id")
    ]


def test_a_broken_report_of_no_study_of_the_set_is_noted(download):
    reports = download.write_xml()
    (reports / "99.xml").write_text("<")
    _, problems = listed(annotated(download, reports=reports))
    assert (problems[-1].id, problems[-1].action) == ("CXR99", "noted")


def test_a_folder_without_reports_and_a_csv_without_columns_are_refused(download):
    with pytest.raises(ValueError, match=r"holds no \.xml file"):
        listed(IUXRay(download.images, reports=download.images))
    reports, _ = download.write_kaggle()
    reports.write_text("uid,findings\n1,Clear.\n")
    with pytest.raises(ValueError, match="lacks the columns MeSH, image, comparison"):
        listed(IUXRay(download.images, reports=reports))
    reports.write_text("uid,MeSH,image,indication,comparison,findings,impression\nx,,,,,Clear.,\n")
    _, problems = listed(IUXRay(download.images, reports=reports))
    assert "uid must be the number of a study, is 'x'" in problems[-1].reason
