"""The plan of a study: methods, data sets, arms and seeds, and the runs that they come to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, final

from pydantic import BaseModel, Field, model_validator

from gradtruce.naming import suggestion
from gradtruce.study.plans.entries import (
    ArmEntry,
    DataEntry,
    MethodEntry,
    Name,
    PhantomConfig,
    TableOfPlan,
)
from gradtruce.study.plans.task_weights import scale_auxiliary
from gradtruce.training.config import RunConfig
from gradtruce.training.config_file import Table, check, merge, parse_override, read_table

PLAN: Final = "plan.toml"
"""The resolved plan in a study's folder."""


def run_folder(method: str, data: str, arm: str, seed: int) -> Path:
    """Return where a run lies, relative to the folder of its study.

    >>> run_folder("r2gen", "phantom", "famo", 0).as_posix()
    'runs/r2gen/phantom/famo/seed-0'
    """
    return Path("runs", method, data, arm, f"seed-{seed}")


@final
@dataclass(frozen=True)
class PlannedRun:
    """One training of a study.

    Attributes:
        method: Name of the method's entry.
        data: Name of the data set's entry.
        arm: Name of the arm.
        seed: Of parameters, data order, augmentation and dropout.
        config: Its configuration.
        folder: Its run folder, relative to that of the study.

    >>> load_plan("demo").runs()[0].name
    'r2gen/phantom/linear/seed-0'
    """

    method: str
    data: str
    arm: str
    seed: int
    config: RunConfig
    folder: Path

    @property
    def name(self) -> str:
        """Return what messages call it."""
        return f"{self.method}/{self.data}/{self.arm}/seed-{self.seed}"


class StudyPlan(TableOfPlan):
    """Methods × data sets × arms × seeds, with all settings but the balancer shared.

    A run's settings are laid over each other in this order: the training preset that its method or
    `run` extends, `run`, those of the method, of the data set, the `balance` of the arm, and that
    of the arm for the method. So runs of one method, data set and seed differ in `balance` only.

    Attributes:
        title: Of the study.
        question: What it asks, in a sentence.
        reference: The arm that all others are compared with.
        seeds: Of the runs; every arm has the same.
        base: What `run.extends` came to; written by `load_plan`.
        run: What all runs share.
        data: Data sets by name.
        methods: Methods by name.
        arms: Arms by name.
        timing_steps: Optimizer steps of the timing after a demonstration, for each arm.

    >>> plan = load_plan("demo")
    >>> plan.reference, list(plan.arms)
    ('linear', ['linear', 'came_grad'])
    """

    title: str
    question: str
    reference: str
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
    base: Table = Field(default_factory=dict)
    run: Table = Field(default_factory=dict)
    data: Annotated[dict[Name, DataEntry], Field(min_length=1)]
    methods: Annotated[dict[Name, MethodEntry], Field(min_length=1)]
    arms: Annotated[dict[Name, ArmEntry], Field(min_length=1)]
    timing_steps: Annotated[int, Field(ge=3)] = 15

    @model_validator(mode="after")
    def _check_names(self) -> "StudyPlan":
        known = list(self.arms)
        if self.reference not in self.arms:
            raise ValueError(
                f"reference must be an arm, got {self.reference!r}"
                f"{suggestion(self.reference, known)}"
            )
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must differ, got {list(self.seeds)}")
        places: list[tuple[str, Iterable[str], str, list[str]]] = [
            (f"methods.{name}.arms", entry.arms, "arm", known)
            for name, entry in self.methods.items()
        ]
        methods = list(self.methods)
        places += [
            (f"arms.{name}.methods", entry.methods or (), "method", methods)
            for name, entry in self.arms.items()
        ]
        for place, names, kind, among in places:
            for name in names:
                if name not in among:
                    raise ValueError(
                        f"{place}: no {kind} is called {name!r}{suggestion(name, among)}"
                    )
        return self

    @model_validator(mode="after")
    def _check_seed(self) -> "StudyPlan":
        tables = {"run": self.run}
        tables |= {f"methods.{name}.run": entry.run for name, entry in self.methods.items()}
        tables |= {f"data.{name}.run": entry.run for name, entry in self.data.items()}
        for place, table in tables.items():
            if "seed" in table.get("training", {}):
                raise ValueError(f"{place}.training.seed: the plan's seeds say it; leave it out")
        return self

    def runs(self, folder: Path = Path()) -> tuple[PlannedRun, ...]:
        """Return all runs, seeds outermost, so that a study stopped half-way is balanced.

        Args:
            folder: Of the study; phantoms that have no path lie in its `data`.

        Raises:
            ValueError: If the settings of a run are no configuration.
        """
        cells = [
            (method, data, arm, self._config(method, data, arm, folder))
            for method in self.methods
            for data in self.data
            for arm, entry in self.arms.items()
            if entry.methods is None or method in entry.methods
        ]
        return tuple(
            PlannedRun(
                method,
                data,
                arm,
                seed,
                _with_seed(config, seed),
                run_folder(method, data, arm, seed),
            )
            for seed in self.seeds
            for method, data, arm, config in cells
        )

    def data_path(self, name: str, folder: Path = Path()) -> Path:
        """Return where a data set of the plan lies.

        Args:
            name: Of the data set.
            folder: Of the study.
        """
        given = self.data[name].run.get("data", {}).get("path")
        return folder / "data" / name if given is None else Path(given)

    def built_path(self, method: str, data: str, ending: str, folder: Path = Path()) -> Path:
        """Return where a file lies that is made for a method from a data set.

        Args:
            method: Name of the method.
            data: Name of the data set.
            ending: Of the file's name, as `Builds.files` has it.
            folder: Of the study.
        """
        return folder / "data" / f"{data}-{method}.{ending}"

    def _config(self, method: str, data: str, arm: str, folder: Path) -> RunConfig:
        entry, chosen = self.methods[method], self.arms[arm]
        own = entry.arms.get(arm)
        layers = (
            self.base if entry.base is None else entry.base,
            self.run,
            entry.run,
            self.data[data].run,
            {"balance": chosen.balance},
            {} if own is None else {"balance": own.balance},
        )
        table: Table = {}
        for layer in layers:
            table = merge(table, layer)
        if self.data[data].phantom is not None:
            table = merge(table, {"data": {"path": str(self.data_path(data, folder))}})
        for kind, ending in entry.builds.files().items():
            table = merge(table, _naming(kind, self.built_path(method, data, ending, folder)))
        where = f"method {method!r}, data set {data!r}, arm {arm!r}"
        config = check(table, RunConfig, where=where)
        if chosen.auxiliary_scale == 1.0:
            return config
        return scale_auxiliary(config, chosen.auxiliary_scale)


def load_plan(source: str | Path, overrides: Sequence[str] = ()) -> StudyPlan:
    """Return the plan that a file or a preset describes.

    `run`, and the `run` of a method, may extend a training preset.

    Args:
        source: Path of a TOML file, or name of a study preset.
        overrides: Settings such as "run.training.steps=50" or "seeds=[0, 1]".

    Raises:
        FileNotFoundError: If there is no such file or preset.
        ValueError: If it has an unknown key or a bad value, or a run of it has.

    >>> len(load_plan("demo", ["seeds=[0, 1, 2]"]).runs())
    6
    """
    table = read_table(source, kind="study")
    for override in overrides:
        table = merge(table, parse_override(override))
    return plan_of(table, where=str(source))


def plan_of(table: Mapping[str, Any], *, where: str) -> StudyPlan:
    """Return the plan that a table describes.

    Args:
        table: As a TOML file has it.
        where: The file, for messages.

    Raises:
        ValueError: If it has an unknown key or a bad value, or a run of it has.
    """
    table = _extended(table)
    table["methods"] = {
        name: _extended(entry) if isinstance(entry, dict) else entry
        for name, entry in _tables(table, "methods").items()
    }
    _check_entries(table, where)
    plan = check(table, StudyPlan, where=where)
    try:
        plan.runs()
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return plan


def _naming(kind: str, path: Path) -> Table:
    """Return the setting that names a built file."""
    if kind == "prototypes":
        return {"method": {"start_from": [str(path)]}}
    return {"data": {kind: str(path)}}


def _extended(entry: Mapping[str, Any]) -> Table:
    """Return the table with `run.extends` replaced by what it stands for, as `base`."""
    run = dict(entry.get("run", {}))
    parent = run.pop("extends", None)
    if parent is None:
        return dict(entry)
    return {**entry, "run": run, "base": read_table(parent, kind="training")}


def _check_entries(table: Mapping[str, Any], where: str) -> None:
    """Check each table of tables on its own, so that a message can name the nearest key."""
    kinds: dict[str, type[BaseModel]] = {
        "data": DataEntry,
        "methods": MethodEntry,
        "arms": ArmEntry,
    }
    for kind, model in kinds.items():
        for name, entry in _tables(table, kind).items():
            if isinstance(entry, Mapping):
                phantom = entry.get("phantom")
                if kind == "data" and isinstance(phantom, Mapping):
                    check(phantom, PhantomConfig, where=f"{where}: data.{name}.phantom")
                check(entry, model, where=f"{where}: {kind}.{name}")


def _tables(table: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    found = table.get(kind, {})
    return found if isinstance(found, Mapping) else {}


def _with_seed(config: RunConfig, seed: int) -> RunConfig:
    training = config.training.model_copy(update={"seed": seed})
    return config.model_copy(update={"training": training})
