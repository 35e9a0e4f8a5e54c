"""A published XProNet checkpoint: the same scores word for word; errors that say what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gradtruce.methods.weights.r2gen_vocabulary import published_vocabulary
from gradtruce.methods.weights.xpronet_checkpoint import load_published_xpronet
from gradtruce.methods.xpronet import XProNet
from tests.reference import xpronet_published as reference

REPORTS = ["Alpha beta. 7 gamma", "alpha Beta, zeta. rare gamma", "gamma-ray zeta alpha. beta zeta"]
WORDS = {"<unk>", ".", "alpha", "beta", "gamma", "zeta"}
SIZES = reference.Sizes(vocabulary=len(WORDS) + 1)
NO_FINDING = 13


def annotated(folder: Path) -> Path:
    path = folder / "annotation.json"
    path.write_text(json.dumps({"train": [{"report": report} for report in REPORTS]}))
    return path


def published(folder: Path, **changes: Tensor | None) -> Path:
    """Write a checkpoint in the published layout, some of its weights changed or left out."""
    state: dict[str, Any] = {**reference.draw(SIZES), **changes}
    state = {name: value for name, value in state.items() if value is not None}
    torch.save({"epoch": 3, "state_dict": state, "optimizer": {}}, folder / "model_best.pth")
    return folder / "model_best.pth"


def load(folder: Path, checkpoint: Path | None = None, **options: Any) -> XProNet:
    checkpoint = checkpoint or published(folder)
    options = {"heads": SIZES.heads, "prototypes_read": SIZES.read, "min_frequency": 2} | options
    return load_published_xpronet(checkpoint, annotated(folder), **options).double()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_scores_are_those_of_the_published_code(tmp_path: Path, dtype: torch.dtype) -> None:
    weights = {name: value.float().double() for name, value in reference.draw(SIZES).items()}
    model = load(tmp_path).to(dtype)
    rows = torch.tensor(published_vocabulary(annotated(tmp_path), "iu_xray", 2).rows)
    torch.manual_seed(0)
    images = torch.randn(3, 2, 3, 64, 64, dtype=torch.float64)
    ids = torch.tensor([[1, 5, 3, 8, 6, 4, 2], [1, 8, 8, 4, 7, 5, 4], [1, 4, 3, 3, 7, 5, 2]])
    given = ({0, 7}, {NO_FINDING}, {3, 4, 12})
    labels = torch.tensor([[float(k in positive) for k in range(14)] for positive in given])
    with torch.no_grad():
        mask = torch.ones(3, 2, dtype=torch.bool)
        logits = model(images.to(dtype), mask, ids, labels.to(dtype)).logits
    chances = logits.double().log_softmax(-1)
    tight = 1e-9 if dtype == torch.float64 else 1e-5
    for study in range(3):
        has = labels[study].int().tolist()
        visual = reference.encode(weights, images[study], has, SIZES)
        words = rows[ids[study, :-1]].tolist()
        expected = reference.log_chances(weights, visual, has, words, SIZES)
        torch.testing.assert_close(
            chances[study][:, 2:], expected[:, rows[2:]], rtol=tight, atol=tight
        )
        assert chances[study][:, :2].exp().max() == 0.0


def test_it_is_read_back_and_says_what_it_is_told(tmp_path: Path) -> None:
    model = load(tmp_path)
    assert "oracle" in model.told
    assert model.config.prototypes == SIZES.prototypes
    model.save_pretrained(tmp_path / "saved")
    again = XProNet.from_pretrained(tmp_path / "saved")
    state = again.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert again.require_tokenizer().get_vocab() == model.require_tokenizer().get_vocab()


def test_names_of_data_parallel_are_taken(tmp_path: Path) -> None:
    state = {f"module.{name}": value for name, value in reference.draw(SIZES).items()}
    torch.save(state, tmp_path / "bare.pth")
    whole = load(tmp_path).state_dict()
    bare = load(tmp_path, tmp_path / "bare.pth").state_dict()
    assert all(torch.equal(value, whole[name]) for name, value in bare.items())


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"encoder_decoder.protypes": None}, "no checkpoint of XProNet's code: .*prototypes.rows"),
        ({"encoder_decoder.fuse_feature.bias": None}, "it lacks visual_fusion.bias"),
        ({"encoder_decoder.model.rm.W.bias": torch.ones(1)}, "it has, .*model.rm.W.bias"),
        (
            {"encoder_decoder.fuse_feature.bias": torch.ones(3)},
            r"visual_fusion.bias \(\(3,\), the network has \(16,\)\)",
        ),
        (
            {"encoder_decoder.model.cmn.linears.0.bias": torch.ones(16)},
            "model.cmn.linears.0.bias and encoder_decoder.cmn.linears.0.bias must be one tensor",
        ),
        ({"encoder_decoder.cmn.linears.0.bias": None}, "must be one tensor"),
        ({"encoder_decoder.protypes": torch.ones(15, 40)}, "found 15 prototypes of 40"),
        ({"encoder_decoder.protypes": torch.ones(14, 32)}, "found 14 prototypes of 32"),
    ],
)
def test_what_is_missing_strange_or_of_another_shape_is_named(
    tmp_path: Path, changes: dict[str, Tensor | None], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        load(tmp_path, published(tmp_path, **changes))


def test_another_annotation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has 7 words and ends, but .* gives 10"):
        load(tmp_path, min_frequency=1)
