"""Blocks of parameters by what their names begin with."""

from collections.abc import Sequence


def blocks_by_prefix(names: Sequence[str], prefixes: Sequence[str]) -> list[int]:
    """Return the block of every parameter: the place of its prefix, or one more for the rest.

    A prefix is one or several whole parts of a dotted name; the longest that fits counts.

    Raises:
        ValueError: If no name begins with one of the prefixes.

    >>> names = ["encoder.layers.0.weight", "encoder.norm.weight", "head.weight"]
    >>> blocks_by_prefix(names, ["encoder", "encoder.layers"])
    [1, 0, 2]
    """
    blocks = []
    for name in names:
        fits = [prefix for prefix in prefixes if is_under(name, prefix)]
        blocks.append(prefixes.index(max(fits, key=len)) if fits else len(prefixes))
    for place, prefix in enumerate(prefixes):
        if place not in blocks:
            parts = sorted({name.split(".")[0] for name in names})
            raise ValueError(
                f"a block must hold a parameter in scope, and none begins with {prefix!r}; "
                f"their names begin with {', '.join(parts)}"
            )
    return blocks


def blocks_by_module(names: Sequence[str]) -> list[int]:
    """Return the block of every parameter: one for each part of the model.

    The parts are told apart by the first piece of their dotted names in which not all agree, so
    that a wrapper around the model changes nothing; parameters that are no further part's are one
    block together.

    >>> blocks_by_module(["model.vision.weight", "model.vision.bias", "model.text.weight"])
    [0, 0, 1]
    >>> blocks_by_module(["layer.weight", "layer.bias"])
    [0, 0]
    """
    paths = [name.split(".")[:-1] for name in names]
    depth = 0
    while paths and all(len(path) > depth and path[depth] == paths[0][depth] for path in paths):
        depth += 1
    parts = ["".join(path[depth : depth + 1]) for path in paths]
    order = list(dict.fromkeys(parts))
    return [order.index(part) for part in parts]


def is_under(name: str, prefix: str) -> bool:
    """Tell whether a parameter is part of what a prefix names.

    >>> is_under("encoder.weight", "encoder"), is_under("encoder2.weight", "encoder")
    (True, False)
    """
    return name == prefix or name.startswith(prefix.removesuffix(".") + ".")
