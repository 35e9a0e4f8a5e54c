"""From the names of XProNet's published code to those of our `XProNet`."""

from gradtruce.methods.weights.family_names import family_name, steps

UNUSED = ("encoder_decoder.model.src_embed.0.pe", "encoder_decoder.model.tgt_embed.1.pe")
"""The tables of sinusoids, which we compute."""

TWICE = ("encoder_decoder.model.cmn.", "encoder_decoder.cmn.")
"""The response to prototypes is one module that the code holds in two places."""

_STEPS = steps(
    (
        (r"^encoder_decoder\.protypes$", "prototypes.rows"),
        (r"^encoder_decoder\.dim_reduction\.", "prototypes.reduction."),
        (r"^encoder_decoder\.cmn\.", "prototypes.response."),
        (r"^encoder_decoder\.fuse_feature\.", "visual_fusion."),
        (r"^encoder_decoder\.model\.fuse_feature\.", "word_fusion."),
        (r"\.a_2$", ".scale"),
        (r"\.b_2$", ".shift"),
    )
)


def xpronet_name(name: str) -> str:
    """Return the name in our `XProNet`; a name of another code comes back changed or not.

    >>> xpronet_name("encoder_decoder.cmn.linears.0.weight")
    'prototypes.response.query.weight'
    >>> xpronet_name("encoder_decoder.model.encoder.norm.a_2")
    'visual.encoder.norm.scale'
    """
    return family_name(name, _STEPS)
