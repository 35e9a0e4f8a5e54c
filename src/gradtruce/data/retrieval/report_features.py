"""Report features that need no model: TF-IDF, singular vectors, seen from the mean report."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from gradtruce.data.report_clusters import text_vectors
from gradtruce.data.text import clean


def report_features(
    studies: Sequence[str], reports: Sequence[str], *, width: int, seed: int
) -> Float[np.ndarray, "reports width"]:
    """Return a vector of length 1 for each report.

    As `text_vectors`, less their mean. All reports share much; a query that knows little of a
    study points to what they share, and with the mean left in it would find the same few reports
    for every study. Numbers that the reports are too few for are 0.

    Args:
        studies: Ids, for the message.
        reports: Those of the training split, as the source has them.
        width: Numbers of a report.
        seed: Of the singular vectors.

    Raises:
        ValueError: If a report has no word, or is the mean of all.

    >>> texts = ["Clear lungs.", "Large effusion.", "Large heart."]
    >>> report_features(["a", "b", "c"], texts, width=4, seed=0).shape
    (3, 4)
    """
    vectors = text_vectors([clean(report, "clean") for report in reports], seed, size=width)
    has_words = np.any(vectors, axis=1, keepdims=True)
    centred = (vectors - vectors.mean(axis=0)) * has_words
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    silent = np.flatnonzero(lengths[:, 0] < np.finfo(np.float32).eps)
    if len(silent):
        raise ValueError(
            f"{len(silent)} of {len(reports)} training reports say nothing that sets them apart, "
            f"for one {studies[silent[0]]!r}; leave such studies out, or supply features"
        )
    return np.pad(centred / lengths, ((0, 0), (0, width - vectors.shape[1]))).astype(np.float32)
