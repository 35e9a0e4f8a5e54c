"""The presets of the package, by kind and name."""

import difflib
import tomllib
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any


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


def preset_path(kind: str, name: str) -> Path:
    """Return where a preset lies.

    Raises:
        FileNotFoundError: If there is none of that name; the message has the nearest one.

    >>> preset_path("training", "demo").name
    'demo.toml'
    """
    path = Path(str(_folder(kind))) / f"{name}.toml"
    if not path.is_file():
        raise FileNotFoundError(
            f"no {kind} preset is called {name!r}{suggestion(name, preset_names(kind))}; "
            "a file of your own ends in .toml"
        )
    return path


def lay_over_preset(kind: str, section: str, given: Any, fields: Sequence[str]) -> Any:
    """Return a table laid over the preset that it names; options go into `options`.

    Args:
        kind: Folder of the presets.
        section: Table of the preset file, such as "balance".
        given: The table; anything that names no preset is returned as it is.
        fields: Keys of the preset that are no options.

    >>> lay_over_preset("methods", "method", {"name": "r2gen"}, ("name",))
    {'name': 'r2gen'}
    """
    if not isinstance(given, dict) or not isinstance(given.get("preset"), str):
        return given
    path = preset_path(kind, given["preset"])
    preset: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))[section]
    table = {key: value for key, value in preset.items() if key in fields}
    options = {key: value for key, value in preset.items() if key not in fields}
    laid = {**table, **given, "options": {**options, **given.get("options", {})}}
    if laid.get("name") != table.get("name"):
        raise ValueError(
            f"preset {given['preset']!r} belongs to {table['name']!r}, not to {laid['name']!r}"
        )
    return laid


def suggestion(wrong: str, known: Sequence[str], *, among: Sequence[str] = ()) -> str:
    """Return the end of a message about an unknown name: the nearest known one, and all of them.

    Args:
        wrong: The unknown name.
        known: The names that could stand there.
        among: More names that may have been meant, but are not listed.

    >>> suggestion("liner", ["linear", "came_grad"])
    "; did you mean 'linear'? known: linear, came_grad"
    """
    near = [name for names in (known, among) for name in difflib.get_close_matches(wrong, names, 1)]
    meant = f"; did you mean {near[0]!r}?" if near else ";"
    return f"{meant} known: {', '.join(known)}"


def _folder(kind: str) -> Traversable:
    return resources.files("gradtruce") / "presets" / kind
