"""What several backward passes through DistributedDataParallel give, on two processes.

The engine's own way is tested with the engine; here is why it needs one.
"""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

Outcomes = dict[str, list[dict[str, Any]]]
PROGRAM = Path(__file__).with_name("passes.py")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """Return what the two ranks found, case by case; both run all cases, the failing one last."""
    cases = ["trunk", "find_unused", "static"]
    cases += ["torchjd"] if find_spec("torchjd") and find_spec("quadprog") else []
    cases += ["whole"]
    meeting = str(tmp_path_factory.mktemp("ranks") / "meeting")
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", str(PROGRAM), str(rank), meeting, *cases],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        printed = [process.communicate(timeout=120) for process in running]
    finally:
        for process in running:
            process.kill()
    lines = [out.splitlines() for out, _ in printed]
    assert [len(each) for each in lines] == [len(cases)] * 2, printed
    pairs = zip(*lines, strict=True)
    return {case: [json.loads(x) for x in pair] for case, pair in zip(cases, pairs, strict=True)}


def test_the_second_row_of_a_wrapped_trunk_stays_local_and_nothing_says_so(
    outcomes: Outcomes,
) -> None:
    for found in outcomes["trunk"]:
        assert found["from_mean"][0] < 1e-12
        assert found["from_own"][1] < 1e-12
        assert found["from_mean"][1] > 0.01


def test_a_wrapped_model_raises_at_the_second_pass(outcomes: Outcomes) -> None:
    assert any("error" in found for found in outcomes["whole"])


@pytest.mark.parametrize("case", ["find_unused", "static"])
def test_options_that_quieten_the_error_leave_the_second_row_local(
    case: str, outcomes: Outcomes
) -> None:
    """`find_unused_parameters=True` and `static_graph=True`, as the trunk alone: no error."""
    for found in outcomes[case]:
        assert found["from_mean"][0] < 1e-12
        assert found["from_own"][1] < 1e-12
        assert found["from_mean"][1] > 0.01


def test_torchjd_bypasses_the_reduction_so_that_replicas_differ(outcomes: Outcomes) -> None:
    if "torchjd" not in outcomes:
        pytest.skip("TorchJD or its solver is not installed")
    first, second = outcomes["torchjd"]
    pairs = zip(first["update"], second["update"], strict=True)
    assert max(abs(one - other) for one, other in pairs) > 1e-3
