"""Where the weights of CheXbert lie on this machine; nothing here ever uses the network."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

WEIGHTS_VARIABLE: Final = "GRADTRUCE_CHEXBERT"
"""Environment variable: path of the checkpoint."""

BERT_VARIABLE: Final = "GRADTRUCE_BERT_BASE"
"""Environment variable: folder with vocab.txt, and config.json where the size is not bert-base."""

_HOME: Final = "StanfordAIMI/RRG_scorers"
_BERT_HOMES: Final = ("google-bert/bert-base-uncased", "bert-base-uncased")
_WEIGHTS: Final = "chexbert.pth"
_VOCABULARY: Final = "vocab.txt"
_CONFIG: Final = "config.json"


@dataclass(frozen=True)
class CheXbertFiles:
    """The files that CheXbert is read from.

    Attributes:
        weights: Checkpoint in PyTorch's format, or safetensors by its suffix.
        vocabulary: WordPiece vocabulary of bert-base-uncased, a token a line.
        config: Configuration of the BERT model; `None` to take the size from the checkpoint.

    >>> CheXbertFiles(Path("chexbert.pth"), Path("vocab.txt")).config is None
    True
    """

    weights: Path
    vocabulary: Path
    config: Path | None = None


def locate_chexbert(weights: Path | None = None, bert: Path | None = None) -> CheXbertFiles:
    """Return the files of CheXbert on this machine.

    The checkpoint is looked for at `weights`, at $GRADTRUCE_CHEXBERT, where f1chexbert keeps it
    (~/.cache/chexbert), and in the cache of the Hugging Face hub. The vocabulary is looked for in
    the folder `bert`, in $GRADTRUCE_BERT_BASE, beside the checkpoint, and in the same cache. A
    place that is named, by argument or variable, must hold the file: no other is then looked at.

    Args:
        weights: Path of the checkpoint.
        bert: Folder with vocab.txt.

    Raises:
        FileNotFoundError: If a file is at none of its places; the message names them all.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("mine.pth", "vocab.txt"):
    ...     _ = (folder / name).write_text("")
    >>> locate_chexbert(folder / "mine.pth").vocabulary.name
    'vocab.txt'
    """
    found = _locate_weights(weights)
    vocabulary = _locate_vocabulary(bert, found)
    config = vocabulary.with_name(_CONFIG)
    return CheXbertFiles(found, vocabulary, config if config.is_file() else None)


def hub_cache() -> Path:
    """Return the folder in which the Hugging Face hub keeps its snapshots.

    HF_HUB_CACHE goes before HF_HOME, and both before XDG_CACHE_HOME, as in the hub's own client.

    >>> isinstance(hub_cache(), Path)
    True
    """
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return Path(os.environ[variable]).expanduser()
    home = os.environ.get("HF_HOME")
    return (Path(home).expanduser() if home else _user_cache() / "huggingface") / "hub"


def cached_in_hub(repository: str, name: str) -> Path | None:
    """Return a file of a repository from the hub's cache, the main revision first; else `None`.

    >>> cached_in_hub("nobody/nothing", "weights.bin") is None
    True
    """
    folder = hub_cache() / f"models--{repository.replace('/', '--')}"
    main = folder / "refs" / "main"
    revision = main.read_text(encoding="utf-8").strip() if main.is_file() else ""
    snapshots = sorted((folder / "snapshots").glob("*/"))
    snapshots.sort(key=lambda snapshot: snapshot.name != revision)
    files = (snapshot / name for snapshot in snapshots)
    return next((file for file in files if file.is_file()), None)


def _locate_weights(asked: Path | None) -> Path:
    named = _named(asked, WEIGHTS_VARIABLE, "the CheXbert checkpoint")
    if named is not None:
        if not named.is_file():
            raise FileNotFoundError(f"no CheXbert checkpoint at {named}: the path of a file is due")
        return named
    own = _user_cache() / "chexbert" / _WEIGHTS
    cached = own if own.is_file() else cached_in_hub(_HOME, _WEIGHTS)
    if cached is None:
        places = _places(WEIGHTS_VARIABLE, [own, _hub_place(_HOME, _WEIGHTS)])
        raise FileNotFoundError(
            f"no weights of CheXbert on this machine. Looked at: {places}. Their public home is"
            f" {_HOME} on the Hugging Face hub, file {_WEIGHTS}; nothing is downloaded here, so"
            f" fetch it yourself and set {WEIGHTS_VARIABLE} to its path. The labeler `rules` needs"
            " no weights"
        )
    return cached


def _locate_vocabulary(asked: Path | None, weights: Path) -> Path:
    named = _named(asked, BERT_VARIABLE, "the folder of bert-base-uncased")
    if named is not None:
        if not (named / _VOCABULARY).is_file():
            raise FileNotFoundError(
                f"no {_VOCABULARY} in {named}: the folder must hold the vocabulary of"
                " bert-base-uncased"
            )
        return named / _VOCABULARY
    beside = weights.with_name(_VOCABULARY)
    cached = [beside] if beside.is_file() else []
    cached += filter(None, (cached_in_hub(home, _VOCABULARY) for home in _BERT_HOMES))
    if not cached:
        hub = [_hub_place(home, _VOCABULARY) for home in _BERT_HOMES]
        raise FileNotFoundError(
            "CheXbert needs the vocabulary of bert-base-uncased, which its checkpoint does not"
            f" hold. Looked at: {_places(BERT_VARIABLE, [beside, *hub])}. Its public home is"
            f" {_BERT_HOMES[0]} on the Hugging Face hub, file {_VOCABULARY}; put it beside the"
            f" checkpoint, or set {BERT_VARIABLE} to its folder. The labeler `rules` needs neither"
        )
    return cached[0]


def _named(asked: Path | None, variable: str, what: str) -> Path | None:
    """Return the place that the user names, by argument before environment."""
    if asked is not None:
        return Path(asked).expanduser()
    value = os.environ.get(variable, "")
    if not value:
        return None
    path = Path(value).expanduser()
    if not path.exists():
        raise FileNotFoundError(
            f"{variable} is set to {path}, where there is nothing; set it to {what}, or unset it"
        )
    return path


def _places(variable: str, paths: Sequence[Path]) -> str:
    return ", ".join(
        ["the path asked for (none given)", f"${variable} (not set)", *map(str, paths)]
    )


def _hub_place(repository: str, name: str) -> Path:
    return hub_cache() / f"models--{repository.replace('/', '--')}" / "snapshots" / "*" / name


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
