"""XProNet against its paper: prototypes, responses, contrast; and where its labels come from."""

import tomllib
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest
import torch
from torch import Tensor

from gradtruce.data.batch import Batch
from gradtruce.methods.base import Decoding, model_inputs
from gradtruce.methods.blocks.label_contrast import label_contrast
from gradtruce.methods.registry import Method, build
from gradtruce.methods.xpronet import XProNetConfig
from tests.methods.studies import SMALL, make_batch, make_method, make_tokenizer
from tests.reference import xpronet as reference

EXACT = {"rtol": 1e-10, "atol": 1e-10}
NO_FINDING = 13


def options_of(preset: str) -> dict[str, Any]:
    path = resources.files("gradtruce.presets") / "methods" / f"xpronet-{preset}.toml"
    options: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["method"]
    assert options.pop("name") == "xpronet"
    return options


def labelled(batch: Batch, *positive: set[int]) -> Batch:
    """Return the batch with these observations, and no other, in each study."""
    rows = [[float(column in each) for column in range(14)] for each in positive]
    return replace(batch, labels=torch.tensor(rows, dtype=torch.float64))


def logits(method: Method, batch: Batch) -> Tensor:
    with torch.no_grad():
        found: Tensor = method(**model_inputs(batch)).logits
    return found


def test_scores_and_contrasts_equal_the_paper_written_out() -> None:
    model = make_method("xpronet")
    batch = labelled(make_batch(studies=3, tokens=6), {0, 2}, {2}, set())
    batch = replace(batch, view_mask=torch.tensor([[True, True], [False, True], [True, True]]))
    config, weights = model.config, model.state_dict()
    y = [[int(column in each) for column in range(14)] for each in ({0, 2}, {2}, {NO_FINDING})]
    images, texts = [], []
    with torch.no_grad():
        found = model(**model_inputs(batch))
        for study in range(3):
            present = batch.pixel_values[study, batch.view_mask[study]]
            maps = model.visual.backbone(present)
            features = torch.cat([each.flatten(1).T for each in maps])
            scores, seen, words = reference.forward(
                weights,
                features,
                batch.input_ids[study, :-1].tolist(),
                y[study],
                layers=config.layers,
                heads=config.heads,
                each=config.prototypes,
                read=config.prototypes_read,
            )
            torch.testing.assert_close(found.logits[study], scores, **EXACT)
            real = int((batch.input_ids[study, 1:] != 0).sum())
            images.append(torch.stack(seen).mean(0))
            texts.append(torch.stack(words[:real]).mean(0))
    losses = found.losses
    assert float(losses["image_contrast"]) == pytest.approx(reference.contrast(images, y))
    assert float(losses["text_contrast"]) == pytest.approx(reference.contrast(texts, y))


def test_the_contrast_has_the_value_of_the_published_code() -> None:
    responses = (torch.arange(24, dtype=torch.float64) + 1).sin().view(4, 6)
    labels = torch.tensor([[1, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]]).bool()
    found = label_contrast(responses, labels, torch.tensor(16.0))
    assert float(found) == pytest.approx(0.278480, abs=1e-5)
    assert float(found) == pytest.approx(reference.contrast(list(responses), labels.int().tolist()))


def test_a_study_without_labels_is_not_compared() -> None:
    model, batch = make_method("xpronet"), make_batch(studies=4)
    unknown = batch.labels.clone()
    unknown[2] = torch.nan
    losses = model(**model_inputs(replace(batch, labels=unknown))).losses
    kept = [0, 1, 3]
    fewer = replace(
        batch,
        ids=batch.ids[:3],
        reports=batch.reports[:3],
        pixel_values=batch.pixel_values[kept],
        view_mask=batch.view_mask[kept],
        input_ids=batch.input_ids[kept],
        labels=batch.labels[kept],
        clusters=None,
        retrieved=None,
        **dict.fromkeys(
            ("prior_pixel_values", "prior_mask", "prior_input_ids", "prior_labels"), None
        ),
    )
    expected = model(**model_inputs(fewer)).losses
    for task in ("image_contrast", "text_contrast"):
        torch.testing.assert_close(losses[task], expected[task], **EXACT)


def test_pads_count_in_the_paper_code_alone() -> None:
    batch = make_batch(studies=2)
    padded = replace(batch, input_ids=torch.nn.functional.pad(batch.input_ids, (0, 4)))
    for paper_code, changes in ((False, False), (True, True)):
        model = make_method("xpronet", paper_code=paper_code)
        first, second = (
            model(**model_inputs(each)).losses["text_contrast"] for each in (batch, padded)
        )
        assert bool((first - second).abs() > 1e-8) == changes


@pytest.mark.parametrize("empty", [0.0, torch.nan])
def test_a_study_without_a_positive_label_reads_no_finding(empty: float) -> None:
    model, batch = make_method("xpronet"), make_batch(studies=2)
    nothing = replace(batch, labels=torch.full_like(batch.labels, empty))
    asked = labelled(batch, {NO_FINDING}, {NO_FINDING})
    torch.testing.assert_close(logits(model, nothing), logits(model, asked), **EXACT)


def test_uncertain_labels_choose_as_positive_ones_unless_said_otherwise() -> None:
    batch = labelled(make_batch(studies=2), {1}, {1})
    unsure = replace(batch, labels=-batch.labels)
    for uncertain, is_same in (("positive", True), ("negative", False), ("ignore", False)):
        model = make_method("xpronet", uncertain=uncertain)
        assert torch.equal(logits(model, batch), logits(model, unsure)) == is_same


def test_predicted_labels_never_read_the_reference() -> None:
    model, batch = make_method("xpronet").eval(), make_batch()
    other = replace(batch, labels=1 - batch.labels.nan_to_num())
    torch.testing.assert_close(logits(model, batch), logits(model, other), rtol=0, atol=0)
    first, second = (
        model.generate_reports(each, Decoding(max_tokens=6)) for each in (batch, other)
    )
    assert torch.equal(first.ids, second.ids)
    assert torch.equal(
        model.attention(batch, batch.input_ids), model.attention(other, batch.input_ids)
    )


def test_the_head_chooses_what_it_scores_above_the_threshold() -> None:
    model, batch = make_method("xpronet").eval(), make_batch(studies=2)
    with torch.no_grad():
        model.visual.findings.scores.weight.zero_()
        model.visual.findings.scores.bias.fill_(-3.0)
        model.visual.findings.scores.bias[[2, 5]] = 3.0
    predicted = logits(model, batch)
    oracle = make_method("xpronet", selecting_labels="oracle").eval()
    oracle.load_state_dict(model.state_dict())
    told = labelled(batch, {2, 5}, {2, 5})
    torch.testing.assert_close(predicted, logits(oracle, told), **EXACT)
    model.config.findings_threshold = 0.99
    told = labelled(batch, {NO_FINDING}, {NO_FINDING})
    torch.testing.assert_close(logits(model, batch), logits(oracle, told), **EXACT)


def test_the_head_learns_what_labels_select_and_missing_ones_do_not() -> None:
    model, batch = make_method("xpronet"), make_batch(studies=3)
    labels = torch.full((3, 14), torch.nan, dtype=torch.float64)
    labels[0, 2], labels[1, 5] = 1.0, 0.0
    output = model(**model_inputs(replace(batch, labels=labels)))
    wanted = torch.zeros(2, 14, dtype=torch.float64)
    wanted[0, 2], wanted[1, NO_FINDING] = 1.0, 1.0
    scores = output.findings_logits[:2]
    expected = torch.nn.functional.binary_cross_entropy_with_logits(scores, wanted)
    torch.testing.assert_close(output.losses["findings"], expected, **EXACT)


def test_the_oracle_reads_the_labels_and_says_so() -> None:
    model, batch = make_method("xpronet", selecting_labels="oracle").eval(), make_batch(studies=2)
    told, other = labelled(batch, {0}, {1}), labelled(batch, {2}, {3})
    assert not torch.equal(logits(model, told), logits(model, other))
    assert "oracle" in model.told
    assert not make_method("xpronet").told


def test_only_prototypes_of_present_observations_get_a_gradient() -> None:
    model, batch = make_method("xpronet"), make_batch(studies=2)
    model(**model_inputs(labelled(batch, {0}, {4}))).losses["report"].backward()
    rows = model.prototypes.rows.grad.abs().sum(1).view(14, -1).sum(1)
    assert set(rows.nonzero().flatten().tolist()) == {0, 4}


def test_the_paper_preset_has_the_published_sizes_and_tasks() -> None:
    with torch.device("meta"):
        model = build("xpronet", make_tokenizer(), options_of("paper"))
    assert model.prototypes.rows.shape == (14 * 20, 2048 + 768)
    tasks = {task.name: task.weight for task in model.tasks}
    assert tasks == {"report": 1.0, "image_contrast": 1.0, "text_contrast": 0.1}
    own = {"findings_weight": 4.0, "selecting_labels": "predicted", "paper_code": False}
    sizes = options_of("paper") | own
    known = XProNetConfig(vocab_size=model.config.vocab_size, dtype=model.config.dtype)
    assert {key: getattr(known, key) for key in sizes} == sizes
    assert sizes | {"published_norm": False} == options_of("fixed")


def test_the_tiny_preset_builds_and_is_small() -> None:
    model = build("xpronet", make_tokenizer(), options_of("tiny"))
    assert sum(each.numel() for each in model.parameters()) < 1_500_000


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"prototypes": 0}, "prototypes must be at least 1, got 0"),
        ({"prototypes_read": 0}, "prototypes_read must be at least 1, got 0"),
        ({"selecting_labels": "true"}, "selecting_labels must be one of .*got 'true'"),
        ({"findings_weight": -1.0}, "findings_weight must be at least 0, got -1.0"),
        ({"findings_weight": 0.0}, "predicted labels need a findings head"),
    ],
)
def test_a_bad_option_is_refused(option: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build("xpronet", make_tokenizer(), SMALL["xpronet"] | option)
