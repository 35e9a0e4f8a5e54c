"""The shared memory of R2GenCMN in paper notation: one query, head and slot at a time.

Slow on purpose; written from Chen et al. 2021, section 2.2, and independent of the package but for
the names of the weights.
"""

import math

import torch
from torch import Tensor

from tests.reference.r2gen import Weights, attention, linear, mlp, norm


def respond(w: Weights, name: str, query: Tensor, slots: Tensor, heads: int, read: int) -> Tensor:
    """Return what one query reads from its best slots, head by head."""
    q = linear(w, f"{name}.query", query)
    keys = [linear(w, f"{name}.key", slot) for slot in slots]
    values = [linear(w, f"{name}.value", slot) for slot in slots]
    size = len(q) // heads
    gathered = []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        scored = [(float(q[part] @ key[part]) / math.sqrt(size), i) for i, key in enumerate(keys)]
        best = sorted(scored, reverse=True)[:read]
        total = sum(math.exp(score) for score, _ in best)
        gathered.append(sum(math.exp(score) / total * values[i][part] for score, i in best))
    return linear(w, f"{name}.output", torch.cat(gathered))


def numbered(x: list[Tensor]) -> list[Tensor]:
    """Return the tokens plus the sinusoids of their number."""
    placed = []
    for position, row in enumerate(x):
        signal = torch.zeros_like(row)
        for pair in range(len(row) // 2):
            angle = position / 10_000 ** (2 * pair / len(row))
            signal[2 * pair], signal[2 * pair + 1] = math.sin(angle), math.cos(angle)
        placed.append(row + signal)
    return placed


def scores(
    w: Weights, features: Tensor, ids: list[int], layers: int, heads: int, read: int
) -> Tensor:
    """Return the scores after each of `ids`, from the backbone's features of the present views."""
    slots, table = w["memory.slots"], w["decoder.embedding.weight"]

    def enriched(x: Tensor) -> Tensor:
        return x + respond(w, "memory.response", x, slots, heads, read)

    visual = [torch.relu(linear(w, "visual.projection.0", row)) for row in features]
    visual = numbered([enriched(row) for row in visual])
    words = numbered([table[token] * math.sqrt(table.shape[1]) for token in ids])
    return transformed(w, visual, [enriched(row) for row in words], layers, heads)


def transformed(
    w: Weights, visual: list[Tensor], words: list[Tensor], layers: int, heads: int
) -> Tensor:
    """Return the scores after each word: plain pre-norm encoder and decoder."""
    for layer in range(layers):
        name = f"visual.encoder.layers.{layer}"
        normed = [norm(w, f"{name}.attention_norm", row) for row in visual]
        visual = [
            row + attention(w, f"{name}.attention", n, normed, heads)[0]
            for row, n in zip(visual, normed, strict=True)
        ]
        visual = [
            row + mlp(w, f"{name}.feedforward", norm(w, f"{name}.feedforward_norm", row), second=3)
            for row in visual
        ]
    visual = [norm(w, "visual.encoder.norm", row) for row in visual]
    x = list(words)
    for layer in range(layers):
        name = f"decoder.layers.{layer}"
        first = [norm(w, f"{name}.norms.0", row) for row in x]
        x = [
            row + attention(w, f"{name}.self_attention", first[t], first[: t + 1], heads)[0]
            for t, row in enumerate(x)
        ]
        for t, row in enumerate(x):
            query = norm(w, f"{name}.norms.1", row)
            seen = row + attention(w, f"{name}.cross_attention", query, visual, heads)[0]
            third = norm(w, f"{name}.norms.2", seen)
            x[t] = seen + mlp(w, f"{name}.feedforward", third, second=3)
    return torch.stack([linear(w, "decoder.scores", norm(w, "decoder.norm", row)) for row in x])
