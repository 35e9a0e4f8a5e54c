"""`gradtruce study search`: the settings that trade two scores best, by any number of workers."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradtruce.cli.bar import Bars
    from gradtruce.study.running.folder import StudyFolder
    from gradtruce.study.searching.plan import SearchPlan
    from gradtruce.study.searching.trial import Trial


def search(
    output: Annotated[Path, typer.Option(help="Folder of the search; begun or gone on with.")],
    plan: Annotated[
        str | None, typer.Argument(help="A preset (came_grad) or a TOML file. [the folder's]")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Trials in all; may grow. [search.trials]")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Trainings at a time, a core each.")] = 1,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Database that the workers share, such as postgresql://host/name. "
            "[study.db in the folder]"
        ),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Try the published settings of CAME-Grad first.")
    ] = False,
    confirm: Annotated[
        int, typer.Option(min=0, help="Train the front again on so many fresh seeds.")
    ] = 0,
    retry: Annotated[bool, typer.Option("--retry", help="Try again what has failed.")] = False,
    test: Annotated[
        bool, typer.Option("--test", help="Read the test scores of the front, once, at the end.")
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the plan."),
    ] = None,
) -> None:
    """Search over settings of a run for the best trade between validation scores.

    Called again, or elsewhere at the same time, it shares the work. Only the validation split is
    searched on. Writes search.json, search.md and figures.
    """
    import gradtruce.study.running.storage  # noqa: F401 # says what to install where Optuna is missing
    from gradtruce.cli.bar import Bars, quieten_transformers
    from gradtruce.study.published.settings import published_points
    from gradtruce.study.searching.folder import (
        open_search,
        open_trials,
        require_closed,
        write_search,
    )
    from gradtruce.study.searching.worker import SearchWorker

    quieten_transformers()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as ctrl-C: give the trials back
    chosen, study = open_search(output, _plan(output, plan, trials, settings or []))
    with Bars() as bars:
        _train_runs(study, storage, workers, bars, retry=retry)
        shared = open_trials(chosen, study, storage)
        if retry:
            require_closed(study.path)
            shared.retry()
        if len([each for each in shared.all() if _is_over(each)]) < chosen.search.trials:
            require_closed(study.path)
            if published:
                shared.propose(published_points(chosen.space))
        worker = SearchWorker(
            chosen,
            study.path,
            shared,
            count=workers,
            watch=lambda now: _show(bars, now, chosen.search.trials),
            report=lambda trial, reason: print(f"failed: {trial.name}: {reason}"),
        )
        summary = write_search(chosen, study, worker.work())
        if confirm:
            _confirm(chosen, study, summary, confirm, storage, workers, bars, retry=retry)
    _print_search(study, summary)
    if test:
        _print_test(chosen, study, summary)
    if not summary["counts"]["finished"]:
        raise typer.Exit(1)


def _plan(
    output: Path, source: str | None, trials: int | None, settings: "Sequence[str]"
) -> "SearchPlan | None":
    from gradtruce.study.searching.folder import read_search
    from gradtruce.study.searching.plan import load_search, with_trials

    if source is None and settings:
        raise ValueError("--set changes a plan, and none is given; name the plan")
    if source is None and trials is None:
        return None
    plan = read_search(output) if source is None else load_search(source, settings)
    return plan if trials is None else with_trials(plan, trials)


def _train_runs(
    study: "StudyFolder", storage: str | None, workers: int, bars: "Bars", *, retry: bool
) -> None:
    """Train the runs of a study; a search without its references is no answer."""
    from gradtruce.cli.bar import Paces
    from gradtruce.locks import locked
    from gradtruce.study.running.data_sets import make_data
    from gradtruce.study.running.queue import study_queue
    from gradtruce.study.running.worker import Worker

    make_data(study, Paces(bars).tell)
    with locked(study.lock("queue")):
        queue = study_queue(study, storage)
    worker = Worker(
        study,
        queue,
        count=workers,
        watch=lambda now: bars.show(study.path.name, now.share, now.seconds_left, "runs"),
    )
    status = worker.work(retry=retry)
    failed = [each for each in status.runs if each.state == "failed"]
    if failed:
        raise ChildProcessError(
            f"{failed[0].run.name} has failed: {failed[0].reason}; its log: "
            f"{study.log(failed[0].run)}; --retry tries it again"
        )


def _confirm(
    plan: "SearchPlan",
    study: "StudyFolder",
    summary: dict[str, Any],
    seeds: int,
    storage: str | None,
    workers: int,
    bars: "Bars",
    *,
    retry: bool,
) -> None:
    from gradtruce.files import write_whole
    from gradtruce.study.searching.confirmation import (
        confirmation_file,
        confirmed_scores,
        markdown,
        open_confirmation,
    )

    confirmation = open_confirmation(plan, study, summary, seeds)
    _train_runs(confirmation, storage, workers, bars, retry=retry)
    text = markdown(summary, confirmed_scores(confirmation, summary))
    write_whole(confirmation_file(confirmation), text)
    print(text)
    print(f"tables and tests of it: gradtruce study tables {confirmation.path}")


def _show(bars: "Bars", trials: "Sequence[Trial]", total: int) -> None:
    over = sum(map(_is_over, trials))
    running = sum(trial.outcome == "running" for trial in trials)
    bars.show("search", over / total, None, f"{over} of {total} trials, {running} running")


def _is_over(trial: "Trial") -> bool:
    return trial.outcome in ("finished", "stopped", "failed")


def _print_search(study: "StudyFolder", summary: dict[str, Any]) -> None:
    from gradtruce.study.searching.result import front_trials
    from gradtruce.study.searching.text import number

    print("the front, scores of the validation split:")
    points = [(trial["name"], trial["scores"]) for trial in front_trials(summary)]
    points += [(each["arm"], each["scores"]) for each in summary["references"]]
    for name, scores in points:
        shown = ", ".join(f"{score} {number(value)}" for score, value in scores.items())
        print(f"  {name:<12} {shown}")
    for caveat in summary["caveats"]:
        print(caveat)
    print(f"done: {study.path}: see search.md and figures/pareto.svg")


def _print_test(plan: "SearchPlan", study: "StudyFolder", summary: dict[str, Any]) -> None:
    from gradtruce.study.searching.folder import open_test
    from gradtruce.study.searching.text import number

    print("test scores, read once; this search takes no further trial:")
    for name, scores in open_test(plan, study, summary)["scores"].items():
        shown = ", ".join(f"{score} {number(entry['value'])}" for score, entry in scores.items())
        print(f"  {name:<12} {shown}")
