"""RotoGrad in the paper's notation (Javaloy and Valera 2022), from gradients of the features."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def at_features(R: Array, G: Array) -> Array:
    """Return g_k,n = R_kᵀ G_k,n for every task k and sample n, in loops."""
    g = np.zeros_like(G)
    for k in range(len(G)):
        for n in range(G.shape[1]):
            g[k, n] = R[k].T @ G[k, n]
    return g


def scaled(g: Array, first: Array) -> Array:
    """Return the gradient that the trunk gets: Σ U g_k / ‖g_k‖."""
    norms = [np.sqrt((each**2).sum()) for each in g]
    ratios = [norm / start for norm, start in zip(norms, first, strict=True)]
    alphas = [ratio / sum(ratios) for ratio in ratios]
    U = sum(alpha * norm for alpha, norm in zip(alphas, norms, strict=True))
    return np.asarray(sum(U * each / norm for each, norm in zip(g, norms, strict=True)))


def target(g: Array) -> Array:
    """Return v of every sample: the mean of the gradients, each brought to the mean's norm."""
    mean = sum(g) / len(g)
    size = np.sqrt((mean**2).sum())
    return np.asarray(sum(each * size / np.sqrt((each**2).sum()) for each in g) / len(g))


def rotation_loss(R: Array, v: Array, G: Array) -> float:
    """Return Σ_n ‖R v_n − G_n‖² of one task."""
    return float(sum(((R @ v_n - G_n) ** 2).sum() for v_n, G_n in zip(v, G, strict=True)))
