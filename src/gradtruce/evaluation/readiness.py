"""Which metrics this machine can compute, and what the others lack; loads no heavy library."""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from gradtruce.evaluation.adapters import radeval, radgraph
from gradtruce.evaluation.adapters.process import AdapterError, interpreter, require_package
from gradtruce.evaluation.adapters.radgraph_weights import MODELS, find_radgraph
from gradtruce.evaluation.labelers.weights import locate_chexbert
from gradtruce.evaluation.nlg.java import JavaError, find_java
from gradtruce.evaluation.nlg.meteor import MeteorUnavailable, find_jar


@final
@dataclass(frozen=True)
class Readiness:
    """Whether one group of metrics can be computed here.

    Attributes:
        metric: What is computed.
        is_ready: Whether nothing is missing.
        reason: What it will use; or what is missing, and what to do.
    """

    metric: str
    is_ready: bool
    reason: str


def readiness() -> list[Readiness]:
    """Return what can be computed on this machine, and why the rest can't.

    Files are looked at, and the programs asked for their versions; no weights are read.

    >>> readiness()[0]
    Readiness(metric='BLEU, ROUGE-L, CIDEr', is_ready=True, reason='built in')
    """
    return [
        _built_in("BLEU, ROUGE-L, CIDEr"),
        _check("METEOR", _meteor),
        _built_in("clinical efficacy, labeler rules"),
        _check("clinical efficacy and vectors, labeler chexbert", _chexbert),
        _built_in("classification"),
        _built_in("error card"),
        _built_in("RadGraph F1, from annotations"),
        _check("RadGraph F1, graphs drawn here", _radgraph),
        _check("metrics of RadEval", _radeval),
    ]


def _built_in(metric: str) -> Readiness:
    return Readiness(metric, True, "built in")


def _check(metric: str, found: Callable[[], str]) -> Readiness:
    try:
        return Readiness(metric, True, found())
    except (ImportError, OSError, ValueError, AdapterError, JavaError, MeteorUnavailable) as error:
        return Readiness(metric, False, str(error))


def _meteor() -> str:
    jar = find_jar()
    java = find_java()
    return f"{jar.name}, Java {java.version}"


def _chexbert() -> str:
    files = locate_chexbert()
    _require_modules("torch", "transformers")
    return f"{files.weights}, {files.vocabulary}"


def _radgraph() -> str:
    weights = _found_models()
    python = interpreter(None, radgraph.PYTHON_VARIABLE)
    version = require_package(python, "radgraph", radgraph.PYTHON_VARIABLE)
    return f"radgraph {version} in {python}, {', '.join(weights)}"


def _found_models() -> Sequence[str]:
    found = []
    for model in MODELS:
        try:
            found.append(f"{model} ({find_radgraph(model)})")
        except FileNotFoundError:
            continue
    if not found:
        find_radgraph("radgraph-xl")  # says where was looked
    return found


def _radeval() -> str:
    python: Path = interpreter(None, radeval.PYTHON_VARIABLE)
    version = require_package(python, "radeval", radeval.PYTHON_VARIABLE)
    ready = []
    for metric in radeval.METRICS:
        try:
            radeval.require_weights([metric])
        except FileNotFoundError:
            continue
        ready.append(metric)
    if not ready:
        radeval.require_weights(list(radeval.METRICS))  # says what is missing
    return f"radeval {version} in {python}, weights of {', '.join(ready)}"


def _require_modules(*names: str) -> None:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(f"{', '.join(missing)} missing; run: pip install 'gradtruce[rrg]'")
