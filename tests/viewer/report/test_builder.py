"""The page: one file, self-contained, honest, harmless."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gradtruce.evaluation.predictions import read_predictions, write_predictions
from gradtruce.viewer.report import build
from tests.viewer.outline import outline


@pytest.fixture(scope="module")
def page(comparison: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    output = tmp_path_factory.mktemp("page") / "report.html"
    return build(comparison, output).read_text(encoding="utf-8")


def test_the_page_refers_to_nothing_outside_itself(page: str):
    links = outline(page).links
    outside = [link for link in links if not link.startswith(("#", "data:image/png"))]
    assert all(link.endswith("config.toml") for link in outside)
    assert not re.search(r"https?://|@import|url\(", page)


def test_every_reference_within_the_page_has_its_target(page: str):
    found = outline(page)
    targets = {link[1:] for link in found.links if link.startswith("#")}
    assert targets <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))


def test_every_drawing_has_words_or_is_hidden_from_screen_readers(page: str):
    assert outline(page).images_without_words == 0


def test_tables_have_headers_with_a_scope(page: str):
    assert "<th>" not in page
    assert page.count("<table") > 12


def test_phantom_images_are_called_synthetic_in_every_study(page: str):
    studies = page.split('<article class="study"')[1:]
    assert len(studies) == 12
    for study in studies:
        films = study.count('<div class="film">')
        assert study.count('class="stamp"') == films > 0
        assert "Synthetic</strong>" in study


def test_the_page_says_what_it_is_and_what_it_cannot_tell(page: str):
    assert "not a medical device" in page
    assert "rank optimizers" in page
    assert "includes 0" in page or "lies above 0" in page or "lies below 0" in page


def test_colour_is_never_alone(page: str):
    for verdict, sign in (("found", "✓"), ("invented", "✗"), ("missed", "○")):
        assert f'<mark class="{verdict}"' in page
        assert f'<span class="sign" aria-hidden="true">{sign}</span>' in page
    assert "prefers-color-scheme: dark" in page


def test_the_page_stays_small(page: str):
    assert len(page) < 6_000_000


def test_the_same_folder_gives_the_same_page(comparison: Path, tmp_path: Path, page: str):
    again = build(comparison, tmp_path / "report.html").read_text(encoding="utf-8")
    links = re.compile(r'href="[^"]*config.toml"')
    assert links.sub("", again) == links.sub("", page)


def test_a_single_run_has_its_page_beside_it(comparison: Path):
    path = build(comparison / "linear", gallery=2)
    assert path == comparison / "linear" / "report.html"
    page = path.read_text(encoding="utf-8")
    path.unlink()
    assert page.count('<article class="study"') == 2
    assert "Difference" not in page
    outline(page)


def test_a_report_with_a_script_in_it_is_harmless(copy_of: Callable[[], Path]):
    folder = copy_of()
    evil = '<script>alert(1)</script> "><img src=x onerror=alert(2)> pleural effusion .'
    for arm in ("linear", "came_grad"):
        path = folder / arm / "predictions.jsonl"
        changed = [
            type(each)(**{**vars(each), "generated": evil, "reference": evil})
            for each in read_predictions(path)
        ]
        write_predictions(path, changed)
    summary = json.loads((folder / "summary.json").read_text())
    summary["arms"]["linear"]["label"] = "<script>alert(3)</script>"
    summary["caveats"] = ["</style><script>alert(4)</script>"]
    (folder / "summary.json").write_text(json.dumps(summary))
    page = build(folder, gallery=3).read_text(encoding="utf-8")
    found = outline(page)
    assert found.tags.count("script") == 1
    assert "<img" not in page
    assert "alert(1)" in page


def test_without_gallery_neither_data_nor_checkpoints_are_needed(copy_of: Callable[[], Path]):
    folder = copy_of()
    shutil.rmtree(folder / "data")
    for arm in ("linear", "came_grad"):
        shutil.rmtree(folder / arm / "checkpoints")
    page = build(folder, gallery=0).read_text(encoding="utf-8")
    assert "<article" not in page
    assert "Synthetic images" in page


def test_a_missing_checkpoint_is_named_with_its_remedy(copy_of: Callable[[], Path]):
    folder = copy_of()
    shutil.rmtree(folder / "came_grad" / "checkpoints")
    with pytest.raises(FileNotFoundError, match="gradtruce train") as error:
        build(folder)
    assert str(folder / "came_grad" / "checkpoints" / "best") in str(error.value)
    assert not (folder / "report.html").exists()


def test_a_folder_that_is_neither_run_nor_comparison_is_refused(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="holds neither"):
        build(tmp_path)
    with pytest.raises(FileNotFoundError, match="is no folder"):
        build(tmp_path / "nowhere")


def test_an_error_leaves_the_older_page_as_it_was(copy_of: Callable[[], Path]):
    folder = copy_of()
    (folder / "report.html").write_text("older")
    (folder / "linear" / "metrics.json").unlink()
    with pytest.raises(FileNotFoundError):
        build(folder)
    assert (folder / "report.html").read_text() == "older"
    assert [path.name for path in folder.glob(".*")] == []


def test_a_negative_gallery_is_refused(comparison: Path):
    with pytest.raises(ValueError, match="at least 0 studies, got -1"):
        build(comparison, gallery=-1)


def test_runs_without_a_common_study_are_refused(copy_of: Callable[[], Path]):
    folder = copy_of()
    path = folder / "linear" / "predictions.jsonl"
    renamed = [type(each)(**{**vars(each), "id": "x" + each.id}) for each in read_predictions(path)]
    write_predictions(path, renamed)
    with pytest.raises(ValueError, match="no study in common"):
        build(folder)


def test_without_truth_the_page_says_that_the_labeler_read_the_reference(
    copy_of: Callable[[], Path],
):
    run = copy_of() / "linear"
    path = run / "predictions.jsonl"
    bare = [type(each)(each.id, each.reference, each.generated) for each in read_predictions(path)]
    write_predictions(path, bare)
    page = build(run, gallery=2).read_text(encoding="utf-8")
    assert "read in the reference by the labeler" in page
    assert "against the labeler&#39;s reading of the reference reports" in page


def test_a_log_without_steps_gives_a_page_without_curves(copy_of: Callable[[], Path]):
    run = copy_of() / "linear"
    (run / "log.jsonl").write_text("")
    page = build(run, gallery=0).read_text(encoding="utf-8")
    assert "The log holds no step." in page
    outline(page)
