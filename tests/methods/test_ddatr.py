"""DDaTR: priors that are there, absent or broken; its tasks; its options."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from gradtruce.data.batch import Batch
from gradtruce.methods.base import Decoding, model_inputs
from gradtruce.methods.blocks.inputs import Inputs
from gradtruce.methods.blocks.prior_states import PRIOR_TASK
from gradtruce.methods.blocks.state_head import states_of
from gradtruce.methods.registry import Method, build, load
from gradtruce.methods.weights.named_load import load_named
from tests.methods.studies import SMALL, make_batch, make_method, make_tokenizer

EXACT = {"rtol": 1e-10, "atol": 1e-10}
PRIOR = ("prior_pixel_values", "prior_mask", "prior_input_ids", "prior_labels")
OWN_TASK = "ddatr, compact, frozen text and a task for the prior"


def without_priors(batch: Batch) -> Batch:
    return replace(batch, **dict.fromkeys(PRIOR))


def awake(method: Method) -> Method:
    """Return the method with heads whose answers differ from study to study."""
    with torch.no_grad():
        for name in ("head", "prior_head"):
            torch.nn.init.normal_(getattr(method.visual, name).weight)
    return method


def losses_of(method: Method, batch: Batch) -> dict[str, Tensor]:
    losses: dict[str, Tensor] = method(**model_inputs(batch)).losses
    return losses


def mean_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(scores.flatten(0, 1), states_of(labels).flatten())


@pytest.mark.parametrize("name", ["ddatr", "ddatr, paper code"])
@pytest.mark.parametrize("mode", [True, False])
def test_absent_priors_change_nothing(name: str, mode: bool) -> None:
    method, batch = awake(make_method(name)).train(mode), make_batch(studies=4)
    absent = replace(
        batch,
        prior_pixel_values=torch.full_like(batch.prior_pixel_values, torch.nan),
        prior_mask=torch.zeros_like(batch.prior_mask),
        prior_input_ids=torch.zeros_like(batch.prior_input_ids),
        prior_labels=torch.full_like(batch.prior_labels, torch.nan),
    )
    first = method(**model_inputs(without_priors(batch)))
    second = method(**model_inputs(absent))
    torch.testing.assert_close(second.logits, first.logits, **EXACT)
    torch.testing.assert_close(second.findings_logits, first.findings_logits, **EXACT)
    if name == "ddatr":
        assert second.losses["findings"].item() == first.losses["findings"].item()


def test_a_study_without_a_prior_is_the_same_beside_one_with() -> None:
    method, batch = make_method("ddatr"), make_batch(studies=3)
    together = method(**model_inputs(batch)).logits
    alone = method(**model_inputs(without_priors(batch).part(slice(2, 3)))).logits
    torch.testing.assert_close(together[2:], alone, **EXACT)


@pytest.mark.parametrize("field", ["prior_pixel_values", "prior_input_ids"])
def test_image_and_report_of_a_prior_are_looked_at(field: str) -> None:
    method, batch = awake(make_method("ddatr")), make_batch(studies=3)
    before = method(**model_inputs(batch)).logits
    changed = getattr(batch, field).clone()
    changed[0] = changed[0].flip(-1)
    after = method(**model_inputs(replace(batch, **{field: changed}))).logits
    assert not torch.allclose(after[0], before[0], rtol=0, atol=1e-9)
    torch.testing.assert_close(after[1:], before[1:], **EXACT)


@pytest.mark.parametrize("name", ["ddatr", OWN_TASK])
def test_a_prior_without_an_image_is_as_none(name: str) -> None:
    method, batch = awake(make_method(name)), make_batch(studies=3)
    mask = batch.prior_mask.clone()
    mask[1] = False
    named = replace(batch, prior_mask=mask)
    labels = batch.prior_labels.clone()
    labels[1] = torch.nan
    none = replace(named, prior_labels=labels)
    torch.testing.assert_close(
        method(**model_inputs(named)).logits, method(**model_inputs(none)).logits, **EXACT
    )
    first, second = losses_of(method, named), losses_of(method, none)
    torch.testing.assert_close(first["findings"], second["findings"], **EXACT)
    if name == OWN_TASK:  # two labelled priors count, one of them was seen
        torch.testing.assert_close(2 * first[PRIOR_TASK], second[PRIOR_TASK], **EXACT)


def test_the_findings_are_those_of_both_studies_over_the_current_ones() -> None:
    method, batch = awake(make_method("ddatr")).eval(), make_batch(studies=3)
    seen = method.encode(Inputs.of(batch))
    current = mean_cross_entropy(seen.states, batch.labels)
    prior = mean_cross_entropy(seen.prior_states[:2], batch.prior_labels[:2])
    expected = current + 2 / 3 * prior
    torch.testing.assert_close(losses_of(method, batch)["findings"], expected, **EXACT)
    unlabelled = replace(batch, prior_labels=None)
    torch.testing.assert_close(losses_of(method, unlabelled)["findings"], current, **EXACT)


def test_the_published_code_charges_black_images() -> None:
    method, batch = awake(make_method("ddatr, paper code")).eval(), make_batch(studies=3)
    seen = method.encode(Inputs.of(batch))
    blank = batch.prior_labels.clone()
    assert bool(blank[2].isnan().all())
    expected = mean_cross_entropy(seen.states, batch.labels) + mean_cross_entropy(
        seen.prior_states, blank
    )
    torch.testing.assert_close(losses_of(method, batch)["findings"], expected, **EXACT)


def test_as_a_task_of_its_own_the_prior_has_its_own_mean() -> None:
    method, batch = awake(make_method(OWN_TASK)).eval(), make_batch(studies=3)
    seen, losses = method.encode(Inputs.of(batch)), losses_of(method, batch)
    torch.testing.assert_close(
        losses["findings"], mean_cross_entropy(seen.states, batch.labels), **EXACT
    )
    prior = mean_cross_entropy(seen.prior_states[:2], batch.prior_labels[:2])
    torch.testing.assert_close(losses[PRIOR_TASK], prior, **EXACT)
    assert {task.name: task.weight for task in method.tasks} == {
        "report": 1.0,
        "findings": 4.0,
        PRIOR_TASK: 4.0,
    }


def test_both_studies_share_the_adjustment_of_the_logits() -> None:
    method, batch = awake(make_method(OWN_TASK)).train(), make_batch(studies=3)
    before = losses_of(method, batch)
    method.before_training(batch.labels)
    after = losses_of(method, batch)
    assert all(after[name] != before[name] for name in ("findings", PRIOR_TASK))
    assert [name for name in method.state_dict() if name.endswith("findings.prior")]
    assert not [name for name in method.state_dict() if f"{PRIOR_TASK}." in name]


@pytest.mark.parametrize("name", ["ddatr", "ddatr, paper code", OWN_TASK])
def test_a_set_without_priors_works(name: str) -> None:
    method, batch = make_method(name), without_priors(make_batch())
    losses = losses_of(method, batch)
    assert set(losses) == {"report", "findings"}
    sum(losses.values()).backward()
    generated = method.generate_reports(batch, Decoding(beams=3, max_tokens=5))
    assert len(generated.texts) == 3


def test_half_a_prior_is_refused() -> None:
    method, batch = make_method("ddatr"), make_batch()
    with pytest.raises(ValueError, match="give all three or none, got 2"):
        losses_of(method, replace(batch, prior_input_ids=None))


def test_beams_see_the_prior_of_their_own_study() -> None:
    method, batch = awake(make_method("ddatr")).eval(), make_batch(studies=4)
    with torch.no_grad():
        for value in method.decoder.parameters():
            value.mul_(3.0)
    decoding = Decoding(beams=3, max_tokens=6)
    together = method.generate_reports(batch, decoding).texts
    parts = [batch.part(slice(study, study + 1)) for study in range(4)]
    assert together == tuple(method.generate_reports(each, decoding).texts[0] for each in parts)


def test_a_frozen_encoder_of_reports_stays_so_through_training_and_loading(tmp_path: Any) -> None:
    method = make_method(OWN_TASK).train()
    assert not method.visual.prior_text.model.training
    assert not any(each.requires_grad for each in method.visual.prior_text.parameters())
    method.float().save_pretrained(tmp_path)
    loaded = load(tmp_path).train()
    sum(losses_of(loaded, make_batch(dtype=torch.float32)).values()).backward()
    assert not loaded.visual.prior_text.model.training
    assert all(each.grad is None for each in loaded.visual.prior_text.parameters())


def test_a_saved_method_keeps_the_names_of_its_weights(tmp_path: Any) -> None:
    method = make_method("ddatr").float()
    method.save_pretrained(tmp_path)
    taken = load_named(make_method("ddatr").float(), tmp_path)
    assert set(taken.taken) == set(method.state_dict())
    assert not taken.left


def test_batch_normalisation_works_with_one_prior_and_changes_evaluation_alone() -> None:
    method = make_method("ddatr", difference_norm="batch").train()
    batch = make_batch(studies=3)
    mask = batch.prior_mask.clone()
    mask[1:] = False
    sum(losses_of(method, replace(batch, prior_mask=mask)).values()).backward()
    reached = method.visual.backbone.difference.parameters()
    assert all(bool(each.grad.isfinite().all()) for each in reached)


def test_losses_and_gradients_are_finite_in_half_precision() -> None:
    method, batch = make_method("ddatr").float(), make_batch(dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = losses_of(method, batch)
    sum(losses.values()).backward()
    assert all(bool(each.grad.isfinite().all()) for each in method.parameters())


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"backbone": "resnet"}, "backbone of ddatr must be one of .*got 'resnet'"),
        ({"difference_norm": "layer"}, r"difference_norm must be one of .*got 'layer'"),
        ({"prior_text_heads": 3}, "prior_text_width must be a multiple of prior_text_heads"),
        ({"prior_text_tokens": 0}, "prior_text_tokens must be at least 1, got 0"),
        ({"fusion_heads": 3}, "must divide 8 channels, got 3"),
        ({"backbone_depths": [1]}, "one entry a stage"),
        ({"findings_prior": True, "findings_prior_weight": 0.0}, "findings_prior_weight must be"),
        ({"visual_positions": "grid"}, "visual_positions has no meaning for ddatr"),
    ],
)
def test_a_bad_option_is_refused(option: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build("ddatr", make_tokenizer(), SMALL["ddatr"] | option)
