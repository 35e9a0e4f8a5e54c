"""WCL against its paper, its golden values, and what its published code does."""

import tomllib
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gradtruce.data.batch import Batch
from gradtruce.methods.base import model_inputs
from gradtruce.methods.blocks.cluster_contrast import weighted_contrast
from gradtruce.methods.blocks.inputs import Inputs
from gradtruce.methods.registry import Method, build
from gradtruce.methods.wcl import WCLConfig
from gradtruce.methods.weights.named_load import load_named
from tests.methods.studies import SMALL, make_batch, make_method, make_tokenizer
from tests.reference import wcl as reference

EXACT = {"rtol": 1e-10, "atol": 1e-10}
CLUSTERS = torch.tensor([0, 1, 0, 2])


def options_of(preset: str) -> dict[str, Any]:
    path = resources.files("gradtruce.presets") / "methods" / f"wcl-{preset}.toml"
    options: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["method"]
    assert options.pop("name") == "wcl"
    return options


def golden_vectors() -> tuple[Tensor, Tensor]:
    k = torch.arange(24, dtype=torch.float64)
    images, reports = (k + 1).sin().view(4, 6), (0.7 * k).cos().view(4, 6)
    return tuple(torch.nn.functional.normalize(each, dim=1) for each in (images, reports))


def contrast(method: Method, batch: Batch) -> Tensor:
    loss: Tensor = method(**model_inputs(batch)).losses["contrast"]
    return loss


def padded(batch: Batch, pads: int) -> Batch:
    return replace(batch, input_ids=torch.nn.functional.pad(batch.input_ids, (0, pads)))


@pytest.mark.parametrize(("temperature", "expected"), [(1.0, 1.797778), (0.1, 0.847402)])
def test_the_loss_has_its_golden_values(temperature: float, expected: float) -> None:
    images, reports = golden_vectors()
    found = weighted_contrast(images, reports, CLUSTERS, temperature, torch.tensor(4))
    assert float(found) == pytest.approx(expected, abs=1e-6)
    slow = reference.loss(list(images), list(reports), CLUSTERS.tolist(), temperature)
    assert float(found) == pytest.approx(slow, abs=1e-12)


def test_the_contrast_equals_the_paper_written_out() -> None:
    method, batch = make_method("wcl", contrast_temperature=0.3).eval(), make_batch(studies=4)
    batch = replace(
        batch, view_mask=torch.tensor([[True, True], [False, True]] * 2), clusters=CLUSTERS
    )
    weights = method.state_dict()
    with torch.no_grad():
        visual = method.encode(Inputs(batch.pixel_values, batch.view_mask))
        states = method.decode(batch.input_ids[:, :-1], visual).states
        images, reports = [], []
        for study, mask in enumerate(visual.token_mask):
            words = int((batch.input_ids[study] > 2).sum())
            seen, written = visual.last_hidden_state[study][mask], states[study, : words + 1]
            name = "objectives.contrast"
            images.append(reference.vector(weights, f"{name}.image_projection", list(seen)))
            reports.append(reference.vector(weights, f"{name}.report_projection", list(written)))
        expected = reference.loss(images, reports, CLUSTERS.tolist(), 0.3)
        assert float(contrast(method, batch)) == pytest.approx(expected, abs=1e-10)


def test_alike_reports_cost_more_and_are_no_positives() -> None:
    images, reports = golden_vectors()
    alike, apart = (
        weighted_contrast(images, reports, clusters, 1.0, torch.tensor(4))
        for clusters in (torch.zeros(4, dtype=torch.long), torch.arange(4))
    )
    plain = torch.nn.functional.cross_entropy(images @ reports.T, torch.arange(4))
    torch.testing.assert_close(apart, plain, **EXACT)
    assert alike > apart


def test_a_study_without_a_cluster_takes_no_part() -> None:
    method, batch = make_method("wcl"), make_batch(studies=4)
    some = replace(batch, clusters=torch.tensor([0, 1, 0, -1]))
    assert method.loss_counts(some)["contrast"] == 3
    torch.testing.assert_close(
        contrast(method, some), contrast(method, some.part(slice(0, 3))), **EXACT
    )


def test_one_study_with_a_cluster_makes_no_contrast() -> None:
    method, batch = make_method("wcl"), make_batch(studies=3)
    alone = replace(batch, clusters=torch.tensor([-1, 5, -1]))
    assert method.loss_counts(alone)["contrast"] == 0
    assert set(method(**model_inputs(alone)).losses) == {"report"}


def test_pads_change_nothing_but_in_the_published_code() -> None:
    batch = make_batch(studies=4)
    for paper_code in (False, True):
        method = make_method("wcl", paper_code=paper_code, contrast_temperature=1.0)
        first, second = contrast(method, batch), contrast(method, padded(batch, pads=3))
        assert torch.allclose(first, second, **EXACT) != paper_code


def test_the_published_code_never_reads_the_temperature() -> None:
    method, batch = make_method("wcl", paper_code=True), make_batch(studies=4)
    found = contrast(method, batch)
    assert method.config.contrast_temperature == 0.1
    warm = make_method("wcl", paper_code=True, contrast_temperature=1.0)
    warm.load_state_dict(method.state_dict())
    torch.testing.assert_close(found, contrast(warm, batch), **EXACT)
    honest = make_method("wcl", contrast_temperature=1.0)
    honest.load_state_dict(method.state_dict())
    full = replace(batch, input_ids=batch.input_ids.where(batch.input_ids > 2, 5))
    torch.testing.assert_close(contrast(honest, full), contrast(method, full), **EXACT)


def test_tasks_have_the_published_weights_and_start_when_told() -> None:
    report, late = make_method("wcl", contrast_epoch=12).tasks
    assert (report.weight, late.weight, late.start_epoch) == (0.8, 0.2, 12)
    assert late.is_batch_coupled


def test_the_findings_token_is_no_part_of_the_image() -> None:
    method, batch = make_method("wcl, findings token").eval(), make_batch(studies=4)
    contrast_of = method.objectives["contrast"]
    seen: list[Tensor] = []
    contrast_of.image_projection.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    contrast(method, batch)
    visual = method.encode(Inputs(batch.pixel_values, batch.view_mask))
    torch.testing.assert_close(seen[0], visual.last_hidden_state[:, :-1].mean(dim=1), **EXACT)


def test_it_goes_on_from_an_r2gen(tmp_path: Path) -> None:
    build("r2gen", make_tokenizer(), SMALL["r2gen"]).save_pretrained(tmp_path)
    method = build("wcl", make_tokenizer(), SMALL["wcl"])
    loaded = load_named(method, tmp_path)
    own = {name for name in method.state_dict() if not name.startswith("objectives.")}
    assert own == set(loaded.taken)
    assert all(name.startswith("visual.findings") for name in loaded.left)


@pytest.mark.parametrize(("preset", "paper_code"), [("paper", True), ("fixed", False)])
def test_the_large_presets_are_the_default_configuration(preset: str, paper_code: bool) -> None:
    with torch.device("meta"):
        model = build("wcl", make_tokenizer(), options_of(preset))
    known = WCLConfig(
        vocab_size=model.config.vocab_size,
        dtype=model.config.dtype,
        paper_code=paper_code,
        published_norm=paper_code,
    )
    assert model.config == known
    assert model.objectives["contrast"].image_projection[0].weight.shape == (256, 512)


def test_the_tiny_preset_builds_and_is_small() -> None:
    model = build("wcl", make_tokenizer(), options_of("tiny"))
    assert [task.name for task in model.tasks] == ["report", "contrast", "findings"]
    assert sum(each.numel() for each in model.parameters()) < 1_500_000


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"contrast_temperature": 0.0}, "contrast_temperature must be above 0, got 0.0"),
        ({"contrast_width": 0}, "contrast_width must be at least 1, got 0"),
        ({"contrast_epoch": -1}, "contrast_epoch must be at least 0, got -1"),
        ({"findings_token": True}, "needs a findings head"),
    ],
)
def test_a_bad_value_is_refused(option: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build("wcl", make_tokenizer(), SMALL["wcl"] | option)
