"""The forward pass of ImageNet networks, written over their published names of weights.

A batch normalisation is the formula over stored statistics; padding is by hand. Random weights for
every name come from the same description, so that a wrong name or shape cannot hide. He et al.
2016 (stride in the 3 x 3 convolution, as torchvision), Huang et al. 2017, Tan and Le 2019.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, max_pool2d, pad

Weights = Mapping[str, Tensor]


class Drawn(dict[str, Tensor]):
    """Random weights by name."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=self.generator)

    def convolution(self, name: str, inputs: int, outputs: int, kernel: int) -> None:
        scale = (2 / (inputs * kernel**2)) ** 0.5
        self[f"{name}.weight"] = self.normal(outputs, inputs, kernel, kernel) * scale

    def norm(self, name: str, channels: int) -> None:
        self[f"{name}.weight"] = 0.5 + 0.1 * self.normal(channels)
        self[f"{name}.bias"] = 0.1 * self.normal(channels)
        self[f"{name}.running_mean"] = 0.1 * self.normal(channels)
        self[f"{name}.running_var"] = 0.5 + self.normal(channels).square()
        self[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def linear(self, name: str, inputs: int, outputs: int) -> None:
        self[f"{name}.weight"] = self.normal(outputs, inputs)
        self[f"{name}.bias"] = self.normal(outputs)


def norm(w: Weights, name: str, x: Tensor, epsilon: float = 1e-5) -> Tensor:
    mean, variance, scale, shift = (
        w[f"{name}.{part}"][:, None, None]
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / torch.sqrt(variance + epsilon) * scale + shift


def positive(x: Tensor) -> Tensor:
    return x.clamp(min=0)


def draw_resnet(widths: Sequence[int], depths: Sequence[int], seed: int = 0) -> Drawn:
    w = Drawn(seed)
    channels = 64
    w.convolution("conv1", 3, channels, 7)
    w.norm("bn1", channels)
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True), start=1):
        for block in range(depth):
            name, inner = f"layer{stage}.{block}", width // 4
            for place, (inputs, outputs, kernel) in enumerate(
                [(channels, inner, 1), (inner, inner, 3), (inner, width, 1)], start=1
            ):
                w.convolution(f"{name}.conv{place}", inputs, outputs, kernel)
                w.norm(f"{name}.bn{place}", outputs)
            if block == 0:
                w.convolution(f"{name}.downsample.0", channels, width, 1)
                w.norm(f"{name}.downsample.1", width)
            channels = width
    w.linear("fc", channels, 1000)
    return w


def resnet(w: Weights, images: Tensor, depths: Sequence[int]) -> Tensor:
    x = positive(norm(w, "bn1", conv2d(images, w["conv1.weight"], stride=2, padding=3)))
    x = max_pool2d(x, 3, stride=2, padding=1)
    for stage, depth in enumerate(depths, start=1):
        for block in range(depth):
            name = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            y = positive(norm(w, f"{name}.bn1", conv2d(x, w[f"{name}.conv1.weight"])))
            y = conv2d(y, w[f"{name}.conv2.weight"], stride=stride, padding=1)
            y = positive(norm(w, f"{name}.bn2", y))
            y = norm(w, f"{name}.bn3", conv2d(y, w[f"{name}.conv3.weight"]))
            if block == 0:
                x = conv2d(x, w[f"{name}.downsample.0.weight"], stride=stride)
                x = norm(w, f"{name}.downsample.1", x)
            x = positive(x + y)
    return x


def draw_densenet(growth: int, depths: Sequence[int], seed: int = 0) -> Drawn:
    w = Drawn(seed)
    channels = 2 * growth
    w.convolution("features.conv0", 3, channels, 7)
    w.norm("features.norm0", channels)
    for block, depth in enumerate(depths, start=1):
        for layer in range(1, depth + 1):
            name = f"features.denseblock{block}.denselayer{layer}"
            w.norm(f"{name}.norm1", channels)
            w.convolution(f"{name}.conv1", channels, 4 * growth, 1)
            w.norm(f"{name}.norm2", 4 * growth)
            w.convolution(f"{name}.conv2", 4 * growth, growth, 3)
            channels += growth
        if block < len(depths):
            w.norm(f"features.transition{block}.norm", channels)
            w.convolution(f"features.transition{block}.conv", channels, channels // 2, 1)
            channels //= 2
    w.norm(f"features.norm{len(depths) + 1}", channels)
    w.linear("classifier", channels, 1000)
    return w


def densenet(w: Weights, images: Tensor, depths: Sequence[int]) -> Tensor:
    x = conv2d(images, w["features.conv0.weight"], stride=2, padding=3)
    x = max_pool2d(positive(norm(w, "features.norm0", x)), 3, stride=2, padding=1)
    for block, depth in enumerate(depths, start=1):
        made = [x]
        for layer in range(1, depth + 1):
            name = f"features.denseblock{block}.denselayer{layer}"
            y = positive(norm(w, f"{name}.norm1", torch.cat(made, 1)))
            y = positive(norm(w, f"{name}.norm2", conv2d(y, w[f"{name}.conv1.weight"])))
            made.append(conv2d(y, w[f"{name}.conv2.weight"], padding=1))
        x = torch.cat(made, 1)
        if block < len(depths):
            name = f"features.transition{block}"
            x = conv2d(positive(norm(w, f"{name}.norm", x)), w[f"{name}.conv.weight"])
            x = avg_pool2d(x, 2, stride=2)
    return positive(norm(w, f"features.norm{len(depths) + 1}", x))


LITE0 = [  # layers, channels, kernel, stride of the first layer, expansion
    (1, 16, 3, 1, 1),
    (2, 24, 3, 2, 6),
    (2, 40, 5, 2, 6),
    (3, 80, 3, 2, 6),
    (3, 112, 5, 1, 6),
    (4, 192, 5, 2, 6),
    (1, 320, 3, 1, 6),
]


def lite0_layers() -> list[tuple[int, int, int, int, int]]:
    """Return inputs, outputs, kernel, stride, expansion of all 16 layers."""
    layers, channels = [], 32
    for count, width, kernel, stride, expansion in LITE0:
        for place in range(count):
            layers.append((channels, width, kernel, stride if place == 0 else 1, expansion))
            channels = width
    return layers


def draw_lite0(seed: int = 0) -> Drawn:
    w = Drawn(seed)
    w.convolution("_conv_stem", 3, 32, 3)
    w.norm("_bn0", 32)
    for place, (inputs, outputs, kernel, _, expansion) in enumerate(lite0_layers()):
        name, inner = f"_blocks.{place}", inputs * expansion
        if expansion > 1:
            w.convolution(f"{name}._expand_conv", inputs, inner, 1)
            w.norm(f"{name}._bn0", inner)
        w.convolution(f"{name}._depthwise_conv", 1, inner, kernel)
        w.norm(f"{name}._bn1", inner)
        w.convolution(f"{name}._project_conv", inner, outputs, 1)
        w.norm(f"{name}._bn2", outputs)
    w.convolution("_conv_head", 320, 1280, 1)
    w.norm("_bn1", 1280)
    w.linear("_fc", 1280, 1000)
    return w


def padded(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Return x with TensorFlow's SAME padding: the odd zero goes below and right."""
    sides = []
    for size in (x.shape[-1], x.shape[-2]):
        answers = (size + stride - 1) // stride
        missing = max((answers - 1) * stride + kernel - size, 0)
        sides += [missing // 2, missing - missing // 2]
    return pad(x, sides)


def lite0(w: Weights, pixels: Tensor) -> Tensor:
    """Return the last map from pixels of 0 to 255, of which the network takes (p - 127) / 128."""
    x = conv2d(padded((pixels - 127) / 128, 3, 2), w["_conv_stem.weight"], stride=2)
    x = norm(w, "_bn0", x, 1e-3).clamp(0, 6)
    for place, (inputs, outputs, kernel, stride, expansion) in enumerate(lite0_layers()):
        name, y = f"_blocks.{place}", x
        if expansion > 1:
            y = conv2d(y, w[f"{name}._expand_conv.weight"])
            y = norm(w, f"{name}._bn0", y, 1e-3).clamp(0, 6)
        weight = w[f"{name}._depthwise_conv.weight"]
        y = conv2d(padded(y, kernel, stride), weight, stride=stride, groups=len(weight))
        y = norm(w, f"{name}._bn1", y, 1e-3).clamp(0, 6)
        y = norm(w, f"{name}._bn2", conv2d(y, w[f"{name}._project_conv.weight"]), 1e-3)
        x = x + y if stride == 1 and inputs == outputs else y
    return norm(w, "_bn1", conv2d(x, w["_conv_head.weight"]), 1e-3).clamp(0, 6)
