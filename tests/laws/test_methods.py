"""What every registered report-generation method must obey."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gradtruce.data.batch import Batch
from gradtruce.methods.base import PRIMARY_TASK, Decoding, model_inputs
from gradtruce.methods.blocks.inputs import Inputs
from gradtruce.methods.registry import METHODS, Method, load, method_names
from tests.methods.studies import VARIANTS, make_batch, make_method, method_of

EXACT = {"rtol": 1e-10, "atol": 1e-10}

MISSING = {"labels": torch.nan, "clusters": -1, "prior_labels": torch.nan}
"""What a field of a batch holds where a study has no target."""

pytestmark = pytest.mark.parametrize("name", VARIANTS)


def gradients(method: Method, loss: Tensor) -> dict[str, Tensor]:
    """Return the gradient of every parameter that the loss reaches."""
    method.zero_grad()
    loss.backward(retain_graph=True)
    reached = {
        key: value.grad.clone()
        for key, value in method.named_parameters()
        if value.grad is not None
    }
    method.zero_grad()
    return reached


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for key, value in first.items():
        torch.testing.assert_close(value, second[key], **EXACT, msg=lambda text: f"{key}: {text}")  # noqa: B023


def with_view(batch: Batch, place: int, content: float) -> Batch:
    """Return the batch with an absent view put at `place`, holding `content` in every pixel."""
    views = list(batch.pixel_values.unbind(1))
    views.insert(place, torch.full_like(views[0], content))
    mask = list(batch.view_mask.unbind(1))
    mask.insert(place, torch.zeros_like(mask[0]))
    return replace(batch, pixel_values=torch.stack(views, 1), view_mask=torch.stack(mask, 1))


def test_every_method_is_here_under_its_own_name(name: str) -> None:
    assert set(method_names()) <= set(VARIANTS)
    assert METHODS[method_of(name)].method_name == method_of(name)


def test_losses_are_the_tasks_and_finite(name: str) -> None:
    method = make_method(name)
    losses = method(**model_inputs(make_batch())).losses
    assert list(losses) == [task.name for task in method.tasks]
    assert all(loss.isfinite() and loss.ndim == 0 for loss in losses.values())


def test_the_primary_task_comes_first_and_is_the_report(name: str) -> None:
    first, *others = make_method(name).tasks
    assert (first.name, first.role) == (PRIMARY_TASK, "primary")
    assert all(task.role == "auxiliary" for task in others)


def test_each_task_reaches_exactly_the_declared_modules(name: str) -> None:
    method = make_method(name)
    losses = method(**model_inputs(make_batch())).losses
    for task in method.tasks:
        declared = {
            key
            for key, _ in method.named_parameters()
            if any(key.startswith(f"{module}.") for module in task.reach)
        }
        assert declared
        assert set(gradients(method, losses[task.name])) == declared


def test_sum_of_task_gradients_is_the_gradient_of_the_weighted_sum(name: str) -> None:
    method = make_method(name)
    losses = method(**model_inputs(make_batch())).losses
    summed: dict[str, Tensor] = {}
    for task in method.tasks:
        for key, value in gradients(method, losses[task.name]).items():
            summed[key] = summed.get(key, torch.zeros_like(value)) + task.weight * value
    total = torch.stack([task.weight * losses[task.name] for task in method.tasks]).sum()
    assert_same(summed, gradients(method, total))


def test_every_parameter_is_in_exactly_one_group(name: str) -> None:
    method = make_method(name)
    groups = method.parameter_groups()
    assert set(groups) == {"backbone", "rest"}
    grouped = [id(parameter) for group in groups.values() for parameter in group]
    assert sorted(grouped) == sorted(id(parameter) for parameter in method.parameters())


@pytest.mark.parametrize("ranks", [1, 2])
def test_unequal_parts_give_the_gradients_of_the_whole_batch(name: str, ranks: int) -> None:
    method, batch = make_method(name), make_batch(studies=5)
    parts = [batch.part(slice(0, 1)), batch.part(slice(1, 5))]
    totals = {
        task: sum(method.loss_counts(each)[task] for each in parts) / ranks
        for task in method.loss_counts(batch)
    }
    coupled = {task.name for task in method.tasks if task.is_batch_coupled}
    every = method(**model_inputs(batch)).losses
    whole = {task: loss for task, loss in every.items() if task not in coupled}
    split = [method(**model_inputs(each), normalizers=totals).losses for each in parts]
    for task, loss in whole.items():
        # Micro-batches are added; ranks are averaged, for which the counts were divided.
        joined = torch.stack([losses[task] for losses in split]).sum() / ranks
        torch.testing.assert_close(joined, loss, **EXACT)
        assert_same(gradients(method, joined), gradients(method, loss))


@pytest.mark.parametrize("studies", [1, 2])
def test_one_and_two_studies_work(name: str, studies: int) -> None:
    method, batch = make_method(name), make_batch(studies=studies)
    losses = method(**model_inputs(batch)).losses
    sum(losses.values()).backward()
    pairs = {task.name for task in method.tasks if task.is_batch_coupled}
    alone = {task.name for task in method.tasks} - pairs
    assert set(losses) == (alone if studies == 1 else alone | pairs)
    generated = method.generate_reports(batch, Decoding(beams=2, max_tokens=4))
    assert len(generated.texts) == studies


@pytest.mark.parametrize("need", MISSING)
def test_a_task_without_targets_is_absent(name: str, need: str) -> None:
    method, batch = make_method(name), make_batch()
    rest = {task.name for task in method.tasks if need not in task.needs}
    unknown = torch.full_like(getattr(batch, need), MISSING[need])
    assert set(method(**model_inputs(replace(batch, **{need: unknown}))).losses) == rest
    losses = method(**model_inputs(batch) | {need: None}).losses
    assert set(losses) == rest
    sum(losses.values()).backward()


def test_every_need_is_a_field_of_the_batch(name: str) -> None:
    for task in make_method(name).tasks:
        assert task.needs <= MISSING.keys()


def test_every_loss_has_a_count(name: str) -> None:
    method, batch = make_method(name), make_batch()
    counts = method.loss_counts(batch)
    assert set(counts) == {task.name for task in method.tasks}
    assert all(count.ndim == 0 and count > 0 for count in counts.values())


def test_forward_leaves_every_buffer_as_it_was(name: str) -> None:
    method, batch = make_method(name).train(), make_batch()
    before = {key: value.clone() for key, value in method.named_buffers()}
    method(**model_inputs(batch))
    assert all(torch.equal(value, before[key]) for key, value in method.named_buffers())


def test_explained_attention_changes_no_score(name: str) -> None:
    method, batch = make_method(name).eval(), make_batch()
    with torch.no_grad():
        visual = method.encode(Inputs.of(batch))
        plain = method.decode(batch.input_ids, visual)
        for layer in range(method.config.layers):
            written = method.decode(batch.input_ids, visual, explained=layer)
            torch.testing.assert_close(written.logits, plain.logits, **EXACT)
            assert written.looks.shape[-1] == visual.token_mask.shape[1]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_absent_view_changes_nothing(name: str, place: int) -> None:
    method, batch = make_method(name), make_batch()
    padded = with_view(batch, place, content=torch.nan)
    plain, same = method(**model_inputs(batch)), method(**model_inputs(padded))
    torch.testing.assert_close(same.logits, plain.logits, **EXACT)
    for task, loss in plain.losses.items():
        torch.testing.assert_close(same.losses[task], loss, **EXACT)
        assert_same(gradients(method, same.losses[task]), gradients(method, loss))
    decoding = Decoding(beams=3, max_tokens=6)
    first, second = (method.generate_reports(each, decoding) for each in (batch, padded))
    assert first.texts == second.texts
    looks = method.attention(padded, batch.input_ids)
    assert not looks[:, :, place].any()


def test_a_study_with_one_view_is_the_same_beside_a_study_with_two(name: str) -> None:
    method, batch = make_method(name), make_batch(studies=2)
    mask = torch.tensor([[True, True], [True, False]])
    together = method(**model_inputs(replace(batch, view_mask=mask)))
    alone = batch.part(slice(1, 2))
    alone = replace(alone, pixel_values=alone.pixel_values[:, :1], view_mask=alone.view_mask[:, :1])
    torch.testing.assert_close(together.logits[1:], method(**model_inputs(alone)).logits, **EXACT)


@pytest.mark.parametrize("beams", [1, 3])
def test_cached_generation_equals_uncached(name: str, beams: int) -> None:
    method, batch = sharpened(make_method(name)), make_batch(studies=4)
    inputs = {
        key: value
        for key, value in model_inputs(batch).items()
        if key not in ("input_ids", "labels", "clusters")
    }
    cached, uncached = (
        method.eval().generate(
            **inputs,
            num_beams=beams,
            length_penalty=1.0 if beams == 1 else 0.0,
            max_new_tokens=12,
            use_cache=use_cache,
        )
        for use_cache in (True, False)
    )
    torch.testing.assert_close(cached, uncached)


def test_one_beam_is_greedy(name: str) -> None:
    method, batch = sharpened(make_method(name)).eval(), make_batch()
    generated = method.generate_reports(batch, Decoding(beams=1, max_tokens=8)).ids
    ids = torch.ones(len(batch), 1, dtype=torch.long)
    for _ in range(8):
        following = torch.cat([ids, torch.full_like(ids[:, :1], 2)], dim=1)
        inputs = model_inputs(replace(batch, input_ids=following))
        scores = method(**inputs).logits[:, -1]
        scores[:, :2] = -torch.inf
        ended = (ids == 2).any(dim=1)
        ids = torch.cat([ids, scores.argmax(-1).where(~ended, 0)[:, None]], dim=1)
    torch.testing.assert_close(generated, ids[:, : generated.shape[1]])


def test_no_report_is_shorter_than_asked(name: str) -> None:
    method, batch = sharpened(make_method(name)).eval(), make_batch(studies=4)
    for beams in (1, 3):
        decoding = Decoding(beams=beams, max_tokens=9, min_tokens=6)
        ids = method.generate_reports(batch, decoding).ids
        assert ids.shape[1] > 7
        assert bool((ids[:, 1:7] > 2).all())


def test_one_published_beam_is_greedy(name: str) -> None:
    method, batch = sharpened(make_method(name)).eval(), make_batch(studies=4)
    greedy, found = (
        method.generate_reports(batch, Decoding(beams=1, max_tokens=8, search=search)).ids
        for search in ("transformers", "published")
    )
    torch.testing.assert_close(found[:, : greedy.shape[1]], greedy)
    assert not found[:, greedy.shape[1] :].any()


def test_the_published_search_reads_images_once_and_stops_at_the_end(name: str) -> None:
    method, batch = sharpened(make_method(name)), make_batch()
    calls: list[int] = []
    method.backbone.register_forward_hook(lambda *_: calls.append(1))
    ids = method.generate_reports(batch, Decoding(beams=3, max_tokens=6, search="published")).ids
    assert calls == [1]
    assert ids.shape[1] <= 7
    after_end = (ids == 2).cumsum(1) - (ids == 2).long() > 0
    assert not ids[after_end].any()


def test_generating_leaves_mode_and_gradients_as_they_were(name: str) -> None:
    method, batch = make_method(name).train(), make_batch()
    generated = method.generate_reports(batch, Decoding(beams=2, max_tokens=4))
    method.attention(batch, batch.input_ids)
    assert method.training
    assert generated.ids.shape[1] <= 5
    assert generated.findings is None or not generated.findings.requires_grad


def test_attention_of_each_word_sums_to_one_over_present_views(name: str) -> None:
    method, batch = make_method(name), make_batch()
    looks = method.attention(batch, batch.input_ids)
    is_word = batch.input_ids > 1
    torch.testing.assert_close(looks.sum((2, 3, 4)), is_word.to(looks.dtype), **EXACT)


def test_maps_of_findings_lie_on_the_grid_and_ignore_absent_views(name: str) -> None:
    method, batch = make_method(name), make_batch()
    maps = method.cam(batch)
    has_head = method(**model_inputs(batch)).findings_logits is not None
    assert (maps is not None) == has_head
    if maps is None:
        return
    assert maps.shape[:3] == (len(batch), 14, 2)
    assert maps.shape[3:] == method.attention(batch, batch.input_ids).shape[3:]
    assert bool((maps >= 0).all())
    assert bool(maps.any())
    padded = method.cam(with_view(batch, 1, content=torch.nan))
    assert not padded[:, :, 1].any()
    torch.testing.assert_close(padded[:, :, [0, 2]], maps, **EXACT)


def test_a_saved_method_comes_back_the_same(name: str, tmp_path: Path) -> None:
    method, batch = make_method(name).float(), make_batch(dtype=torch.float32)
    decoding = Decoding(beams=2, max_tokens=6)
    method.save_pretrained(tmp_path)
    loaded = load(tmp_path)
    assert (tmp_path / "model.safetensors").is_file()
    assert loaded.config.label_names == method.config.label_names
    assert all(
        torch.equal(value, loaded.state_dict()[key]) for key, value in method.state_dict().items()
    )
    first, second = (each.generate_reports(batch, decoding) for each in (method, loaded))
    assert first.texts == second.texts
    assert (first.findings is None) == (second.findings is None)
    if first.findings is not None:
        torch.testing.assert_close(first.findings, second.findings)


@pytest.mark.slow
def test_eight_studies_are_learned_by_heart(name: str) -> None:
    method, batch = make_method(name, width=32).float(), make_batch(studies=8, dtype=torch.float32)
    optimizer = torch.optim.AdamW(method.parameters(), lr=3e-3, weight_decay=0.0)
    for _ in range(150):
        optimizer.zero_grad()
        sum(method(**model_inputs(batch)).losses.values()).backward()
        optimizer.step()
    generated = method.generate_reports(batch, Decoding(beams=3, max_tokens=12))
    torch.testing.assert_close(generated.ids, batch.input_ids)


def sharpened(method: Method) -> Method:
    """Return the method with larger score weights, so that beams differ and swap."""
    with torch.no_grad():
        for key, value in method.named_parameters():
            if "scores" in key:
                value.mul_(8.0)
    return method
