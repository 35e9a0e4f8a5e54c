"""The model of the engine's benchmark: a trunk of 20 M parameters, a report head, classifiers."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

OBSERVATIONS = 14


class Size(NamedTuple):
    """How large model and batch are."""

    width: int = 512
    layers: int = 3
    batch: int = 16
    pixels: int = 96
    words: int = 48
    vocabulary: int = 2000


SMALL = Size(width=32, layers=1, batch=2, pixels=32, words=6, vocabulary=50)


class Block(nn.Module):
    """Two convolutions beside a shortcut, as in ResNet-18."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList(nn.GroupNorm(4, outside) for _ in range(2))
        self.shortcut = nn.Conv2d(inside, outside, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features at the block's stride."""
        inner = self.norms[0](self.first(x)).relu()
        return (self.norms[1](self.second(inner)) + self.shortcut(x)).relu()


class Trunk(nn.Module):
    """ResNet-18 with group normalisation and stride 16, then transformer layers on its places."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        widths = [size.width // 8, size.width // 4, size.width // 2, size.width]
        blocks: list[nn.Module] = [nn.Conv2d(3, widths[0], 7, 2, 3, bias=False), nn.MaxPool2d(2)]
        inside = widths[0]
        for place, width in enumerate(widths):
            stride = 2 if place in (1, 2) else 1
            blocks += [Block(inside, width, stride), Block(width, width, 1)]
            inside = width
        self.convolutions = nn.Sequential(*blocks)
        layer = nn.TransformerEncoderLayer(
            size.width, 8, 4 * size.width, batch_first=True, dropout=0.0
        )
        self.layers = nn.TransformerEncoder(layer, size.layers, enable_nested_tensor=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return features (batch, places, width)."""
        return self.layers(self.convolutions(images).flatten(2).transpose(1, 2))


class ReportHead(nn.Module):
    """A decoder of two layers that is taught the words of a report."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.words = nn.Embedding(size.vocabulary, size.width)
        layer = nn.TransformerDecoderLayer(
            size.width, 8, 2 * size.width, batch_first=True, dropout=0.0
        )
        self.decoder = nn.TransformerDecoder(layer, 2)
        self.scores = nn.Linear(size.width, size.vocabulary)

    def forward(self, features: Tensor, words: Tensor) -> Tensor:
        """Return the cross entropy of each word given those before it."""
        before = words[:, :-1]
        mask = nn.Transformer.generate_square_subsequent_mask(before.shape[1])
        hidden = self.decoder(self.words(before), features, tgt_mask=mask)
        return functional.cross_entropy(self.scores(hidden).flatten(0, 1), words[:, 1:].flatten())


class ClassificationHead(nn.Module):
    """Labels of observations from the mean of the features."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        layers = [nn.Linear(size.width, size.width), nn.ReLU(), nn.Linear(size.width, OBSERVATIONS)]
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the binary cross entropy."""
        return functional.binary_cross_entropy_with_logits(self.layers(features.mean(1)), labels)


class Batch(NamedTuple):
    """Random images, reports, and a set of labels for every classifier."""

    images: Tensor
    words: Tensor
    labels: Tensor


class Model(nn.Module):
    """The first task writes a report, every other classifies."""

    def __init__(self, size: Size, tasks: int) -> None:
        super().__init__()
        self.tasks = tasks
        self.trunk, self.report = Trunk(size), ReportHead(size)
        self.classifiers = nn.ModuleList(ClassificationHead(size) for _ in range(tasks - 1))

    def forward(self, batch: Batch) -> tuple[Tensor, list[Tensor]]:
        """Return the features and one loss a task."""
        features = self.trunk(batch.images)
        losses = [self.report(features, batch.words)]
        for head, labels in zip(self.classifiers, batch.labels, strict=True):
            losses.append(head(features, labels))
        return features, losses


def random_batch(size: Size, tasks: int) -> Batch:
    """Return a batch of noise; time and memory do not depend on what is in it."""
    return Batch(
        torch.randn(size.batch, 3, size.pixels, size.pixels),
        torch.randint(size.vocabulary, (size.batch, size.words + 1)),
        torch.randint(2, (tasks - 1, size.batch, OBSERVATIONS)).float(),
    )
