"""One run of another package in a Python of its own, offline."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gradtruce.evaluation.adapters.workers import offline

OFFLINE: Final = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1",  # no pickle runs code
}
"""Environment of the run, besides the user's own."""

LAST_LINES: Final = 5
"""Lines of a failed program's complaint that are shown."""


class AdapterError(RuntimeError):
    """Another package is there but failed; the message has its own words."""


def interpreter(asked: Path | None, variable: str) -> Path:
    """Return the Python to run in: the one asked for, else that of the variable, else this one.

    Raises:
        FileNotFoundError: If there is no such program.

    >>> interpreter(Path(sys.executable), "GRADTRUCE_RADGRAPH_PYTHON") == Path(sys.executable)
    True
    """
    named = str(asked or os.environ.get(variable) or sys.executable)
    path = Path(named).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"no Python at {path}; ${variable} must be the path of a Python that has the package"
        )
    return path


def package_version(python: Path, package: str) -> str | None:
    """Return the version of a package in that Python, `None` where it is not installed.

    >>> package_version(Path(sys.executable), "no-such-package") is None
    True
    """
    program = (
        "import importlib.metadata, sys\n"
        "try: print(importlib.metadata.version(sys.argv[1]))\n"
        "except importlib.metadata.PackageNotFoundError: pass\n"
    )
    command = [str(python), "-c", program, package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AdapterError(f"{python} does not run: {_last_lines(done.stderr)}")
    return done.stdout.strip() or None


def require_package(python: Path, package: str, variable: str) -> str:
    """Return the version of a package in that Python.

    Raises:
        ImportError: If it is not there; the message says how to install it.
        AdapterError: If the Python does not run.
    """
    version = package_version(python, package)
    if version is None:
        raise ImportError(
            f"{package} is not installed in {python}. It needs other versions of libraries than"
            f" gradtruce, so give it a place of its own: python -m venv {package}-env &&"
            f" {package}-env/bin/pip install {PACKAGES[package]} && export"
            f" {variable}=$PWD/{package}-env/bin/python"
        )
    return version


PACKAGES: Final = {
    "radgraph": 'radgraph "transformers<5" huggingface_hub',
    "radeval": "radeval",
}
"""What `pip install` is given for each package."""


def run_offline(python: Path, request: Mapping[str, Any]) -> dict[str, Any]:  # any JSON values
    """Return the answer of `workers/offline.py` to a request, run in that Python.

    Raises:
        AdapterError: If the run ends without an answer, or the package raises an error.
    """
    with tempfile.TemporaryDirectory(prefix="gradtruce-") as folder:
        asked, answered = Path(folder) / "request.json", Path(folder) / "answer.json"
        asked.write_text(json.dumps(request), encoding="utf-8")
        command = [str(python), offline.__file__, str(asked), str(answered)]
        done = subprocess.run(
            command,
            env={**os.environ, **OFFLINE},
            cwd=folder,  # some metrics write files where they are
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if not answered.is_file():
            raise AdapterError(
                f"{python} ended with status {done.returncode}: {_last_lines(done.stderr)}"
            )
        answer: dict[str, Any] = json.loads(answered.read_text(encoding="utf-8"))
    if "error" in answer:
        raise AdapterError(f"{answer['error']}: {answer['message']}")
    return answer


def _last_lines(text: str) -> str:
    return " / ".join(text.strip().splitlines()[-LAST_LINES:]) or "it said nothing"
