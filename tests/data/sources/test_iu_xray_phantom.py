import pytest

from gradtruce.data.phantom.from_report.studies import SOURCE
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.preparing.pipeline import prepare
from gradtruce.data.sources.base import Problem, Record, Settings
from gradtruce.data.sources.iu_xray_phantom import IUXRayPhantom
from tests.data.sources.iu_xray_downloads import Download


@pytest.fixture
def download(tmp_path):
    return Download(tmp_path)


def phantom(download, **options):
    options.setdefault("reports", download.xml if download.xml.exists() else download.write_xml())
    return IUXRayPhantom(annotation=download.annotation, **options)


def test_every_report_gets_synthetic_films_and_keeps_its_text(download):
    source = phantom(download, labels=download.labels("CXR5_IM-2117"))
    manifest = prepare(source, download.root / "set", settings=Settings(short_side=40))
    assert (manifest.name, manifest.is_synthetic) == ("iu_xray_phantom", True)
    assert manifest.source.startswith(SOURCE)
    assert "CC BY-NC-ND" in manifest.licence
    assert manifest.splits == {"train": 3, "val": 1, "test": 1}
    assert manifest.notes["without_labels"] == {"train": 3, "val": 1, "test": 0}
    study = PreparedDataset.open(download.root / "set").study("CXR2_IM-0652")
    assert study.is_synthetic
    assert study.report == "Findings of CXR2_IM-0652. XXXX."
    assert [view.pixels.shape for view in study.views] == [(40, 40), (40, 40)]
    assert set(study.sections) == {"comparison", "indication", "impression", "phantom"}


def test_terms_and_labels_decide_what_is_drawn(download):
    reports = download.write_xml(major=("Pleural Effusion/left",), automatic=("edema",))
    source = phantom(download, reports=reports)
    study = source.build(next(source.records()), Settings(short_side=48)).study
    assert ("Pleural Effusion", "left") in {(one.observation, one.side) for one in study.findings}
    assert study.sections["mesh_automatic"] == "edema"


def test_the_csv_draws_two_films_where_nothing_says_how_many(download):
    reports, _ = download.write_kaggle()
    source = IUXRayPhantom(reports=reports)
    study = source.build(next(source.records()), Settings(short_side=48)).study
    assert (study.id, len(study.views)) == ("CXR1", 2)


def test_level_and_seed_make_another_set(download):
    prints = {
        phantom(download, **options).fingerprint()
        for options in ({}, {"level": "easy"}, {"seed": 1}, {"target": "impression"})
    }
    assert len(prints) == 4


def test_bad_arguments_are_refused(download):
    with pytest.raises(ValueError, match="seed must be at least 0"):
        phantom(download, seed=-1)
    with pytest.raises(ValueError, match="to know what is to be drawn"):
        IUXRayPhantom(annotation=download.annotation)


def test_all_real_reports_are_listed(shared):
    folder = shared / "iu_xray"
    source = IUXRayPhantom(
        annotation=folder / "annotation.json", labels=folder / "labels14_camanet_chexbert.csv"
    )
    entries = list(source.records())
    assert len(entries) == 2955
    assert not any(isinstance(one, Problem) for one in entries)
    assert sum(bool(one.labels) for one in entries if isinstance(one, Record)) == 2365
