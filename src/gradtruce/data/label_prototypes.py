"""Prototypes of observations: k-means, label by label, over feature vectors of studies."""

from typing import Final

import numpy as np
from jaxtyping import Bool, Float
from sklearn.cluster import KMeans

SPREAD: Final = 0.01
"""Deviation of the noise on a repeated centre, so that training can part the two."""

_STARTS: Final = 4


def label_prototypes(
    vectors: Float[np.ndarray, "studies features"],
    has_observation: Bool[np.ndarray, "studies observations"],
    *,
    count: int,
    seed: int = 0,
) -> Float[np.ndarray, "observations count features"]:
    """Return the centres of `count` clusters of the studies with each observation.

    An observation of fewer different studies than clusters has these studies as centres, repeated
    with a little noise; one that no study has takes the centres of all studies.

    Args:
        vectors: A feature vector of each study.
        has_observation: Which observations each study has.
        count: Centres of an observation.
        seed: Of the starts of k-means and of the noise.

    Raises:
        ValueError: If `count` is below 1, there is no study, or a feature is not finite.

    >>> vectors = np.array([[0.0], [1.0], [8.0], [10.0]])
    >>> has = np.array([[True, False], [True, False], [True, True], [True, True]])
    >>> np.sort(label_prototypes(vectors, has, count=2)[:, :, 0], axis=1)
    array([[ 0.5,  9. ],
           [ 8. , 10. ]])
    """
    if count < 1:
        raise ValueError(f"the prototypes of an observation must be at least 1, got {count}")
    if not len(vectors):
        raise ValueError("prototypes need at least one study, got none")
    if not np.isfinite(vectors).all():
        raise ValueError("a feature is not finite; take another backbone, or other weights for it")
    noise = np.random.default_rng(seed)
    found = [
        _centres(vectors[has] if has.any() else vectors, count, seed, noise)
        for has in has_observation.T
    ]
    return np.stack(found)


def balanced_blocks(
    *blocks: Float[np.ndarray, "studies _"],
) -> Float[np.ndarray, "studies features"]:
    """Return the blocks side by side, each brought to a mean square of 1 over all its features.

    So neither images nor texts decide alone, and a linear layer of usual weights keeps the scale. A
    block of zeros stays one.

    >>> balanced_blocks(np.array([[3.0], [3.0]]), np.array([[0.0], [0.0]]))
    array([[1., 0.],
           [1., 0.]])
    """
    scales = [np.sqrt(np.mean(block**2)) for block in blocks]
    scaled = [block / (scale or 1.0) for block, scale in zip(blocks, scales, strict=True)]
    return np.concatenate(scaled, axis=1)


def _centres(
    rows: Float[np.ndarray, "studies features"], count: int, seed: int, noise: np.random.Generator
) -> Float[np.ndarray, "count features"]:
    different = np.unique(rows, axis=0)
    if len(different) > count:
        means = KMeans(count, n_init=_STARTS, random_state=seed).fit(rows).cluster_centers_
        return np.asarray(means, dtype=rows.dtype)
    centres = different[np.arange(count) % len(different)]
    centres[len(different) :] += noise.normal(
        scale=SPREAD, size=(count - len(different), rows.shape[1])
    )
    return centres
