import numpy as np
import pytest

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.baselines import all_normal_report, constant_predictions, most_frequent
from gradtruce.evaluation.predictions import Prediction


def test_a_constant_writer_keeps_everything_but_text_and_findings() -> None:
    prediction = Prediction("s1", "a mass .", "a mass .", {"Edema": 0.3}, {"Edema": 1}, "truth")
    (constant,) = constant_predictions([prediction], "clear .")
    assert constant == Prediction("s1", "a mass .", "clear .", None, {"Edema": 1}, "truth")


def test_the_most_frequent_report_ignores_blanks_and_takes_the_first_of_equals() -> None:
    assert most_frequent(["a  b", "c", "c", "a b\n"]) == "a b"


def test_the_normal_report_is_that_of_studies_without_any_finding() -> None:
    labels = np.full((4, 14), np.nan)
    labels[0, OBSERVATIONS.index("Edema")] = 1
    labels[1, OBSERVATIONS.index("Fracture")] = -1
    labels[2:, OBSERVATIONS.index("No Finding")] = 1
    labels[3, OBSERVATIONS.index("Edema")] = 0
    assert all_normal_report(["edema", "edema", "clear", "normal"], labels) == "clear"


def test_there_must_be_a_normal_study() -> None:
    with pytest.raises(ValueError, match="every study has a finding"):
        all_normal_report(["edema"], np.ones((1, 14)))
    with pytest.raises(ValueError, match="2 reports, but labels of 1"):
        all_normal_report(["a", "b"], np.ones((1, 14)))
    with pytest.raises(ValueError, match="no report"):
        most_frequent([])
