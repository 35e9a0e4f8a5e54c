"""Where the weights of RadGraph's models lie on this machine; nothing here uses the network."""

import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gradtruce.evaluation.labelers.weights import cached_in_hub, hub_cache

WEIGHTS_VARIABLE: Final = "GRADTRUCE_RADGRAPH"
"""Environment variable: folder of an unpacked model, or its .tar.gz."""

MODELS: Final = ("radgraph", "radgraph-xl", "modern-radgraph-xl")
"""Models of the `radgraph` package that read chest reports."""

PARTS: Final = ("config.json", "weights.th", "vocabulary")
"""What an unpacked model holds."""

_HOME: Final = "StanfordAIMI/RRG_scorers"


def find_radgraph(model: str, weights: Path | None = None) -> Path:
    """Return the folder of an unpacked model, or its archive.

    Looked at are `weights`, $GRADTRUCE_RADGRAPH, the folders where the `radgraph` package unpacks
    its models (~/.cache/radgraph/<version>/<model>, the newest first), and archives that it or the
    Hugging Face client has fetched. A place that is named must hold the model.

    Raises:
        ValueError: If there is no such model.
        FileNotFoundError: If it is at none of its places, or what is there is not whole: the
            package leaves an empty folder behind where a download failed.

    >>> find_radgraph("radgraph-xxl")
    Traceback (most recent call last):
        ...
    ValueError: no model is called 'radgraph-xxl'; known: radgraph, radgraph-xl, modern-radgraph-xl
    """
    if model not in MODELS:
        raise ValueError(f"no model is called {model!r}; known: {', '.join(MODELS)}")
    named = str(weights or os.environ.get(WEIGHTS_VARIABLE, ""))
    places = [Path(named).expanduser()] if named else list(_places(model))
    incomplete = []
    for place in places:
        if place.is_file() or (place.is_dir() and not _lacking(place)):
            return place
        if place.is_dir():
            incomplete.append(f"{place} lacks {', '.join(_lacking(place))}")
    looked = "; ".join(incomplete) or "; ".join(map(str, places)) or f"{package_cache()}/*/{model}"
    raise FileNotFoundError(
        f"no weights of {model} on this machine: {looked}. Their public home is {_HOME} on the"
        f" Hugging Face hub, file {model}.tar.gz; nothing is downloaded here, so fetch it yourself"
        f" and set {WEIGHTS_VARIABLE} to it, or score annotations made elsewhere"
    )


def require_language_model(folder: Path) -> str:
    """Return the name of the language model that a RadGraph model is built on, after a look at it.

    The package reads its configuration and tokenizer from the cache of the Hugging Face hub.

    Raises:
        FileNotFoundError: If they are not there.
        ValueError: If the configuration of the RadGraph model does not name it.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    try:
        name = str(config["model"]["embedder"]["token_embedders"]["bert"]["model_name"])
    except (KeyError, TypeError):
        raise ValueError(
            f"{folder / 'config.json'} names no language model; it is no RadGraph model"
        ) from None
    is_there = (Path(name) / "config.json").is_file() or cached_in_hub(name, "config.json")
    if not is_there:
        raise FileNotFoundError(
            f"RadGraph needs configuration and tokenizer of {name}, which are not in"
            f" {hub_cache()}; fetch them yourself: hf download {name} --exclude '*.bin'"
            " '*.safetensors' '*.h5'"
        )
    return name


def package_cache() -> Path:
    """Return the folder in which the `radgraph` package keeps its models, a version each.

    >>> package_cache().name
    'radgraph'
    """
    default = Path.home() / ("Library/Caches" if platform.system() == "Darwin" else ".cache")
    return Path(os.environ.get("XDG_CACHE_HOME") or default) / "radgraph"


def _places(model: str) -> Iterator[Path]:
    versions = sorted(package_cache().glob("*/"), key=_version, reverse=True)
    yield from (version / model for version in versions if (version / model).is_dir())
    archive = f"{model}.tar.gz"
    hub = f"models--{_HOME.replace('/', '--')}/snapshots/*/{archive}"
    for version in versions:
        yield from sorted(version.glob(hub))
    cached = cached_in_hub(_HOME, archive)
    if cached is not None:
        yield cached


def _lacking(folder: Path) -> list[str]:
    return [part for part in PARTS if not (folder / part).exists()]


def _version(folder: Path) -> list[int]:
    return [int(part) for part in folder.name.split(".") if part.isdigit()]
