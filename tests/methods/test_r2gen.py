"""R2Gen against its paper, its tasks, and its sizes."""

import tomllib
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest
import torch

from gradtruce.methods.base import model_inputs
from gradtruce.methods.r2gen import R2Gen, R2GenConfig
from gradtruce.methods.registry import build
from tests.methods.studies import make_batch, make_method, make_tokenizer
from tests.reference import r2gen as reference

EXACT = {"rtol": 1e-10, "atol": 1e-10}


def options_of(preset: str) -> dict[str, Any]:
    path = resources.files("gradtruce.presets") / "methods" / f"r2gen-{preset}.toml"
    options: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["method"]
    assert options.pop("name") == "r2gen"
    return options


def test_scores_and_attention_equal_the_paper_written_out() -> None:
    model, batch = make_method("r2gen").eval(), make_batch(studies=2, tokens=6)
    batch = replace(batch, view_mask=torch.tensor([[True, True], [False, True]]))
    config, weights = model.config, model.state_dict()
    with torch.no_grad():
        logits = model(**model_inputs(batch)).logits
        looks = model.attention(batch, batch.input_ids).flatten(3)
        for study, views in enumerate([(0, 1), (1,)]):
            maps = model.visual.backbone(batch.pixel_values[study, list(views)])
            features = torch.cat([each.flatten(1).T for each in maps])
            visual = reference.encode(weights, features, config.layers, config.heads)
            scores, looked = reference.decode(
                weights,
                batch.input_ids[study, :-1].tolist(),
                visual,
                config.layers,
                config.heads,
                config.memory_slots,
            )
            torch.testing.assert_close(logits[study], scores, **EXACT)
            ends = int((batch.input_ids[study] == 2).nonzero()) + 1
            given = looks[study, 1:ends, list(views)].flatten(1)
            torch.testing.assert_close(given, looked[: ends - 1], **EXACT)


def test_losses_equal_their_definitions() -> None:
    model, batch = make_method("r2gen"), make_batch()
    output = model(**model_inputs(batch))
    chances = output.logits.softmax(-1)
    targets = batch.input_ids[:, 1:]
    terms = [
        -chances[study, place, token].log()
        for study, row in enumerate(targets.tolist())
        for place, token in enumerate(row)
        if token != 0
    ]
    torch.testing.assert_close(output.losses["report"], torch.stack(terms).mean(), **EXACT)
    chances = output.findings_logits.sigmoid()
    cells = [
        -(chance if state == 1 else 1 - chance).log()
        for chance, state in zip(chances.flatten(), batch.labels.flatten().tolist(), strict=True)
        if state == state  # NaN, a missing label, is not itself
    ]
    torch.testing.assert_close(output.losses["findings"], torch.stack(cells).mean(), **EXACT)


@pytest.mark.parametrize(("uncertain", "count"), [("negative", 3), ("positive", 3), ("ignore", 2)])
def test_the_uncertain_policy_says_what_an_uncertain_label_is(uncertain: str, count: int) -> None:
    model, batch = make_method("r2gen", uncertain=uncertain), make_batch(studies=1)
    labels = torch.full((1, 14), torch.nan, dtype=torch.float64)
    labels[0, :3] = torch.tensor([1.0, 0.0, -1.0])
    batch = replace(batch, labels=labels)
    assert model.loss_counts(batch)["findings"] == count
    output = model(**model_inputs(batch))
    chances = output.findings_logits.sigmoid()[0]
    terms = [chances[0], 1 - chances[1]]
    terms += {"negative": [1 - chances[2]], "positive": [chances[2]], "ignore": []}[uncertain]
    torch.testing.assert_close(output.losses["findings"], -torch.stack(terms).log().mean(), **EXACT)


def test_the_order_of_views_does_not_matter() -> None:
    model, batch = make_method("r2gen"), make_batch()
    turned = replace(batch, pixel_values=batch.pixel_values.flip(1))
    first, second = (model(**model_inputs(each)) for each in (batch, turned))
    torch.testing.assert_close(first.logits, second.logits, **EXACT)
    torch.testing.assert_close(first.findings_logits, second.findings_logits, **EXACT)


def test_without_memory_slots_there_is_no_memory() -> None:
    model = make_method("r2gen", memory_slots=0)
    assert model.decoder.memory is None
    assert not any("change" in key for key in model.state_dict())
    assert set(model(**model_inputs(make_batch())).losses) == {"report", "findings"}


def test_memory_changes_what_is_scored() -> None:
    model, batch = make_method("r2gen").eval(), make_batch()
    with torch.no_grad():
        before = model(**model_inputs(batch)).logits
        model.decoder.memory.attention.value.weight.zero_()
        model.decoder.memory.input_gates.weight.zero_()
        after = model(**model_inputs(batch)).logits
    assert not torch.allclose(before[:, 1:], after[:, 1:])


def test_forward_without_images_says_what_it_needs() -> None:
    with pytest.raises(ValueError, match="needs pixel_values, view_mask and input_ids"):
        make_method("r2gen")(input_ids=torch.ones(1, 3, dtype=torch.long))


def test_the_paper_preset_is_resnet_101_with_512_wide_layers() -> None:
    with torch.device("meta"):
        model = build("r2gen", make_tokenizer(), options_of("paper"))
    groups = model.parameter_groups()
    assert sum(each.numel() for each in groups["backbone"]) == 42_500_160  # ResNet-101, no classes
    config = R2GenConfig(vocab_size=model.config.vocab_size, dtype=model.config.dtype)
    config.paper_code = True
    assert model.config == config
    assert model.decoder.memory.slots == 3


def test_the_tiny_preset_has_eight_tokens_a_side_at_128_pixels() -> None:
    model = build("r2gen", make_tokenizer(), options_of("tiny"))
    assert isinstance(model, R2Gen)
    assert sum(each.numel() for each in model.parameters()) < 1_500_000
    batch = make_batch(studies=1, pixels=128, dtype=torch.float32)
    assert model.attention(batch, batch.input_ids).shape[-2:] == (8, 8)


def test_the_published_backbone_trains_on_studies_with_one_view_and_two() -> None:
    model = make_method("r2gen", backbone="resnet", backbone_widths=[8, 16], backbone_depths=[1, 1])
    batch = make_batch(studies=2, pixels=64)
    batch = replace(batch, view_mask=torch.tensor([[True, True], [True, False]]))
    losses = model(**model_inputs(batch)).losses
    torch.stack(list(losses.values())).sum().backward()
    assert all(each.grad.isfinite().all() for each in model.parameters() if each.grad is not None)
