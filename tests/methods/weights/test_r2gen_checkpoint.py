"""A published R2Gen checkpoint: the same scores word for word; errors that say what is wrong."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gradtruce.methods.blocks.cache import ReportCache
from gradtruce.methods.blocks.published_beam import CachedSteps, published_beam
from gradtruce.methods.blocks.visual import VisualTokens
from gradtruce.methods.r2gen import R2Gen
from gradtruce.methods.weights.r2gen_checkpoint import load_published_r2gen
from gradtruce.methods.weights.r2gen_vocabulary import published_vocabulary
from tests.reference import published_beam as beam
from tests.reference import r2gen_published as reference

REPORTS = [
    "Alpha beta. 7 gamma",
    "alpha Beta, zeta. rare gamma",
    "1. gamma-ray zeta alpha. 2. beta zeta",
]
WORDS = {"<unk>", ".", "alpha", "beta", "gamma", "zeta"}
SIZES = reference.Sizes(vocabulary=len(WORDS) + 1)


def annotated(folder: Path) -> Path:
    records = [
        {"id": f"CXR{place}_IM-1", "report": report, "image_path": [], "split": "train"}
        for place, report in enumerate(REPORTS)
    ]
    path = folder / "annotation.json"
    path.write_text(json.dumps({"train": records, "val": [], "test": []}))
    return path


def published(folder: Path, **changes: Tensor | None) -> Path:
    """Write a checkpoint in the published layout, some of its weights changed or left out."""
    state: dict[str, Any] = {**reference.draw(SIZES), **changes}
    state = {name: value for name, value in state.items() if value is not None}
    content = {"epoch": 3, "state_dict": state, "monitor_best": np.float64(0.1), "optimizer": {}}
    torch.save(content, folder / "model_best.pth")
    return folder / "model_best.pth"


def load(folder: Path, **options: Any) -> R2Gen:
    options = {"heads": SIZES.heads, "min_frequency": 2} | options
    return load_published_r2gen(published(folder), annotated(folder), **options).double()


def test_the_vocabulary_is_the_published_one_in_our_order(tmp_path: Path) -> None:
    found = published_vocabulary(annotated(tmp_path), "iu_xray", 2)
    ours = found.tokenizer.convert_ids_to_tokens([*range(len(found.rows))])
    assert ours == ["<pad>", "<bos>", "<eos>", "<unk>", *sorted(WORDS - {"<unk>"})]
    theirs = ["", *sorted(WORDS)]
    assert [theirs[row] for row in found.rows] == ["", "", "", *ours[3:]]


def test_iu_x_ray_gives_the_published_number_of_words(local_data: Path) -> None:
    annotation = local_data / "iu_xray" / "annotation.json"
    assert published_vocabulary(annotation, "iu_xray").size == 761


def test_reports_of_mimic_are_cleaned_as_published(tmp_path: Path) -> None:
    path = tmp_path / "annotation.json"
    path.write_text(json.dumps({"train": [{"report": "A\nb....   c ___ d..\n 2. e"}]}))
    tokenizer = published_vocabulary(path, "mimic_cxr", 1).tokenizer
    assert set(tokenizer.get_vocab()) - {"<pad>", "<bos>", "<eos>", "<unk>"} == set("abcde.")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_scores_are_those_of_the_published_code(tmp_path: Path, dtype: torch.dtype) -> None:
    weights = {name: value.float().double() for name, value in reference.draw(SIZES).items()}
    model = load(tmp_path).to(dtype)
    rows = torch.tensor(published_vocabulary(annotated(tmp_path), "iu_xray", 2).rows)
    images = torch.randn(2, 2, 3, 64, 64, dtype=torch.float64)
    ids = torch.tensor([[1, 5, 3, 8, 6, 4, 2], [1, 8, 8, 4, 7, 5, 4]])
    with torch.no_grad():
        logits = model(images.to(dtype), torch.ones(2, 2, dtype=torch.bool), ids).logits
    chances = logits.double().log_softmax(-1)
    for study in range(2):
        visual = reference.encode(weights, images[study], SIZES)
        expected = reference.log_chances(weights, visual, rows[ids[study, :-1]].tolist(), SIZES)
        written = [place for place in range(len(rows)) if place not in (0, 1)]  # pad and bos never
        tight = 1e-9 if dtype == torch.float64 else 1e-5
        torch.testing.assert_close(
            chances[study][:, written], expected[:, rows[written]], rtol=tight, atol=tight
        )
        assert chances[study][:, :2].exp().max() == 0.0


def test_the_folder_is_read_back_with_its_words(tmp_path: Path) -> None:
    model = load(tmp_path)
    model.save_pretrained(tmp_path / "saved")
    again = R2Gen.from_pretrained(tmp_path / "saved")
    assert again.require_tokenizer().get_vocab() == model.require_tokenizer().get_vocab()
    state = again.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_training_on_from_a_published_model_keeps_everything_finite(tmp_path: Path) -> None:
    model = load(tmp_path).float().train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=5e-5, amsgrad=True)
    images, mask = torch.randn(2, 2, 3, 64, 64), torch.ones(2, 2, dtype=torch.bool)
    ids = torch.tensor([[1, 5, 3, 8, 2, 0], [1, 8, 8, 4, 7, 2]])
    for _ in range(3):
        loss = model(images, mask, ids).losses["report"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.isfinite()
    assert all(each.isfinite().all() for each in model.parameters())


def test_names_of_data_parallel_and_a_bare_state_dict_are_taken(tmp_path: Path) -> None:
    state = {f"module.{name}": value for name, value in reference.draw(SIZES).items()}
    torch.save(state, tmp_path / "bare.pth")
    bare = load_published_r2gen(
        tmp_path / "bare.pth", annotated(tmp_path), heads=2, min_frequency=2
    ).double()
    whole = load(tmp_path).state_dict()
    assert all(torch.equal(value, whole[name]) for name, value in bare.state_dict().items())


def test_another_annotation_or_threshold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has 7 words and ends, but .*annotation.json gives 10"):
        load(tmp_path, min_frequency=1)
    with pytest.raises(ValueError, match="no word occurs 50 times"):
        load(tmp_path, min_frequency=50)
    with pytest.raises(ValueError, match="dataset must be one of"):
        load(tmp_path, dataset="chexpert")


def test_an_annotation_that_is_missing_or_another_file_is_refused(tmp_path: Path) -> None:
    checkpoint = published(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such annotation file"):
        load_published_r2gen(checkpoint, tmp_path / "nowhere.json")
    for content, problem in (("{", "not valid JSON"), ("[]", "object with the list train")):
        (tmp_path / "other.json").write_text(content)
        with pytest.raises(ValueError, match=problem):
            load_published_r2gen(checkpoint, tmp_path / "other.json")


def test_another_checkpoint_is_refused_by_what_it_lacks_or_has_too_much(tmp_path: Path) -> None:
    def refused(problem: str, **changes: Tensor | None) -> None:
        checkpoint = published(tmp_path, **changes)
        with pytest.raises(ValueError, match=problem):
            load_published_r2gen(checkpoint, annotated(tmp_path), heads=2, min_frequency=2)

    refused("no checkpoint of R2Gen's code", **{"encoder_decoder.logit.bias": None})
    refused(
        r"it lacks decoder.memory.input_gates.bias", **{"encoder_decoder.model.rm.W.bias": None}
    )
    refused(r"it has, .*cmn.matrix", **{"encoder_decoder.cmn.matrix": torch.ones(1)})
    refused("bottleneck", **{"visual_extractor.model.5.0.bn3.weight": None})
    torch.save({"state_dict": {"weight": torch.ones(1)}}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="no checkpoint of R2Gen's code"):
        load_published_r2gen(tmp_path / "other.pth", annotated(tmp_path))


@pytest.mark.parametrize("seed", range(4))
def test_the_published_search_over_our_cache_writes_what_the_published_code_writes(
    tmp_path: Path, seed: int
) -> None:
    weights = {name: value.float().double() for name, value in reference.draw(SIZES).items()}
    model = load(tmp_path)
    rows = published_vocabulary(annotated(tmp_path), "iu_xray", 2).rows
    torch.manual_seed(seed)
    images = torch.randn(3, 2, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        encoded = model.visual(images, torch.ones(3, 2, dtype=torch.bool))

    def decode(ids: Tensor, visual: VisualTokens, cache: ReportCache) -> Tensor:
        scores = model(input_ids=ids, encoder_outputs=visual, past_key_values=cache).logits
        assert scores is not None
        return scores

    found = published_beam(
        CachedSteps(decode, encoded, never=(0, 1)),
        torch.ones(3, dtype=torch.long),
        beams=3,
        steps=8,
        eos=2,
        pad=0,
    )
    for study in range(3):
        visual = reference.encode(weights, images[study], SIZES)
        words = beam.search(
            lambda ids, visual=visual: reference.log_chances(weights, visual, ids, SIZES)[
                -1
            ].tolist(),
            bos=0,
            beams=3,
            steps=8,
            eos=0,
        )
        written = [rows[token] for token in found[study, 1:].tolist()]
        assert written == [*words, *[0] * (8 - len(words))]
