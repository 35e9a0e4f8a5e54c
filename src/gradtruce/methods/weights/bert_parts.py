"""BERT weights that a user has, into all parts of a method that start from BERT."""

from pathlib import Path

from gradtruce.methods.blocks.pretrained import PretrainedMethod
from gradtruce.methods.blocks.prior_text import PriorTextEncoder
from gradtruce.methods.blocks.prompted_decoder import PromptedDecoder
from gradtruce.methods.weights.bert_decoder import load_bert_decoder
from gradtruce.methods.weights.prior_text_file import load_prior_text


def load_bert(method: PretrainedMethod, path: str | Path) -> None:
    """Fill a prompted decoder, and the encoder of prior reports, from BERT weights.

    Args:
        method: With its tokenizer.
        path: As for `load_bert_decoder`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it does not fit, or the method has no part that starts from BERT.

    >>> from gradtruce.methods.r2gen import R2Gen, R2GenConfig
    >>> load_bert(R2Gen(R2GenConfig(
    ...     backbone="compact", backbone_widths=[8], backbone_depths=[1])), "bert-base-uncased")
    Traceback (most recent call last):
    ValueError: no part of r2gen starts from BERT; leave out method.bert_weights
    """
    filled = False
    for part in method.modules():
        if isinstance(part, PromptedDecoder):
            load_bert_decoder(part, path, method.tokenizer)
            filled = True
        elif isinstance(part, PriorTextEncoder):
            load_prior_text(part, path)
            filled = True
    if not filled:
        raise ValueError(
            f"no part of {method.method_name} starts from BERT; leave out method.bert_weights"
        )
