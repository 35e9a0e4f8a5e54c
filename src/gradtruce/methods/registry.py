"""All report-generation methods by name."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any, cast

from safetensors import SafetensorError
from transformers import PreTrainedConfig, PreTrainedTokenizerFast

from gradtruce.methods.blocks.pretrained import PretrainedMethod
from gradtruce.methods.camanet import CAMANet
from gradtruce.methods.ddatr import DDaTR
from gradtruce.methods.promptmrg import PromptMRG
from gradtruce.methods.r2gen import R2Gen
from gradtruce.methods.r2gen_cmn import R2GenCMN
from gradtruce.methods.wcl import WCL
from gradtruce.methods.weights.saved_method import require_whole
from gradtruce.methods.xpronet import XProNet
from gradtruce.naming import suggestion

Method = PretrainedMethod
"""Any registered method."""

METHODS: dict[str, type[Method]] = {
    kind.method_name: kind for kind in (R2Gen, R2GenCMN, WCL, CAMANet, XProNet, PromptMRG, DDaTR)
}
CONFIGS: dict[str, type[PreTrainedConfig]] = {
    name: cast(type[PreTrainedConfig], kind.config_class) for name, kind in METHODS.items()
}

_NOT_OPTIONS = (
    "rotations",
    "vocab_size",
    "pad_token_id",
    "bos_token_id",
    "eos_token_id",
)
"""Fields that come from the tokenizer, and what a balancer adds."""


def method_names() -> tuple[str, ...]:
    """Return the names of all methods.

    >>> method_names()
    ('r2gen', 'r2gen_cmn', 'wcl', 'camanet', 'xpronet', 'promptmrg', 'ddatr')
    """
    return tuple(METHODS)


def build(name: str, tokenizer: PreTrainedTokenizerFast, options: Mapping[str, Any]) -> Method:
    """Return a new method with random weights, its vocabulary taken from the tokenizer.

    Args:
        name: One of `method_names()`.
        tokenizer: Writes the reports; must have pad, bos and eos tokens.
        options: Fields of the method's configuration.

    Raises:
        ValueError: If the name or an option is unknown, or the tokenizer lacks a token.
        TypeError: If an option is of the wrong kind.
    """
    config_class = CONFIGS[_known(name, METHODS, "method")]
    _check_options(name, options)
    ids: dict[str, Any] = {
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    missing = [key.removesuffix("_id") for key, value in ids.items() if value is None]
    if missing:
        raise ValueError(f"the tokenizer must have a {' and a '.join(missing)}")
    fields_of_tokenizer = ids | {"vocab_size": len(tokenizer)}
    model = METHODS[name](config_class(**options, **fields_of_tokenizer))
    model.tokenizer = tokenizer
    return model


def load(folder: str | PathLike[str]) -> Method:
    """Return a method saved by `save_pretrained`, with its tokenizer.

    Where the folder has a manifest, as checkpoints and converted methods do, every file is checked
    against its hash before any is used.

    Raises:
        FileNotFoundError: If the folder holds no saved model.
        ValueError: If it holds another kind of model, or a damaged one.
    """
    require_whole(Path(folder))
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no saved model: config.json is not there")
    try:
        kind = json.loads(path.read_text(encoding="utf-8")).get("model_type")
    except ValueError as error:
        raise ValueError(f"{path}: damaged, not JSON; take another checkpoint") from error
    for name, config_class in CONFIGS.items():
        if config_class.model_type == kind:
            try:
                return METHODS[name].from_pretrained(folder)
            except SafetensorError as error:
                raise ValueError(
                    f"{folder}: damaged weights ({error}); take another checkpoint"
                ) from error
    raise ValueError(f"{path} is of a {kind!r} model; known methods: {', '.join(METHODS)}")


def option_names(name: str) -> tuple[str, ...]:
    """Return the options that `build` takes for a method.

    >>> option_names("r2gen")[:2]
    ('backbone', 'backbone_widths')
    """
    config_class = CONFIGS[_known(name, METHODS, "method")]
    theirs = {item.name for item in fields(PreTrainedConfig)}
    return tuple(
        item.name
        for item in fields(config_class)
        if item.name not in theirs and item.name not in _NOT_OPTIONS
    )


def _check_options(name: str, options: Mapping[str, Any]) -> None:
    defaults = CONFIGS[name]()
    for key, value in options.items():
        _known(key, option_names(name), f"option of {name}")
        default = getattr(defaults, key)
        accepted = (int, float) if isinstance(default, float) else type(default)
        if not isinstance(value, accepted) or isinstance(value, bool) != isinstance(default, bool):
            raise TypeError(
                f"option {key} of {name} must be of type {type(default).__name__}, got {value!r}"
            )


def _known(name: str, names: Iterable[str], what: str) -> str:
    """Return `name` if it is among `names`, else name the nearest."""
    known = list(names)
    if name in known:
        return name
    raise ValueError(f"no {what} is called {name!r}{suggestion(name, known)}")
