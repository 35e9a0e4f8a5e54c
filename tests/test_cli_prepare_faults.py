"""`gradtruce prepare` on damaged input: one line and status 2, or skipped, listed and counted."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

pytest.importorskip("pydicom")

from gradtruce.cli.app import run
from gradtruce.data.observations import OBSERVATIONS
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.preparing.problems import read_problems
from tests.data.sources.iu_xray_downloads import Download, entry, xml
from tests.data.sources.mimic_tree import STUDIES, write_tree
from tests.own_studies import FAULTS, faulty_rows, film, good_rows, write_rows

Capture = pytest.CaptureFixture[str]
ONE = ("--workers", "1", "--size", "32", "--no-pictures")


def complaint(arguments: Sequence[str], capsys: Capture) -> str:
    """Run a command that must be refused; return its one line."""
    assert run(arguments) == 2
    (line,) = [one for one in capsys.readouterr().err.splitlines() if not one.endswith("%")]
    assert line.startswith("gradtruce: error: ")
    return line


def kinds(folder: Path) -> Counter[str]:
    """Return how many problems of each kind the data card of a set counts."""
    return Counter(json.loads((folder / "data_card.json").read_text())["problems"])


def test_every_fault_of_own_studies_is_listed_with_its_reason(
    tmp_path: Path, capsys: Capture
) -> None:
    root, target = tmp_path / "own", tmp_path / "set"
    rows = good_rows(root)
    rows += [row for of_one in faulty_rows(root).values() for row in of_one]
    table = write_rows(root / "mine.csv", rows)
    assert run(["prepare", "folder", str(target), str(table), "--on-error", "skip", *ONE]) == 0
    problems = {problem.id: problem for problem in read_problems(target)}
    assert problems.keys() == FAULTS.keys()
    for name, (kind, reason) in FAULTS.items():
        assert (problems[name].kind, problems[name].action) == (kind, "study skipped")
        assert reason in problems[name].reason
    assert kinds(target) == Counter(kind for kind, _ in FAULTS.values())
    shown = capsys.readouterr().out
    assert f"problems: {len(FAULTS)}, each listed in {target / 'problems.csv'}\n" in shown
    assert "  6 damaged image (study skipped 6)\n" in shown
    assert f"done: {target}: 6 studies (train 2, val 2, test 2)" in shown


@pytest.mark.parametrize("name", FAULTS)
def test_stop_names_study_and_fault_in_one_line(name: str, tmp_path: Path, capsys: Capture) -> None:
    root = tmp_path / "own"
    table = write_rows(root / "mine.csv", [*good_rows(root, 3), *faulty_rows(root)[name]])
    line = complaint(["prepare", "folder", str(tmp_path / "set"), str(table), *ONE], capsys)
    assert f"study '{name}'" in line
    assert FAULTS[name][1] in line
    assert "--on-error skip" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside.png", "outside.txt", "own"]


def test_a_wrong_extension_is_read_as_what_it_is_and_listed(
    tmp_path: Path, capsys: Capture
) -> None:
    rows = good_rows(tmp_path / "own", 3)
    film(tmp_path / "own" / "other.png").rename(tmp_path / "own" / "other.jpg")
    rows[0]["image"] = "other.jpg"
    table = write_rows(tmp_path / "own" / "mine.csv", rows)
    assert run(["prepare", "folder", str(tmp_path / "set"), str(table), *ONE]) == 0
    (problem,) = read_problems(tmp_path / "set")
    assert (problem.kind, problem.file, problem.action) == ("wrong extension", "other.jpg", "noted")
    assert problem.reason == "the file is named jpeg but holds png; it is read as png"
    assert len(PreparedDataset.open(tmp_path / "set").study("ok0").views) == 1
    assert "  1 wrong extension (noted 1)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("id,report", "lacks the column image; name it in line 1, which has 'id', 'report'"),
        ("id,image", "lacks the column report"),
        ("id,image,reprot", "no column is called 'reprot'; did you mean 'report'"),
    ],
)
@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_a_table_without_its_columns_is_refused_as_a_whole(
    header: str, words: str, on_error: str, tmp_path: Path, capsys: Capture
) -> None:
    table = tmp_path / "mine.csv"
    table.write_text(f"{header}\n")
    target = str(tmp_path / "set")
    line = complaint(
        ["prepare", "folder", target, str(table), "--on-error", on_error, *ONE], capsys
    )
    assert words in line
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]


XML: dict[str, tuple[bytes, str]] = {
    "cut short": (b"<eCitation><uId", "not readable as XML"),
    "an external entity": (
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><eCitation>&x;</eCitation>',
        "declares a document type",
    ),
    "a megabyte": (xml(2, findings="a " * 600_000).encode(), "a report must be shorter than 1,"),
    "latin-1": (xml(2, findings="\xb5").encode("latin-1"), "not UTF-8 text"),
}


@pytest.mark.parametrize("fault", XML)
def test_an_unreadable_report_of_open_i(fault: str, tmp_path: Path, capsys: Capture) -> None:
    download, (content, words) = Download(tmp_path / "iu"), XML[fault]
    reports = download.write_xml()
    (reports / "1.xml").write_bytes(content)
    target = tmp_path / "set"
    arguments = ["prepare", "iu_xray", str(target), "--images", str(download.images), *ONE]
    arguments += ["--annotation", str(download.annotation), "--reports", str(reports)]
    line = complaint(arguments, capsys)
    assert f"study 'CXR1_1_IM-0001': 1.xml: {words}" in line
    assert run([*arguments, "--on-error", "skip"]) == 0
    (problem,) = (one for one in read_problems(target) if one.kind == "unreadable report")
    assert (problem.id, problem.action) == ("CXR1_1_IM-0001", "study skipped")
    assert words in problem.reason
    assert kinds(target)["unreadable report"] == 1
    everything = b"".join(path.read_bytes() for path in target.iterdir())
    assert b"root:" not in everything  # of the file that the entity names


def test_ids_that_occur_twice(tmp_path: Path, capsys: Capture) -> None:
    download = Download(tmp_path / "iu")
    download.content["train"].append(entry("CXR1_1_IM-0001", "train"))
    download.write()
    target = tmp_path / "set"
    arguments = ["prepare", "iu_xray", str(target), "--images", str(download.images), *ONE]
    arguments += ["--annotation", str(download.annotation)]
    line = complaint(arguments, capsys)
    assert "study 'CXR1_1_IM-0001': the id occurs twice; make ids unique" in line
    assert run([*arguments, "--on-error", "skip"]) == 0
    assert kinds(target)["duplicate id"] == 1


def bad_label_folder(root: Path, labels: Path) -> list[str]:
    table = write_rows(root / "mine.csv", good_rows(root, 4))
    labels.write_text(labels.read_text().replace("STUDY", "ok0").replace("OTHER", "ok1"))
    return ["folder", str(table)]


def bad_label_iu(root: Path, labels: Path) -> list[str]:
    download = Download(root)
    labels.write_text(labels.read_text().replace("STUDY", "CXR1").replace("OTHER", "CXR2372"))
    annotation = ["--annotation", str(download.annotation)]
    return ["iu_xray", "--images", str(download.images), *annotation]


def bad_label_mimic(root: Path, labels: Path) -> list[str]:
    tree = write_tree(root)
    content = labels.read_text().replace("STUDY", STUDIES[0].study)
    labels.write_text(content.replace("OTHER", STUDIES[1].study))
    return ["mimic_cxr", "--images", str(root), "--reports", str(tree.archive)]


@pytest.mark.parametrize("make", [bad_label_folder, bad_label_iu, bad_label_mimic])
def test_a_label_of_no_known_state_costs_its_study_alone(
    make: Callable[[Path, Path], list[str]], tmp_path: Path, capsys: Capture
) -> None:
    labels, target = tmp_path / "labels.csv", tmp_path / "set"
    rows = [f"STUDY,7{',' * 13}", f"OTHER,1{',' * 13}"]
    labels.write_text("\n".join([",".join(["id", *OBSERVATIONS]), *rows]))
    source, *options = make(tmp_path / "source", labels)
    arguments = ["prepare", source, str(target), *options, "--labels", str(labels), *ONE]
    line = complaint(arguments, capsys)
    assert "labels.csv: line 2 has '7' for 'Enlarged Cardiomediastinum'; it must be" in line
    assert run([*arguments, "--on-error", "skip"]) == 0
    (problem,) = (one for one in read_problems(target) if one.kind == "label value")
    assert problem.action == "study skipped"
    assert kinds(target)["label value"] == 1


def start(arguments: Sequence[str], largest_file: int | None = None) -> subprocess.Popen[str]:
    """Start the command as a user does, in a group of its own."""

    def limit() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    program = (  # a job in the background ignores interrupts, and so would its children
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from gradtruce.cli import main; main(sys.argv[1:])"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env=os.environ | {"PYTHONPATH": ":".join(path for path in sys.path if path)},
        start_new_session=True,
        preexec_fn=limit,  # no thread runs here
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def many(tmp_path: Path) -> list[str]:
    """Return how 300 studies are prepared, in shards of 64, slowly enough to be interrupted."""
    root = tmp_path / "own"
    rows = good_rows(root, 300, split="train")
    for row in rows[:40]:
        row["split"] = "val" if row["id"] < "ok2" else "test"
    large = film(root / "large.png", side=900).read_bytes()
    for row in rows[200:]:
        (root / row["image"]).write_bytes(large)
    table = write_rows(root / "mine.csv", rows)
    return ["folder", str(table), "--size", "32", "--no-pictures"]


def wait_for_a_shard(process: subprocess.Popen[str], target: Path) -> None:
    finished = target.with_name(f".{target.name}.preparing") / "finished"
    deadline = time.monotonic() + 60
    while not list(finished.glob("*.json")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_interrupt_says_what_is_kept_and_a_killed_run_goes_on(
    many: list[str], tmp_path: Path, capsys: Capture
) -> None:
    source, *options = many
    whole, target = tmp_path / "whole", tmp_path / "set"
    assert run(["prepare", source, str(whole), *options, "--workers", "1"]) == 0
    command = ["prepare", source, str(target), *options, "--workers", "2"]
    interrupted = start(command)
    wait_for_a_shard(interrupted, target)
    os.killpg(interrupted.pid, signal.SIGINT)
    _, said = interrupted.communicate(timeout=60)
    work = tmp_path / ".set.preparing"
    assert interrupted.returncode == 130
    assert said.splitlines()[-1].startswith("gradtruce: error: interrupted; ")
    assert f"kept in {work}: give the same command again to go on" in said
    assert "Traceback" not in said
    killed = start(command)
    time.sleep(1.5)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert work.is_dir() or target.is_dir()
    capsys.readouterr()
    assert run(command) == 0
    shown = capsys.readouterr().out
    assert "shards were finished before" in shown or "is up to date" in shown
    assert contents(target) == contents(whole)
    assert not work.exists()


def test_an_interrupt_before_anything_is_finished_leaves_nothing(
    many: list[str], tmp_path: Path
) -> None:
    source, *options = many
    target = tmp_path / "set"
    process = start(["prepare", source, str(target), *options, "--workers", "1"])
    while not (tmp_path / ".set.preparing" / "set").exists():
        assert process.poll() is None
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.count("gradtruce: error: interrupted; ") == 1
    if "finished" not in said:
        assert [path.name for path in tmp_path.iterdir()] == ["own"]


def test_a_full_disk_is_one_line_and_the_run_goes_on(many: list[str], tmp_path: Path) -> None:
    source, *options = many
    target = tmp_path / "set"
    command = ["prepare", source, str(target), *options, "--workers", "1"]
    process = start(command, largest_file=60_000)
    _, said = process.communicate(timeout=120)
    lines = [line for line in said.splitlines() if not line.endswith("%")]
    assert process.returncode == 2
    assert lines[-1].startswith(f"gradtruce: error: could not write the prepared set {target}: ")
    assert "free some space" in lines[-1]
    assert "Traceback" not in said
    assert not target.exists()
    assert run(command) == 0
