"""The folder of a study: its plan, and where its runs, logs, locks and data sets lie."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import tomli_w

from gradtruce.files import write_whole
from gradtruce.locks import locked
from gradtruce.study.plans.plan import PLAN, PlannedRun, StudyPlan, load_plan
from gradtruce.training.config import RunConfig
from gradtruce.training.config_difference import differences, told
from gradtruce.training.config_file import load_config

IDENTITY: Final = "study.id"
_GROWING: Final = ("seeds", "data", "methods", "arms")
"""What may be added to a study that is there."""


@final
@dataclass(frozen=True)
class StudyFolder:
    """A study on disk.

    Attributes:
        path: Of the folder, absolute.
        plan: What is studied.
        runs: All its runs, with the paths of this folder.
    """

    path: Path
    plan: StudyPlan
    runs: tuple[PlannedRun, ...]

    def run_folder(self, run: PlannedRun) -> Path:
        """Return the run folder of a run."""
        return self.path / run.folder

    def is_finished(self, run: PlannedRun) -> bool:
        """Return whether a run has its metrics, which are written last."""
        return (self.path / run.folder / "metrics.json").is_file()

    def require_planned(self) -> None:
        """Check that every finished run was trained as the plan says.

        Raises:
            ValueError: If one was not; the message names it and what differs.
        """
        for run in self.runs:
            path = self.run_folder(run) / "config.toml"
            if not self.is_finished(run) or not path.is_file():
                continue
            found: RunConfig = load_config(path)
            differing = differences(found.model_dump(), run.config.model_dump())
            if differing:
                raise ValueError(
                    f"{path}: not trained as the plan says ({told(differing)}); remove "
                    f"{path.parent}, and the study trains it, or change the plan"
                )

    def log(self, run: PlannedRun) -> Path:
        """Return where the standard error of a failed run is kept."""
        return self.path / "logs" / f"{run.name}.log"

    def lock(self, name: str) -> Path:
        """Return the file that is locked for a run, or for another part of the study."""
        return self.path / ".locks" / name

    @property
    def identity(self) -> str:
        """Return a name that no other study has, whatever their folders are called."""
        return (self.path / IDENTITY).read_text(encoding="utf-8").strip()


def open_study(folder: Path, plan: StudyPlan | None = None) -> StudyFolder:
    """Return the study in a folder, begun where there is none.

    A study may grow: seeds, arms, methods and data sets may be added. What it has may not change.

    Args:
        folder: Of the study.
        plan: What is studied; that of the folder where not given.

    Raises:
        FileNotFoundError: If there is no plan, given or in the folder.
        ValueError: If the folder's plan is another; the message names what differs.
    """
    path = folder.absolute()
    if plan is None:
        plan = read_plan(path)
        return StudyFolder(path, plan, plan.runs(path))
    runs = plan.runs(path)
    with locked(path / ".locks" / "plan"):
        is_new = not (path / PLAN).is_file()
        if not is_new:
            _require_growth(read_plan(path), plan, path / PLAN)
        if not (path / IDENTITY).is_file():
            write_whole(path / IDENTITY, f"{path.name}-{uuid.uuid4().hex[:12]}\n")
        table = plan.model_dump(mode="json", exclude_none=True)
        write_whole(path / PLAN, tomli_w.dumps(table))
    return StudyFolder(path, plan, runs)


def read_plan(folder: Path) -> StudyPlan:
    """Return the plan of a study that is there.

    Raises:
        FileNotFoundError: If the folder holds no plan.
        ValueError: If the plan can't be read.

    >>> read_plan(Path("nowhere"))
    Traceback (most recent call last):
    FileNotFoundError: nowhere/plan.toml: not there; is nowhere a study? gradtruce study run ...
    """
    path = folder / PLAN
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: not there; is {folder} a study? gradtruce study run PLAN --output {folder} "
            "begins one"
        )
    return load_plan(path.absolute())


def _require_growth(there: StudyPlan, given: StudyPlan, path: Path) -> None:
    """Check that a plan has all that the folder's plan has, unchanged."""
    if there.title != given.title:
        raise ValueError(
            f"{path.parent} holds another study, {there.title!r}; choose another --output, or leave"
            " the plan out to go on with that one"
        )
    old, new = there.model_dump(mode="json"), given.model_dump(mode="json")
    lost = [seed for seed in old.pop("seeds") if seed not in new["seeds"]]
    if lost:
        raise ValueError(f"{path}: has seeds {lost}, which the plan given lacks; {_ADVICE}")
    for kind in ("data", "methods", "arms"):
        absent = [name for name in old[kind] if name not in new[kind]]
        if absent:
            raise ValueError(
                f"{path}: has {kind} {', '.join(absent)}, which the plan given lacks; {_ADVICE}"
            )
    changed = list(_changes(old, new))
    if changed:
        raise ValueError(f"{path}: the plan given differs in {'; '.join(changed[:3])}; {_ADVICE}")


_ADVICE: Final = (
    "a study may grow by seeds, arms, methods and data sets, all else needs another folder"
)


def _changes(old: Any, new: Any, place: str = "") -> list[str]:
    """Return what differs between two tables, seen from the old one where tables may grow."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        is_moved = (
            f".{place}".endswith(".run.data.path") and Path(str(old)).name == Path(str(new)).name
        )
        return [] if old == new or is_moved else [f"{place} ({old!r} there, {new!r} given)"]
    names = [*old, *(name for name in new if name not in old and place not in _GROWING)]
    found = []
    for name in names:
        inner = f"{place}.{name}" if place else name
        if inner == "seeds":
            continue
        found += _changes(old.get(name), new.get(name), inner)
    return found
