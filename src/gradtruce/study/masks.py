"""What someone could know who is told where every finding is: a ceiling for the phantom.

The masks of a study become one number for each of the 13 findings and each view: the share of the
view that its regions cover. A random forest for each finding reads all these numbers and says which
findings the study has. It misses what no pixel shows: a finding without a region, and a hedged one,
whose label is uncertain and counts as negative. That is all it misses, so 1 minus its score is what
no reader of the images can get.
"""

import numpy as np
from jaxtyping import Float
from sklearn.ensemble import RandomForestClassifier

from gradtruce.data.observations import FINDINGS, OBSERVATIONS, POSITIVE
from gradtruce.data.prepared import PreparedDataset, PreparedSplit
from gradtruce.data.study import Study
from gradtruce.evaluation.clinical import ClinicalScores


def covered_shares(study: Study, views: int) -> Float[np.ndarray, " numbers"]:
    """Return the share of each view that the regions of each of the 13 findings cover.

    >>> covered_shares(Study("s1", "p1", "train", (), "Clear lungs."), views=2).shape
    (26,)
    """
    shares = np.zeros((len(FINDINGS), views))
    for finding in study.findings:
        for region in finding.regions:
            if finding.observation in FINDINGS and region.view < views:
                shares[FINDINGS.index(finding.observation), region.view] += region.mask.mean()
    return shares.ravel()


def score_of_masks(dataset: PreparedDataset, *, views: int = 2) -> dict[str, float]:
    """Return micro F1 over the 13 findings on the test split for a reader of the true masks.

    Args:
        dataset: With regions, as the phantom has them.
        views: Views that are read.

    Returns:
        "micro_13.f1" with uncertain labels as negative, and the share of the test split's positive
        labels that have no region, "without_region".
    """
    train, test = dataset.split("train"), dataset.split("test")
    shares, seen = _shares(train, views), _shares(test, views)
    read = np.zeros((len(test), len(OBSERVATIONS)))
    for column in range(len(FINDINGS)):
        forest = RandomForestClassifier(n_estimators=100, min_samples_leaf=2, random_state=0)
        forest.fit(shares, train.labels[:, column] == POSITIVE)
        read[:, column] = forest.predict(seen)
    labels = test.labels.astype(np.float64)
    everyone = np.ones((1, len(test)))
    positive = labels[:, : len(FINDINGS)] == POSITIVE
    empty = seen.reshape(len(test), len(FINDINGS), views).sum(axis=2) == 0
    scores = ClinicalScores(labels, read).scores(everyone)
    return {
        "micro_13.f1": float(scores["micro_13.uncertain_negative.f1"][0]),
        "without_region": float((positive & empty).sum() / max(1, positive.sum())),
    }


def _shares(split: PreparedSplit, views: int) -> Float[np.ndarray, "studies numbers"]:
    return np.stack([covered_shares(study, views) for study in split])
