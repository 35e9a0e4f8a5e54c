"""From the names of R2Gen's published code to those of our `R2Gen`."""

import re

from gradtruce.methods.weights.resnet_names import resnet_name

UNUSED = ("encoder_decoder.model.tgt_embed.1.pe",)
"""The table of sinusoids, which we compute."""

VOCABULARY = ("decoder.embedding.weight", "decoder.scores.weight", "decoder.scores.bias")
"""Our names of the tensors with a row for every word."""

_RESNET_CHILDREN = {0: "conv1", 1: "bn1", 4: "layer1", 5: "layer2", 6: "layer3", 7: "layer4"}
"""Places of ResNet's parts in the sequence that the published code makes of them."""

_VISUAL = re.compile(r"visual_extractor\.model\.(\d)\.(.+)")
_WRAPPED = re.compile(r"module\.")  # by nn.DataParallel

_STEPS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (r"^encoder_decoder\.att_embed\.0\.", "visual.projection.0."),
        (r"^encoder_decoder\.logit\.", "decoder.scores."),
        (r"^encoder_decoder\.model\.encoder\.", "visual.encoder."),
        (r"^encoder_decoder\.model\.decoder\.", "decoder."),
        (r"^encoder_decoder\.model\.tgt_embed\.0\.lut\.", "decoder.embedding."),
        (r"^encoder_decoder\.model\.rm\.", "decoder.memory."),
        (r"^(visual\.encoder\.layers\.\d+)\.self_attn\.", r"\1.attention."),
        (r"^(visual\.encoder\.layers\.\d+)\.sublayer\.0\.norm\.", r"\1.attention_norm."),
        (r"^(visual\.encoder\.layers\.\d+)\.sublayer\.1\.norm\.", r"\1.feedforward_norm."),
        (r"^(decoder\.layers\.\d+)\.self_attn\.", r"\1.self_attention."),
        (r"^(decoder\.layers\.\d+)\.src_attn\.", r"\1.cross_attention."),
        (r"^(decoder\.layers\.\d+)\.sublayer\.(\d)\.norm\.", r"\1.norms.\2."),
        (r"^decoder\.memory\.attn\.", "decoder.memory.attention."),
        (r"^decoder\.memory\.mlp\.", "decoder.memory.feedforward."),
        (r"^decoder\.memory\.W\.", "decoder.memory.input_gates."),
        (r"^decoder\.memory\.U\.", "decoder.memory.memory_gates."),
        (r"\.linears\.0\.", ".query."),
        (r"\.linears\.1\.", ".key."),
        (r"\.linears\.2\.", ".value."),
        (r"\.linears\.3\.", ".output."),
        (r"\.feed_forward\.w_1\.", ".feedforward.0."),
        (r"\.feed_forward\.w_2\.", ".feedforward.3."),
        (r"\.mlp_gamma\.", ".scale_change."),
        (r"\.mlp_beta\.", ".shift_change."),
        (r"\.gamma$", ".scale"),
        (r"\.beta$", ".shift"),
    )
)


def r2gen_name(name: str) -> str:
    """Return the name in our `R2Gen`; a name that is not of R2Gen's code comes back changed or not.

    >>> r2gen_name("encoder_decoder.model.decoder.layers.2.sublayer.1.norm.mlp_gamma.0.weight")
    'decoder.layers.2.norms.1.scale_change.0.weight'
    >>> r2gen_name("visual_extractor.model.4.0.bn1.bias")
    'visual.backbone.model.encoder.stages.0.layers.0.layer.0.normalization.bias'
    """
    name = _WRAPPED.sub("", name, count=1) if _WRAPPED.match(name) else name
    visual = _VISUAL.fullmatch(name)
    if visual:
        child = _RESNET_CHILDREN.get(int(visual[1]), "")
        return f"visual.backbone.{resnet_name(f'{child}.{visual[2]}')}" if child else name
    for pattern, new in _STEPS:
        name = pattern.sub(new, name)
    return name
