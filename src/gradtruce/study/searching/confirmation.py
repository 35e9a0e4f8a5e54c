"""The front of a search on fresh seeds: a study of its points and of the reference arms.

The search has seen one seed and has chosen by it. Here the chosen points, and what they are
compared with, are trained again on seeds that the search has not seen, as an ordinary study, whose
tables and tests then hold for them. What a point loses from the search to here is the winner's
curse.
"""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from gradtruce.study.running.folder import StudyFolder, open_study
from gradtruce.study.searching.plan import SearchPlan
from gradtruce.study.searching.result import best_values, front_trials
from gradtruce.study.searching.text import grid, number

FOLDER: Final = "confirmation"
MOST: Final = 5
"""Most points of a front that are confirmed: the best of each score, then those between."""


def open_confirmation(
    plan: SearchPlan, study: StudyFolder, summary: Mapping[str, Any], seeds: int
) -> StudyFolder:
    """Return the study that confirms a search, begun where there is none.

    Args:
        plan: What was searched.
        study: Of the search.
        summary: Of the search.
        seeds: How many fresh seeds.

    Raises:
        ValueError: If the search has no front yet, or a confirmation of another one is there.
    """
    chosen = chosen_points(front_trials(summary))
    if not chosen:
        raise ValueError("the search has no finished trial yet; there is nothing to confirm")
    first = max(plan.study.seeds) + 1
    confirmed = plan.with_points(
        {trial["name"]: trial["settings"] for trial in chosen}, range(first, first + seeds)
    )
    path = plan.study.data_path(plan.data, study.path)
    entry = plan.study.data[plan.data]
    data = entry.model_copy(
        update={"run": {**entry.run, "data": {**entry.run.get("data", {}), "path": str(path)}}}
    )
    named = confirmed.model_copy(
        update={
            "title": f"{plan.study.title}: confirmation",
            "question": "Do the settings that a search chose keep their lead on fresh seeds?",
            "data": {plan.data: data},
        }
    )
    return open_study(study.path / FOLDER, named)


def chosen_points(ordered: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return at most `MOST` points of a front, evenly along the first score, both ends included.

    >>> [point["name"] for point in chosen_points([{"name": n} for n in "abcdefghi"])]
    ['a', 'c', 'e', 'g', 'i']
    """
    if len(ordered) <= MOST:
        return list(ordered)
    return [ordered[round(place * (len(ordered) - 1) / (MOST - 1))] for place in range(MOST)]


def confirmed_scores(
    study: StudyFolder, summary: Mapping[str, Any]
) -> dict[str, list[dict[str, float | None]]]:
    """Return the validation scores of every arm of a confirmation, of each seed that is finished.

    Args:
        study: The confirmation.
        summary: Of the search.
    """
    found: dict[str, list[dict[str, float | None]]] = {}
    for run in study.runs:
        if study.is_finished(run):
            values = best_values(study.run_folder(run), summary["objectives"])
            scores = dict(zip(summary["objectives"], values, strict=True))
            found.setdefault(run.arm, []).append(scores)
    return found


def markdown(
    summary: Mapping[str, Any], confirmed: Mapping[str, Sequence[Mapping[str, float | None]]]
) -> str:
    """Return the searched scores beside those of fresh seeds as a Markdown page."""
    searched = {trial["name"]: trial["scores"] for trial in summary["trials"]}
    searched |= {each["arm"]: each["scores"] for each in summary["references"]}
    head = ["arm", "fresh seeds"]
    for name in summary["objectives"]:
        head += [f"{name}, searched", "fresh seeds, mean", "smallest", "largest", "lost"]
    rows = [
        [arm, str(len(scores)), *_cells(searched.get(arm) or {}, scores, summary["objectives"])]
        for arm, scores in confirmed.items()
    ]
    text = (
        "Validation scores. What an arm lost is its score in the search minus the mean over seeds "
        "that the search has not seen; for points that the search chose this is the winner's "
        "curse, for the other arms the luck of one seed."
    )
    return f"# {summary['title']}: confirmation\n\n{text}\n\n{grid(head, rows)}\n"


def _cells(
    searched: Mapping[str, float | None],
    fresh: Sequence[Mapping[str, float | None]],
    objectives: Sequence[str],
) -> list[str]:
    cells: list[str] = []
    for name in objectives:
        values = [value for scores in fresh if (value := scores[name]) is not None]
        before = searched.get(name)
        mean = statistics.fmean(values) if values else None
        lost = None if before is None or mean is None else before - mean
        cells += [
            number(entry)
            for entry in (before, mean, min(values, default=None), max(values, default=None), lost)
        ]
    return cells


def confirmation_file(study: StudyFolder) -> Path:
    """Return where the page of a confirmation lies."""
    return study.path / "confirmation.md"
