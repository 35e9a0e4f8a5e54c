"""R2Gen as its code names its weights: their forward pass and beam search, without any cache.

Written from the specification and the paper; one id, 0, is pad, bos and eos. Slow on purpose: the
whole prefix is computed again for every word, memory included.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tests.reference.imagenet_backbones import Drawn, Weights, draw_resnet, resnet

CHILDREN = {"conv1": "0", "bn1": "1", "layer1": "4", "layer2": "5", "layer3": "6", "layer4": "7"}
ROOT = "encoder_decoder"
MODEL = f"{ROOT}.model"


@dataclass(frozen=True)
class Sizes:
    vocabulary: int
    widths: tuple[int, ...] = (16, 32)
    depths: tuple[int, ...] = (1, 2)
    width: int = 16
    hidden: int = 24
    heads: int = 2
    layers: int = 2
    slots: int = 3


def draw(sizes: Sizes, seed: int = 0) -> Drawn:
    """Return random weights under the published names."""
    w, d = Drawn(seed), sizes.width
    for name, value in draw_resnet(sizes.widths, sizes.depths, seed).items():
        head, _, leaf = name.partition(".")
        if head in CHILDREN:
            w[f"visual_extractor.model.{CHILDREN[head]}.{leaf}"] = value
    w.linear(f"{ROOT}.att_embed.0", sizes.widths[-1], d)
    w.linear(f"{ROOT}.logit", d, sizes.vocabulary)
    w[f"{MODEL}.tgt_embed.0.lut.weight"] = w.normal(sizes.vocabulary, d)
    w[f"{MODEL}.tgt_embed.1.pe"] = torch.zeros(1, 50, d)
    for layer in range(sizes.layers):
        draw_layer(w, f"{MODEL}.encoder.layers.{layer}", sizes, ["self_attn"])
        draw_layer(w, f"{MODEL}.decoder.layers.{layer}", sizes, ["self_attn", "src_attn"])
        for place in range(3):
            name = f"{MODEL}.decoder.layers.{layer}.sublayer.{place}.norm"
            for change in (f"{name}.mlp_gamma", f"{name}.mlp_beta"):
                w.linear(f"{change}.0", sizes.slots * d, d)
                w.linear(f"{change}.2", d, d)
    draw_norm(w, f"{MODEL}.encoder.norm", d)
    draw_norm(w, f"{MODEL}.decoder.norm", d)
    draw_attention(w, f"{MODEL}.rm.attn", d)
    w.linear(f"{MODEL}.rm.mlp.0", d, d)
    w.linear(f"{MODEL}.rm.mlp.2", d, d)
    w.linear(f"{MODEL}.rm.W", d, 2 * d)
    w.linear(f"{MODEL}.rm.U", d, 2 * d)
    for name in w:
        if name.startswith(ROOT) and w[name].ndim == 2:
            w[name] = w[name] / math.sqrt(w[name].shape[1])
    return w


def draw_layer(w: Drawn, name: str, sizes: Sizes, attentions: Sequence[str]) -> None:
    for attention_name in attentions:
        draw_attention(w, f"{name}.{attention_name}", sizes.width)
    w.linear(f"{name}.feed_forward.w_1", sizes.width, sizes.hidden)
    w.linear(f"{name}.feed_forward.w_2", sizes.hidden, sizes.width)
    for place in range(len(attentions) + 1):
        draw_norm(w, f"{name}.sublayer.{place}.norm", sizes.width)


def draw_attention(w: Drawn, name: str, width: int) -> None:
    for place in range(4):
        w.linear(f"{name}.linears.{place}", width, width)


def draw_norm(w: Drawn, name: str, width: int) -> None:
    w[f"{name}.gamma"] = 1 + 0.2 * w.normal(width)
    w[f"{name}.beta"] = 0.2 * w.normal(width)


def linear(w: Weights, name: str, x: Tensor) -> Tensor:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def mlp(w: Weights, name: str, x: Tensor) -> Tensor:
    return linear(w, f"{name}.2", linear(w, f"{name}.0", x).clamp(min=0))


def norm(w: Weights, name: str, x: Tensor, memory: Tensor | None = None) -> Tensor:
    """Divide by the unbiased deviation plus epsilon; scale and shift move with the memory."""
    centred = x - x.mean(-1, keepdim=True)
    deviation = (centred.square().sum(-1, keepdim=True) / (x.shape[-1] - 1)).sqrt()
    gamma, beta = w[f"{name}.gamma"], w[f"{name}.beta"]
    if memory is not None:
        gamma = gamma + mlp(w, f"{name}.mlp_gamma", memory)
        beta = beta + mlp(w, f"{name}.mlp_beta", memory)
    return gamma * centred / (deviation + 1e-6) + beta


def attention(
    w: Weights, name: str, queries: Tensor, keys: Tensor, heads: int, *, causal: bool = False
) -> Tensor:
    q, k, v = (
        linear(w, f"{name}.linears.{place}", x) for place, x in enumerate((queries, keys, keys))
    )
    gathered, size = [], q.shape[-1] // heads
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        scores = q[:, part] @ k[:, part].T / math.sqrt(size)
        if causal:
            scores = scores.masked_fill(torch.ones_like(scores).triu(1) > 0, -1e9)
        gathered.append(scores.softmax(-1) @ v[:, part])
    return linear(w, f"{name}.linears.3", torch.cat(gathered, -1))


def feed_forward(w: Weights, name: str, x: Tensor) -> Tensor:
    return linear(w, f"{name}.w_2", linear(w, f"{name}.w_1", x).clamp(min=0))


def encode(w: Weights, images: Tensor, sizes: Sizes) -> Tensor:
    """Return the encoded tokens of the views (views, 3, height, width) of one study."""
    visual = {
        name.replace(f"visual_extractor.model.{place}.", f"{head}.", 1): value
        for head, place in CHILDREN.items()
        for name, value in w.items()
        if name.startswith(f"visual_extractor.model.{place}.")
    }
    maps = resnet(visual, images, sizes.depths)
    patches = torch.cat([each.flatten(1).T for each in maps])
    x = linear(w, f"{ROOT}.att_embed.0", patches).clamp(min=0)
    for layer in range(sizes.layers):
        name = f"{MODEL}.encoder.layers.{layer}"
        y = norm(w, f"{name}.sublayer.0.norm", x)
        x = x + attention(w, f"{name}.self_attn", y, y, sizes.heads)
        x = x + feed_forward(w, f"{name}.feed_forward", norm(w, f"{name}.sublayer.1.norm", x))
    return norm(w, f"{MODEL}.encoder.norm", x)


def embed(w: Weights, ids: Sequence[int]) -> Tensor:
    table = w[f"{MODEL}.tgt_embed.0.lut.weight"]
    d = table.shape[1]
    places = torch.arange(len(ids), dtype=table.dtype)[:, None]
    angles = places / 10_000 ** (torch.arange(0, d, 2, dtype=table.dtype) / d)
    signal = torch.zeros(len(ids), d, dtype=table.dtype)
    signal[:, 0::2], signal[:, 1::2] = angles.sin(), angles.cos()
    return table[list(ids)] * math.sqrt(d) + signal


def remember(w: Weights, words: Tensor, sizes: Sizes) -> Tensor:
    """Return the flattened memory after every word, stepped one word at a time."""
    name, d = f"{MODEL}.rm", sizes.width
    memory = torch.eye(sizes.slots, d, dtype=words.dtype)
    steps = []
    for word in words:
        seen = torch.cat([memory, word[None]])
        new = memory + attention(w, f"{name}.attn", memory, seen, sizes.heads)
        new = new + mlp(w, f"{name}.mlp", new).clamp(min=0)
        gates = linear(w, f"{name}.W", word[None]) + linear(w, f"{name}.U", memory.tanh())
        write, forget = gates[:, :d].sigmoid(), gates[:, d:].sigmoid()
        memory = write * new.tanh() + forget * memory
        steps.append(memory.flatten())
    return torch.stack(steps)


def log_chances(w: Weights, visual: Tensor, ids: Sequence[int], sizes: Sizes) -> Tensor:
    """Return the log-probabilities of what follows each of `ids`, the first of which is 0."""
    x = embed(w, ids)
    memory = remember(w, x, sizes)
    for layer in range(sizes.layers):
        name = f"{MODEL}.decoder.layers.{layer}"
        y = norm(w, f"{name}.sublayer.0.norm", x, memory)
        x = x + attention(w, f"{name}.self_attn", y, y, sizes.heads, causal=True)
        y = norm(w, f"{name}.sublayer.1.norm", x, memory)
        x = x + attention(w, f"{name}.src_attn", y, visual, sizes.heads)
        y = norm(w, f"{name}.sublayer.2.norm", x, memory)
        x = x + feed_forward(w, f"{name}.feed_forward", y)
    return linear(w, f"{ROOT}.logit", norm(w, f"{MODEL}.decoder.norm", x)).log_softmax(-1)
