"""Stand-ins for packages and weights that are not here: they test the glue, no number of theirs.

A stand-in is a tiny package on the path of the process that the adapter starts. That the glue fits
the real `radgraph` 0.1.18 was tried by hand with a model of random weights in its own layout.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

RADGRAPH = """
import os, socket

class RadGraph:
    def __init__(self, model_type, model_cache_dir, cuda):
        assert os.environ["HF_HUB_OFFLINE"] == "1"
        assert os.path.isfile(os.path.join(model_cache_dir, model_type, "weights.th"))
        print("Using device:", cuda)

    def __call__(self, texts):
        if "network" in texts:
            socket.create_connection(("localhost", 9))
        if "die" in texts:
            os._exit(3)
        return {
            str(row): {"text": text, "entities": {"1": {"tokens": text.split()[0],
                "label": "Observation::definitely present", "relations": []}}}
            for row, text in enumerate(texts) if text != "skipped"
        }
"""

RADEVAL = """
class RadEval:
    def __init__(self, metrics, per_sample, show_progress):
        assert per_sample and not show_progress
        if "radcliq" in metrics:
            import RadEval
        self.metrics = metrics

    def __call__(self, refs, hyps):
        if "odd" in hyps:
            return {"bertscore": [float("nan")] * len(refs)}
        return {name: [float(len(h) - len(r)) for r, h in zip(refs, hyps)] for name in self.metrics}
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what puts a stand-in of a package on the path of processes."""
    sources = {"radgraph": RADGRAPH, "radeval": RADEVAL}

    def put(name: str) -> None:
        folder = tmp_path / "packages"
        (folder / f"{name}-9.9.dist-info").mkdir(parents=True)
        (folder / f"{name}-9.9.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: 9.9\n")
        (folder / f"{name}.py").write_text(sources[name])
        monkeypatch.setenv("PYTHONPATH", str(folder))

    return put


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache of its own for each test, empty."""
    for name in (
        *("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "PYTHONPATH", "GRADTRUCE_RADGRAPH"),
        *("GRADTRUCE_RADGRAPH_PYTHON", "GRADTRUCE_RADEVAL_PYTHON"),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def make_model() -> Callable[[Path], Path]:
    """Return a maker of a folder that looks like an unpacked model."""

    def make(folder: Path) -> Path:
        (folder / "vocabulary").mkdir(parents=True)
        (folder / "weights.th").write_bytes(b"weights")
        bert = {"token_embedders": {"bert": {"model_name": "org/bert"}}}
        (folder / "config.json").write_text(json.dumps({"model": {"embedder": bert}}))
        return folder

    return make
