"""R2Gen after its backbone, in paper notation: one study, token, slot and head at a time, no cache.

Slow on purpose; written from Chen et al. 2020, sections 2.1 to 2.3, and independent of the package
but for the names of the weights. Only present views are given to it.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

Weights = Mapping[str, Tensor]


def linear(w: Weights, name: str, x: Tensor) -> Tensor:
    return w[f"{name}.weight"] @ x + w[f"{name}.bias"]


def normalized(x: Tensor) -> Tensor:
    n = len(x)
    mean = x.sum() / n
    deviation = math.sqrt(float(((x - mean) ** 2).sum() / (n - 1)))
    return (x - mean) / (deviation + 1e-6)


def norm(w: Weights, name: str, x: Tensor) -> Tensor:
    return w[f"{name}.scale"] * normalized(x) + w[f"{name}.shift"]


def mlp(w: Weights, name: str, x: Tensor, second: int = 2) -> Tensor:
    return linear(w, f"{name}.{second}", torch.relu(linear(w, f"{name}.0", x)))


def mcln(w: Weights, name: str, x: Tensor, m: Tensor) -> Tensor:
    gamma = w[f"{name}.scale"] + mlp(w, f"{name}.scale_change", m)
    beta = w[f"{name}.shift"] + mlp(w, f"{name}.shift_change", m)
    return gamma * normalized(x) + beta


def attention(
    w: Weights, name: str, query: Tensor, memory: list[Tensor], heads: int
) -> tuple[Tensor, Tensor]:
    """Return what one query gathers from a list of vectors, and its mean weights over heads."""
    q = linear(w, f"{name}.query", query)
    keys = [linear(w, f"{name}.key", row) for row in memory]
    values = [linear(w, f"{name}.value", row) for row in memory]
    size = len(q) // heads
    gathered, weights = [], []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        scores = torch.stack([q[part] @ key[part] for key in keys]) / math.sqrt(size)
        alpha = torch.exp(scores - scores.max())
        alpha = alpha / alpha.sum()
        weights.append(alpha)
        gathered.append(sum(a * value[part] for a, value in zip(alpha, values, strict=True)))
    return linear(w, f"{name}.output", torch.cat(gathered)), torch.stack(weights).mean(0)


def relational_memory(
    w: Weights, name: str, x: list[Tensor], slots: int, heads: int
) -> list[Tensor]:
    """Return the flattened memory M_t after every x_t."""
    d = len(x[0])
    memory = [torch.eye(slots, d, dtype=x[0].dtype)[slot] for slot in range(slots)]
    outputs = []
    for x_t in x:
        new = []
        for slot in range(slots):
            m = memory[slot]
            z = m + attention(w, f"{name}.attention", m, [*memory, x_t], heads)[0]
            z = z + torch.relu(mlp(w, f"{name}.feedforward", z))
            gates = linear(w, f"{name}.input_gates", x_t)
            gates = gates + linear(w, f"{name}.memory_gates", torch.tanh(m))
            write, forget = torch.sigmoid(gates[:d]), torch.sigmoid(gates[d:])
            new.append(write * torch.tanh(z) + forget * m)
        memory = new
        outputs.append(torch.cat(memory))
    return outputs


def encode(w: Weights, features: Tensor, layers: int, heads: int) -> list[Tensor]:
    """Return encoded visual tokens from the backbone's features of one study."""
    x = [torch.relu(linear(w, "visual.projection.0", row)) for row in features]
    for layer in range(layers):
        name = f"visual.encoder.layers.{layer}"
        normed = [norm(w, f"{name}.attention_norm", row) for row in x]
        x = [
            row + attention(w, f"{name}.attention", n, normed, heads)[0]
            for row, n in zip(x, normed, strict=True)
        ]
        x = [
            row + mlp(w, f"{name}.feedforward", norm(w, f"{name}.feedforward_norm", row), second=3)
            for row in x
        ]
    return [norm(w, "visual.encoder.norm", row) for row in x]


def embed(w: Weights, ids: list[int]) -> list[Tensor]:
    table = w["decoder.embedding.weight"]
    d = table.shape[1]
    embedded = []
    for position, token in enumerate(ids):
        signal = torch.zeros(d, dtype=table.dtype)
        for pair in range(d // 2):
            angle = position / 10_000 ** (2 * pair / d)
            signal[2 * pair], signal[2 * pair + 1] = math.sin(angle), math.cos(angle)
        embedded.append(table[token] * math.sqrt(d) + signal)
    return embedded


def decode(
    w: Weights, ids: list[int], visual: list[Tensor], layers: int, heads: int, slots: int
) -> tuple[Tensor, Tensor]:
    """Return scores of the token after each of `ids`, and where the last layer looked."""
    x = embed(w, ids)
    memory = relational_memory(w, "decoder.memory", x, slots, heads)
    looks: list[Tensor] = []
    for layer in range(layers):
        name = f"decoder.layers.{layer}"
        first = [mcln(w, f"{name}.norms.0", row, m) for row, m in zip(x, memory, strict=True)]
        x = [
            row + attention(w, f"{name}.self_attention", first[t], first[: t + 1], heads)[0]
            for t, row in enumerate(x)
        ]
        looks = []
        for t, m in enumerate(memory):
            query = mcln(w, f"{name}.norms.1", x[t], m)
            gathered, look = attention(w, f"{name}.cross_attention", query, visual, heads)
            looks.append(look)
            x[t] = x[t] + gathered
            third = mcln(w, f"{name}.norms.2", x[t], m)
            x[t] = x[t] + mlp(w, f"{name}.feedforward", third, second=3)
    scores = [linear(w, "decoder.scores", norm(w, "decoder.norm", row)) for row in x]
    return torch.stack(scores), torch.stack(looks)
