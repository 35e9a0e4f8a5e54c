"""From the names of a Swin Transformer in files for `transformers` to ours."""

from typing import Final

LEFT: Final = ("classifier.weight", "classifier.bias", "relative_position_index")
"""Ends of names: the 1000 classes, which no backbone has, and what follows from the windows."""

_PARTS: Final = {
    ".attention.self.query.": ".attention.q_proj.",
    ".attention.self.key.": ".attention.k_proj.",
    ".attention.self.value.": ".attention.v_proj.",
    ".attention.output.dense.": ".attention.o_proj.",
    ".intermediate.dense.": ".mlp.fc1.",
    ".output.dense.": ".mlp.fc2.",
    ".attention.self.relative_position_bias_table": (
        ".attention.relative_position_bias.relative_position_bias_table"
    ),
}
"""In this order: the output of an attention before that of a layer."""


def swin_name(name: str) -> str:
    """Return the name in our `Swin`, of a file published for `transformers` or saved by it.

    >>> swin_name("swin.encoder.layers.2.blocks.17.output.dense.bias")
    'model.encoder.layers.2.blocks.17.mlp.fc2.bias'
    >>> swin_name("layernorm.weight")
    'model.layernorm.weight'
    """
    name = name.removeprefix("swin.")
    for old, new in _PARTS.items():
        name = name.replace(old, new)
    return f"model.{name}"
