import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("compiled.py")


def in_child(kind: str, backend: str) -> dict[str, Any]:
    """Run the comparison without the type checks of the tests, which a compiler cannot read."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), kind, backend], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def check(result: dict[str, Any]) -> None:
    assert result["same_scope"]
    assert result["difference"] < 1e-5


def test_a_compiled_part_changes_neither_scope_nor_update() -> None:
    check(in_child("part", "aot_eager"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "backend"), [("whole", "aot_eager"), ("whole", "inductor"), ("part", "inductor")]
)
def test_compilation_changes_neither_scope_nor_update(kind: str, backend: str) -> None:
    check(in_child(kind, backend))


@pytest.mark.slow
def test_a_model_whose_backward_was_compiled_for_one_pass_is_an_error_with_the_remedy() -> None:
    message = in_child("trained before", "inductor")["error"]
    assert "donated_buffer = False" in message
    assert "before the first backward pass" in message
