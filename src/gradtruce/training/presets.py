"""Presets as the tables of a configuration."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradtruce.balance.presets import load_preset
from gradtruce.naming import suggestion
from gradtruce.presets import preset_file, preset_names


def preset_path(kind: str, name: str) -> Path:
    """Return where a preset lies.

    Raises:
        FileNotFoundError: If there is none of that name; the message has the nearest one.

    >>> preset_path("training", "demo").name
    'demo.toml'
    """
    path = Path(str(preset_file(kind, name)))
    if not path.is_file():
        raise FileNotFoundError(
            f"no {kind} preset is called {name!r}{suggestion(name, preset_names(kind))}; "
            "a file of your own ends in .toml"
        )
    return path


def method_preset(name: str) -> dict[str, Any]:
    """Return the name and the options of a method preset.

    Raises:
        FileNotFoundError: If there is no such preset.

    >>> method_preset("r2gen-tiny")["name"]
    'r2gen'
    """
    text = preset_path("methods", name).read_text(encoding="utf-8")
    options: dict[str, Any] = tomllib.loads(text)["method"]
    return {"name": options.pop("name"), "options": options}


def balance_preset(name: str) -> dict[str, Any]:
    """Return name, options, weights and scope of a published row of hyper-parameters.

    Raises:
        ValueError: If there is no such preset.

    >>> balance_preset("came_grad-promptmrg-mimic")["scope"]
    'all'
    """
    preset = load_preset(name)
    return {
        "name": preset.balancer,
        "options": preset.options,
        "weights": preset.weights,
        "scope": preset.scope,
    }


def lay_over_preset(given: Any, read: Callable[[str], dict[str, Any]]) -> Any:
    """Return a table laid over the preset that it names; what names none is returned as it is.

    Args:
        given: The table, or what is wrongly there instead.
        read: Returns the table of a preset.

    Raises:
        ValueError: If the preset belongs to another name than the one given.

    >>> lay_over_preset({"preset": "r2gen-tiny", "options": {"layers": 1}}, method_preset)["name"]
    'r2gen'
    """
    if not isinstance(given, dict) or not isinstance(given.get("preset"), str):
        return given
    preset = read(given["preset"])
    if given.get("name", preset["name"]) != preset["name"]:
        raise ValueError(
            f"preset {given['preset']!r} belongs to {preset['name']!r}, not to {given['name']!r}"
        )
    return {**preset, **given, "options": {**preset["options"], **given.get("options", {})}}
