"""What `gradtruce evaluate` asks of the evaluation, without its command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.data.prepared import PreparedWriter
from gradtruce.data.study import SPLITS, Study, View
from gradtruce.evaluation.assembly import answer, per_report, read_system
from gradtruce.evaluation.headline import PAPER
from gradtruce.evaluation.labelers.choice import LabelerChoice
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.evaluation.nlg.meteor import Meteor
from gradtruce.evaluation.request import COMPARED, Request, described
from tests.evaluation.command import REPORTS, TRAINING, labels, predictions, training


def request(path: Path, **settings: object) -> Request:
    return Request(path, meteor=False, resamples=20, **settings)


def test_nothing_is_drawn_where_no_intervals_are_asked_for(tmp_path: Path) -> None:
    found = answer(Request(predictions(tmp_path), meteor=False, resamples=0)).metrics
    assert all(score.low is None for score in found.flat().values())
    assert {group.protocol.intervals for group in found.groups.values()} == {"none"}


def test_labels_of_a_file_take_the_place_of_those_of_the_predictions(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"id":"a","reference":"x .","generated":"y .","labels":{"Edema":1}}\n')
    asked = request(path, labels=labels(tmp_path, {"a": {"Edema": 0}, "unused": {}}))
    (prediction,) = read_system(asked, path)
    assert prediction.labels == {"Edema": 0}
    assert prediction.label_source.startswith("truth.csv (sha256 ")


def test_a_prepared_set_gives_the_training_reports(tmp_path: Path) -> None:
    view = View(np.zeros((4, 4), dtype=np.uint8), "frontal")
    labels = dict.fromkeys(OBSERVATIONS, 0)
    with PreparedWriter(tmp_path / "set", name="made up", source="a test") as writer:
        for split in SPLITS:
            report = f"a report of {split} ."
            writer.add(Study(split, split, split, (view,), report, {}, labels, "by hand"))
    found = answer(request(predictions(tmp_path), training=tmp_path / "set")).metrics
    assert found.inputs["training"].startswith("set (manifest.json sha256 ")
    assert found.baselines["most_frequent"]["degenerate.unique_share"].value == 0.25


def test_the_order_of_the_other_systems_studies_does_not_matter(tmp_path: Path) -> None:
    path, other = predictions(tmp_path), predictions(tmp_path, "o.jsonl", a="clear .")
    turned = tmp_path / "turned.jsonl"
    turned.write_text("".join(reversed(other.read_text().splitlines(keepends=True))))
    one, two = (answer(request(path, against=(file,))).comparisons[0] for file in (other, turned))
    assert one.differences == two.differences
    assert list(one.differences) == list(COMPARED)


def test_systems_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    paths = [predictions(tmp_path / name, a="clear .") for name in ("x", "y")]
    found = answer(request(predictions(tmp_path), against=tuple(paths)))
    assert [each.against for each in found.comparisons] == [path.as_posix() for path in paths]


def test_a_comparison_starts_java_only_for_meteor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    statistics = Meteor.statistics

    def counted(self: Meteor, generated: list[str], references: list[list[str]]) -> object:
        asked.append(len(generated))
        return statistics(self, generated, references)

    monkeypatch.setattr(Meteor, "statistics", counted)
    monkeypatch.setenv("PATH", "")
    path, other = predictions(tmp_path), predictions(tmp_path, "o.jsonl", a="clear .")
    answer(Request(path, resamples=20, against=(other,), scores=("nlg.cider", PAPER)))
    assert asked == [4]
    answer(Request(path, resamples=20, against=(other,), scores=("nlg.meteor",)))
    assert asked == [4, 4, 8]


def test_a_line_a_report_names_what_each_family_knows(tmp_path: Path) -> None:
    found = answer(request(predictions(tmp_path), training=training(tmp_path)))
    rows = [json.loads(line) for line in per_report(found).splitlines()]
    assert [row["id"] for row in rows] == list(REPORTS)
    assert all({"nlg", "clinical", "errors", "degenerate"} <= set(row) for row in rows)


def test_a_file_is_described_by_its_content_not_its_place(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "p.csv").write_text("same")
    assert described(tmp_path / "x" / "p.csv") == described(tmp_path / "y" / "p.csv")
    assert described(tmp_path / "x") == "folder x"


@pytest.mark.parametrize("has_training_labels", [True, False])
def test_a_file_of_labels_must_have_those_of_the_baselines(
    tmp_path: Path, has_training_labels: bool
) -> None:
    texts = {text for pair in REPORTS.values() for text in pair}
    texts |= set(TRAINING) if has_training_labels else set()
    made = labels(tmp_path, {text: {} for text in sorted(texts)})
    made.write_text(made.read_text().replace("id,", "Reports,", 1))
    choice = LabelerChoice("file", generated=made)
    asked = request(predictions(tmp_path), training=training(tmp_path), labeler=choice)
    if not has_training_labels:
        with pytest.raises(ValueError, match=r"baselines write training reports.*leave training"):
            answer(asked)
        return
    settings = answer(asked).metrics.groups["degenerate"].protocol.settings
    assert settings["normal_training_report"] == f"labelled by {RulesLabeler().identity}"
