"""PromptMRG against its paper: states, prompt, prior, two views, presets, bad values."""

import tomllib
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from gradtruce.data.batch import Batch
from gradtruce.methods.base import Decoding, Validation, model_inputs
from gradtruce.methods.blocks.inputs import Inputs
from gradtruce.methods.blocks.state_head import positive_log_odds, states_of
from gradtruce.methods.blocks.states_objective import StatesObjective
from gradtruce.methods.promptmrg import PromptedTokens, PromptMRGConfig
from gradtruce.methods.registry import Method, build, load
from gradtruce.training.config_file import load_config
from tests.methods.studies import SMALL, make_batch, make_method, make_tokenizer
from tests.reference import promptmrg as reference

EXACT = {"rtol": 1e-10, "atol": 1e-10}


def options_of(preset: str) -> dict[str, Any]:
    path = resources.files("gradtruce.presets") / "methods" / f"promptmrg-{preset}.toml"
    options: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["method"]
    assert options.pop("name") == "promptmrg"
    return options


def encoded(method: Method, batch: Batch) -> PromptedTokens:
    return cast(PromptedTokens, method.encode(Inputs.of(batch)))


def objective_of(method: Method) -> StatesObjective:
    return cast(StatesObjective, method.objectives["findings"])


def labelled(studies: int = 3) -> Batch:
    """Return a batch in which every study has a label."""
    batch = make_batch(studies=studies)
    batch.labels[:, 0] = 1.0
    return batch


@torch.no_grad()
def test_states_and_loss_equal_the_paper_written_out() -> None:
    method, batch = make_method("promptmrg"), labelled()
    torch.nn.init.normal_(method.visual.head.weight)
    batch = replace(batch, view_mask=torch.tensor([[True, True], [False, True], [True, False]]))
    prior = [0.05 * (place + 1) for place in range(14)]
    objective_of(method).prior.copy_(torch.tensor(prior))
    weights, visual = method.state_dict(), encoded(method, batch)
    expected = []
    for study, mask in enumerate(visual.token_mask):
        patches = visual.last_hidden_state[study][mask]
        average = sum(patches) / len(patches)
        h = reference.memory(
            weights, "visual.memory", average, batch.retrieved[study], layers=1, heads=2
        )
        scores = torch.cat([average, h])
        expected.append(reference.state_scores(weights, "visual.head", scores, classes=14))
    found = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(visual.states, found, rtol=1e-7, atol=1e-7)
    loss = reference.classification_loss(expected, batch.labels.tolist(), prior)
    losses = method(**model_inputs(batch)).losses
    assert float(losses["findings"]) == pytest.approx(loss, abs=1e-6)


@torch.no_grad()
def test_the_adjustment_is_for_training_alone() -> None:
    method, batch = make_method("promptmrg"), labelled()
    plain = float(method(**model_inputs(batch)).losses["findings"])
    objective_of(method).prior.fill_(0.1)
    assert float(method(**model_inputs(batch)).losses["findings"]) > plain + 0.01
    assert float(method.eval()(**model_inputs(batch)).losses["findings"]) == pytest.approx(plain)


def test_findings_are_the_log_odds_of_positive() -> None:
    method, batch = make_method("promptmrg"), make_batch()
    torch.nn.init.normal_(method.visual.head.weight)
    states = encoded(method.eval(), batch).states
    found = method.generate_reports(batch, Decoding(beams=1, max_tokens=2)).findings
    torch.testing.assert_close(found, states.softmax(dim=-1)[..., 1], **EXACT)


def test_the_prompt_is_of_true_states_in_training_and_of_predicted_ones_outside() -> None:
    method, batch = make_method("promptmrg"), labelled()
    visual = encoded(method, batch)
    assert torch.equal(visual.prompt, states_of(batch.labels))
    visual = encoded(method.eval(), batch)
    assert torch.equal(visual.prompt, visual.states.argmax(dim=-1))
    assert not torch.equal(visual.prompt, states_of(batch.labels))


def test_a_study_that_nobody_labelled_is_prompted_by_what_is_predicted() -> None:
    method, batch = make_method("promptmrg"), labelled()
    batch.labels[1] = torch.nan
    visual = encoded(method, batch)
    assert torch.equal(visual.prompt[1], visual.states[1].argmax(dim=-1))
    assert torch.equal(visual.prompt[[0, 2]], states_of(batch.labels[[0, 2]]))
    unlabelled = method.encode(replace(Inputs.of(batch), labels=None))
    assert torch.equal(unlabelled.prompt, visual.states.argmax(dim=-1))


def test_the_prompt_changes_what_is_written() -> None:
    method, batch = make_method("promptmrg"), labelled()
    first = method(**model_inputs(batch)).logits
    other = replace(batch, labels=torch.zeros_like(batch.labels))
    assert (first - method(**model_inputs(other)).logits).abs().max() > 1e-6


def test_scores_are_for_words_only() -> None:
    method, batch = make_method("promptmrg"), make_batch()
    assert method(**model_inputs(batch)).logits.shape[-1] == method.config.vocab_size


def test_the_report_loss_is_smoothed() -> None:
    method, batch = make_method("promptmrg"), make_batch()
    output = method(**model_inputs(batch))
    log_p, words = output.logits.log_softmax(dim=-1), batch.input_ids[:, 1:]
    is_real = words != 0
    own = -log_p.gather(2, words.unsqueeze(2)).squeeze(2)[is_real].mean()
    every = -log_p.mean(dim=2)[is_real].mean()
    torch.testing.assert_close(output.losses["report"], 0.9 * own + 0.1 * every, **EXACT)


def test_the_decoder_sees_the_features_themselves_of_both_views() -> None:
    method, batch = make_method("promptmrg"), make_batch()
    maps = method.backbone(batch.pixel_values[:, 1])
    tokens = encoded(method, batch).last_hidden_state
    torch.testing.assert_close(tokens[:, 16:], maps.flatten(2).transpose(1, 2), **EXACT)


def test_the_memory_tells_the_classifier_and_nobody_else() -> None:
    method, batch = make_method("promptmrg"), labelled()
    torch.nn.init.normal_(method.visual.head.weight)
    other = replace(batch, retrieved=batch.retrieved + 1)
    first, second = (method(**model_inputs(each)) for each in (batch, other))
    torch.testing.assert_close(first.logits, second.logits, **EXACT)
    assert (first.findings_logits - second.findings_logits).abs().max() > 1e-6


@pytest.mark.parametrize("halves", [1, 2])
def test_maps_are_the_gradient_of_the_log_odds_times_the_features(halves: int) -> None:
    method = make_method("promptmrg", pools_maximum=halves == 2)
    batch = make_batch(studies=2)
    torch.nn.init.normal_(method.visual.head.weight)
    maps = method.cam(batch)
    visual = encoded(method.eval(), batch)
    features = visual.last_hidden_state.detach()
    pooled = torch.cat([features.mean(dim=1), features.amax(dim=1)], dim=1)[:, : 16 * halves]
    pooled.requires_grad_()
    read = method.visual.memory(pooled.detach(), batch.retrieved)
    odds = positive_log_odds(method.visual.head(torch.cat([pooled, read], dim=1)))
    (weights,) = torch.autograd.grad(odds[:, 9].sum(), pooled)
    weights = sum(weights.chunk(halves, dim=1)).unsqueeze(2)
    expected = (features @ weights).squeeze(2).relu().view(2, 2, 4, 4)
    torch.testing.assert_close(maps[:, 9], expected, **EXACT)


def test_the_prior_follows_labels_then_validations_and_is_saved(tmp_path: Path) -> None:
    method, labels = make_method("promptmrg").float(), torch.zeros(4, 14)
    labels[:, 0], labels[:2, 1] = 1.0, 1.0
    method.before_training(labels)
    prior = objective_of(method).prior
    assert prior[:3].tolist() == pytest.approx([1.0, 0.5, 0.001])
    found = torch.full((4, 14), 0.4)
    found[:, 1] = 0.8
    method.on_epoch_end(Validation({}, found, labels))
    assert prior[:3].tolist() == pytest.approx([0.5, 1.0, 0.001])
    method.on_epoch_end(Validation({}, None, labels))
    method.save_pretrained(tmp_path)
    torch.testing.assert_close(objective_of(load(tmp_path)).prior, prior)


def test_tasks_have_the_published_weights() -> None:
    assert [(task.name, task.weight) for task in make_method("promptmrg").tasks] == [
        ("report", 1.0),
        ("findings", 4.0),
    ]


def test_only_the_trunk_is_shared() -> None:
    report, findings = make_method("promptmrg").tasks
    assert report.reach & findings.reach == {"visual.backbone"}


def test_large_presets_are_the_default_configuration() -> None:
    for preset in ("paper", "fixed"):
        with torch.device("meta"):
            model = build("promptmrg", make_tokenizer(), options_of(preset))
        known = PromptMRGConfig(vocab_size=model.config.vocab_size, dtype=model.config.dtype)
        assert model.config == known
    assert model.visual.head.weight.shape == (14 * 4, 2048 + 512)


def test_the_tiny_preset_builds_and_is_small() -> None:
    model = build("promptmrg", make_tokenizer(), options_of("tiny"))
    assert sum(each.numel() for each in model.parameters()) < 1_500_000


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"findings_weight": 0.0}, "findings_weight must be above 0"),
        ({"label_smoothing": 1.0}, "label_smoothing must be at least 0 and below 1, got 1.0"),
        ({"positions": 15}, "positions must be at least 16, got 15"),
        ({"memory_layers": 0}, "memory_layers must be at least 1, got 0"),
        ({"visual_positions": "grid"}, "visual_positions has no meaning for promptmrg"),
        ({"uncertain": "ignore"}, "uncertain has no meaning for promptmrg"),
    ],
)
def test_a_bad_value_is_refused(option: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build("promptmrg", make_tokenizer(), SMALL["promptmrg"] | option)


def broken(batch: Batch, what: str) -> Batch:
    """Return the batch with one thing that cannot be."""
    labels: Tensor = batch.labels.clone()
    labels[0, 0] = 3.0
    return {
        "none": replace(batch, retrieved=None),
        "width": replace(batch, retrieved=torch.zeros(3, 4, 7)),
        "state": replace(batch, labels=labels),
        "long": replace(batch, input_ids=torch.ones(3, 30, dtype=torch.long)),
    }[what]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("none", "gradtruce build retrieval"),
        ("width", "retrieved features must have 6 numbers, .* got 7"),
        ("state", "a label must be 1 .* got 3;"),
        ("long", "the decoder has 40 positions, got 14 states and 29 tokens"),
    ],
)
def test_what_cannot_be_is_an_error_for_people(what: str, message: str) -> None:
    method, batch = make_method("promptmrg"), broken(labelled(), what)
    with pytest.raises(ValueError, match=message):
        method(**model_inputs(batch))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"search": "published", "min_tokens": 3}, "has no smallest length, got 3"),
        ({"max_tokens": 4, "min_tokens": 4}, "below max_tokens, got 4 and 4"),
        ({"min_tokens": -1}, "min_tokens must be at least 0"),
    ],
)
def test_a_smallest_length_that_cannot_be_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Decoding(**given)


PROTOCOLS = {  # views, most and fewest tokens
    "promptmrg-mimic-cxr": (1, 150, 81),
    "promptmrg-iu-xray-zero-shot": (1, 110, 41),
}


@pytest.mark.parametrize(("preset", "expected"), PROTOCOLS.items(), ids=PROTOCOLS)
def test_published_protocols_are_as_published(preset: str, expected: tuple[int, ...]) -> None:
    config = load_config(preset, ["data.path=none"])
    decoding, training = config.training.decoding, config.training
    assert (config.data.views, decoding.max_tokens, decoding.min_tokens) == expected
    assert (decoding.beams, decoding.length_penalty) == (3, 1.0)
    assert (training.epochs, training.batch_size, training.weight_decay) == (6, 16, 0.05)
    assert (training.clip.kind, training.clip.limit) == ("value", 0.1)
    assert config.data.neighbours == 21
