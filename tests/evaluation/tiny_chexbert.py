"""A CheXbert small enough for tests: random weights in the layout of the published checkpoint."""

from pathlib import Path

import torch
from torch import Tensor

from gradtruce.evaluation.labelers.weights import CheXbertFiles

WORDS = ("the", "heart", "is", "enlarged", "no", "edema", "mass", "##s", "lungs", "clear", ".", ",")
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS)
HIDDEN = 64
LAYERS = 2
LONGEST = 32


def tiny_tensors(seed: int = 0, *, longest: int = LONGEST) -> dict[str, Tensor]:
    """Return random tensors by the names that BERT and the heads have in the published file."""
    generator = torch.Generator().manual_seed(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (len(VOCABULARY), HIDDEN),
        "bert.embeddings.position_embeddings.weight": (longest, HIDDEN),
        "bert.embeddings.token_type_embeddings.weight": (2, HIDDEN),
        "bert.embeddings.LayerNorm.weight": (HIDDEN,),
        "bert.embeddings.LayerNorm.bias": (HIDDEN,),
    }
    for layer in range(LAYERS):
        parts = {
            "attention.self.query": (HIDDEN, HIDDEN),
            "attention.self.key": (HIDDEN, HIDDEN),
            "attention.self.value": (HIDDEN, HIDDEN),
            "attention.output.dense": (HIDDEN, HIDDEN),
            "attention.output.LayerNorm": (HIDDEN,),
            "intermediate.dense": (96, HIDDEN),
            "output.dense": (HIDDEN, 96),
            "output.LayerNorm": (HIDDEN,),
        }
        for part, shape in parts.items():
            name = f"bert.encoder.layer.{layer}.{part}"
            shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    shapes |= {"bert.pooler.dense.weight": (HIDDEN, HIDDEN), "bert.pooler.dense.bias": (HIDDEN,)}
    for head in range(14):
        classes = 2 if head == 13 else 4
        shapes[f"linear_heads.{head}.weight"] = (classes, HIDDEN)
        shapes[f"linear_heads.{head}.bias"] = (classes,)
    tensors = {
        name: torch.randn(shape, generator=generator) * 0.3 for name, shape in shapes.items()
    }
    return tensors | {
        name: 1 + tensor * 0.1 for name, tensor in tensors.items() if "LayerNorm.weight" in name
    }


def wrap(tensors: dict[str, Tensor]) -> dict[str, object]:
    """Return a checkpoint as the published one is: under DataParallel's prefix, in a dictionary."""
    positions = torch.arange(LONGEST)[None]
    tensors = tensors | {"bert.embeddings.position_ids": positions}
    named = {f"module.{name}": tensor for name, tensor in tensors.items()}
    return {"epoch": 3, "model_state_dict": named, "optimizer_state_dict": {"state": {}}}


def write_chexbert(folder: Path, content: object = None) -> CheXbertFiles:
    """Write a checkpoint, by default of `tiny_tensors`, and its vocabulary."""
    torch.save(wrap(tiny_tensors()) if content is None else content, folder / "chexbert.pth")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    return CheXbertFiles(folder / "chexbert.pth", folder / "vocab.txt")
