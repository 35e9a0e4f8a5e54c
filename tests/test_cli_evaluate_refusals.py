"""`gradtruce evaluate` on bad input: one line, status 2, nothing written, nothing left running."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gradtruce.cli.app import run
from gradtruce.evaluation import assembly
from gradtruce.evaluation.nlg.java import JavaError, find_java
from gradtruce.evaluation.nlg.meteor import MeteorUnavailable, find_jar
from tests.evaluation.command import (
    QUICK,
    contents,
    labels,
    predictions,
    refused,
    training,
)

LINE = {"id": "a", "reference": "clear .", "generated": "clear ."}


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GRADTRUCE_CHEXBERT", "GRADTRUCE_BERT_BASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))


def line(**more: object) -> bytes:
    return json.dumps(LINE | more).encode() + b"\n"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (line() * 2, "'a' was already on line 1"),
        (line(generated=None), "generated"),
        (line(reference=" "), "'a' has no reference"),
        (line(generated="x" * 1_000_001), "1,000,001 characters"),
        ("größe".encode("latin-1"), "not UTF-8"),
        (line() + b"{", "line 2"),
        (b"id,reference,generated\n", "no prediction"),
        (b"id;reference;generated\na;b;c\n", "not recognised"),
        (line(labels={"Edema": 3}), "Edema"),
        (line(findings={"Edema": 2.0}), "probability"),
        (b"\x1f\x8b" + b"0" * 20, "unpack"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_fault(
    content: bytes, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(content)
    complaint = refused(capsys, tmp_path, "evaluate", path, *QUICK)
    assert named in complaint
    assert str(path) in complaint


def test_empty_texts_newlines_and_a_report_of_1_mb_are_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.jsonl"
    long = ("the lungs are clear . " * 50_000)[:1_000_000]
    texts = {"a": "clear .", "b": "", "c": "clear\n\r\n\u2028 .", "d": long}
    rows = [line(id=study, generated=text) for study, text in texts.items()]
    path.write_bytes(b"".join(rows))
    assert run(["evaluate", str(path), *QUICK]) == 0
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["protocols"]["nlg"]["empty_generated"] == 1
    assert "reports: 4, of which 1 generated empty" in capsys.readouterr().out


def _references_of_others(folder: Path) -> list[object]:
    (folder / "r.csv").write_text("id,report\na,clear .\nx,clear .\n")
    return ["--references", folder / "r.csv"]


def _labels_of_others(folder: Path) -> list[object]:
    return ["--labels", labels(folder, {"a": {}, "x": {}})]


def _labels_from_files_of_others(folder: Path) -> list[object]:
    made = labels(folder, {"a": {}, "x": {}})
    return ["--labeler", "file", "--generated-labels", made, "--reference-labels", made]


def _training_of_another_cleaning(folder: Path) -> list[object]:
    return ["--training", training(folder, ["The lungs are CLEAR.", "A Mass."])]


def _other_system_on_other_studies(folder: Path) -> list[object]:
    (folder / "o.jsonl").write_bytes(line(id="x"))
    return ["--against", folder / "o.jsonl"]


def _other_system_with_other_references(folder: Path) -> list[object]:
    path = predictions(folder, "o.jsonl")
    path.write_text(path.read_text().replace("there is a", "there is some"))
    return ["--against", path]


def _graphs_of_others(folder: Path) -> list[object]:
    (folder / "g.json").write_text(json.dumps({"x": {"text": "", "entities": {}}}))
    both = ["--graphs", folder / "g.json", "--reference-graphs", folder / "g.json"]
    return [*both, "--graph-model", "radgraph"]


def _wrong_checkpoint(folder: Path) -> list[object]:
    torch.save({"model_state_dict": {"other": torch.zeros(2)}}, folder / "chexbert.pth")
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n")
    return ["--labeler", "chexbert", "--chexbert", folder / "chexbert.pth"]


def _damaged_checkpoint(folder: Path) -> list[object]:
    (folder / "chexbert.pth").write_bytes(b"PK\x03\x04 no checkpoint")
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n")
    return ["--labeler", "chexbert", "--chexbert", folder / "chexbert.pth"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (_references_of_others, "'b', 'c', 'd'"),
        (_labels_of_others, "3 of 4 studies"),
        (_labels_from_files_of_others, "3 of 4 ids"),
        (_training_of_another_cleaning, "capital letters"),
        (_other_system_on_other_studies, "against o.jsonl: the two systems differ"),
        (_other_system_with_other_references, "'c' has another reference"),
        (_graphs_of_others, "g.json"),
        (_wrong_checkpoint, "chexbert.pth"),
        (_damaged_checkpoint, "chexbert.pth"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    arguments: Callable[[Path], list[object]],
    named: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = predictions(tmp_path)
    assert named in refused(capsys, tmp_path, "evaluate", path, *arguments(tmp_path), *QUICK)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--labeler", "chexbert"], "no weights of CheXbert"),
        (["--vectors"], "no weights of CheXbert"),
        (["--labeler", "chexpert"], "did you mean 'chexbert'"),
        (["--layout", "coco"], "no layout is called 'coco'"),
        (["--layout", "rexrank"], "p.jsonl"),
        (["--references", "none.csv"], "none.csv"),
        (["--labels", "none.csv"], "none.csv"),
        (["--training", "none.jsonl"], "none.jsonl"),
        (["--against", "none.jsonl"], "none.jsonl"),
        (["--reference-handling", "r2gen"], "r2gen_60"),
        (["--empty-policy", "silent"], "'blank' or 'normal'"),
        (["--resamples", "1"], "--resamples"),
        (["--cleaning", "r2gen"], "training"),
        (["--score", "nlg.bleu_4"], "against"),
        (["--generated-labels", "x.csv"], "labeler 'file'"),
        (["--labeler", "file"], "generated_labels"),
        (["--chexbert", "x.pth"], "labeler 'chexbert'"),
        (["--device", "cuda"], "labeler 'chexbert'"),
        (["--cache", "x"], "labeler 'chexbert'"),
        (["--labeler", "chexbert", "--compat"], "labeler 'rules'"),
        (["--graphs", "x.json"], "reference_graphs"),
        (["--graph-model", "radgraph"], "graphs"),
        (["--table", "t.txt"], ".md or .tex"),
    ],
)
def test_options_that_cannot_be_met_are_refused(
    arguments: list[str],
    named: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    predictions(tmp_path, "p.jsonl")
    assert named in refused(capsys, tmp_path, "evaluate", "p.jsonl", *QUICK, *arguments)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--output", "none/m.json"], "there is no folder none"),
        (["--output", "."], "is a folder"),
        (["--output", "/dev/null"], "no plain file"),
        (["--output", "p.jsonl"], "one of the files read"),
        (["--per-report", "o.jsonl", "--against", "o.jsonl"], "one of the files read"),
        (["--output", "t.md", "--table", "t.md"], "written twice"),
        (["--table", "none/t.md"], "there is no folder none"),
        (["--per-report", "none/r.jsonl"], "there is no folder none"),
    ],
)
def test_outputs_that_cannot_be_written_are_refused_before_any_is(
    arguments: list[str],
    named: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("p.jsonl", "o.jsonl"):
        predictions(tmp_path, name)
    assert named in refused(capsys, tmp_path, "evaluate", "p.jsonl", *QUICK, *arguments)
    assert Path("/dev/null").is_char_device()


def test_an_unknown_score_is_refused_before_the_texts_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assembly, "plan", pytest.fail)
    path, other = predictions(tmp_path), predictions(tmp_path, "o.jsonl")
    for name, meant in (
        ("nlg.blue_4", "nlg.bleu_4"),
        ("clinical.example_14.f1", "clinical.example_14.uncertain_"),
        ("ngl.cider", "nlg.cider"),
    ):
        complaint = refused(capsys, tmp_path, "evaluate", path, "--against", other, "--score", name)
        assert f"did you mean '{meant}" in complaint


def test_a_folder_without_known_names_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions(tmp_path, "mine.jsonl")
    assert "name the file" in refused(capsys, tmp_path, "evaluate", tmp_path, *QUICK)


def test_one_file_given_twice_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = predictions(tmp_path)
    assert "twice" in refused(capsys, tmp_path, "evaluate", path, "--against", path, *QUICK)


def test_a_disk_that_fills_up_leaves_the_older_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = predictions(tmp_path)
    (tmp_path / "metrics.json").write_text("older")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "free some space" in refused(capsys, tmp_path, "evaluate", path, *QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_half_file_and_no_java(kind: signal.Signals, tmp_path: Path) -> None:
    try:
        find_java()
        find_jar()
    except (JavaError, MeteorUnavailable) as error:
        pytest.skip(str(error))
    path = predictions(tmp_path)
    before = contents(tmp_path)
    program = (  # a job in the background ignores interrupts, and so would its children
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from gradtruce.cli import main; main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", program, "evaluate", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        deadline = time.monotonic() + 60
        java = ""
        while not java and time.monotonic() < deadline and process.poll() is None:
            for child in children.read_text().split():
                if "-stdio" in Path(f"/proc/{child}/cmdline").read_text():
                    java = child
            time.sleep(0.02)
        assert java, "METEOR was not started"
        process.send_signal(kind)
        complaint = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert complaint.startswith("gradtruce: error: interrupted")
    assert not Path(f"/proc/{java}").exists()
    assert contents(tmp_path) == before
