"""Whether drawn findings can be seen: a linear reader of small films, judged on films it never saw.

`python -m gradtruce.data.phantom.from_report.visibility FOLDER` prints it for a prepared set.
"""

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gradtruce.data.observations import FINDINGS
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.study import SPLITS, Study

_FOLDS: Final = 5
_VIEWS: Final = 2


class Visible(NamedTuple):
    """How well one observation can be seen.

    Attributes:
        studies: How many show it.
        masked: Share of its findings that leave a region in a view at least.
        auc: Of the linear reader.
    """

    studies: int
    masked: float
    auc: float


def small_films(study: Study, side: int = 24) -> Float[np.ndarray, " numbers"]:
    """Return two views of a study, averaged to `side` pixels and joined; an absent one is grey 0.

    >>> from gradtruce.data.study import View
    >>> film = View(np.full((48, 48), 9, np.uint8), "frontal")
    >>> numbers = small_films(Study("s1", "p1", "train", (film,), "Text."))
    >>> numbers.shape, float(numbers[0]), float(numbers[-1])
    ((1152,), 9.0, 0.0)
    """
    films = np.zeros((_VIEWS, side, side))
    for place, view in enumerate(study.views[:_VIEWS]):
        image = Image.fromarray(view.pixels).resize((side, side), Image.Resampling.BOX)
        films[place] = np.asarray(image)
    return films.ravel()


def visible(studies: Iterable[Study], *, side: int = 24, least: int = 10) -> dict[str, Visible]:
    """Return for each observation how many studies show it, and how well it can be seen.

    The reader is a logistic regression on the grey values of small films, one an observation, in
    five folds: each study is judged by a reader that has not seen it. 0.5 is chance. Whatever it
    finds, a network can; what it misses may still be visible, as thin lines are not in films of
    this size.

    Args:
        studies: With their findings.
        side: Pixels of the films that are read.
        least: Observations in fewer studies are left out; at least 5, one a fold.

    >>> from gradtruce.data.phantom.generate import generate
    >>> visible(generate("easy", 12, size=32), side=4, least=12)
    {}
    """
    films, names = [], []
    drawn: Counter[str] = Counter()
    masked: Counter[str] = Counter()
    for study in studies:
        films.append(small_films(study, side))
        names.append({finding.observation for finding in study.findings})
        drawn.update(finding.observation for finding in study.findings)
        masked.update(finding.observation for finding in study.findings if finding.regions)
    pixels = np.array(films)
    found: dict[str, Visible] = {}
    for name in FINDINGS:
        there = np.array([name in one for one in names])
        count = int(there.sum())
        if min(count, len(there) - count) >= max(least, _FOLDS):
            found[name] = Visible(count, masked[name] / drawn[name], _auc(pixels, there))
    return found


def _auc(pixels: Float[np.ndarray, "studies numbers"], there: np.ndarray) -> float:
    reader = make_pipeline(
        StandardScaler(), LogisticRegression(C=1e-3, class_weight="balanced", max_iter=300)
    )
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    scores = cross_val_predict(reader, pixels, there, cv=folds, method="decision_function")
    return float(roc_auc_score(there, scores))


def _print(folder: Path) -> None:
    dataset = PreparedDataset.open(folder)
    studies = (study for split in SPLITS for study in dataset.split(split))
    sys.stdout.write("| finding | studies | with a mask | AUC |\n|---|---|---|---|\n")
    for name, one in visible(studies).items():
        sys.stdout.write(f"| {name} | {one.studies} | {one.masked:.3f} | {one.auc:.2f} |\n")


if __name__ == "__main__":
    _print(Path(sys.argv[1]))
