"""Whether the runs of a study may be compared: trained alike, but for the balancer and the seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

from gradtruce.study.results.finished import FinishedRun, StudyResults
from gradtruce.training.config_difference import differences, told
from gradtruce.training.config_file import load_config

Table = Mapping[str, Any]

REMEDY: Final = "remove its folder, and `gradtruce study run` trains it as planned"


@final
@dataclass(frozen=True)
class _Trained:
    """A finished run with its configuration, but for balancer and seed, and with its balancer."""

    run: FinishedRun
    shared: Table
    balance: Table


def require_alike(results: StudyResults) -> None:
    """Check by their configurations that the finished runs of a study can be compared.

    Runs of a cell may differ in balancer and seed alone, runs of an arm in a cell in the seed
    alone, and a run has the seed that it is filed under. So a folder that was copied from another
    study, or trained by hand, does not get into the tables unseen. Where runs differ, those that
    most others agree with are taken for right.

    Args:
        results: Of the study; a run without config.toml is not looked at.

    Raises:
        ValueError: If a run differs, or its configuration can't be read; the message names it,
            another one, and what differs.
    """
    cells: dict[str, list[_Trained]] = {}
    for run in results.finished:
        path = run.folder / "config.toml"
        if not path.is_file():
            continue
        config: dict[str, Any] = load_config(path).model_dump()
        seed = config["training"].pop("seed")
        if seed != run.place.seed:
            raise ValueError(f"{run.folder}: was trained with seed {seed}; {REMEDY}")
        balance = {"balance": config.pop("balance")}
        cells.setdefault(run.place.cell, []).append(_Trained(run, config, balance))
    for trained in cells.values():
        _require([(each.run, each.shared) for each in trained])
        for arm in dict.fromkeys(each.run.place.arm for each in trained):
            of_arm = [each for each in trained if each.run.place.arm == arm]
            _require([(each.run, each.balance) for each in of_arm])


def _require(runs: Sequence[tuple[FinishedRun, Table]]) -> None:
    """Check that all agree."""
    kinds: list[list[tuple[FinishedRun, Table]]] = []
    for run, table in runs:
        like = next((kind for kind in kinds if not differences(table, kind[0][1])), None)
        if like is None:
            kinds.append([(run, table)])
        else:
            like.append((run, table))
    if len(kinds) > 1:
        usual, *others = sorted(kinds, key=lambda kind: -len(kind))
        (odd, found), (right, expected) = others[0][0], usual[0]
        raise ValueError(
            f"{odd.folder}: can't be compared with {right.place.folder}: here "
            f"{told(differences(found, expected))}; {REMEDY}"
        )
