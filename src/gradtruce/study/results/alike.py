"""Whether the runs of a study may be compared: trained alike, but for the balancer and the seed."""

from collections.abc import Mapping
from typing import Any, Final

from gradtruce.study.results.finished import FinishedRun, StudyResults
from gradtruce.training.config_difference import differences
from gradtruce.training.config_file import load_config

Table = Mapping[str, Any]

REMEDY: Final = "remove this folder, and `gradtruce study run` trains it as planned"


def require_alike(results: StudyResults) -> None:
    """Check by their configurations that the finished runs of a study can be compared.

    Runs of a cell may differ in balancer and seed alone, runs of an arm in a cell in the seed
    alone, and a run has the seed that it is filed under. So a folder that was copied from another
    study, or trained by hand, does not get into the tables unseen.

    Args:
        results: Of the study; a run without config.toml is not looked at.

    Raises:
        ValueError: If a run differs, or its configuration can't be read; the message names it,
            another one, and what differs.
    """
    first: dict[tuple[str, ...], tuple[FinishedRun, Table]] = {}
    for run in results.finished:
        path = run.folder / "config.toml"
        if not path.is_file():
            continue
        config: dict[str, Any] = load_config(path).model_dump()
        place = run.place
        seed = config["training"].pop("seed")
        if seed != place.seed:
            raise ValueError(f"{run.folder}: was trained with seed {seed}; {REMEDY}")
        balance = {"balance": config.pop("balance")}
        _compare(run, config, *first.setdefault((place.cell,), (run, config)))
        _compare(run, balance, *first.setdefault((place.cell, place.arm), (run, balance)))


def _compare(run: FinishedRun, found: Table, other: FinishedRun, expected: Table) -> None:
    differing = differences(found, expected)
    if differing:
        raise ValueError(
            f"{run.folder}: was trained otherwise than {other.place.folder} "
            f"({'; '.join(differing[:3])}), so they can't be compared; {REMEDY}"
        )
