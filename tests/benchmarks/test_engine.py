"""The benchmark of the engine: every way gives a CAGrad update, and a quick run writes its page."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks import engine
from benchmarks.trunk import SMALL, Model, Size, random_batch
from benchmarks.ways import BASE, FLOOR, SELDOM, WAYS, ways_for

ROOT = Path(__file__).parents[2]
BALANCING = [name for name in WAYS if name not in {BASE, FLOOR}]


def gradients(name: str, tasks: int) -> list[Tensor]:
    """Return the gradients of the trunk after a step of a way."""
    if name.startswith("TorchJD"):
        pytest.importorskip("torchjd")
        pytest.importorskip("cvxpy")
    torch.manual_seed(0)
    model, batch = Model(SMALL, tasks), random_batch(SMALL, tasks)
    step = WAYS[name](model)
    with warnings.catch_warnings():  # TorchJD's vectorised passes meet functions without a rule
        warnings.simplefilter("ignore")
        step(batch)
    return [parameter.grad for parameter in model.trunk.parameters()]


def test_a_full_run_has_twenty_million_shared_parameters() -> None:
    with torch.device("meta"):
        model = Model(Size(), 2)
    assert sum(parameter.numel() for parameter in model.trunk.parameters()) >= 20_000_000


@pytest.mark.parametrize("name", BALANCING)
def test_every_way_that_balances_gives_the_direction_of_cagrad(name: str) -> None:
    """The lengths are of different conventions; SLSQP and conic solvers have their tolerances."""
    wanted = torch.cat([g.flatten() for g in gradients("gradtruce", 3)])
    found = torch.cat([g.flatten() for g in gradients(name, 3)])
    assert torch.cosine_similarity(found, wanted, dim=0) > 0.999


def test_the_floor_balances_nothing_and_linear_scalarization_sums() -> None:
    assert all(gradient is None for gradient in gradients(FLOOR, 2))
    assert all(gradient is not None for gradient in gradients(BASE, 2))


def test_rare_refreshes_are_compared_for_two_tasks_alone() -> None:
    assert SELDOM in ways_for(2)
    assert SELDOM not in ways_for(4)


def test_the_parts_of_a_step_are_timed_and_its_update_is_exact() -> None:
    found = engine.parts(SMALL, 3, repeats=2)
    assert found["error"] < 1e-6
    assert all(milliseconds > 0 for milliseconds in found["milliseconds"].values())
    assert found["share"][1] <= found["share"][0] <= found["share"][2]


def test_an_interval_holds_its_median() -> None:
    middle, low, high = engine.interval([1.0, 2.0, 3.0, 10.0, 2.5])
    assert (middle, low <= middle <= high) == (2.5, True)


@pytest.mark.slow
def test_a_quick_run_writes_numbers_and_page(tmp_path: Path) -> None:
    pytest.importorskip("torchjd")
    pytest.importorskip("cvxpy")
    command = [sys.executable, "-m", "benchmarks.engine", "--quick", "--tasks", "2", "3"]
    subprocess.run([*command, "--output", str(tmp_path)], check=True, cwd=ROOT, timeout=240)
    result = json.loads((tmp_path / "engine.json").read_text())
    assert set(result["peak_mib"]["2"]) == set(result["steps"]["2"]["milliseconds"]) == set(WAYS)
    assert result["machine"]["versions"]["torch"] == torch.__version__
    page = (tmp_path / "engine.md").read_text()
    assert "says nothing but that the benchmark runs" in page
    assert all(name in page for name in WAYS)
