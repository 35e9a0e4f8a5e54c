from pathlib import Path

import numpy as np
import pytest

from gradtruce.data.label_file import LabelFile
from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.label_output import write_labels


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    states = random.choice([1.0, 0.0, -1.0, np.nan], (20, 14))
    ids = [f'study "{n}", left' for n in range(20)]
    write_labels(tmp_path / "labels.csv", ids, states)
    read = LabelFile.read(tmp_path / "labels.csv").states
    again = [[read[study].get(name, np.nan) for name in OBSERVATIONS] for study in ids]
    np.testing.assert_array_equal(again, states)
    header = (tmp_path / "labels.csv").read_text().split("\n")[0]
    assert header == ",".join(["id", *OBSERVATIONS])


@pytest.mark.parametrize(
    ("ids", "states", "message"),
    [
        (["a", "a"], np.zeros((2, 14)), "comes twice"),
        (["a", " "], np.zeros((2, 14)), "an id is empty"),
        (["a"], np.zeros((2, 14)), "1 ids need 1 × 14 states"),
        (["a"], np.full((1, 14), 2.0), "must be 1, 0, -1 or NaN"),
    ],
)
def test_bad_labels_leave_no_file(
    tmp_path: Path, ids: list[str], states: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_labels(tmp_path / "labels.csv", ids, states)
    assert not list(tmp_path.iterdir())
