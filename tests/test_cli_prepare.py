"""`gradtruce prepare` as a user meets it: every source and option, a set to train on."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("pydicom")

from gradtruce.cli.app import run
from gradtruce.data.observations import OBSERVATIONS
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.preparing.problems import read_problems
from gradtruce.data.study import SPLITS
from tests.data.images.dicom_files import IDENTITY, dicom_bytes, radiograph
from tests.data.sources.iu_xray_downloads import Download, entry
from tests.data.sources.mimic_tree import STUDIES, Tree, write_tree
from tests.data.sources.test_mimic_cxr_annotation import annotation_of, item_of
from tests.own_studies import Row, film, good_rows, write_rows

Capture = pytest.CaptureFixture[str]
ONE = ("--workers", "1", "--size", "32")


def made(capsys: Capture, source: str, target: Path, *options: str | Path) -> PreparedDataset:
    """Prepare a set that must come out; return it opened."""
    assert run(["prepare", source, str(target), *ONE, *map(str, options)]) == 0, capsys.readouterr()
    dataset = PreparedDataset.open(target)
    dataset.verify()
    return dataset


def complaint(capsys: Capture, *arguments: str | Path) -> str:
    """Run a command that must be refused; return its one line."""
    assert run([*map(str, arguments)]) == 2
    (line,) = [one for one in capsys.readouterr().err.splitlines() if not one.endswith("%")]
    assert line.startswith("gradtruce: error: ")
    return line


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a CSV of six studies in PNG."""
    root = tmp_path / "own"
    return write_rows(root / "mine.csv", good_rows(root))


@pytest.fixture
def download(tmp_path: Path) -> Download:
    """Return IU X-Ray in all its forms."""
    return Download(tmp_path / "iu")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Return MIMIC-CXR-JPG, made up."""
    return write_tree(tmp_path / "mimic" / "jpg")


def test_the_phantom_takes_its_options(tmp_path: Path, capsys: Capture) -> None:
    target = tmp_path / "set"
    dataset = made(capsys, "phantom", target, "--studies", "12", "--level", "easy", "--seed", "3")
    assert dataset.manifest.parameters == {"level": "easy", "studies": 12, "size": 32, "seed": 3}
    assert "12 synthetic studies (train 8, val 2, test 2)" in capsys.readouterr().out


def test_the_phantom_takes_shares_of_later_studies(tmp_path: Path, capsys: Capture) -> None:
    options = ["--studies", "18", "--follow-ups", "0,0,1"]
    dataset = made(capsys, "phantom", tmp_path / "set", *options)
    assert dataset.manifest.parameters["follow_ups"] == [0, 0, 1]
    assert "follow ups: 0.0, 0.0, 1.0" in (tmp_path / "set" / "data_card.md").read_text()
    assert dataset.study("p00000-3").prior == "p00000-2"
    line = complaint(capsys, "prepare", "phantom", tmp_path / "other", "--follow-ups", "0.5,0.4")
    assert "--follow-ups" in line
    assert "together 1, such as 0.05,0.15,0.80, got 0.5,0.4, together 0.9" in line


def test_a_table_with_every_option(table: Path, tmp_path: Path, capsys: Capture) -> None:
    elsewhere = tmp_path / "tables"
    elsewhere.mkdir()
    rows = [
        {"id": f"s{n}", "image": f"ok{n}.png", "report": f"FINDINGS: Clear.\nIMPRESSION: Well {n}."}
        for n in range(6)
    ]
    moved = write_rows(elsewhere / "moved.csv", rows)
    labels = elsewhere / "labels.json"
    labels.write_text(json.dumps({"s1": [1] + [None] * 13}))
    options = ["--root", table.parent, "--labels", labels, "--label-order", "chexbert"]
    options += ["--target", "impression", "--split-shares", "0.5,0.25,0.25", "--seed", "2"]
    options += ["--name", "mine", "--licence", "CC0", "--jpeg", "90", "--no-pictures"]
    manifest = made(capsys, "folder", tmp_path / "set", moved, *options).manifest
    assert (manifest.name, manifest.licence) == ("mine", "CC0")
    assert manifest.settings == {"short_side": 32, "jpeg": 90}
    assert manifest.parameters["split"]["shares"] == [0.5, 0.25, 0.25]
    dataset = PreparedDataset.open(tmp_path / "set")
    assert dataset.study("s1").report == "Well 1."
    assert dataset.study("s1").labels == {"Enlarged Cardiomediastinum": 1}
    page = (tmp_path / "set" / "card.html").read_text(encoding="utf-8")
    assert "<img" not in page
    assert "by the source, else a hash of the patient" in page


def test_a_folder_of_images_and_texts(tmp_path: Path, capsys: Capture) -> None:
    for split in SPLITS:
        film(tmp_path / "own" / split / "a_frontal.png")
        film(tmp_path / "own" / split / "a_lateral.jpg")
        (tmp_path / "own" / split / "a.txt").write_text("Clear lungs.")
    dataset = made(capsys, "folder", tmp_path / "set", tmp_path / "own")
    assert [view.position for view in dataset.study("val/a").views] == ["frontal", "lateral"]
    line = complaint(
        capsys, "prepare", "folder", tmp_path / "b", tmp_path / "own", "--root", tmp_path
    )
    assert "root is for the paths in a CSV file" in line


def test_a_folder_with_a_table_in_it_is_told_to_give_that(
    table: Path, tmp_path: Path, capsys: Capture
) -> None:
    line = complaint(capsys, "prepare", "folder", tmp_path / "set", table.parent)
    assert "no .txt file has its name; add the report or leave the image out" in line
    assert "or give mine.csv in place of the folder, if that lists the studies" in line


def test_iu_xray_from_the_annotation_file(
    download: Download, tmp_path: Path, capsys: Capture
) -> None:
    options = ["--images", download.images, "--annotation", download.annotation]
    dataset = made(capsys, "iu_xray", tmp_path / "set", *options)
    assert dataset.manifest.splits == {"train": 2, "val": 1, "test": 1}
    shown = capsys.readouterr().out
    assert "4 of 5 studies have images (train 2 of 3, val 1 of 1, test 1 of 1)\n" in shown
    assert "  3 missing image (noted 3)\n" in shown


def test_iu_xray_from_xml_with_labels(download: Download, tmp_path: Path, capsys: Capture) -> None:
    labels = download.labels("CXR1_1_IM-0001", "CXR5_IM-2117")
    options = ["--images", download.images, "--annotation", download.annotation]
    options += ["--reports", download.write_xml(major=("Edema",)), "--labels", labels]
    options += ["--target", "findings+impression"]
    dataset = made(capsys, "iu_xray", tmp_path / "set", *options)
    study = dataset.study("CXR1_1_IM-0001")
    assert study.report == "Findings of CXR1_1_IM-0001. XXXX. Normal."
    assert study.sections["mesh_major"] == "Edema"
    assert len(study.labels) == 14
    assert dataset.manifest.label_source.startswith("labels.csv (sha256 ")


def test_iu_xray_from_kaggle_s_pair(download: Download, tmp_path: Path, capsys: Capture) -> None:
    reports, projections = download.write_kaggle()
    options = ["--images", download.images, "--reports", reports, "--projections", projections]
    options += ["--split-shares", "0.4,0.3,0.3", "--seed", "5", "--target", "impression"]
    dataset = made(capsys, "iu_xray", tmp_path / "set", *options)
    assert [view.position for view in dataset.study("CXR1").views] == ["frontal", "lateral"]
    assert dataset.manifest.parameters["split"]["seed"] == 5


def test_iu_xray_with_drawn_images(download: Download, tmp_path: Path, capsys: Capture) -> None:
    reports, _ = download.write_kaggle()
    options = ["--images", "phantom", "--annotation", download.annotation, "--reports", reports]
    dataset = made(capsys, "iu_xray", tmp_path / "set", *options, "--level", "easy", "--seed", "1")
    assert dataset.manifest.is_synthetic
    assert dataset.manifest.name == "iu_xray_phantom"
    assert dataset.manifest.parameters["level"] == "easy"
    assert "5 synthetic studies" in capsys.readouterr().out
    page = (tmp_path / "set" / "card.html").read_text(encoding="utf-8")
    assert "Pass this page on as the licence above allows." in page  # its reports are real


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--seed", "1"], "--seed has no meaning beside --annotation, whose splits are taken"),
        (["--split-shares", "0.4,0.3,0.3"], "--split-shares has no meaning beside --annotation"),
        (["--level", "hard"], "--level has no meaning without --images phantom"),
        (["--target", "last_paragraph"], "target must be one of findings, impression"),
        (["--target", "impression"], "target 'impression' needs reports"),
        (["--label-order", "chexbert", "--labels", "gone.csv"], "gone.csv: there is no such file"),
        (["--reports", "gone"], "gone: there is no such folder of XML reports"),
        (["--size", "16"], "--size"),
    ],
)
def test_iu_xray_options_that_would_be_ignored_are_refused(
    options: list[str], words: str, download: Download, tmp_path: Path, capsys: Capture
) -> None:
    annotation = ["--annotation", download.annotation, "--images", download.images]
    assert words in complaint(capsys, "prepare", "iu_xray", tmp_path / "s", *annotation, *options)


def test_shares_must_be_three_that_add_up(table: Path, tmp_path: Path, capsys: Capture) -> None:
    for shares in ("0.5,0.5", "0.5,0.5,0.5", "a,b,c", "1,0,0"):
        line = complaint(
            capsys, "prepare", "folder", tmp_path / "s", table, "--split-shares", shares
        )
        assert "--split-shares must be three numbers above 0 that add up to 1" in line


@pytest.mark.parametrize("reports", ["archive", "folder"])
def test_mimic_cxr_with_labels(reports: str, tree: Tree, tmp_path: Path, capsys: Capture) -> None:
    where = tree.archive if reports == "archive" else tree.root.parent / "reports"
    options = ["--images", tree.root, "--reports", where, "--labels", "chexpert"]
    dataset = made(capsys, "mimic_cxr", tmp_path / "set", *options)
    assert dataset.manifest.splits == {"train": 3, "val": 2, "test": 1}
    assert dataset.study("59000002").prior == "59000001"
    assert "  1 no findings section (noted 1)\n" in capsys.readouterr().out
    page = (tmp_path / "set" / "card.html").read_text(encoding="utf-8")
    assert "<img" not in page  # by default, for this source


def test_mimic_cxr_with_every_option(tree: Tree, tmp_path: Path, capsys: Capture) -> None:
    options = ["--images", tree.root, "--reports", tree.archive, "--metadata", tree.metadata]
    options += ["--split", tree.split, "--labels", tree.negbio, "--target", "impression"]
    options += ["--views", "frontal", "--unit", "image", "--image-format", "jpg"]
    options += ["--jpeg", "95", "--pictures", "--on-error", "skip"]
    dataset = made(capsys, "mimic_cxr", tmp_path / "set", *options)
    assert all(len(study.views) == 1 for study in dataset.split("train"))
    assert dataset.manifest.parameters["unit"] == "image"
    assert "<img" in (tmp_path / "set" / "card.html").read_text(encoding="utf-8")


def test_mimic_cxr_by_an_annotation_file(tree: Tree, tmp_path: Path, capsys: Capture) -> None:
    path = annotation_of(tmp_path / "annotation.json", [item_of(study) for study in STUDIES])
    options = ["--images", tree.root, "--annotation", path]
    dataset = made(capsys, "mimic_cxr", tmp_path / "set", *options, "--metadata", tree.metadata)
    assert dataset.manifest.splits == {"train": 4, "val": 2, "test": 1}
    for extra in (["--target", "impression"], ["--unit", "image"], ["--labels", "chexpert"]):
        line = complaint(capsys, "prepare", "mimic_cxr", tmp_path / "b", *options, *extra)
        assert f"{extra[0]} has no meaning beside --annotation" in line


def test_mimic_cxr_says_what_is_missing(tree: Tree, tmp_path: Path, capsys: Capture) -> None:
    start = ["prepare", "mimic_cxr", tmp_path / "set", "--images", tree.root]
    assert "--reports is needed, or --annotation" in complaint(capsys, *start)
    line = complaint(capsys, *start, "--reports", tree.archive, "--labels", "chexprt")
    assert "labels must be chexpert, negbio or a file; there is no file chexprt" in line
    tree.split.unlink()
    assert "split" in complaint(capsys, *start, "--reports", tree.archive)


def test_a_finished_set_is_up_to_date_or_another(
    table: Path, tmp_path: Path, capsys: Capture
) -> None:
    target = tmp_path / "set"
    made(capsys, "folder", target, table)
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    made(capsys, "folder", target, table)
    assert f"{target} is up to date\n" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before
    for options, words in (
        (["--jpeg", "90"], "(settings.jpeg: null there, 90 asked for)"),
        (["--target", "impression"], '(parameters.target: "findings" there, "impression" asked'),
        (["--name", "b"], '(name: "folder" there, "b" asked for)'),
        (["--licence", "CC0"], '(licence: "" there, "CC0" asked for)'),
        (["--seed", "1"], "(parameters.split.seed: 0 there, 1 asked for)"),
    ):
        line = complaint(capsys, "prepare", "folder", target, table, *ONE, *options)
        assert f"{target} exists; remove it or give another folder: it holds another" in line
        assert words in line
    (table.parent / "ok0.txt").write_text("Another report.")
    write_rows(table, good_rows(table.parent, 3))
    line = complaint(capsys, "prepare", "folder", target, table, *ONE)
    assert "parameters.table_sha256: " in line
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before


def test_pictures_can_be_taken_off_a_finished_set(
    table: Path, tmp_path: Path, capsys: Capture
) -> None:
    target = tmp_path / "set"
    made(capsys, "folder", target, table)
    with_pictures = (target / "card.html").read_bytes()
    made(capsys, "folder", target, table, "--no-pictures")
    assert "card.html was written anew without images" in capsys.readouterr().out
    assert b"<img" not in (target / "card.html").read_bytes()
    made(capsys, "folder", target, table, "--pictures")
    assert (target / "card.html").read_bytes() == with_pictures


def test_a_folder_of_data_is_never_called_a_thing_to_remove(table: Path, capsys: Capture) -> None:
    line = complaint(capsys, "prepare", "folder", table.parent, table)
    assert line.endswith("exists and is no prepared set; give another folder")
    assert "remove" not in line


def dicom_rows(root: Path, count: int = 12, **fields: str) -> list[Row]:
    """Write DICOM files and labels of which one study has none; return their rows."""
    rows = good_rows(root, count)
    for number, row in enumerate(rows):
        row["image"] = f"{row['id']}.dcm"
        content = dicom_bytes(radiograph(shape=(64, 60)), ViewPosition="PA", **fields)
        (root / row["image"]).write_bytes(content)
        row["split"] = {4: "val", 5: "test", 6: "val", 7: "test"}.get(number, "train")
        row["Cardiomegaly"] = "" if number == 4 else str(number % 2)
    return rows


def iu_with_reports(root: Path) -> list[str | Path]:
    """Write an annotation file and reports of 16 invented studies; return the options."""
    root.mkdir()
    ids = {"train": range(8), "val": range(8, 12), "test": range(12, 16)}
    content = {
        split: [entry(f"CXR{n}_IM-{n:04}", split) for n in numbers]
        for split, numbers in ids.items()
    }
    (root / "annotation.json").write_text(json.dumps(content))
    download = Download(root / "other")
    reports, _ = download.write_kaggle(range(16), findings="The heart is large.")
    return ["--images", "phantom", "--annotation", root / "annotation.json", "--reports", reports]


@pytest.mark.parametrize("source", ["folder", "iu_xray"])
def test_a_prepared_set_can_be_trained_on(source: str, tmp_path: Path, capsys: Capture) -> None:
    if source == "folder":
        rows = dicom_rows(tmp_path / "own")
        options = [write_rows(tmp_path / "own" / "mine.csv", rows)]
    else:
        options = iu_with_reports(tmp_path / "iu")
        labels = tmp_path / "labels.csv"  # as `gradtruce label` writes them, one row all blank
        lines = [f"CXR{n}_IM-{n:04},{'' if n == 9 else 1}{',' * 13}" for n in range(16)]
        labels.write_text("\n".join([",".join(["id", *OBSERVATIONS]), *lines]))
        options += ["--labels", labels]
    made(capsys, source, tmp_path / "set", *options, "--no-pictures")
    sizes = {"training.batch_size": 4, "training.steps": 2, "data.image_size": 32}
    sizes |= {"training.validation.every": 2, "data.max_tokens": 12, "data.min_frequency": 1}
    settings = [part for name, value in sizes.items() for part in ("--set", f"{name}={value}")]
    arguments = ["train", "--config", "demo", "--data", str(tmp_path / "set")]
    arguments += ["--output", str(tmp_path / "run"), *settings]
    assert run(arguments) == 0, capsys.readouterr().err
    predictions = (tmp_path / "run" / "predictions.jsonl").read_text().splitlines()
    assert len(predictions) == (2 if source == "folder" else 4)
    line = complaint(capsys, *arguments[: -len(settings)], "--output", tmp_path / "larger")
    assert "was prepared with 32" in line
    assert f"gradtruce prepare {source} {tmp_path / 'set'}-96 … --size 96" in line
    assert not (tmp_path / "larger").exists()


WORDS = sorted(
    {
        part.lower()
        for value in IDENTITY.values()
        for part in (value, *value.replace("^", " ").split())
        if len(part) > 4 and part.lower() not in {"chest", "call", "portable"}
    }
)


def leaks_in(content: bytes) -> list[str]:
    """Return what of the identity in the headers is somewhere in bytes."""
    small = content.lower()
    return [word for word in WORDS if word.encode() in small]


def prepared_by_user(arguments: Sequence[str | Path]) -> bytes:
    """Run the command as a user does, errors told in full; return all that it prints."""
    program = "import sys; from gradtruce.cli import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", program, "--debug", *map(str, arguments)],
        capture_output=True,
        check=False,
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("source", ["folder", "mimic_cxr"])
def test_nothing_of_a_person_leaves_the_headers(source: str, tmp_path: Path) -> None:
    root, target = tmp_path / "source", tmp_path / "set"
    if source == "folder":
        rows = dicom_rows(root)
        (root / "ok0.dcm").write_bytes((root / "ok0.dcm").read_bytes()[:2500])
        options: list[str | Path] = [write_rows(root / "mine.csv", rows)]
    else:
        tree = write_tree(root, ending="dcm")
        options = ["--images", root, "--reports", tree.archive, "--pictures"]
        first = next(root.rglob("*.dcm"))
        first.write_bytes(first.read_bytes()[:2500])
    assert len(leaks_in(b"".join(path.read_bytes() for path in root.rglob("*.dcm")))) == len(WORDS)
    workers = "2" if source == "folder" else "1"
    command = ["prepare", source, target, *options, "--size", "32", "--workers", workers]
    assert leaks_in(prepared_by_user(command)) == []  # it stops at the damaged file
    assert leaks_in(prepared_by_user([*command, "--on-error", "skip"])) == []
    assert any(problem.kind == "damaged image" for problem in read_problems(target))
    files = [path for path in target.rglob("*") if path.is_file()]
    assert {"card.html", "problems.csv", "manifest.json"} < {path.name for path in files}
    assert {path.name: leaks_in(path.read_bytes()) for path in files} == {
        path.name: [] for path in files
    }
