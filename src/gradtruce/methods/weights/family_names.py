"""Names that R2Gen's published code shares with the codes that were built on it."""

import re
from collections.abc import Iterable

from gradtruce.methods.weights.resnet_names import resnet_name

Steps = tuple[tuple[re.Pattern[str], str], ...]
"""Patterns and what takes their place, one after the other."""

_RESNET_CHILDREN = {0: "conv1", 1: "bn1", 4: "layer1", 5: "layer2", 6: "layer3", 7: "layer4"}
"""Places of ResNet's parts in the sequence that the published code makes of them."""

_VISUAL = re.compile(r"visual_extractor\.model\.(\d)\.(.+)")

_SHARED = (
    (r"^encoder_decoder\.att_embed\.0\.", "visual.projection.0."),
    (r"^encoder_decoder\.logit\.", "decoder.scores."),
    (r"^encoder_decoder\.model\.encoder\.", "visual.encoder."),
    (r"^encoder_decoder\.model\.decoder\.", "decoder."),
    (r"^encoder_decoder\.model\.tgt_embed\.0\.lut\.", "decoder.embedding."),
    (r"^(visual\.encoder\.layers\.\d+)\.self_attn\.", r"\1.attention."),
    (r"^(visual\.encoder\.layers\.\d+)\.sublayer\.0\.norm\.", r"\1.attention_norm."),
    (r"^(visual\.encoder\.layers\.\d+)\.sublayer\.1\.norm\.", r"\1.feedforward_norm."),
    (r"^(decoder\.layers\.\d+)\.self_attn\.", r"\1.self_attention."),
    (r"^(decoder\.layers\.\d+)\.src_attn\.", r"\1.cross_attention."),
    (r"^(decoder\.layers\.\d+)\.sublayer\.(\d)\.norm\.", r"\1.norms.\2."),
    (r"\.linears\.0\.", ".query."),
    (r"\.linears\.1\.", ".key."),
    (r"\.linears\.2\.", ".value."),
    (r"\.linears\.3\.", ".output."),
    (r"\.feed_forward\.w_1\.", ".feedforward.0."),
    (r"\.feed_forward\.w_2\.", ".feedforward.3."),
)


def steps(own: Iterable[tuple[str, str]]) -> Steps:
    """Return the renaming of a code: what all share, then its own.

    >>> family_name("encoder_decoder.model.decoder.norm.a_2", steps([(r"[.]a_2$", ".scale")]))
    'decoder.norm.scale'
    """
    return tuple((re.compile(pattern), new) for pattern, new in (*_SHARED, *own))


def family_name(name: str, renaming: Steps) -> str:
    """Return our name of a published one; a name that is of no such code comes back changed or not.

    >>> family_name("visual_extractor.model.4.0.bn1.bias", steps([]))
    'visual.backbone.model.encoder.stages.0.layers.0.layer.0.normalization.bias'
    """
    visual = _VISUAL.fullmatch(name)
    if visual:
        child = _RESNET_CHILDREN.get(int(visual[1]), "")
        return f"visual.backbone.{resnet_name(f'{child}.{visual[2]}')}" if child else name
    for pattern, new in renaming:
        name = pattern.sub(new, name)
    return name
