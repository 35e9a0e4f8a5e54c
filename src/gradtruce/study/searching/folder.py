"""The folder of a search: its plan, its trials, what it found; and whether the test was opened.

```
search.toml        the plan, resolved          plan.toml, runs/   the reference arms, as a study
trials/trial-…/    ordinary run folders        study.db           the storage, unless a URL is given
search.json, search.md, figures/               what was found, on the validation split
confirmation/      a study of the front on fresh seeds
test.json          test scores, once they were asked for; no trial is added after that
```
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import tomli_w

from gradtruce.evaluation.metrics import Metrics
from gradtruce.files import write_whole
from gradtruce.locks import locked
from gradtruce.study.running.folder import StudyFolder, open_study
from gradtruce.study.running.storage import sqlite_url
from gradtruce.study.searching.figures import draw
from gradtruce.study.searching.plan import SearchPlan, load_search, table_of, with_trials
from gradtruce.study.searching.result import front_trials, summarise
from gradtruce.study.searching.text import markdown
from gradtruce.study.searching.trial import Trial
from gradtruce.study.searching.trials import Trials
from gradtruce.study.searching.worker import trial_folder
from gradtruce.training.runlog import plain

PLAN: Final = "search.toml"
TEST: Final = "test.json"

Json = dict[str, Any]  # a JSON object


def open_search(folder: Path, plan: SearchPlan | None = None) -> tuple[SearchPlan, StudyFolder]:
    """Return the search in a folder, begun where there is none, and the study of its references.

    Args:
        folder: Of the search.
        plan: What is searched; that of the folder where not given. It may differ from the
            folder's in the number of trials alone.

    Raises:
        FileNotFoundError: If there is no plan, given or in the folder.
        ValueError: If the folder's plan is another, or has fewer trials and the test scores were
            looked at.
    """
    path = folder.absolute() / PLAN
    if plan is None:
        plan = read_search(folder)
        return plan, open_study(folder, plan.study)
    with locked(folder.absolute() / ".locks" / "search-plan"):
        if path.is_file() and table_of(with_trials(read_search(folder), 1)) != table_of(
            with_trials(plan, 1)
        ):
            raise ValueError(
                f"{path}: the plan given is another; only search.trials may change, all else needs "
                "another folder"
            )
        if path.is_file() and plan.search.trials > read_search(folder).search.trials:
            require_closed(folder)
        study = open_study(folder, plan.study)
        write_whole(path, tomli_w.dumps(table_of(plan)))
    return plan, study


def read_search(folder: Path) -> SearchPlan:
    """Return the plan of a search that is there.

    Raises:
        FileNotFoundError: If the folder holds none.

    >>> read_search(Path("nowhere"))
    Traceback (most recent call last):
    FileNotFoundError: ...nowhere/search.toml: not there; is nowhere a search? ...
    """
    path = folder.absolute() / PLAN
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: not there; is {folder} a search? gradtruce study search PLAN --output "
            f"{folder} begins one"
        )
    return load_search(path)


def open_trials(plan: SearchPlan, study: StudyFolder, url: str | None = None) -> Trials:
    """Return the trials of a search.

    Args:
        plan: What is searched.
        study: In the search's folder.
        url: Of the storage; SQLite in the folder where not given.
    """
    return Trials(
        plan,
        url=url or sqlite_url(study.path / "study.db"),
        name=f"{study.identity}-search",
        locks=study.path / ".locks" / "search",
    )


def write_search(plan: SearchPlan, study: StudyFolder, trials: Sequence[Trial]) -> Json:
    """Write `search.json`, `search.md` and the pictures; return the summary."""
    summary: Json = plain(summarise(plan, study, trials))
    with locked(study.lock("search-written")):
        write_whole(study.path / "search.json", json.dumps(summary, indent=1) + "\n")
        write_whole(study.path / "search.md", markdown(summary))
        draw(summary, study.path / "figures")
    return summary


def require_closed(folder: Path) -> None:
    """Refuse to search on once the test scores were looked at.

    Raises:
        ValueError: If they were.
    """
    if (folder / TEST).is_file():
        raise ValueError(
            f"{folder / TEST}: the test scores of this search were looked at; trials added now "
            "would be chosen with them in mind. Begin another search in another folder"
        )


def open_test(plan: SearchPlan, study: StudyFolder, summary: Mapping[str, Any]) -> Json:
    """Read the test scores of the front and the references, and write `test.json`.

    Raises:
        ValueError: If the search is not over.
    """
    counts = summary["counts"]
    over = counts["finished"] + counts["stopped"] + counts["failed"]
    if over < plan.search.trials:
        raise ValueError(
            f"{over} of {plan.search.trials} trials are over; the test scores are read once, when "
            "the search is"
        )
    names = summary["objectives"]
    folders = {
        trial["name"]: trial_folder(study.path, trial["name"]) for trial in front_trials(summary)
    }
    folders |= {run.arm: study.run_folder(run) for run in study.runs if study.is_finished(run)}
    found: Json = plain(
        {
            "schema": 1,
            "kind": "search_test",
            "split": "test",
            "scores": {name: _scores(folder, names) for name, folder in folders.items()},
        }
    )
    write_whole(study.path / TEST, json.dumps(found, indent=1) + "\n")
    return found


def _scores(folder: Path, names: Sequence[str]) -> Json:
    scores = Metrics.read(folder / "metrics.json").flat()
    return {
        name: {"value": score.value, "low": score.low, "high": score.high}
        for name in names
        if (score := scores.get(name)) is not None
    }
