"""What a search has found: its front, hypervolume and references, as one table of numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from gradtruce.study.running.folder import StudyFolder
from gradtruce.study.searching.pareto import dominates, front, hypervolumes
from gradtruce.study.searching.plan import SearchPlan
from gradtruce.study.searching.trial import Trial, Values
from gradtruce.study.searching.trial_training import read_validations

Json = dict[str, Any]  # a JSON object

CAVEATS: Final = (
    "All scores are of the validation split; the test split was not looked at by the search.",
    "One validation set was scored once for every trial, with one training seed. The best of many "
    "such scores is best partly by luck (the winner's curse): points of the front score lower on "
    "fresh seeds. Confirm them (--confirm) before you believe them.",
    "The values of a trial are those of its best checkpoint by training.select, which the same "
    "validation studies have chosen.",
)


def summarise(plan: SearchPlan, study: StudyFolder, trials: Sequence[Trial]) -> Json:
    """Return the summary of a search.

    Args:
        plan: What was searched.
        study: Holds the runs of the reference arms.
        trials: All trials; those that still wait are counted and not listed.
    """
    begun = [trial for trial in trials if trial.outcome != "waiting"]
    finished = [trial for trial in trials if trial.outcome == "finished" and trial.values]
    points = [plan.oriented(trial.values or ()) for trial in finished]
    on_front = {finished[place].name for place in front(points)}
    references = reference_values(plan, study)
    floor = [min(scores) for scores in zip(*points, strict=True)]
    by_name = dict(zip((trial.name for trial in finished), points, strict=True))
    return {
        "schema": 1,
        "kind": "search",
        "title": plan.study.title,
        "question": plan.study.question,
        "split": "validation",
        "reference": plan.study.reference,
        "objectives": list(plan.search.objectives),
        "settings": list(plan.space),
        "counts": _counts(trials),
        "trials": [_trial(plan, trial, trial.name in on_front) for trial in begun],
        "references": [
            {
                "arm": name,
                "label": plan.study.arms[name].label,
                "scores": _scores(plan, values),
                "dominated_by": [
                    other
                    for other in sorted(on_front)
                    if dominates(by_name[other], plan.oriented(values))
                ],
            }
            for name, values in references.items()
        ],
        "hypervolume": {
            "from": floor,
            "after": hypervolumes([by_name.get(trial.name) for trial in begun], floor)
            if floor
            else [],
        },
        "caveats": list(CAVEATS),
    }


def reference_values(plan: SearchPlan, study: StudyFolder) -> dict[str, Values]:
    """Return the validation scores of the best checkpoint of every finished reference run."""
    found: dict[str, Values] = {}
    for run in study.runs:
        if study.is_finished(run):
            found[run.arm] = best_values(study.run_folder(run), plan.search.objectives)
    return found


def best_values(folder: Path, objectives: Sequence[str]) -> Values:
    """Return the validation scores of the best checkpoint of a run.

    Raises:
        ValueError: If the run was never validated.
    """
    best = [each for each in read_validations(folder) if each.is_best]
    if not best:
        raise ValueError(f"{folder}: the log has no validation; is the run finished?")
    return tuple(best[-1].scores[name] for name in objectives)


def front_trials(summary: Mapping[str, Any]) -> list[Json]:
    """Return the trials on the front, best in the first score first."""
    first = summary["objectives"][0]
    found = [trial for trial in summary["trials"] if trial["on_front"]]
    return sorted(found, key=lambda trial: -float(trial["scores"][first]))


def _trial(plan: SearchPlan, trial: Trial, is_on_front: bool) -> Json:
    return {
        "name": trial.name,
        "outcome": trial.outcome,
        "settings": dict(trial.settings),
        "scores": None if trial.values is None else _scores(plan, trial.values),
        "best_step": trial.best_step,
        "last_step": max(trial.curve, default=None),
        "published": trial.published,
        "reason": trial.reason,
        "on_front": is_on_front,
    }


def _scores(plan: SearchPlan, values: Values) -> dict[str, float | None]:
    return dict(zip(plan.search.objectives, values, strict=True))


def _counts(trials: Sequence[Trial]) -> dict[str, int]:
    outcomes = ("finished", "stopped", "failed", "running", "waiting")
    return {name: sum(trial.outcome == name for trial in trials) for name in outcomes}
