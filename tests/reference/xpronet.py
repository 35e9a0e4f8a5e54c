"""XProNet in paper notation: one study, one query and one pair of studies at a time.

Slow on purpose; written from Wang et al. 2022, section 3, and independent of the package but for
the names of the weights.
"""

import math

import torch
from torch import Tensor

from tests.reference.r2gen import Weights, linear
from tests.reference.r2gen_cmn import numbered, respond, transformed


def chosen(w: Weights, y: list[int], each: int) -> list[Tensor]:
    """Return the reduced prototypes of the observations that a study has, one after the other."""
    rows = w["prototypes.rows"]
    places = [k * each + i for k, has in enumerate(y) if has for i in range(each)]
    return [linear(w, "prototypes.reduction", rows[place]) for place in places]


def forward(
    w: Weights,
    features: Tensor,
    ids: list[int],
    y: list[int],
    *,
    layers: int,
    heads: int,
    each: int,
    read: int,
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Return the scores after each of `ids`, the responses of visual tokens, and those of words."""
    slots, table = torch.stack(chosen(w, y, each)), w["decoder.embedding.weight"]

    def response(x: Tensor) -> Tensor:
        return respond(w, "prototypes.response", x, slots, heads, read)

    seen = [torch.relu(linear(w, "visual.projection.0", row)) for row in features]
    words = numbered([table[token] * math.sqrt(table.shape[1]) for token in ids])
    r_v, r_t = [response(x) for x in seen], [response(x) for x in words]
    f_v = [linear(w, "visual_fusion", torch.cat([x, r])) for x, r in zip(seen, r_v, strict=True)]
    f_t = [linear(w, "word_fusion", torch.cat([x, r])) for x, r in zip(words, r_t, strict=True)]
    return transformed(w, numbered(f_v), f_t, layers, heads), r_v, r_t


def contrast(r: list[Tensor], y: list[list[int]], margin: float = 0.4, alpha: float = 1.5) -> float:
    """Return the improved multi-label contrast: the mean over all ordered pairs."""
    total = 0.0
    for i, r_i in enumerate(r):
        for j, r_j in enumerate(r):
            cosine = float(r_i @ r_j / (r_i.norm() * r_j.norm()))
            if any(a and b for a, b in zip(y[i], y[j], strict=True)):
                differing = sum(abs(a - b) for a, b in zip(y[i], y[j], strict=True))
                wanted = 1 / alpha ** (differing / (sum(y[i]) + sum(y[j])))
                total += max(wanted - cosine, 0.0)
            else:
                total += max(cosine - margin, 0.0)
    return total / len(r) ** 2
