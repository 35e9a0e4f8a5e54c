"""What PromptMRG adds to an image encoder and a decoder: one study and one number at a time.

Slow on purpose; written from Jin et al. 2024 and what is known of its code, and independent of the
package but for the names of the weights. Only present views are given to it.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from tests.reference.r2gen import Weights, attention, linear, mlp

BLANK, POSITIVE, NEGATIVE, UNCERTAIN = range(4)


def state(label: float) -> int:
    if math.isnan(label):
        return BLANK
    return {1.0: POSITIVE, 0.0: NEGATIVE, -1.0: UNCERTAIN}[label]


def layer_norm(w: Weights, name: str, x: Tensor) -> Tensor:
    mean = x.sum() / len(x)
    variance = ((x - mean) ** 2).sum() / len(x)
    return w[f"{name}.weight"] * (x - mean) / math.sqrt(float(variance) + 1e-5) + w[f"{name}.bias"]


def asked(
    w: Weights, name: str, query: Tensor, keys: list[Tensor], values: list[Tensor], heads: int
) -> Tensor:
    """Return multi-head attention of one query, keys and values being of different vectors."""
    q = linear(w, f"{name}.query", query)
    k = [linear(w, f"{name}.key", row) for row in keys]
    v = [linear(w, f"{name}.value", row) for row in values]
    size, gathered = len(q) // heads, []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        alpha = [math.exp(float(q[part] @ key[part]) / math.sqrt(size)) for key in k]
        gathered.append(sum(a / sum(alpha) * x[part] for a, x in zip(alpha, v, strict=True)))
    return linear(w, f"{name}.output", torch.cat(gathered))


def memory(
    w: Weights, name: str, average: Tensor, texts: Tensor, layers: int, heads: int
) -> Tensor:
    """Return h: what a zero target reads of the retrieved texts, the image being its query."""
    m = [linear(w, f"{name}.projection", t) for t in texts]
    for layer in range(layers):
        part = f"{name}.encoder.{layer}"
        m = [
            layer_norm(
                w, f"{part}.norms.0", row + attention(w, f"{part}.attention", row, m, heads)[0]
            )
            for row in m
        ]
        m = [
            layer_norm(w, f"{part}.norms.1", row + mlp(w, f"{part}.feedforward", row, second=3))
            for row in m
        ]
    q = linear(w, f"{name}.query", average)
    h = torch.zeros_like(q)
    for layer in range(layers):
        part = f"{name}.decoder.{layer}"
        own = asked(w, f"{part}.self_attention", h + q, [h + q], [h], heads)
        h = layer_norm(w, f"{part}.norms.0", h + own)
        h = layer_norm(
            w, f"{part}.norms.1", h + asked(w, f"{part}.memory_attention", h + q, m, m, heads)
        )
        h = layer_norm(w, f"{part}.norms.2", h + mlp(w, f"{part}.feedforward", h, second=3))
    return layer_norm(w, f"{name}.norm", h)


def state_scores(w: Weights, name: str, features: Tensor, classes: int) -> list[list[float]]:
    """Return the four scores of every class, from a row a state and class, state by state."""
    rows, bias = w[f"{name}.weight"], w[f"{name}.bias"]
    return [
        [
            float(rows[s * classes + k] @ features + bias[s * classes + k])
            for s in (BLANK, POSITIVE, NEGATIVE, UNCERTAIN)
        ]
        for k in range(classes)
    ]


def softmax(scores: Sequence[float]) -> list[float]:
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    return [power / sum(powers) for power in powers]


def classification_loss(
    scores: Sequence[Sequence[Sequence[float]]],
    labels: Sequence[Sequence[float]],
    prior: Sequence[float],
) -> float:
    """Return the mean cross-entropy of all cells, log π_k added to the score of positive."""
    total, cells = 0.0, 0
    for study, row in zip(scores, labels, strict=True):
        for k, four in enumerate(study):
            adjusted = list(four)
            adjusted[POSITIVE] += math.log(prior[k])
            total -= math.log(softmax(adjusted)[state(row[k])])
            cells += 1
    return total / cells


def next_prior(
    probabilities: Sequence[Sequence[float]],
    labels: Sequence[Sequence[float]],
    prior: Sequence[float],
) -> list[float]:
    """Return π after an epoch; a class without a positive study keeps its own."""
    means: list[float | None] = []
    for k in range(len(prior)):
        found = [
            p[k] for p, row in zip(probabilities, labels, strict=True) if state(row[k]) == POSITIVE
        ]
        means.append(sum(found) / len(found) if found else None)
    largest = max(mean for mean in means if mean is not None)
    return [
        old if mean is None else max(mean / largest, 1e-3)
        for mean, old in zip(means, prior, strict=True)
    ]
