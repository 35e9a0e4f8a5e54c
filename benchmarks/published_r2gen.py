"""R2Gen and its training step as the published code computes them, re-stated for timing.

Written from the specification and the paper. Names of weights are the published ones, so that the
same numbers can be put into ours. What costs time is done as published: two passes of the backbone
for two views, words embedded twice, a memory whose every step projects slots and word anew,
attention by explicit softmax, log-probabilities of all words kept for the loss.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Size(NamedTuple):
    """How large model and batch are; those of the paper on IU X-Ray."""

    widths: tuple[int, ...] = (256, 512, 1024, 2048)
    depths: tuple[int, ...] = (3, 4, 23, 3)
    width: int = 512
    heads: int = 8
    layers: int = 3
    slots: int = 3
    vocabulary: int = 761
    batch: int = 16
    pixels: int = 224
    tokens: int = 60


class Bottleneck(nn.Module):
    """A layer of ResNet-50, -101, -152."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        inner = outputs // 4
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential()
        if inputs != outputs or stride != 1:
            self.downsample.append(nn.Conv2d(inputs, outputs, 1, stride, bias=False))
            self.downsample.append(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return the features after this layer."""
        y = self.bn1(self.conv1(x)).relu_()
        y = self.bn2(self.conv2(y)).relu_()
        y = self.bn3(self.conv3(y))
        y += self.downsample(x)
        return y.relu_()


class VisualExtractor(nn.Module):
    """ResNet without pooling and classes."""

    def __init__(self, widths: Sequence[int], depths: Sequence[int]) -> None:
        super().__init__()
        parts: list[nn.Module] = [
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        ]
        channels = 64
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            blocks = []
            for block in range(depth):
                blocks.append(Bottleneck(channels, width, 2 if stage and not block else 1))
                channels = width
            parts.append(nn.Sequential(*blocks))
        self.model = nn.Sequential(*parts)

    def forward(self, images: Tensor) -> Tensor:
        """Return the places of one view, row after row."""
        maps: Tensor = self.model(images)
        return maps.flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head attention by explicit softmax."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.linears = nn.ModuleList(nn.Linear(width, width) for _ in range(4))
        self.dropout = nn.Dropout(0.1)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return what the queries gather."""
        batch, _, width = q.shape
        q, k, v = (
            layer(x).view(batch, -1, self.heads, width // self.heads).transpose(1, 2)
            for layer, x in zip(self.linears, (q, k, v), strict=False)
        )
        scores = q @ k.transpose(-2, -1) / math.sqrt(width // self.heads)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -1e9)
        gathered = self.dropout(scores.softmax(dim=-1)) @ v
        joined = gathered.transpose(1, 2).contiguous().view(batch, -1, width)
        result: Tensor = self.linears[3](joined)
        return result


class Norm(nn.Module):
    """Layer normalisation with the unbiased deviation; with a memory, MCLN."""

    def __init__(self, width: int, memory: int = 0) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        if memory:
            self.mlp_gamma = two_layers(memory, width)
            self.mlp_beta = two_layers(memory, width)

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        """Return normalised tokens."""
        mean, std = x.mean(-1, keepdim=True), x.std(-1, keepdim=True)
        gamma, beta = self.gamma, self.beta
        if memory is not None:
            gamma = gamma.expand(*x.shape).clone() + self.mlp_gamma(memory)
            beta = beta.expand(*x.shape).clone() + self.mlp_beta(memory)
        return gamma * (x - mean) / (std + 1e-6) + beta


def two_layers(inputs: int, width: int) -> nn.Sequential:
    """Return the MLP that steers a scale or a shift."""
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(inplace=True), nn.Linear(width, width))


class Sublayer(nn.Module):
    """What stands around a part of a layer."""

    def __init__(self, width: int, memory: int) -> None:
        super().__init__()
        self.norm = Norm(width, memory)
        self.dropout = nn.Dropout(0.1)


class FeedForward(nn.Module):
    """The position-wise network."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.w_1, self.w_2 = nn.Linear(width, width), nn.Linear(width, width)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Return changed tokens."""
        result: Tensor = self.w_2(self.dropout(self.w_1(x).relu()))
        return result


class Layer(nn.Module):
    """A layer of the encoder, or with a memory one of the decoder."""

    def __init__(self, size: Size, memory: int) -> None:
        super().__init__()
        self.self_attn = Attention(size.width, size.heads)
        if memory:
            self.src_attn = Attention(size.width, size.heads)
        self.feed_forward = FeedForward(size.width)
        parts = 3 if memory else 2
        self.sublayer = nn.ModuleList(Sublayer(size.width, memory) for _ in range(parts))

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        visual: Tensor | None = None,
        memory: Tensor | None = None,
    ) -> Tensor:
        """Return the tokens after this layer."""
        first, *middle, last = self.sublayer
        y = first.norm(x, memory)
        x = x + first.dropout(self.self_attn(y, y, y, mask))
        for part in middle:
            x = x + part.dropout(self.src_attn(part.norm(x, memory), visual, visual))
        x = x + last.dropout(self.feed_forward(last.norm(x, memory)))
        return x


class Stack(nn.Module):
    """Encoder or decoder."""

    def __init__(self, size: Size, memory: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(size, memory) for _ in range(size.layers))
        self.norm = Norm(size.width)

    def forward(self, x: Tensor, *rest: Tensor) -> Tensor:
        """Return the tokens after all layers."""
        for layer in self.layers:
            x = layer(x, *rest)
        result: Tensor = self.norm(x)
        return result


class Memory(nn.Module):
    """The relational memory, one step a word."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        width = size.width
        self.slots = size.slots
        self.attn = Attention(width, size.heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.W, self.U = nn.Linear(width, 2 * width), nn.Linear(width, 2 * width)

    def forward(self, words: Tensor) -> Tensor:
        """Return the flattened memory after every word."""
        memory = torch.eye(self.slots, words.shape[2]).to(words).repeat(len(words), 1, 1)
        steps = []
        for place in range(words.shape[1]):
            word = words[:, place].unsqueeze(1)
            seen = torch.cat([memory, word], 1)
            new = memory + self.attn(memory, seen, seen)
            new = new + self.mlp(new)
            write, forget = (self.W(word) + self.U(memory.tanh())).chunk(2, dim=2)
            memory = write.sigmoid() * new.tanh() + forget.sigmoid() * memory
            steps.append(memory.flatten(1))
        return torch.stack(steps, dim=1)


class Words(nn.Module):
    """Embedded words with their places."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.lut = nn.Embedding(size.vocabulary, size.width)
        places = torch.arange(5000.0)[:, None]
        angles = places / 10_000 ** (torch.arange(0, size.width, 2) / size.width)
        self.signal = torch.stack([angles.sin(), angles.cos()], -1).flatten(1)
        self.dropout = nn.Dropout(0.1)

    def forward(self, ids: Tensor) -> Tensor:
        """Return what the layers or the memory read."""
        scaled = self.lut(ids) * math.sqrt(self.lut.embedding_dim)
        result: Tensor = self.dropout(scaled + self.signal[: ids.shape[1]].to(scaled))
        return result


class PublishedR2Gen(nn.Module):
    """The published model; 0 is pad, bos and eos."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.visual_extractor = VisualExtractor(size.widths, size.depths)
        model = nn.Module()
        model.encoder, model.decoder = Stack(size, 0), Stack(size, size.slots * size.width)
        model.tgt_embed, model.rm = nn.Sequential(Words(size)), Memory(size)
        self.encoder_decoder = nn.Module()
        self.encoder_decoder.model = model
        self.encoder_decoder.att_embed = nn.Sequential(
            nn.Linear(size.widths[-1], size.width), nn.ReLU(), nn.Dropout(0.5)
        )
        self.encoder_decoder.logit = nn.Linear(size.width, size.vocabulary)

    def forward(self, images: Tensor, ids: Tensor) -> Tensor:
        """Return the log-probabilities of what follows each token but the last."""
        parts = self.encoder_decoder
        views = torch.cat([self.visual_extractor(images[:, view]) for view in (0, 1)], dim=1)
        visual = parts.model.encoder(parts.att_embed(views))
        read = ids[:, :-1]
        is_word = read > 0
        is_word[:, 0] = True
        length = read.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=read.device).tril()
        mask = (is_word[:, None] & causal)[:, None]
        memory = parts.model.rm(parts.model.tgt_embed(read))
        decoded = parts.model.decoder(parts.model.tgt_embed(read), mask, visual, memory)
        result: Tensor = parts.logit(decoded).log_softmax(dim=-1)
        return result


def published_step(
    model: PublishedR2Gen, optimizer: torch.optim.Optimizer, images: Tensor, ids: Tensor
) -> float:
    """Take one training step as the published loop does; return the loss."""
    is_target = torch.ones_like(ids[:, 1:], dtype=torch.float)  # synthetic reports fill their rows
    chances = model(images, ids)
    picked = -chances.gather(2, ids[:, 1:, None]).squeeze(2) * is_target
    loss = picked.sum() / is_target.sum()
    value = loss.item()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_value_(model.parameters(), 0.1)
    optimizer.step()
    return value
