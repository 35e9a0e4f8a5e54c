"""Rotations between backbone and heads: every loss sees the features through its own view alone."""

from pathlib import Path

import pytest
import torch

from gradtruce.gradients.rotations import Rotations
from gradtruce.methods.base import FINDINGS_TASK, Decoding, model_inputs
from gradtruce.methods.blocks.inputs import Inputs
from gradtruce.methods.registry import METHODS, Method, load
from tests.methods.studies import VARIANTS, make_batch, make_method, method_of

ROTATED = [name for name in VARIANTS if method_of(name) in ("r2gen", "r2gen_cmn", "promptmrg")] + [
    "ddatr",
    "ddatr, compact, frozen text and a task for the prior",
]

every_method = pytest.mark.parametrize("name", ROTATED)


def rotated(name: str, *, angle: float = 0.3) -> tuple[Method, Rotations]:
    """Return a method whose heads see rotations of the features, by random angles."""
    method = make_method(name)
    rotations = Rotations(method.rotated_tasks, method.backbone.width).double()
    rotations.turn(angle * torch.randn_like(rotations.angles))
    method.place_rotations(rotations)
    return method, rotations


def test_methods_whose_tasks_share_heads_have_no_place_for_rotations() -> None:
    places = {name: make_method(name).rotated_tasks for name in METHODS}
    assert {name for name, tasks in places.items() if not tasks} == {"wcl", "camanet", "xpronet"}
    assert places["r2gen"] == ("report", "findings")


@every_method
def test_each_loss_passes_its_own_view_alone(name: str) -> None:
    method, rotations = rotated(name)
    rotations.is_watched = True
    batch = model_inputs(make_batch())
    for task in rotations.tasks:
        rotations.forget()
        method(**batch).losses[task].backward()
        met = {
            rotations.tasks[place]
            for kept in rotations.gradients
            for place, gradient in enumerate(kept)
            if gradient is not None
        }
        assert met == {task}


@every_method
def test_the_backbone_gets_the_gradient_of_the_losses(name: str) -> None:
    """The rotations hide no path: a step along the gradient changes the losses as it says."""
    method, _ = rotated(name)
    batch = model_inputs(make_batch())
    weight = next(iter(method.backbone.parameters()))
    losses = method(**batch).losses
    gradients = {
        task: torch.autograd.grad(loss, weight, retain_graph=True)[0]
        for task, loss in losses.items()
    }
    direction, size = torch.randn_like(weight), 1e-6
    with torch.no_grad():
        weight += size * direction
        after = method(**batch).losses
        weight -= 2 * size * direction
        before = method(**batch).losses
    for task, gradient in gradients.items():
        slope = (after[task] - before[task]) / (2 * size)
        torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-4, atol=1e-7)


@every_method
def test_rotations_by_nothing_change_nothing(name: str) -> None:
    batch = make_batch()
    torch.manual_seed(0)
    plain = make_method(name)
    torch.manual_seed(0)
    method, _ = rotated(name, angle=0.0)
    losses, others = plain(**model_inputs(batch)).losses, method(**model_inputs(batch)).losses
    torch.testing.assert_close(others, losses, rtol=1e-12, atol=0)
    decoding = Decoding(beams=2, max_tokens=5)
    mine, theirs = (each.generate_reports(batch, decoding) for each in (plain, method))
    assert torch.equal(mine.ids, theirs.ids)


@every_method
def test_each_head_turns_with_its_own_rotation(name: str) -> None:
    """A rotation of the findings leaves the report as it is but for the scores it is told."""
    method, rotations = rotated(name)
    method.train()
    batch = make_batch()
    before = method(**model_inputs(batch)).losses
    angles = rotations.angles.clone()
    angles[rotations.tasks.index(FINDINGS_TASK)] += 0.5
    rotations.turn(angles)
    after = method(**model_inputs(batch)).losses
    is_told = "findings token" in name
    assert torch.equal(before["report"], after["report"]) is not is_told
    assert not torch.equal(before[FINDINGS_TASK], after[FINDINGS_TASK])


@every_method
def test_the_report_is_told_what_the_findings_head_says(name: str) -> None:
    method, _ = rotated(name)
    batch = make_batch()
    generated = method.generate_reports(batch, Decoding(beams=1, max_tokens=5))
    scores = method.eval()(**model_inputs(batch)).findings_logits
    assert generated.findings is not None
    torch.testing.assert_close(generated.findings, scores.sigmoid())
    if method_of(name) in ("promptmrg", "ddatr"):
        visual = method.encode(Inputs.of(batch))
        assert torch.equal(visual.prompt, visual.states.argmax(-1))


def test_the_token_of_the_findings_is_that_of_their_own_view() -> None:
    method, _ = rotated("r2gen, positions and findings token")
    visual = method.eval().encode(Inputs.of(make_batch()))
    told = method.visual.findings.token(2 * (visual.findings / 2).tanh())
    torch.testing.assert_close(visual.last_hidden_state[:, -1], told)


@every_method
def test_a_saved_method_brings_its_rotations(name: str, tmp_path: Path) -> None:
    method, rotations = rotated(name)
    method.save_pretrained(tmp_path)
    again = load(tmp_path)
    assert torch.equal(again.visual.rotations.matrices, rotations.matrices)
    batch, decoding = make_batch(), Decoding(beams=2, max_tokens=6)
    mine, theirs = (each.generate_reports(batch, decoding) for each in (method, again.double()))
    assert torch.equal(mine.ids, theirs.ids)
    torch.testing.assert_close(theirs.findings, mine.findings, rtol=1e-10, atol=0)
    torch.testing.assert_close(again.cam(batch), method.cam(batch), rtol=1e-10, atol=1e-14)
