"""Small random batches, tokenizers and methods for tests, apart from any data set."""

from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from gradtruce.data.batch import Batch
from gradtruce.methods.registry import Method, build

WORDS = 23
SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>")

_SMALL: dict[str, Any] = {
    "backbone": "compact",
    "backbone_widths": [8, 16],
    "backbone_depths": [1, 1],
    "width": 16,
    "heads": 2,
    "layers": 2,
    "hidden": 16,
    "dropout": 0.0,
    "visual_dropout": 0.0,
}

_PROMPTED = {key: value for key, value in _SMALL.items() if key != "visual_dropout"} | {
    "positions": 40
}

SMALL: dict[str, dict[str, Any]] = {
    "r2gen": _SMALL,
    "r2gen_cmn": _SMALL | {"memory_slots": 24, "memory_read": 5},
    "wcl": _SMALL | {"contrast_width": 8},
    "camanet": _SMALL | {"attention_layer": 1},
    "promptmrg": _PROMPTED
    | {
        "text_features": 6,
        "memory_width": 8,
        "memory_heads": 2,
        "memory_hidden": 16,
        "memory_layers": 1,
    },
    "ddatr": _PROMPTED
    | {
        "backbone": "swin",
        "backbone_depths": [2, 1],
        "backbone_window": 4,
        "backbone_drop_path": 0.0,
        "difference_norm": "group",
        "prior_text_width": 8,
        "prior_text_layers": 1,
        "prior_text_heads": 2,
        "prior_text_hidden": 16,
        "prior_text_frozen": False,
    },
    "xpronet": _SMALL
    | {"prototypes": 4, "prototypes_read": 3, "image_features": 16, "text_features": 8},
}
"""Options that make each method small and, without dropout, a function of its input."""

VARIANTS: dict[str, dict[str, Any]] = {
    "r2gen": {},
    "r2gen, no memory": {"memory_slots": 0},
    "r2gen, positions and findings token": {"visual_positions": "grid", "findings_token": True},
    "r2gen_cmn": {},
    "wcl": {},
    "wcl, paper code": {"paper_code": True},
    "wcl, findings token": {"findings_weight": 4.0, "findings_token": True},
    "camanet": {},
    "camanet, paper code": {"paper_code": True, "attention_layer": 0},
    "camanet, findings token": {"visual_positions": "grid", "findings_token": True},
    "promptmrg": {},
    "promptmrg, no smoothing, maximum": {
        "label_smoothing": 0.0,
        "memory_width": 6,
        "pools_maximum": True,
    },
    "ddatr": {},
    "ddatr, paper code": {"paper_code": True, "fusion_heads": 2},
    "ddatr, compact, frozen text and a task for the prior": {
        "backbone": "compact",
        "backbone_depths": [1, 1],
        "prior_text_frozen": True,
        "pools_maximum": True,
        "findings_prior": True,
    },
    "xpronet": {},
    "xpronet, oracle and paper code": {
        "selecting_labels": "oracle",
        "findings_weight": 0.0,
        "paper_code": True,
    },
}
"""The methods by name, and variants of them: options on top of the small ones."""


def make_tokenizer(words: int = WORDS) -> PreTrainedTokenizerFast:
    """Return a word-level tokenizer of the four special tokens and w4, w5, …"""
    names = [*SPECIAL, *(f"w{index}" for index in range(len(SPECIAL), words))]
    vocabulary = {name: index for index, name in enumerate(names)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
    )


def make_method(name: str, **options: Any) -> Method:
    """Return a small method, or variant of one, in double precision."""
    method, chosen = method_of(name), VARIANTS.get(name, {}) | options
    model = build(method, make_tokenizer(), SMALL[method] | chosen)
    return model.double()


def method_of(variant: str) -> str:
    """Return the name of the method that a variant is of."""
    return variant.partition(",")[0]


def make_batch(
    studies: int = 3,
    views: int = 2,
    tokens: int = 9,
    pixels: int = 32,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> Batch:
    """Return random studies with reports of different lengths and a few missing labels.

    Every third study, from the third one, has no prior; every second prior has one view less.
    """
    rng = np.random.default_rng(seed)
    ids = rng.integers(len(SPECIAL), WORDS, size=(studies, tokens))
    ids[:, 0] = 1
    for study in range(studies):
        end = tokens - 1 - study % 3
        ids[study, end] = 2
        ids[study, end + 1 :] = 0
    labels = rng.choice([0.0, 1.0, -1.0, np.nan], size=(studies, 14), p=[0.5, 0.3, 0.1, 0.1])
    images = rng.normal(size=(studies, views, 3, pixels, pixels))
    retrieved = rng.normal(size=(studies, 4, 6))
    return Batch(
        ids=tuple(f"study {study}" for study in range(studies)),
        reports=("w4 w5",) * studies,
        pixel_values=torch.from_numpy(images).to(dtype),
        view_mask=torch.ones(studies, views, dtype=torch.bool),
        input_ids=torch.from_numpy(ids),
        labels=torch.from_numpy(labels).to(dtype),
        clusters=torch.arange(studies) % 2,
        retrieved=torch.from_numpy(retrieved).to(dtype),
        **_prior(rng, images.shape, dtype),
    )


def _prior(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: torch.dtype
) -> dict[str, torch.Tensor]:
    """Return the fields of the prior studies."""
    studies, views = shape[:2]
    mask, ids = np.ones((studies, views), dtype=bool), rng.integers(4, WORDS, size=(studies, 5))
    mask[1::2, 1:] = False
    mask[2::3] = False
    ids[:, 0], ids[:, 4], ids[0, 3:] = 1, 2, (2, 0)
    ids[2::3] = 0
    labels = rng.choice([0.0, 1.0, -1.0, np.nan], size=(studies, 14), p=[0.5, 0.3, 0.1, 0.1])
    labels[2::3] = np.nan
    images = torch.from_numpy(rng.normal(size=shape)).to(dtype)
    return {
        "prior_pixel_values": images.where(torch.from_numpy(mask)[:, :, None, None, None], 0.0),
        "prior_mask": torch.from_numpy(mask),
        "prior_input_ids": torch.from_numpy(ids),
        "prior_labels": torch.from_numpy(labels).to(dtype),
    }
