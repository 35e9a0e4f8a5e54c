from pathlib import Path

import pytest

from gradtruce.evaluation.labelers.choice import LABELERS, LabelerChoice
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.evaluation.predictions import Prediction
from tests.evaluation.command import labels
from tests.evaluation.tiny_chexbert import write_chexbert

ONE = [Prediction("a", "edema .", "clear .")]
CHEXBERT_ONLY: list[dict[str, object]] = [
    {"weights": Path("w")},
    {"bert": Path("b")},
    {"device": "cuda"},
]


def test_rules_are_made_as_asked_for() -> None:
    choice = LabelerChoice("rules", empty_policy="normal", compat=True)
    assert choice.make().identity == RulesLabeler(empty_policy="normal", compat=True).identity


def test_chexbert_is_made_of_the_files_named(tmp_path: Path) -> None:
    files = write_chexbert(tmp_path)
    choice = LabelerChoice("chexbert", weights=files.weights, cache=tmp_path / "kept.sqlite")
    assert choice.make().identity.startswith("chexbert (weights sha256")


def test_labels_by_id_belong_to_one_system(tmp_path: Path) -> None:
    made = labels(tmp_path, {"a": {"Edema": 1}})
    choice = LabelerChoice("file", generated=made, reference=labels(tmp_path, {"a": {}}, "r.csv"))
    assert choice.make([ONE]).label(["clear ."])[0, 4] == 1
    with pytest.raises(ValueError, match="one system"):
        choice.make([ONE, ONE])


def test_labels_by_text_serve_several_systems(tmp_path: Path) -> None:
    path = labels(tmp_path, {"clear .": {"Edema": 1}})
    path.write_text(path.read_text().replace("id,", "Report Impression,", 1))
    choice = LabelerChoice("file", generated=path)
    assert choice.make([ONE, ONE]).label(["clear ."])[0, 4] == 1


def test_a_file_labeler_needs_its_file() -> None:
    with pytest.raises(ValueError, match="generated_labels"):
        LabelerChoice("file").make([ONE])


@pytest.mark.parametrize("name", ["rule", "", "CheXbert"])
def test_an_unknown_labeler_is_answered_with_the_known(name: str) -> None:
    for ask in (LabelerChoice(name).make, LabelerChoice(name).require_fitting):
        with pytest.raises(ValueError, match=f"no labeler is called '{name}'.*rules, chexbert"):
            ask()


@pytest.mark.parametrize("name", LABELERS)
@pytest.mark.parametrize(
    ("settings", "owner"),
    [
        *((settings, "chexbert") for settings in [*CHEXBERT_ONLY, {"cache": Path("c")}]),
        ({"compat": True}, "rules"),
        ({"empty_policy": "normal"}, "rules"),
        ({"generated": Path("g")}, "file"),
        ({"reference": Path("r")}, "file"),
    ],
)
def test_no_setting_is_ignored(name: str, settings: dict[str, object], owner: str) -> None:
    choice = LabelerChoice(name, **settings)
    if name == owner:
        choice.require_fitting()
        return
    with pytest.raises(ValueError, match=f"of labeler '{owner}', and the labeler is '{name}'"):
        choice.require_fitting()


@pytest.mark.parametrize("settings", CHEXBERT_ONLY)
def test_chexberts_files_serve_its_vectors_whoever_labels(settings: dict[str, object]) -> None:
    LabelerChoice("rules", **settings).require_fitting(vectors=True)
