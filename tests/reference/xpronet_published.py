"""XProNet as its code names its weights: the forward pass, one study and one head at a time.

Written from the specification and Wang et al. 2022; one id, 0, is pad, bos and eos. Slow on
purpose: the whole prefix is computed again for every word, and chosen prototypes are copied.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tests.reference.imagenet_backbones import Drawn, Weights, draw_resnet, resnet
from tests.reference.r2gen_published import (
    CHILDREN,
    MODEL,
    ROOT,
    attention,
    draw_attention,
    embed,
    feed_forward,
    linear,
)

OBSERVATIONS = 14


@dataclass(frozen=True)
class Sizes:
    vocabulary: int
    widths: tuple[int, ...] = (16, 32)
    depths: tuple[int, ...] = (1, 2)
    width: int = 16
    hidden: int = 24
    heads: int = 2
    layers: int = 2
    prototypes: int = 4
    read: int = 3
    text_features: int = 8


def draw(sizes: Sizes, seed: int = 0) -> Drawn:
    """Return random weights under the published names, what is held twice twice."""
    w, d = Drawn(seed), sizes.width
    for name, value in draw_resnet(sizes.widths, sizes.depths, seed).items():
        head, _, leaf = name.partition(".")
        if head in CHILDREN:
            w[f"visual_extractor.model.{CHILDREN[head]}.{leaf}"] = value
    features = sizes.widths[-1] + sizes.text_features
    w[f"{ROOT}.protypes"] = w.normal(OBSERVATIONS * sizes.prototypes, features)
    w.linear(f"{ROOT}.att_embed.0", sizes.widths[-1], d)
    w.linear(f"{ROOT}.dim_reduction", features, d)
    w.linear(f"{ROOT}.fuse_feature", 2 * d, d)
    w.linear(f"{MODEL}.fuse_feature", 2 * d, d)
    w.linear(f"{ROOT}.logit", d, sizes.vocabulary)
    w[f"{MODEL}.tgt_embed.0.lut.weight"] = w.normal(sizes.vocabulary, d)
    for layer in range(sizes.layers):
        draw_layer(w, f"{MODEL}.encoder.layers.{layer}", sizes, ["self_attn"])
        draw_layer(w, f"{MODEL}.decoder.layers.{layer}", sizes, ["self_attn", "src_attn"])
    draw_norm(w, f"{MODEL}.encoder.norm", d)
    draw_norm(w, f"{MODEL}.decoder.norm", d)
    draw_attention(w, f"{ROOT}.cmn", d)
    for name in w:
        if name.startswith(ROOT) and w[name].ndim == 2:
            w[name] = w[name] / math.sqrt(w[name].shape[1])
    for name in [name for name in w if name.startswith(f"{ROOT}.cmn.")]:
        w[name.replace(ROOT, MODEL, 1)] = w[name]
    for table in ("src_embed.0.pe", "tgt_embed.1.pe"):
        w[f"{MODEL}.{table}"] = torch.zeros(1, 50, d)
    return w


def draw_layer(w: Drawn, name: str, sizes: Sizes, attentions: Sequence[str]) -> None:
    for part in attentions:
        draw_attention(w, f"{name}.{part}", sizes.width)
    w.linear(f"{name}.feed_forward.w_1", sizes.width, sizes.hidden)
    w.linear(f"{name}.feed_forward.w_2", sizes.hidden, sizes.width)
    for place in range(len(attentions) + 1):
        draw_norm(w, f"{name}.sublayer.{place}.norm", sizes.width)


def draw_norm(w: Drawn, name: str, width: int) -> None:
    w[f"{name}.a_2"] = 1 + 0.2 * w.normal(width)
    w[f"{name}.b_2"] = 0.2 * w.normal(width)


def norm(w: Weights, name: str, x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    deviation = (centred.square().sum(-1, keepdim=True) / (x.shape[-1] - 1)).sqrt()
    return w[f"{name}.a_2"] * centred / (deviation + 1e-6) + w[f"{name}.b_2"]


def numbered(x: Tensor) -> Tensor:
    """Return the tokens plus the sinusoids of their numbers."""
    d = x.shape[1]
    places = torch.arange(len(x), dtype=x.dtype)[:, None]
    angles = places / 10_000 ** (torch.arange(0, d, 2, dtype=x.dtype) / d)
    signal = torch.zeros_like(x)
    signal[:, 0::2], signal[:, 1::2] = angles.sin(), angles.cos()
    return x + signal


def respond(w: Weights, place: str, queries: Tensor, slots: Tensor, sizes: Sizes) -> Tensor:
    """Return what each query reads of its best slots; `place` holds the module."""
    q, k, v = (
        linear(w, f"{place}.cmn.linears.{part}", x)
        for part, x in enumerate((queries, slots, slots))
    )
    size, rows = sizes.width // sizes.heads, []
    for t in range(len(queries)):
        read = []
        for head in range(sizes.heads):
            part = slice(head * size, (head + 1) * size)
            scores = k[:, part] @ q[t, part] / math.sqrt(size)
            best = scores.topk(sizes.read)
            read.append(best.values.softmax(-1) @ v[best.indices, part])
        rows.append(torch.cat(read))
    return linear(w, f"{place}.cmn.linears.3", torch.stack(rows))


def chosen(w: Weights, labels: Sequence[int], sizes: Sizes) -> Tensor:
    """Return the reduced prototypes of the labels of a study, copied one after the other."""
    reduced = linear(w, f"{ROOT}.dim_reduction", w[f"{ROOT}.protypes"])
    each = sizes.prototypes
    return torch.cat([reduced[k * each : (k + 1) * each] for k, has in enumerate(labels) if has])


def encode(w: Weights, images: Tensor, labels: Sequence[int], sizes: Sizes) -> Tensor:
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
    read = respond(w, ROOT, x, chosen(w, labels, sizes), sizes)
    x = numbered(linear(w, f"{ROOT}.fuse_feature", torch.cat([x, read], -1)))
    for layer in range(sizes.layers):
        name = f"{MODEL}.encoder.layers.{layer}"
        y = norm(w, f"{name}.sublayer.0.norm", x)
        x = x + attention(w, f"{name}.self_attn", y, y, sizes.heads)
        x = x + feed_forward(w, f"{name}.feed_forward", norm(w, f"{name}.sublayer.1.norm", x))
    return norm(w, f"{MODEL}.encoder.norm", x)


def log_chances(
    w: Weights, visual: Tensor, labels: Sequence[int], ids: Sequence[int], sizes: Sizes
) -> Tensor:
    """Return the log-probabilities of what follows each of `ids`, the first of which is 0."""
    x = embed(w, ids)
    read = respond(w, MODEL, x, chosen(w, labels, sizes), sizes)
    x = linear(w, f"{MODEL}.fuse_feature", torch.cat([x, read], -1))
    for layer in range(sizes.layers):
        name = f"{MODEL}.decoder.layers.{layer}"
        y = norm(w, f"{name}.sublayer.0.norm", x)
        x = x + attention(w, f"{name}.self_attn", y, y, sizes.heads, causal=True)
        y = norm(w, f"{name}.sublayer.1.norm", x)
        x = x + attention(w, f"{name}.src_attn", y, visual, sizes.heads)
        x = x + feed_forward(w, f"{name}.feed_forward", norm(w, f"{name}.sublayer.2.norm", x))
    return linear(w, f"{ROOT}.logit", norm(w, f"{MODEL}.decoder.norm", x)).log_softmax(-1)
