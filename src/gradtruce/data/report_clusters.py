"""Clusters of reports that say much the same: k-means over vectors of their text."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from gradtruce.data.cluster_file import ClusterFile, hash_of
from gradtruce.data.text import clean

CLUSTERS: Final = 14
"""As many as WCL has on MIMIC-CXR (Yan et al. 2021)."""

DIMENSIONS: Final = 100
_STARTS: Final = 10

Embedding = Callable[[Sequence[str]], Float[np.ndarray, "reports size"]]
"""From reports as the source has them to a vector of each."""


def cluster_reports(
    studies: Sequence[str],
    reports: Sequence[str],
    *,
    count: int = CLUSTERS,
    seed: int = 0,
    embed: Embedding | None = None,
    embedding: str = "",
) -> ClusterFile:
    """Return the clusters of some reports, the largest first.

    The best of ten k-means, each started by k-means++. Reports of equal text share a cluster.

    Args:
        studies: Ids; those of the training split, so that no test report has a say.
        reports: Their reports, in the same order.
        count: Number of clusters.
        seed: Of the starts, and of the singular vectors of `text_vectors`.
        embed: Makes a vector of each report, such as CheXbert's; `text_vectors` where not given.
        embedding: What `embed` is, for the record.

    Raises:
        ValueError: If `count` is below 2, or there are fewer different reports than clusters.

    >>> reports = ["Clear lungs.", "Large effusion.", "The lungs are clear.", "An effusion."]
    >>> cluster_reports(["a", "b", "c", "d"], reports, count=2).clusters
    {'a': 0, 'b': 1, 'c': 0, 'd': 1}
    """
    texts = [clean(report, "clean") for report in reports]
    if count < 2:
        raise ValueError(f"the number of clusters must be at least 2, got {count}")
    if len(set(texts)) < count:
        raise ValueError(
            f"{count} clusters need as many different training reports, found {len(set(texts))}; "
            "ask for fewer, or take more studies"
        )
    vectors = text_vectors(texts, seed) if embed is None else embed(reports)
    found = KMeans(count, n_init=_STARTS, random_state=seed).fit_predict(vectors)
    what = embedding or f"TF-IDF of words and pairs of words in {vectors.shape[1]} dimensions"
    return ClusterFile(
        f"k-means, {count} clusters, over {what}",
        dict(zip(studies, _largest_first(found).tolist(), strict=True)),
        seed,
        hash_of(studies, reports),
    )


def text_vectors(
    texts: Sequence[str], seed: int, *, size: int = DIMENSIONS
) -> Float[np.ndarray, "reports size"]:
    """Return a vector of length 1 for each cleaned text, by latent semantic analysis.

    TF-IDF of words and of pairs of words, with the logarithm of how often each occurs, brought to
    `size` dimensions, or fewer where there are fewer texts or words.

    >>> vectors = text_vectors(["clear lungs .", "lungs clear .", "an effusion ."], seed=0)
    >>> bool(vectors[0] @ vectors[1] > 0.9), bool(abs(vectors[0] @ vectors[2]) < 0.1)
    (True, True)
    """
    counts = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w[\w.\-]*")
    words = counts.fit_transform(texts)
    size = min(size, min(words.shape) - 1)
    if size > 0:
        words = TruncatedSVD(size, random_state=seed).fit_transform(words)
    else:
        words = words.toarray()
    vectors: Float[np.ndarray, "reports size"] = normalize(words)
    return vectors


def _largest_first(found: Int[np.ndarray, " reports"]) -> Int[np.ndarray, " reports"]:
    """Return the numbers of clusters anew: from the largest on, at equal size the first met."""
    names, first, sizes = np.unique(found, return_index=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    ranks = np.empty(int(names.max()) + 1, dtype=np.int64)
    ranks[names[order]] = np.arange(len(names))
    renamed: Int[np.ndarray, " reports"] = ranks[found]
    return renamed
