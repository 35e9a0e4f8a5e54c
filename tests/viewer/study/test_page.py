"""The page of a study: one file, self-contained, honest, harmless."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gradtruce.study.results.record import StudyRecord
from gradtruce.viewer.study import build
from tests.viewer.outline import outline


@pytest.fixture(scope="module")
def page(study: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    output = tmp_path_factory.mktemp("page") / "report.html"
    return build(study, output, gallery=2).read_text(encoding="utf-8")


def test_the_page_refers_to_nothing_outside_itself(page: str):
    links = outline(page).links
    assert all(link.startswith(("#", "data:image/png")) for link in links)
    assert not re.search(r"https?://|@import|url\(", page)


def test_every_reference_within_the_page_has_its_target(page: str):
    found = outline(page)
    targets = {link[1:] for link in found.links if link.startswith("#")}
    assert targets <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))


def test_every_drawing_has_words_or_is_hidden_from_screen_readers(page: str):
    assert outline(page).images_without_words == 0
    assert "<th>" not in page


def test_a_label_with_a_tag_in_it_is_harmless(page: str):
    assert "CAME-Grad without &lt;S1&gt;" in page
    assert "&lt;b&gt;.04&lt;/b&gt;" in page
    assert outline(page).tags.count("script") == 1


@pytest.mark.parametrize(
    "words",
    [
        "Of 2 comparisons with Linear scalarization, 1 came out better and 0 worse",
        "Synthetic images",
        "3 arms × 1 method × 1 data set × 2 seeds; 5 of 6 planned runs finished",
        "Smallest detectable difference",
        "Published, not measured here",
        "Conflict beside its null",
        "Not testable here",
        "What was not run",
        "the reference, the best and the worst arm",
        "nothing about real patients",
        "Machine and versions",
    ],
)
def test_the_page_says(page: str, words: str):
    assert words in page


def test_what_was_not_run_is_named_with_its_seed(page: str):
    missing = page[page.index("What was not run") :]
    assert "CAME-Grad without &lt;S1&gt;</th><td>R2Gen · Phantom</td><td>1</td>" in missing


def test_the_gallery_shows_the_reports_of_three_arms(page: str):
    studies = page.split('<article class="study"')[1:]
    assert len(studies) == 2
    assert all(study.count('class="report-of') == 3 for study in studies)


def test_stages_that_are_on_have_a_tick(page: str):
    stages = page[page.index("<h3>Stages</h3>") : page.index('id="conflict"')]
    assert stages.count("✓") == 3 + 2


def test_the_page_stays_small(page: str):
    assert len(page) < 1_500_000


def test_a_study_without_a_finished_run_is_refused(copy_of_study: Callable[[], Path]):
    folder = copy_of_study()
    record = StudyRecord.read(folder / "study.json")
    runs = tuple(run.model_copy(update={"is_finished": False}) for run in record.runs)
    record.model_copy(update={"runs": runs}).write(folder / "study.json")
    with pytest.raises(ValueError, match=r"no run of this study is finished.*gradtruce study run"):
        build(folder, gallery=0)


def test_a_run_that_finished_since_is_told(copy_of_study: Callable[[], Path]):
    folder = copy_of_study()
    runs = folder / "runs" / "r2gen" / "phantom" / "without_s1"
    (runs / "seed-1").mkdir()
    (runs / "seed-1" / "metrics.json").write_bytes((runs / "seed-0" / "metrics.json").read_bytes())
    page = build(folder, gallery=0).read_text(encoding="utf-8")
    assert "(1 more run has finished since these numbers were computed)" in page


def test_numbers_of_a_run_that_is_gone_are_refused(copy_of_study: Callable[[], Path]):
    folder = copy_of_study()
    (folder / "runs/r2gen/phantom/without_s1/seed-0/metrics.json").unlink()
    with pytest.raises(ValueError, match=r"not of these runs: .*seed-0.*gradtruce study tables"):
        build(folder, gallery=0)


def test_another_score_than_that_of_the_run_is_refused(copy_of_study: Callable[[], Path]):
    folder = copy_of_study()
    record = StudyRecord.read(folder / "study.json")
    changed = record.runs[0].model_copy(
        update={"scores": {**record.runs[0].scores, record.headline: 0.123}}
    )
    record.model_copy(update={"runs": (changed, *record.runs[1:])}).write(folder / "study.json")
    with pytest.raises(ValueError, match="not of these runs"):
        build(folder, gallery=0)


def test_a_study_without_tables_names_the_command(copy_of_study: Callable[[], Path]):
    folder = copy_of_study()
    (folder / "study.json").unlink()
    with pytest.raises(FileNotFoundError, match="gradtruce study tables"):
        build(folder)


def test_without_gallery_no_checkpoint_is_needed(copy_of_study: Callable[[], Path]):
    folder = copy_of_study()
    for path in folder.rglob("*.safetensors"):
        path.unlink()
    page = build(folder, gallery=0).read_text(encoding="utf-8")
    assert '<article class="study"' not in page
    assert "Synthetic images" in page
    outline(page)


def test_images_that_were_drawn_for_a_set_of_ones_own_are_told(copy_of_study: Callable[[], Path]):
    folder = copy_of_study()
    plan = (folder / "plan.toml").read_text(encoding="utf-8")
    drawn = 'phantom = { level = "easy", studies = 40, size = 64 }'
    own = f'run = {{ data = {{ path = "{folder}/data/phantom" }} }}'
    assert drawn in plan
    (folder / "plan.toml").write_text(plan.replace(drawn, own), encoding="utf-8")
    page = build(folder, gallery=0).read_text(encoding="utf-8")
    assert "The images of Phantom are computer-made phantoms" in page
