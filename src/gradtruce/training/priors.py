"""What a run with prior studies needs."""

from gradtruce.methods.blocks.prior_text import PriorTextEncoder
from gradtruce.methods.registry import Method
from gradtruce.training.config import RunConfig


def require_prior_text(config: RunConfig, method: Method) -> None:
    """Refuse an encoder of prior reports that is random and would stay so.

    Raises:
        ValueError: If priors are read, and the method's frozen encoder has weights of no file.
    """
    given = config.method.bert_weights is not None or config.method.start_from
    frozen = any(isinstance(part, PriorTextEncoder) and part.frozen for part in method.modules())
    if config.data.priors and frozen and not given:
        raise ValueError(
            f"the encoder of prior reports of {method.method_name!r} is frozen, and no file gives "
            "its weights: it would stay random; give the folder of bert-base-uncased as "
            "method.bert_weights, or train it: method.options = { prior_text_frozen = false }"
        )
