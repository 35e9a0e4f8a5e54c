"""CAMANet against its paper, its tasks, its options, and its sizes."""

import tomllib
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest
import torch
from torch import Tensor

from gradtruce.data.batch import Batch
from gradtruce.methods.base import model_inputs
from gradtruce.methods.blocks.inputs import Inputs
from gradtruce.methods.camanet import CAMANet, CAMANetConfig
from gradtruce.methods.registry import build
from tests.methods.studies import SMALL, make_batch, make_method, make_tokenizer
from tests.reference import camanet as reference

EXACT = {"rtol": 1e-9, "atol": 1e-9}


def options_of(preset: str) -> dict[str, Any]:
    path = resources.files("gradtruce.presets") / "methods" / f"camanet-{preset}.toml"
    options: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["method"]
    assert options.pop("name") == "camanet"
    return options


def losses_of(model: CAMANet, batch: Batch) -> dict[str, Tensor]:
    losses: dict[str, Tensor] = model(**model_inputs(batch)).losses
    return losses


def believing_nothing(model: CAMANet) -> CAMANet:
    """Return the method with a class head that believes no finding."""
    torch.nn.init.constant_(model.visual.findings.scores.bias, -50.0)
    return model


@pytest.mark.parametrize("name", ["camanet", "camanet, paper code"])
def test_scores_and_losses_equal_the_paper_written_out(name: str) -> None:
    model, batch = make_method(name).eval(), make_batch(studies=3, tokens=6)
    present = torch.tensor([[True, True], [False, True], [True, True]])
    labels = torch.zeros_like(batch.labels)
    labels[:2, 3], labels[1:, 5] = 1.0, -1.0
    batch = replace(batch, view_mask=present, labels=labels)
    config, weights, errors = model.config, model.state_dict(), []
    with torch.no_grad():
        output = model(**model_inputs(batch))
        for study in range(3):
            views = present[study].nonzero().flatten().tolist()
            maps = model.visual.backbone(batch.pixel_values[study, views])
            scores, findings, error = reference.study(
                weights,
                torch.cat([each.flatten(1).T for each in maps]),
                batch.input_ids[study, :-1].tolist(),
                layers=config.layers,
                heads=config.heads,
                slots=config.memory_slots,
                layer=config.attention_layer,
                share=config.attention_share,
                paper_code=config.paper_code,
            )
            torch.testing.assert_close(output.logits[study], scores, **EXACT)
            torch.testing.assert_close(output.findings_logits[study], findings, **EXACT)
            errors.append(error)
    assert min(errors) > 0
    # The third study has no positive label: an uncertain one counts as negative.
    expected = torch.tensor(errors[:2]).mean().to(output.losses["attention"])
    torch.testing.assert_close(output.losses["attention"], expected, rtol=1e-6, atol=1e-7)


def test_published_weights_are_the_defaults() -> None:
    weights = {task.name: task.weight for task in make_method("camanet").tasks}
    assert weights == {"report": 1.0, "findings": 1.0, "attention": 0.15}


def test_without_a_positive_label_attention_is_a_zero_with_a_graph() -> None:
    model, batch = make_method("camanet"), make_batch()
    loss = losses_of(model, replace(batch, labels=torch.zeros_like(batch.labels)))["attention"]
    assert loss.item() == 0.0
    loss.backward()
    assert all(bool((each.grad == 0).all()) for each in model.parameters() if each.grad is not None)
    assert model.decoder.embedding.weight.grad is not None


@pytest.mark.parametrize("published_norm", [True, False])
def test_a_head_that_believes_nothing_leaves_gradients_finite(published_norm: bool) -> None:
    model = believing_nothing(make_method("camanet", published_norm=published_norm))
    losses = losses_of(model, make_batch())
    assert losses["attention"].item() == 0.0
    sum(losses.values()).backward()
    assert all(bool(each.grad.isfinite().all()) for each in model.parameters())


def test_the_published_code_asks_for_no_attention_where_nothing_is_believed() -> None:
    model = believing_nothing(make_method("camanet, paper code"))
    assert losses_of(model, make_batch())["attention"].item() > 0


def test_an_uncertain_label_is_positive_only_where_it_is_said_to_be() -> None:
    batch = make_batch()
    unsure = replace(batch, labels=torch.full_like(batch.labels, -1.0))
    for policy, positive in {"negative": 0, "positive": 3, "ignore": 0}.items():
        counts = make_method("camanet", uncertain=policy).loss_counts(unsure)
        assert int(counts["attention"]) == positive


def test_the_foreground_is_a_token_of_the_encoder_and_none_of_the_decoder() -> None:
    model, batch = make_method("camanet").eval(), make_batch()
    lengths: list[int] = []
    model.visual.encoder.register_forward_hook(
        lambda _, inputs, __: lengths.append(inputs[0].shape[1])
    )
    with torch.no_grad():
        visual = model.encode(Inputs(batch.pixel_values, batch.view_mask))
    places = visual.discriminative.shape[1]
    assert lengths == [places + 1]
    assert visual.last_hidden_state.shape[1] == visual.token_mask.shape[1] == places


def test_the_published_foreground_is_the_first_patch_of_a_present_view() -> None:
    model, batch = make_method("camanet, paper code").eval(), make_batch(studies=2)
    mask = torch.tensor([[True, True], [False, True]])
    with torch.no_grad():
        visual = model.encode(Inputs(batch.pixel_values, mask))
    a_view = visual.discriminative.shape[1] // 2
    for study, place in enumerate([0, a_view]):
        assert torch.equal(visual.foreground[study], visual.last_hidden_state[study, place])


def test_how_far_a_batch_is_padded_changes_no_loss() -> None:
    model, batch = make_method("camanet"), make_batch()
    longer = replace(batch, input_ids=torch.nn.functional.pad(batch.input_ids, (0, 7)))
    first, second = losses_of(model, batch), losses_of(model, longer)
    for name, loss in first.items():
        torch.testing.assert_close(second[name], loss, rtol=1e-10, atol=1e-10)


def test_losses_and_gradients_are_finite_in_half_precision() -> None:
    model, batch = make_method("camanet").float(), make_batch(dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = losses_of(model, batch)
    sum(losses.values()).backward()
    assert all(bool(each.grad.isfinite().all()) for each in model.parameters())


def test_the_map_is_a_constant_for_the_class_head() -> None:
    model, batch = make_method("camanet"), make_batch()
    losses_of(model, batch)["attention"].backward()
    assert model.visual.findings.scores.weight.grad is None


def test_the_paper_preset_is_the_default_configuration_but_for_the_code() -> None:
    with torch.device("meta"):
        model = build("camanet", make_tokenizer(), options_of("paper"))
    known = CAMANetConfig(
        vocab_size=model.config.vocab_size, dtype=model.config.dtype, paper_code=True
    )
    assert model.config == known
    assert model.visual.findings.scores.weight.shape == (14, 1024)


def test_the_fixed_preset_differs_from_the_paper_in_two_options() -> None:
    paper, fixed = options_of("paper"), options_of("fixed")
    assert {key for key in paper if paper[key] != fixed[key]} == {"published_norm", "paper_code"}


def test_the_tiny_preset_builds_and_is_small() -> None:
    model = build("camanet", make_tokenizer(), options_of("tiny"))
    assert sum(each.numel() for each in model.parameters()) < 1_500_000


def test_a_small_densenet_serves_as_backbone() -> None:
    options = {"backbone": "densenet", "backbone_widths": [16, 16], "backbone_depths": [2, 2]}
    model = build("camanet", make_tokenizer(), SMALL["camanet"] | options)
    losses = losses_of(model, make_batch(pixels=64, dtype=torch.float32))
    assert all(bool(loss.isfinite()) for loss in losses.values())


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"attention_layer": 2}, r"attention_layer must be below layers \(2\), got 2"),
        ({"attention_layer": -1}, "attention_layer must be at least 0, got -1"),
        ({"attention_share": 0.0}, "attention_share must be above 0 and at most 1, got 0.0"),
    ],
)
def test_a_bad_option_is_refused(option: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build("camanet", make_tokenizer(), SMALL["camanet"] | option)
