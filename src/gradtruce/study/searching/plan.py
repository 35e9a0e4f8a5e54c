"""The plan of a search: a study's method, data and reference arms, and the space around one arm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, final

from pydantic import Field, model_validator

from gradtruce.naming import suggestion
from gradtruce.study.plans.entries import ArmEntry, TableOfPlan
from gradtruce.study.plans.plan import PlannedRun, StudyPlan, plan_of
from gradtruce.study.searching.pruning import PruningConfig
from gradtruce.study.searching.space import (
    Choices,
    Range,
    Settings,
    check_space,
    nested,
    read_space,
)
from gradtruce.training.config_file import Table, check, merge, parse_override, read_table
from gradtruce.training.select import LOSSES

SamplerName = Literal["tpe", "gp", "nsga2", "random"]

_TRIAL: Final = "trial"

_SPLITS: Final = ("test.", "val.", "validation.")
"""Beginnings that someone may write who thinks that a score is of a split."""


@final
class SearchConfig(TableOfPlan):
    """What is searched, and how.

    Attributes:
        arm: The arm of the plan whose settings are varied.
        objectives: Two or more scores of the validation split, by flat name: those whose name
            begins with "loss." are better when lower, all others when higher.
        trials: How many trials there are in all, those that were stopped or failed included.
        sampler: "tpe", "gp" (Gaussian processes), "nsga2" or "random".
        seed: Of the sampler.
        pruning: When a trial is stopped early.
        space: What is varied: a range or choices by dotted key of a run's configuration.

    >>> SearchConfig(arm="came_grad", space={"balance.options.gain": {"low": 1.0, "high": 2.0}}
    ...              ).objectives
    ('clinical.micro_13.uncertain_negative.f1', 'nlg.bleu_4')
    """

    arm: str
    objectives: Annotated[tuple[str, ...], Field(min_length=2)] = (
        "clinical.micro_13.uncertain_negative.f1",
        "nlg.bleu_4",
    )
    trials: Annotated[int, Field(gt=0)] = 40
    sampler: SamplerName = "tpe"
    seed: Annotated[int, Field(ge=0)] = 0
    pruning: PruningConfig = PruningConfig()
    space: dict[str, Any]  # tables, read by `read_space`

    @model_validator(mode="after")
    def _check_objectives(self) -> "SearchConfig":
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError(f"objectives must differ, got {list(self.objectives)}")
        for name in self.objectives:
            if name.startswith(_SPLITS):
                raise ValueError(
                    f"objectives are scores of the validation split, by their own names (such as "
                    f"'nlg.bleu_4'); the test split is never searched on, got {name!r}"
                )
        return self


@final
@dataclass(frozen=True)
class SearchPlan:
    """A search that is ready to run.

    Attributes:
        study: One method, one data set, one seed; all its arms are trained once, to compare with.
        search: What is searched, and how.
        space: The settings that are varied, by dotted key.
    """

    study: StudyPlan
    search: SearchConfig
    space: Mapping[str, Range | Choices]

    @property
    def method(self) -> str:
        """Return the name of the method."""
        return next(iter(self.study.methods))

    @property
    def data(self) -> str:
        """Return the name of the data set."""
        return next(iter(self.study.data))

    def oriented(self, values: Sequence[float | None]) -> tuple[float, ...]:
        """Return values of the objectives so that higher is better; unknown is worst.

        >>> plan = load_search("came_grad", ["data.phantom.run.data.path=x"])
        >>> plan.oriented([0.4, None])
        (0.4, -inf)
        """
        return tuple(
            float("-inf") if value is None else -value if name.startswith(LOSSES) else value
            for name, value in zip(self.search.objectives, values, strict=True)
        )

    def trial(self, settings: Settings, folder: Path) -> PlannedRun:
        """Return the run that tries some settings.

        Args:
            settings: Value by dotted key.
            folder: Of the search; a phantom lies in its `data`.

        Raises:
            ValueError: If the settings are no configuration.
        """
        table = nested(settings)
        balance = table.pop("balance", {})
        base = self.study.methods[self.method]
        method = base.model_copy(update={"run": merge(base.run, table)})
        arm = self._arm(_TRIAL, balance, self.method)
        study = self.study.model_copy(
            update={"methods": {self.method: method}, "arms": {_TRIAL: arm}}
        )
        return next(iter(study.runs(folder)))

    def with_points(self, points: Mapping[str, Settings], seeds: Sequence[int]) -> StudyPlan:
        """Return the study of the plan's arms and of some points of the space.

        Points that vary more than the balancer get a method's entry of their own, in which the
        plan's arms are trained too: within an entry, runs differ in `balance` only.

        Args:
            points: Settings by the name that their arm gets.
            seeds: Of the runs.
        """
        methods, arms = dict(self.study.methods), dict(self.study.arms)
        base = methods[self.method]
        for name, settings in points.items():
            table = nested(settings)
            balance = table.pop("balance", {})
            entry = self.method
            if table:
                entry = f"{self.method}-{name}"
                label = f"{base.label}, {name}"
                methods[entry] = base.model_copy(
                    update={"label": label, "run": merge(base.run, table)}
                )
            arms[name] = self._arm(name, balance, entry)
        return self.study.model_copy(
            update={"methods": methods, "arms": arms, "seeds": tuple(seeds)}
        )

    def _arm(self, name: str, balance: Table, method: str) -> ArmEntry:
        arm = self.study.arms[self.search.arm]
        own = self.study.methods[self.method].arms.get(self.search.arm)
        table: Table = {"balance": arm.balance}
        for layer in ({} if own is None else own.balance, balance):
            table = merge(table, {"balance": layer})
        laid = table["balance"]
        return arm.model_copy(
            update={"label": name, "balance": laid, "methods": (method,), "published": None}
        )


def load_search(source: str | Path, overrides: Sequence[str] = ()) -> SearchPlan:
    """Return the search that a file or a preset describes, checked before anything is trained.

    The file is a study's plan with one method, one data set and one seed, and a table `search`.

    Args:
        source: Path of a TOML file, or name of a search preset.
        overrides: Settings such as "search.trials=20" or "run.training.steps=50".

    Raises:
        FileNotFoundError: If there is no such file or preset.
        ValueError: If it has an unknown key or a bad value.
        TypeError: If an entry of the space is no table.

    >>> load_search("came_grad").search.trials
    40
    """
    table = read_table(source, kind="search")
    for override in overrides:
        table = merge(table, parse_override(override))
    return search_of(table, where=str(source))


def search_of(table: Mapping[str, Any], *, where: str) -> SearchPlan:
    """Return the search that a table describes.

    Raises:
        ValueError: If it has an unknown key or a bad value.
        TypeError: If an entry of the space is no table.
    """
    rest = dict(table)
    if "search" not in rest:
        raise ValueError(f"{where}: has no table [search]; is it the plan of a study?")
    search = check({"search": rest.pop("search")}, _Searched, where=where).search
    study = plan_of(rest, where=where)
    for kind in ("methods", "data", "seeds"):
        found = len(getattr(study, kind))
        if found != 1:
            raise ValueError(f"{where}: a search has exactly one of {kind}, got {found}")
    if search.arm not in study.arms:
        raise ValueError(
            f"{where}: search.arm: no arm is called {search.arm!r}"
            f"{suggestion(search.arm, list(study.arms))}"
        )
    plan = SearchPlan(study, search, read_space(search.space, where=where))
    base = next(run for run in study.runs() if run.arm == search.arm)
    check_space(plan.space, base.config, where=where)
    return plan


def table_of(plan: SearchPlan) -> Table:
    """Return the table that `search_of` reads back."""
    table = plan.study.model_dump(mode="json", exclude_none=True)
    return table | {"search": plan.search.model_dump(mode="json", exclude_none=True)}


def with_trials(plan: SearchPlan, trials: int) -> SearchPlan:
    """Return the plan with another number of trials."""
    return replace(plan, search=plan.search.model_copy(update={"trials": trials}))


class _Searched(TableOfPlan):
    """The table of a search under its name, so that messages have it."""

    search: SearchConfig
