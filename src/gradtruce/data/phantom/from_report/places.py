"""Where a finding lies: as the report says, else at random as in the phantom's own patients."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal, final

import numpy as np

from gradtruce.data.phantom.from_report.mapping import Attributes
from gradtruce.data.phantom.kinds import SIDES, Kind

Stream = Callable[..., np.random.Generator]
"""Gives random numbers of their own to every sequence of words."""

How = Literal["known", "drawn", "fixed", "not as reported"]
"""From the report; drawn at random whatever the report says; fixed by the kind or by a rule; or the
report names a place where the phantom can't draw the kind, and another one is drawn."""

_AIRSPACE: Final = frozenset({"hazy opacity", "consolidation", "pneumonia"})
_USUAL_SIDE: Final = {"central venous catheter": "right", "pacemaker": "left"}
_USUALLY: Final = 0.75
_SAME_SIDE: Final = 0.85
_BILATERAL: Final = 0.15


@final
@dataclass(frozen=True, slots=True)
class Place:
    """Side and zone, and where each comes from."""

    side: str | None
    zone: str | None
    side_is: How
    zone_is: How


def random_streams(*words: str | int) -> Stream:
    """Return a function that gives each sequence of words its own random numbers.

    So an attribute that is drawn does not depend on what else the report says.

    >>> stream = random_streams(0, "study")
    >>> bool(stream("heart").random() == stream("heart").random() != stream("lung").random())
    True
    """

    def stream(*more: str | int) -> np.random.Generator:
        text = "\x1f".join(str(word) for word in (*words, *more))
        return np.random.default_rng(list(sha256(text.encode("utf-8", "replace")).digest()))

    return stream


def places_of(kind: Kind, attributes: Attributes, stream: Stream) -> list[Place]:
    """Return the places of one kind of finding: one for each side and zone.

    Both sides are two places where the kind is never bilateral. Lesions that are several lie in
    both lungs, or in two zones where the report names the side. Opacity, consolidation and
    pneumonia of one study whose places are unknown share one.

    >>> from gradtruce.data.phantom.kinds import KINDS
    >>> nodule = next(kind for kind in KINDS if kind.name == "nodule")
    >>> places = places_of(nodule, Attributes("bilateral", ("upper",)), random_streams(0))
    >>> [(place.side, place.zone, place.side_is) for place in places]
    [('left', 'upper', 'known'), ('right', 'upper', 'known')]
    """
    name = "airspace" if kind.name in _AIRSPACE else kind.name
    sides, side_is = _sides(kind, attributes.side, name, stream)
    zones, zone_is = _zones(kind, attributes.zones, name, stream)
    places = [Place(side, zone, side_is, zone_is) for side in sides for zone in zones]
    if attributes.is_several and kind.size is not None and len(places) == 1:
        places.append(_second(kind, places[0], stream))
    return places


def _second(kind: Kind, first: Place, stream: Stream) -> Place:
    if first.side_is == "drawn":
        other = "left" if first.side == "right" else "right"
        return Place(other, first.zone, "drawn", first.zone_is)
    zones = [zone for zone in kind.zones if zone != first.zone]
    return Place(first.side, str(stream("second", kind.name).choice(zones)), first.side_is, "drawn")


def _sides(
    kind: Kind, side: str | None, name: str, stream: Stream
) -> tuple[tuple[str | None, ...], How]:
    if not kind.sides:
        return (None,), "fixed"
    if len(kind.sides) == 1:
        return kind.sides, "fixed" if side in (None, *kind.sides) else "not as reported"
    if side in kind.sides:
        return (side,), "known"
    if side == "bilateral":
        return SIDES, "known"
    return (_drawn_side(kind, name, stream),), "drawn"


def _drawn_side(kind: Kind, name: str, stream: Stream) -> str:
    main = str(stream("main side").choice(SIDES))
    rng = stream("side", name)
    bilateral, keeps, other, usually = rng.random(4)
    if "bilateral" in kind.sides and bilateral < _BILATERAL:
        return "bilateral"
    usual = _USUAL_SIDE.get(kind.name)
    if usual is not None:
        return usual if usually < _USUALLY else ("left" if usual == "right" else "right")
    if keeps < _SAME_SIDE or kind.name == "chest tube":
        return main
    return "left" if other < 0.5 else "right"


def _zones(
    kind: Kind, zones: tuple[str, ...], name: str, stream: Stream
) -> tuple[tuple[str | None, ...], How]:
    if not kind.zones:
        return (None,), "fixed"
    known = tuple(zone for zone in zones if zone in kind.zones)
    if zones and not known:
        how: How = "not as reported"
    else:
        how = "fixed" if len(kind.zones) == 1 else "drawn"
    if len(kind.zones) == 1:
        return kind.zones, how
    if known:
        return known, "known"
    return (str(stream("zone", name).choice(kind.zones)),), how
