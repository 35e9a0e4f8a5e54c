"""A labeler that can be checked by eye, and predictions made with it in mind."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from jaxtyping import Float

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.predictions import Prediction


class KeywordLabeler(Labeler):
    """Reads an observation's name as positive, "no <name>" as negative, "<name>?" as uncertain."""

    def __init__(self) -> None:
        self.read: list[str] = []

    @property
    def identity(self) -> str:
        return "keyword 1"

    def label(self, reports: Sequence[str]) -> Float[np.ndarray, "reports observations"]:
        self.read += reports
        states = np.full((len(reports), len(OBSERVATIONS)), np.nan)
        for row, report in enumerate(reports):
            for column, name in enumerate(OBSERVATIONS):
                if name.lower() in report:
                    is_uncertain = name.lower() + "?" in report
                    is_denied = "no " + name.lower() in report and name != "No Finding"
                    states[row, column] = 0 if is_denied else -1 if is_uncertain else 1
        return states


@pytest.fixture
def labeler() -> KeywordLabeler:
    return KeywordLabeler()


@pytest.fixture
def make_predictions() -> Callable[..., list[Prediction]]:
    """Return a maker of random predictions, with all optional fields unless told otherwise."""

    def make(number: int, *, seed: int = 0, optional: bool = True) -> list[Prediction]:
        random = np.random.default_rng(seed)
        words = [name.lower() for name in OBSERVATIONS] + [
            "the",
            "lungs",
            "are",
            "clear",
            ".",
            "no",
        ]
        predictions = []
        for i in range(number):
            reference, generated = (" ".join(random.choice(words, 12)) for _ in range(2))
            states = dict(zip(OBSERVATIONS, random.integers(-1, 2, 14).tolist(), strict=True))
            chances = dict(zip(OBSERVATIONS, random.random(14).tolist(), strict=True))
            predictions.append(
                Prediction(f"s{i}", reference, generated, chances, states, "truth")
                if optional
                else Prediction(f"s{i}", reference, generated)
            )
        return predictions

    return make
