import json
from pathlib import Path

import numpy as np
import pytest

from gradtruce.data.observations import OBSERVATIONS, LabelState
from gradtruce.data.prepared import PreparedWriter
from gradtruce.data.study import SPLITS, Study, View
from gradtruce.data.text import clean
from gradtruce.evaluation.training_texts import TrainingTexts, read_training_texts, wording


def test_a_file_of_reports_is_training_text(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("id,report\ns1,Clear lungs.\ns2,A mass.\n")
    texts = read_training_texts(tmp_path / "train.csv")
    assert texts.reports == ("Clear lungs.", "A mass.")
    assert (texts.source, texts.labels) == ("train.csv, as it is", None)
    assert read_training_texts(tmp_path / "train.csv", "r2gen").reports[0] == "clear lungs ."


@pytest.mark.parametrize("has_labels", [True, False])
def test_a_prepared_set_gives_its_train_split(tmp_path: Path, has_labels: bool) -> None:
    view = View(np.zeros((4, 4), dtype=np.uint8), "frontal")
    labels: dict[str, LabelState] = {"Edema": 1} if has_labels else {}
    with PreparedWriter(tmp_path / "set", name="made up", source="a test") as writer:
        for split in SPLITS:
            report = f"A report of {split}."
            source = "by hand" if has_labels else ""
            writer.add(Study(split, split, split, (view,), report, {}, labels, source))
    texts = read_training_texts(tmp_path / "set", "clean")
    assert texts.reports == ("a report of train .",)
    assert (texts.labels is not None) == has_labels
    assert texts.labels is None or texts.labels[0, OBSERVATIONS.index("Edema")] == 1


def test_a_folder_must_be_a_prepared_set(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no prepared data set"):
        read_training_texts(tmp_path)


def test_texts_and_labels_must_fit() -> None:
    with pytest.raises(ValueError, match="no training report"):
        TrainingTexts((), "by hand")
    with pytest.raises(ValueError, match="2 training reports, but labels of 1"):
        TrainingTexts(("a", "b"), "by hand", np.zeros((1, 14)))


@pytest.mark.parametrize("mode", ["clean", "r2gen"])
def test_wording_does_not_depend_on_cleaning(mode: str) -> None:
    text = "1. No effusion and/or scar. 2. Nodule of 1.5 cm, right-sided."
    assert wording(clean(text, mode)) == wording(text)
    assert wording("no mass") != wording("a mass")


def test_copies_of_training_reports_in_iu_xray(local_data: Path) -> None:
    splits = json.loads((local_data / "iu_xray" / "annotation.json").read_text())
    train, test = ([record["report"] for record in splits[name]] for name in ("train", "test"))
    assert sum(report in set(train) for report in test) == 274
    known = set(map(wording, train))
    assert sum(wording(report) in known for report in test) == 277
    assert sum(wording(clean(report, "r2gen")) in known for report in test) == 277
