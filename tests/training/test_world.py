"""Two processes (gloo) against one; `ranks/cases.py` says what they do."""

import json
import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from gradtruce.methods.registry import load
from gradtruce.training.loop import train
from gradtruce.training.runlog import read_log
from gradtruce.training.world import ALONE
from tests.training.ranks.cases import BALANCERS, CASES, KINDS, VARIANTS, moving
from tests.training.ranks.setting import RANKS, apart, write_uneven_set

pytestmark = [
    pytest.mark.skipif(
        not dist.is_available() or not dist.is_gloo_available(), reason="torch has no gloo"
    ),
    pytest.mark.timeout(1800),  # the first slow test waits for all slow cases
]
ROOT = Path(__file__).parents[2]
FAST = ("data: came_grad", "sharded: famo", "data: evaluation", "null", "hook")
Results = Callable[[str], list[Any]]


def free_port() -> int:
    """Return a port that nothing listens on, and that the system gives to nobody meanwhile.

    Ports that the system gives out itself may be another's before the first process listens.
    """
    while True:
        port = 20_000 + random.SystemRandom().randrange(12_000)  # Linux gives out 32,768 and above
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def start_ranks(*arguments: str) -> list[subprocess.Popen[str]]:
    """Start processes as torchrun does."""
    port = free_port()
    place = {"WORLD_SIZE": RANKS, "LOCAL_WORLD_SIZE": RANKS, "MASTER_PORT": port}
    return [
        subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                **{name: str(value) for name, value in place.items()},
                "MASTER_ADDR": "127.0.0.1",
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(RANKS)
    ]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_uneven_set(folder / "set")
    return folder


def ran(folder: Path, names: list[str]) -> Results:
    """Run cases in two processes that are started once; return what gives their answers."""
    children = start_ranks("-m", "tests.training.ranks.run", str(folder), json.dumps(names))
    try:
        told = [child.communicate()[1] for child in children]
    finally:
        for child in children:
            child.kill()
    for child, text in zip(children, told, strict=True):
        assert child.returncode == 0, text
    found = [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(RANKS)]

    def answers(name: str) -> list[Any]:
        for each in found:
            assert "Traceback" not in str(each[name]), each[name]
        return [each[name] for each in found]

    return answers


@pytest.fixture(scope="session")
def fast(folder: Path) -> Results:
    return ran(folder, list(FAST))


@pytest.fixture(scope="session")
def results(folder: Path) -> Results:
    return ran(folder, [name for name in CASES if name not in FAST])


def largest_error(results: Results, folder: Path, name: str) -> float:
    wanted = CASES[name](ALONE, folder / "set")
    return max(apart(each, wanted) for each in results(name))


@pytest.mark.parametrize("name", ["data: came_grad", "sharded: famo"])
def test_two_processes_train_as_one(fast: Results, folder: Path, name: str) -> None:
    assert largest_error(fast, folder, name) < 1e-9


def test_shared_evaluation_equals_that_of_one_process(fast: Results, folder: Path) -> None:
    predictions, losses, scores = CASES["data: evaluation"](ALONE, folder / "set")
    for found in fast("data: evaluation"):
        assert [each["id"] for each in found[0]] == [f"test-{number}" for number in range(7)]
        assert found == (predictions, losses, scores)


def test_the_null_is_that_of_the_whole_batch(fast: Results, folder: Path) -> None:
    assert largest_error(fast, folder, "null") < 1e-9
    assert all(value.isfinite() for value in fast("null")[0].values())


def test_a_hook_sees_the_studies_of_all_processes(fast: Results, folder: Path) -> None:
    shown = CASES["hook"](ALONE, folder / "set")
    assert len(shown) == 4
    assert fast("hook") == [shown, shown]


SLOW_CASES = [
    name
    for kind in KINDS
    for name in (*(f"{kind}: {each}" for each in (*BALANCERS, *VARIANTS, "scaler")),)
    if name not in FAST
]


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW_CASES)
def test_two_processes_equal_one_in_float64(results: Results, folder: Path, name: str) -> None:
    assert largest_error(results, folder, name) < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_equal_one_in_float32(results: Results, folder: Path, kind: str) -> None:
    assert largest_error(results, folder, f"{kind}: float32") < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_differs_by_its_rounding(results: Results, folder: Path, kind: str) -> None:
    name = f"{kind}: bf16"
    assert largest_error(results, folder, name) < 20 * 2**-8  # of 20 steps
    first, second = results(name)
    assert apart(first, second) == 0.0


@pytest.mark.slow
def test_a_step_that_overflows_in_one_process_is_skipped_by_all(results: Results) -> None:
    for kind in KINDS:
        for found in results(f"{kind}: scaler"):
            assert found["scale"].item() == 2.0**9
            assert found["norms"].isnan().tolist() == [False, False, True, False, False, False]


@pytest.mark.slow
def test_evaluation_of_pieces_equals_that_of_one_process(results: Results, folder: Path) -> None:
    wanted = CASES["sharded: evaluation"](ALONE, folder / "set")
    assert results("sharded: evaluation") == [wanted, wanted]


@pytest.mark.slow
def test_copies_may_lack_a_task(results: Results, folder: Path) -> None:
    assert largest_error(results, folder, "data: a task that one process lacks") < 1e-9


@pytest.mark.slow
def test_pieces_may_not_lack_a_task(results: Results) -> None:
    for text in results("sharded: a task that one process lacks"):
        assert "has a graph on 1 of 2 ranks" in text


@pytest.mark.slow
def test_running_statistics_become_their_mean(results: Results) -> None:
    for before, after in results("statistics"):
        assert not torch.equal(before[0], before[1])
        mean = (before[0] + before[1]) / 2
        assert all(torch.allclose(each, mean) for each in after)
        assert torch.equal(after[0], after[1])


@pytest.mark.slow
def test_processes_start_alike_and_draw_other_random_numbers(results: Results) -> None:
    for drawn, sums in results("dropout"):
        assert drawn[0] != drawn[1]
        assert sums[0] == sums[1]


@pytest.mark.slow
def test_a_run_moves_between_numbers_of_processes(results: Results, folder: Path) -> None:
    results("moves")
    config = moving(folder / "set", ALONE)
    train(config, folder / "never moved")
    train(config, folder / "one", resume=True)
    wanted = load(folder / "never moved" / "checkpoints" / "last").state_dict()
    for run in ("copies", "pieces", "one"):
        assert apart(load(folder / run / "checkpoints" / "last").state_dict(), wanted) < 1e-5
    notes = [line["text"] for line in read_log(folder / "one" / "log.jsonl", "note")]
    assert notes[-1] == (
        "resumed from step 3 by 1 process with 1 x 4 studies "
        "(before: 2 processes with 1 x 2 studies each)"
    )
    steps = [line["step"] for line in read_log(folder / "copies" / "log.jsonl", "step")]
    assert steps == [1, 2, 3, 4, 5, 6]  # each once


@pytest.mark.slow
def test_a_run_goes_on_with_as_many_studies_a_step(results: Results, folder: Path) -> None:
    results("moves")
    config = moving(folder / "set", ALONE)
    smaller = config.training.model_copy(update={"batch_size": 2})
    shutil.rmtree(folder / "smaller", ignore_errors=True)
    shutil.copytree(folder / "copies", folder / "smaller", symlinks=True)
    with pytest.raises(
        ValueError, match=r"set training\.accumulation=1 and training\.batch_size=4"
    ):
        train(config.model_copy(update={"training": smaller}), folder / "smaller", resume=True)
