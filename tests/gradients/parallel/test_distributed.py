"""Two processes (gloo) against one; `two_ranks_*.py` say what they do."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn

from gradtruce.balance import CAMEGrad
from gradtruce.gradients import TaskGradients
from tests.gradients.parallel.two_ranks import CASES, RANKS, balancer_names
from tests.gradients.parallel.two_ranks_alike import SHARDED, SLOW, WRAPS

pytestmark = pytest.mark.skipif(
    not dist.is_available() or not dist.is_gloo_available(), reason="torch has no gloo"
)
ROOT = Path(__file__).parents[3]
RUN = "tests.gradients.parallel.run_two_ranks"
FAMILIES = ("came_grad", "linear", "uncertainty_weighting")  # of rows, fixed, and loss-only


def ran(folder: Path, *cases: str) -> list[dict[str, Any]]:
    """Return what each rank found; ranks are started once for all cases."""
    children = [
        subprocess.Popen(
            [sys.executable, "-m", RUN, str(rank), str(folder), json.dumps(cases)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(RANKS)
    ]
    told = [child.communicate(timeout=240)[0] for child in children]
    for child, text in zip(children, told, strict=True):
        assert child.returncode == 0, text
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(RANKS)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return what each rank found, for all cases but the slow ones."""
    return ran(tmp_path_factory.mktemp("ranks"))


@pytest.fixture(scope="module")
def slow_results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return ran(tmp_path_factory.mktemp("slow"), *SLOW)


def found(results: list[dict[str, Any]], case: str) -> list[Any]:
    """Return what the ranks found, or show what went wrong."""
    answers = [result[case] for result in results]
    for answer in answers:
        assert "Traceback" not in str(answer), answer
    return answers


@pytest.mark.parametrize("name", balancer_names())
def test_two_processes_equal_one(results: list[dict[str, Any]], name: str) -> None:
    assert max(found(results, f"ddp {name}")) < 1e-9


@pytest.mark.parametrize("name", SHARDED)
def test_two_sharded_processes_equal_one(results: list[dict[str, Any]], name: str) -> None:
    assert max(found(results, f"fsdp {name}")) < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("case", SLOW)
def test_no_balancer_is_changed_by_sharding(slow_results: list[dict[str, Any]], case: str) -> None:
    assert max(found(slow_results, case)) < 1e-9


@pytest.mark.parametrize("case", [name for name in CASES if " option " in name])
def test_options_mean_the_same(results: list[dict[str, Any]], case: str) -> None:
    assert max(found(results, case)) < 1e-9


@pytest.mark.parametrize("name", ["came_grad", "graddrop"])
@pytest.mark.parametrize("wrap", WRAPS)
def test_wrapping_otherwise_changes_nothing(
    results: list[dict[str, Any]], wrap: str, name: str
) -> None:
    assert max(found(results, f"{wrap} {name}")) < 1e-9


def test_a_scaler_changes_nothing(results: list[dict[str, Any]]) -> None:
    assert max(found(results, "scaled")) < 1e-9


def test_the_state_of_rank_0_is_the_state_of_all(results: list[dict[str, Any]]) -> None:
    assert max(found(results, "saved_by_rank_0")) < 1e-9


@pytest.mark.parametrize("name", ["famo", "stgu"])
def test_step_may_find_different_tasks_on_each_rank(
    results: list[dict[str, Any]], name: str
) -> None:
    assert max(found(results, f"scheduled {name}")) < 1e-9


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_micro_batches_equal_one_batch(results: list[dict[str, Any]], kind: str, name: str) -> None:
    assert max(found(results, f"micro {kind} {name}")) < 1e-9


@pytest.mark.parametrize("name", FAMILIES)
def test_ranks_may_have_different_tasks(results: list[dict[str, Any]], name: str) -> None:
    assert max(found(results, f"absent {name}")) < 1e-9


def test_a_step_without_any_task_is_an_error_on_all_ranks(results: list[dict[str, Any]]) -> None:
    assert all("no task is active" in text for text in found(results, "absent_everywhere"))


def test_sharded_ranks_must_have_the_same_tasks(results: list[dict[str, Any]]) -> None:
    for text in found(results, "absent_under_fsdp"):
        assert "has a graph on 1 of 2 ranks" in text


def test_a_step_in_single_precision_agrees(results: list[dict[str, Any]]) -> None:
    assert max(found(results, "float32")) < 1e-5


def test_types_and_memory_formats_may_differ(results: list[dict[str, Any]]) -> None:
    assert max(found(results, "many_types")) < 1e-6


def test_a_step_moves_one_gradient_more_than_there_are_tasks(
    results: list[dict[str, Any]],
) -> None:
    for exact, sketched in found(results, "traffic"):
        assert exact < 3.01  # two tasks
        assert sketched < 2.01


def test_a_row_is_exchanged_before_the_next_backward_pass(results: list[dict[str, Any]]) -> None:
    for events in found(results, "overlap"):
        assert events == ["row", "reduce", "row", "reduce"]


REFUSALS = {
    "too_late": "RuntimeError: .*has run a forward pass",
    "wrapped_afterwards": "ValueError: there are 2 processes",
    "other_seeds": "ValueError: rank 1 made its TaskGradients with other tasks",
    "not_all_wrapped": "NotImplementedError: 'a.weight' .* in no DistributedDataParallel",
    "static_graph": "NotImplementedError: .*static_graph",
    "switched_on": "RuntimeError: DistributedDataParallel was switched on again",
    "sketch_with_clipping": "ValueError: sketch= .*clip",
    "sketch_with_changed_rows": "ValueError: sketch= .*'graddrop'",
    "sharded_every": "NotImplementedError: every=2",
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_right_is_refused(results: list[dict[str, Any]], case: str) -> None:
    for text in found(results, case):
        assert re.match(REFUSALS[case], text), text


def test_ddp_by_itself_averages_the_first_backward_pass_alone(
    results: list[dict[str, Any]],
) -> None:
    for first, second in found(results, "ddp_by_itself"):
        assert first < 1e-6
        assert second > 0.01


def test_close_lets_ddp_average_again(results: list[dict[str, Any]]) -> None:
    assert found(results, "closed") == [0.0, 0.0]


def test_a_nan_on_one_rank_stops_all(results: list[dict[str, Any]]) -> None:
    for text in found(results, "not_finite"):
        assert "is not finite in step 1" in text


def test_a_nan_on_one_rank_zeroes_all_and_is_told_later(results: list[dict[str, Any]]) -> None:
    for finite, largest, text in found(results, "not_finite_deferred"):
        assert not finite
        assert largest == 0
        assert "is not finite in step 1" in text


def test_buffers_follow_rank_0_as_under_ddp(results: list[dict[str, Any]]) -> None:
    first, second = found(results, "buffers")
    assert first == second


def test_a_sketched_gramian_is_right_on_average(results: list[dict[str, Any]]) -> None:
    for errors in found(results, "sketches"):
        assert errors["single"] < 5 * (2 / 512) ** 0.5
        assert errors["mean"] < 5 * (2 / 512 / 12) ** 0.5


def test_a_sketched_step_is_exact_given_its_coefficients(results: list[dict[str, Any]]) -> None:
    assert max(found(results, "sketched")) < 1e-9


def test_a_sketch_needs_ranks() -> None:
    with pytest.raises(ValueError, match="sketch= is the size of projections for a model in"):
        TaskGradients(nn.Linear(1, 1), CAMEGrad(), tasks=("a", "b"), sketch=8)
