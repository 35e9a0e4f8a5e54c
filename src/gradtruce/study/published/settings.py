"""The published settings of CAME-Grad as points of a search."""

from typing import Final

from gradtruce.balance.presets import load_preset, preset_names
from gradtruce.study.searching.space import Settings, Space

OPTIONS: Final = "balance.options."


def published_points(space: Space) -> dict[str, Settings]:
    """Return the rows of Tables D.1 and E.1 that lie in a space; equal rows are one point.

    A row gives the settings of the space that are its radius, gain or fusion. What else the space
    varies is drawn.

    Args:
        space: By dotted key.

    Raises:
        ValueError: If the space has none of the three, or no row lies in it.

    >>> from gradtruce.study.searching.space import Range
    >>> list(published_points({"balance.options.fusion": Range(low=0.85, high=1.0)}))
    ['Table E.1 camanet, Table E.1 tgrg, Table D.1 wcl']
    """
    names: dict[tuple[tuple[str, float], ...], list[str]] = {}
    for name in preset_names():
        row = load_preset(name)
        if row.balancer != "came_grad" or not row.is_published:
            continue
        settings = {
            OPTIONS + option: value
            for option, value in row.options.items()
            if OPTIONS + option in space
        }
        if settings and all(space[key].holds(value) for key, value in settings.items()):
            table = "D.1" if name.endswith("-mimic") else "E.1"
            label = f"Table {table} {name.split('-')[1]}"
            names.setdefault(tuple(settings.items()), []).append(label)
    if not names:
        raise ValueError(
            "no published row of CAME-Grad lies in the space; search over balance.options.radius, "
            "gain or fusion in ranges that hold them, or leave --published out"
        )
    return {", ".join(labels): dict(settings) for settings, labels in names.items()}
