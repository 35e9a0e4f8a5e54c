"""DDaTR's parts in paper notation: one image, place, head and word at a time.

Slow on purpose; written from what is known of the method, and independent of the package but for
the names of the weights. Maps are lists of places, row after row, unless they are (C, H, W).
"""

import math

import torch
from torch import Tensor

from tests.reference.r2gen import Weights, linear


def conv1(w: Weights, name: str, rows: Tensor) -> Tensor:
    """Return a 1 x 1 convolution of (places, channels)."""
    return torch.stack([linear(w, name, row) for row in rows])


def instance_norm(rows: Tensor) -> Tensor:
    """Return every channel with mean 0 and deviation 1 over the places."""
    columns = []
    for channel in rows.T:
        mean = sum(channel) / len(channel)
        variance = sum((value - mean) ** 2 for value in channel) / len(channel)
        columns.append((channel - mean) / (variance + 1e-5) ** 0.5)
    return torch.stack(columns, dim=1)


def gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def gate(w: Weights, name: str, rows: Tensor) -> Tensor:
    """Return tanh(W2 ReLU(W1 r)) * r."""
    first, second = w[f"{name}.first.weight"], w[f"{name}.second.weight"]
    return torch.stack([torch.tanh(second @ torch.relu(first @ r)) * r for r in rows])


def dfam(w: Weights, name: str, z: Tensor, words: Tensor, mask: list[bool], heads: int) -> Tensor:
    """Return the gated r_z of a prior map z (places, C) and the words of its report."""
    width = z.shape[1]
    size = width // heads
    q = instance_norm(conv1(w, f"{name}.query", z))
    k, v = (
        torch.stack(
            [m * row for m, row in zip(mask, conv1(w, f"{name}.{part}", words), strict=True)]
        )
        for part in ("key", "value")
    )
    gathered = torch.zeros_like(z)
    for place in range(len(z)):
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            scores = [
                float(q[place, part] @ row[part]) * width**-0.5 + (0.0 if m else -1e4)
                for row, m in zip(k, mask, strict=True)
            ]
            weights = [math.exp(s - max(scores)) for s in scores]
            for weight, row in zip(weights, v, strict=True):
                gathered[place, part] += weight / sum(weights) * row[part]
    attended = instance_norm(conv1(w, f"{name}.output", gathered))
    mixed = gelu(conv1(w, f"{name}.visual", z)) * attended
    return gate(w, f"{name}.gate", gelu(conv1(w, f"{name}.fusion", mixed)))


def ldc(w: Weights, name: str, image: Tensor) -> Tensor:
    """Return the learnable difference convolution of (C, H, W)."""
    weight, m, theta = w[f"{name}.weight"], w[f"{name}.share"], w[f"{name}.strength"]
    outputs, inputs = weight.shape[:2]
    _, rows, columns = image.shape
    result = torch.zeros(outputs, rows, columns, dtype=image.dtype)
    for o in range(outputs):
        for i in range(inputs):
            kernel = weight[o, i].clone()
            kernel[1, 1] *= 1 - theta[0] * m[o, i] * weight[o, i].sum()
            for y in range(rows):
                for x in range(columns):
                    for dy in (-1, 0, 1):
                        for dx in (-1, 0, 1):
                            if 0 <= y + dy < rows and 0 <= x + dx < columns:
                                value = kernel[dy + 1, dx + 1] * image[i, y + dy, x + dx]
                                result[o, y, x] += value
    return result


def group_norm(w: Weights, name: str, image: Tensor, groups: int) -> Tensor:
    parts = []
    for part in image.chunk(groups):
        variance = ((part - part.mean()) ** 2).mean()
        parts.append((part - part.mean()) / (variance + 1e-5) ** 0.5)
    normed = torch.cat(parts)
    return normed * w[f"{name}.weight"][:, None, None] + w[f"{name}.bias"][:, None, None]


def places(image: Tensor) -> Tensor:
    return image.flatten(1).T


def ddam(w: Weights, name: str, x: Tensor, z: Tensor, groups: int) -> Tensor:
    """Return the gated r_x of a current and a prior map (C, H, W), as (places, C)."""
    e_x, e_z = (
        torch.relu(group_norm(w, f"{name}.{side}.1", ldc(w, f"{name}.{side}.0", image), groups))
        for side, image in (("current", x), ("prior", z))
    )
    s = torch.sigmoid((e_x - e_z).flatten(1).mean(1))[:, None, None]
    both = places(torch.cat([e_x * s, e_z * s]))
    weight, bias = w[f"{name}.fusion.weight"][:, :, 0, 0], w[f"{name}.fusion.bias"]
    return gate(w, f"{name}.gate", torch.stack([weight @ row + bias for row in both]))


def stage(
    w: Weights,
    index: int,
    x: Tensor,
    z: Tensor,
    words: Tensor,
    mask: list[bool],
    *,
    heads: int,
    groups: int,
    p: float,
) -> tuple[Tensor, Tensor]:
    """Return both maps (C, H, W) after what happens between two stages; p is 1 with a prior."""
    shape = x.shape
    z = places(z) + p * dfam(w, f"text.{index}", places(z), words, mask, heads)
    z = z.T.reshape(shape)
    x = places(x) + p * ddam(w, f"difference.{index}", x, z, groups)
    return x.T.reshape(shape), z
