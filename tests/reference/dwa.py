"""Dynamic weight average in the paper's notation, from the losses of all epochs at once."""

import math


def dwa(history: list[list[list[float]]], T: float) -> list[float]:
    """Return λ_k for the epoch after those given; history[epoch][step][task]."""
    K = len(history[0][0])
    if len(history) < 2:
        return [1.0] * K
    means = [[sum(step[k] for step in epoch) / len(epoch) for k in range(K)] for epoch in history]
    w = [means[-1][k] / means[-2][k] for k in range(K)]
    total = sum(math.exp(w[i] / T) for i in range(K))
    return [K * math.exp(w[k] / T) / total for k in range(K)]
