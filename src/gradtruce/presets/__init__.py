"""The presets that the package ships: TOML files by kind and name.

Reads folders and nothing else, so that a command that only lists names stays quick.
"""

from importlib import resources
from importlib.resources.abc import Traversable


def preset_names(kind: str) -> tuple[str, ...]:
    """Return the names of the presets of a kind, such as "training" or "study".

    >>> "r2gen-iu-xray" in preset_names("training")
    True
    """
    folder = _folder(kind)
    if not folder.is_dir():
        return ()
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def preset_file(kind: str, name: str) -> Traversable:
    """Return the file of a preset, whether it is there or not.

    >>> preset_file("training", "demo").is_file()
    True
    """
    return _folder(kind) / f"{name}.toml"


def _folder(kind: str) -> Traversable:
    return resources.files("gradtruce") / "presets" / kind
