"""Published hyper-parameters of the balancers, by name.

Each TOML file in `presets/balance` is a row of a published table: options, task weights and the
scope of the published trainer. `<name>-shared` is ours: the same row on shared parameters.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, final

from gradtruce import presets
from gradtruce.gradients.balancer import Balancer
from gradtruce.naming import suggestion

KIND: Final = "balance"
SHARED: Final = "-shared"
_FIELDS: Final = ("name", "scope", "weights")


@final
@dataclass(frozen=True)
class BalancePreset:
    """One row of hyper-parameters.

    Attributes:
        name: Of the preset.
        balancer: Name of the balancer.
        options: Keyword arguments of its constructor.
        weights: Static weight of every task of the method that the row is for.
        scope: What `TaskGradients` takes as `scope`.
        table: The published table that the row stands in.
        is_published: False for the variants on shared parameters, which are ours.
    """

    name: str
    balancer: str
    options: Mapping[str, float]
    weights: Mapping[str, float]
    scope: Literal["shared", "all"]
    table: str
    is_published: bool

    def build(self) -> Balancer:
        """Return the balancer with the options of the row."""
        return Balancer.known[self.balancer](**self.options)


def preset_names() -> tuple[str, ...]:
    """Return the names of all presets, each published row with its variant on shared parameters.

    >>> preset_names()[:2]
    ('came_grad-camanet-iu', 'came_grad-camanet-iu-shared')
    """
    return tuple(name for row in presets.preset_names(KIND) for name in (row, row + SHARED))


def load_preset(name: str) -> BalancePreset:
    """Return a preset.

    Raises:
        ValueError: If there is none of that name; the message has the nearest one.

    >>> preset = load_preset("came_grad-promptmrg-mimic")
    >>> preset.options, preset.scope, preset.table
    ({'radius': 0.2, 'gain': 1.5, 'fusion': 0.1}, 'all', 'CAME-Grad, Table D.1 (MIMIC-CXR)')
    >>> load_preset("came_grad-promptmrg-mimic-shared").scope
    'shared'
    """
    known = preset_names()
    if name not in known:
        raise ValueError(f"no balance preset is called {name!r}{suggestion(name, known)}")
    row = name.removesuffix(SHARED)
    text = presets.preset_file(KIND, row).read_text(encoding="utf-8")
    file = tomllib.loads(text)
    table = file["balance"]
    return BalancePreset(
        name=name,
        balancer=table["name"],
        options={key: value for key, value in table.items() if key not in _FIELDS},
        weights=table["weights"],
        scope=table["scope"] if name == row else "shared",
        table=file["table"],
        is_published=name == row,
    )
