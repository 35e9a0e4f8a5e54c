"""What CAMANet adds to R2Gen, in paper notation: one study, class, place and token at a time.

Slow on purpose; written from Wang et al. 2024 and what is known of its code, and independent of the
package but for the names of the weights. Only present views are given to it.
"""

import math

import torch
from torch import Tensor

from tests.reference.r2gen import Weights, embed, encode, linear, norm
from tests.reference.r2gen import decode as write


def scaled(values: list[float]) -> list[float]:
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if high > low else 0.0 for value in values]


def class_scores(w: Weights, features: Tensor) -> Tensor:
    """Return the scores of the classes, from the mean over all places of all views."""
    return linear(w, "visual.findings.scores", sum(features) / len(features))


def visual_discriminative_map(w: Weights, features: Tensor) -> list[float]:
    """Return the strongest activation of any predicted class at every place, from 0 to 1."""
    weight, scores = w["visual.findings.scores.weight"], class_scores(w, features)
    strongest = []
    for row in features:
        best = 0.0
        for k, score in enumerate(scores.tolist()):
            if 1 / (1 + math.exp(-score)) >= 0.5:
                best = max(best, float(weight[k] @ row))
        strongest.append(best)
    return scaled(strongest)


def visual_tokens(
    w: Weights, features: Tensor, layers: int, heads: int
) -> tuple[list[Tensor], Tensor]:
    """Return the encoded patches, and the encoded foreground."""
    vdm = visual_discriminative_map(w, features)
    foreground = norm(w, "foreground_norm", sum(m * f for m, f in zip(vdm, features, strict=True)))
    encoded = encode(w, torch.stack([foreground, *features]), layers, heads)
    return encoded[1:], encoded[0]


def text_attention(
    words: list[Tensor], foreground: Tensor, looks: Tensor, real: list[int], chosen: int
) -> list[float]:
    """Return where the `chosen` most important of the `real` words look, from 0 to 1."""
    importance = {
        t: float(words[t] @ foreground / (words[t].norm() * foreground.norm())) for t in real
    }
    best = sorted(real, key=lambda t: -importance[t])[:chosen]
    places = looks.shape[1]
    return scaled(
        [max(max(0.0, importance[t] * float(looks[t, p])) for t in best) for p in range(places)]
    )


def study(
    w: Weights,
    features: Tensor,
    ids: list[int],
    *,
    layers: int,
    heads: int,
    slots: int,
    layer: int,
    share: float,
    paper_code: bool,
) -> tuple[Tensor, Tensor, float]:
    """Return next-token scores, class scores and the squared error of the attention of a study.

    `ids` are those that the decoder reads: 1 is bos, 2 eos, 0 pad.
    """
    patches, foreground = visual_tokens(w, features, layers, heads)
    scores, _ = write(w, ids, patches, layers, heads, slots)
    _, looks = write(w, ids, patches, layer + 1, heads, slots)
    real = [t for t, token in enumerate(ids) if token not in (0, 2)]
    chosen = math.ceil(share * len(real))
    if paper_code:
        foreground = patches[0]
        chosen = min(chosen, max(1, int(share * len(ids))))
    vdm = visual_discriminative_map(w, features)
    found = text_attention(embed(w, ids), foreground, looks, real, chosen)
    error = sum((a - b) ** 2 for a, b in zip(found, vdm, strict=True)) / len(vdm)
    if not any(vdm) and not paper_code:
        error = 0.0
    return scores, class_scores(w, features), error
