"""The Triton kernels without a GPU: run by Triton's interpreter, and compiled for one."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

import gradtruce as gt

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")
ROOT = Path(__file__).parents[2]


def in_child(cases: str, folder: Path, *, is_interpreted: bool, only: str = "") -> None:
    """Run tests without the type checks of ours, which neither interpreter nor compiler can read.

    Whether Triton interprets its kernels is decided when it is imported, hence the process.
    """
    environment = {
        **os.environ,
        "TRITON_INTERPRET": "1" if is_interpreted else "0",
        "TRITON_CACHE_DIR": str(folder),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
    }
    options = ["-q", "--no-header", "-o", "addopts=--import-mode=importlib", "-p", "no:randomly"]
    options += ["-p", "no:cacheprovider", "-k", only]
    file = str(Path(__file__).with_name(cases))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, file],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_few_interpreted_cases(tmp_path: Path) -> None:
    few = "engine or same_bits or nothing"
    in_child("fused_interpreted.py", tmp_path, is_interpreted=True, only=few)


@pytest.mark.slow
def test_interpreted_kernels_agree_with_torch(tmp_path: Path) -> None:
    in_child("fused_interpreted.py", tmp_path, is_interpreted=True)


@pytest.mark.slow
def test_kernels_compile_for_a_gpu_that_is_not_there(tmp_path: Path) -> None:
    in_child("fused_compiled.py", tmp_path, is_interpreted=False)


def test_without_a_gpu_they_are_refused() -> None:
    model = torch.nn.Linear(2, 1)
    with pytest.raises(ValueError, match="needs a model on a GPU"):
        gt.TaskGradients(model, gt.CAMEGrad(), tasks=("a", "b"), scope="all", kernels="triton")
