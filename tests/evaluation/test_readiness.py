"""What a machine can compute is said without loading anything heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

from gradtruce.evaluation.readiness import Readiness, readiness

VARIABLES = (
    *("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "GRADTRUCE_RADGRAPH"),
    *("GRADTRUCE_CHEXBERT", "GRADTRUCE_BERT_BASE"),
    *("GRADTRUCE_RADGRAPH_PYTHON", "GRADTRUCE_RADEVAL_PYTHON"),
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache of a machine that has no weights."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def by_metric() -> dict[str, Readiness]:
    return {each.metric: each for each in readiness()}


@pytest.mark.usefixtures("cache")
def test_a_machine_without_weights_says_what_to_do() -> None:
    found = by_metric()
    assert found["BLEU, ROUGE-L, CIDEr"].is_ready
    assert found["RadGraph F1, from annotations"].is_ready
    for metric, words in (
        ("clinical efficacy and vectors, labeler chexbert", "set GRADTRUCE_CHEXBERT"),
        ("RadGraph F1, graphs drawn here", "set GRADTRUCE_RADGRAPH"),
        ("metrics of RadEval", "pip install radeval"),
    ):
        assert not found[metric].is_ready
        assert words in found[metric].reason


def test_without_java_meteor_says_so(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(cache))
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    meteor = by_metric()["METEOR"]
    assert not meteor.is_ready
    assert "pip install" in meteor.reason


def test_chexbert_is_ready_where_its_files_are(cache: Path) -> None:
    folder = cache / "chexbert"
    folder.mkdir()
    for name in ("chexbert.pth", "vocab.txt"):
        (folder / name).write_text("")
    chexbert = by_metric()["clinical efficacy and vectors, labeler chexbert"]
    assert chexbert.is_ready
    assert str(folder / "chexbert.pth") in chexbert.reason


def test_a_model_of_radgraph_without_the_package_is_not_enough(cache: Path) -> None:
    model = cache / "radgraph" / "0.1.18" / "radgraph-xl"
    (model / "vocabulary").mkdir(parents=True)
    for name in ("config.json", "weights.th"):
        (model / name).write_text("")
    assert "pip install radgraph" in by_metric()["RadGraph F1, graphs drawn here"].reason


@pytest.mark.usefixtures("cache")
def test_nothing_heavy_is_loaded() -> None:
    program = (
        "import sys; from gradtruce.evaluation.readiness import readiness; readiness();"
        " print([m for m in ('torch', 'transformers', 'sklearn', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
