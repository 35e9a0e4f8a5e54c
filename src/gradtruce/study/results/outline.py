"""What a study planned, as its tables need it: names, labels, and the folder of every run."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from gradtruce.evaluation.headline import SELECTION
from gradtruce.study.plans.plan import PLAN, run_folder
from gradtruce.study.results.record import ArmRecord, CellRecord
from gradtruce.training.config_file import merge

_FIELDS: Final = ("title", "question", "reference", "seeds", "data", "methods", "arms")


@final
@dataclass(frozen=True)
class PlannedPlace:
    """One planned run: its cell, arm and seed, and its folder below that of the study."""

    cell: str
    arm: str
    seed: int
    folder: Path


@final
@dataclass(frozen=True)
class Outline:
    """The plan of a study without its settings.

    Attributes:
        title: Of the study.
        question: What it asks, in a sentence.
        reference: The arm that the others are compared with.
        seeds: Every arm has the same.
        selection: Score that runs select their checkpoint by.
        arms: In the plan's order.
        cells: Methods × data sets in the plan's order.
        runs: All planned runs.
    """

    title: str
    question: str
    reference: str
    seeds: tuple[int, ...]
    selection: str
    arms: tuple[ArmRecord, ...]
    cells: tuple[CellRecord, ...]
    runs: tuple[PlannedPlace, ...]


def read_outline(folder: Path) -> Outline:
    """Return the outline of the study in a folder, from its plan.toml.

    Raises:
        FileNotFoundError: If there is no plan.
        ValueError: If it is no plan of a study.
    """
    path = folder / PLAN
    if not path.is_file():
        raise FileNotFoundError(
            f"no {path}: {folder} is not the folder of a study; `gradtruce study run` makes one"
        )
    try:
        return outline(tomllib.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not the plan of a study: {error}") from error


def outline(plan: Mapping[str, Any]) -> Outline:
    """Return the outline of a plan's tables, as plan.toml has them.

    Raises:
        ValueError: If a table is missing, or the reference is none of the arms.

    >>> labelled = {"label": "R2Gen"}
    >>> plan = {"title": "T", "question": "Q?", "reference": "linear", "seeds": [0, 1],
    ...         "data": {"phantom": {"label": "Phantom"}}, "methods": {"r2gen": labelled},
    ...         "arms": {"linear": {"label": "Linear"}, "famo": {"label": "FAMO"}}}
    >>> str(outline(plan).runs[1].folder)
    'runs/r2gen/phantom/famo/seed-0'
    """
    missing = [name for name in _FIELDS if name not in plan]
    if missing:
        raise ValueError(f"{', '.join(missing)} missing")
    if plan["reference"] not in plan["arms"]:
        raise ValueError(f"reference must be an arm, got {plan['reference']!r}")
    seeds = tuple(int(seed) for seed in plan["seeds"])
    return Outline(
        title=str(plan["title"]),
        question=str(plan["question"]),
        reference=str(plan["reference"]),
        seeds=seeds,
        selection=_selection(plan),
        arms=tuple(_arm(name, entry, plan) for name, entry in plan["arms"].items()),
        cells=tuple(
            CellRecord(
                name=f"{method}/{data}",
                method=method,
                data=data,
                method_label=str(entry["label"]),
                data_label=str(plan["data"][data]["label"]),
            )
            for method, entry in plan["methods"].items()
            for data in plan["data"]
        ),
        runs=tuple(_places(plan, seeds)),
    )


def _places(plan: Mapping[str, Any], seeds: tuple[int, ...]) -> Iterator[PlannedPlace]:
    for seed in seeds:
        for method in plan["methods"]:
            for data in plan["data"]:
                for arm, entry in plan["arms"].items():
                    if method in entry.get("methods", (method,)):
                        folder = run_folder(method, data, arm, seed)
                        yield PlannedPlace(f"{method}/{data}", arm, seed, folder)


def _selection(plan: Mapping[str, Any]) -> str:
    for table in (plan.get("run", {}), plan.get("base", {})):
        select = table.get("training", {}).get("select")
        if isinstance(select, str):
            return select
    return SELECTION


def _arm(name: str, entry: Mapping[str, Any], plan: Mapping[str, Any]) -> ArmRecord:
    shared = plan.get("run", {}).get("balance", {})
    own = entry.get("balance") or _of_a_method(name, plan)
    balance = merge(dict(shared), dict(own))
    if "auxiliary_scale" in entry:
        balance["auxiliary_scale"] = entry["auxiliary_scale"]
    return ArmRecord(name=name, label=str(entry["label"]), stages=stages(balance), balance=balance)


def _of_a_method(arm: str, plan: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of an arm that has none of its own, from the first method that has."""
    for entry in plan["methods"].values():
        balance: Mapping[str, Any] = entry.get("arms", {}).get(arm, {}).get("balance", {})
        if balance:
            return balance
    return {}


def balancer_name(balance: Mapping[str, Any]) -> str:
    """Return the name of the balancer that some settings ask for.

    >>> balancer_name({"preset": "came_grad-wcl-iu"}), balancer_name({})
    ('came_grad', 'linear')
    """
    preset = str(balance.get("preset") or "linear")
    return str(balance.get("name") or preset.partition("-")[0])


def stages(balance: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return which stages of CAME-Grad a balancer's settings leave on.

    Without stage 1 the direction is the mean gradient (radius 0); without stage 3 nothing is fused
    (fusion 0). Linear scalarization has none of them; SGLD has noise in place of stage 2, and
    without noise nothing; other optimizers have no such stages.

    >>> stages({"name": "came_grad", "options": {"radius": 0.0}})
    ('s2', 's3')
    """
    name = balancer_name(balance)
    options = {**balance, **balance.get("options", {})}
    if name == "linear":
        return ()
    if name == "sgld":
        is_silent = options.get("noise") == "temperature" and options.get("temperature") == 0
        return ("s1", "s3") if is_silent else ("s1", "sgld", "s3")
    if name != "came_grad":
        return None
    is_on = {
        "s1": options.get("radius", 0.5) > 0,
        "s2": True,
        "s3": options.get("fusion", 0.2) > 0,
    }
    return tuple(stage for stage, on in is_on.items() if on)
