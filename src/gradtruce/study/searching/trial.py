"""One trial of a search, as its workers and its report see it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal, final

from optuna.trial import FrozenTrial

from gradtruce.study.searching.space import Settings

Values = tuple[float | None, ...]
"""Validation scores in the order of the objectives; `None` where one could not be computed."""

Outcome = Literal["finished", "stopped", "failed", "running", "waiting"]

HOST: Final = "host"
ORIGIN: Final = "origin"
REPLACES: Final = "replaces"
PUBLISHED: Final = "published"
REASON: Final = "reason"
CURVE: Final = "curve"
BEST: Final = "best_step"
"""What a trial's attributes in the storage are called."""

_OUTCOMES: Final[Mapping[str, Outcome]] = {
    "COMPLETE": "finished",
    "PRUNED": "stopped",
    "FAIL": "failed",
    "RUNNING": "running",
    "WAITING": "waiting",
}


@final
@dataclass(frozen=True)
class Trial:
    """One trial of a search.

    Attributes:
        id: In the storage.
        name: Of its run folder; a trial that was given back keeps its name.
        settings: What it sets, by dotted key.
        outcome: "finished", "stopped" (by the pruning rule), "failed", "running" or "waiting".
        curve: Scores of its best checkpoint so far, after every validation, by step.
        best_step: Step of its best checkpoint.
        published: Where its settings are published.
        reason: Why it failed.

    >>> Trial(1, "trial-0000", {}, "stopped", {100: (0.2, 0.1), 200: (0.3, 0.1)}).values
    (0.3, 0.1)
    """

    id: int
    name: str
    settings: Settings
    outcome: Outcome
    curve: Mapping[int, Values]
    best_step: int | None = None
    published: str | None = None
    reason: str | None = None

    @property
    def values(self) -> Values | None:
        """Return the scores of its best checkpoint; `None` before it has one."""
        return self.curve[max(self.curve)] if self.curve else None


def read_trial(frozen: FrozenTrial) -> Trial:
    """Return what the storage has of a trial."""
    kept = frozen.user_attrs
    return Trial(
        id=frozen._trial_id,
        name=f"trial-{origin(frozen):04d}",
        settings=settings_of(frozen),
        outcome=_OUTCOMES[frozen.state.name],
        curve={int(step): tuple(values) for step, values in kept.get(CURVE, {}).items()},
        best_step=kept.get(BEST),
        published=kept.get(PUBLISHED),
        reason=kept.get(REASON),
    )


def origin(frozen: FrozenTrial) -> int:
    """Return the number of the first trial that this one goes on with; its own, for most."""
    return int(frozen.user_attrs.get(ORIGIN, frozen.number))


def settings_of(frozen: FrozenTrial) -> Settings:
    """Return what a trial sets; of one whose worker died while it was drawn, what was given."""
    return {**frozen.system_attrs.get("fixed_params", {}), **frozen.params}


def lost_numbers(every: Collection[FrozenTrial]) -> set[int]:
    """Return the numbers of the trials that another has taken the place of, or is to take.

    They have ended without a word, their worker being gone, or have failed and are tried again.
    """
    silent = {
        each.number for each in every if each.state.name == "FAIL" and REASON not in each.user_attrs
    }
    return silent | replaced_numbers(every)


def replaced_numbers(every: Collection[FrozenTrial]) -> set[int]:
    """Return the numbers of the trials that another has taken the place of."""
    return {each.user_attrs[REPLACES] for each in every if REPLACES in each.user_attrs}
