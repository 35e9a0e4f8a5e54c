"""From the names of R2Gen's published code to those of our `R2Gen`."""

from gradtruce.methods.weights.family_names import family_name, steps

UNUSED = ("encoder_decoder.model.tgt_embed.1.pe",)
"""The table of sinusoids, which we compute."""

_STEPS = steps(
    (
        (r"^encoder_decoder\.model\.rm\.", "decoder.memory."),
        (r"^decoder\.memory\.attn\.", "decoder.memory.attention."),
        (r"^decoder\.memory\.mlp\.", "decoder.memory.feedforward."),
        (r"^decoder\.memory\.W\.", "decoder.memory.input_gates."),
        (r"^decoder\.memory\.U\.", "decoder.memory.memory_gates."),
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
    """
    return family_name(name, _STEPS)
