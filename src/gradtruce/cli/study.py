"""`gradtruce study`: many runs from one plan, by any number of workers."""

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from gradtruce.cli.bar import Bars
    from gradtruce.study.running.entry import Entry
    from gradtruce.study.running.folder import StudyFolder
    from gradtruce.study.running.status import StudyStatus
    from gradtruce.study.running.worker import Failure

study = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Train and compare by a plan: methods, data sets, optimizers, seeds.",
)

Folder = Annotated[Path, typer.Argument(help="Folder of the study.")]
Storage = Annotated[
    str | None,
    typer.Option(
        help="Database that the workers share, such as postgresql://host/name. "
        "[study.db in the folder]"
    ),
]

SHOWN = 8
"""Most last lines of a failed run's log that are printed."""


@study.callback()
def options() -> None:
    """Train and compare by a plan: methods, data sets, optimizers, seeds."""


@study.command()
def run(
    output: Annotated[Path, typer.Option(help="Folder of the study; begun or gone on with.")],
    plan: Annotated[
        str | None,
        typer.Argument(help="A preset (gradtruce study list) or a TOML file. [the folder's]"),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Trainings at a time, a core each.")] = 1,
    storage: Storage = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the plan."),
    ] = None,
    only: Annotated[
        str, typer.Option(metavar="PATTERN", help="Only runs called like this, such as 'r2gen/*'.")
    ] = "*",
    retry: Annotated[
        bool, typer.Option("--retry", help="Try runs again that failed before.")
    ] = False,
) -> None:
    """Train all runs of a plan; called again, or elsewhere at the same time, it shares the work.

    Finished runs are never trained again, and stopped ones go on from their last checkpoint.
    """
    from gradtruce.cli.bar import Bars, Paces, quieten_transformers
    from gradtruce.cli.preparing import Stopped
    from gradtruce.locks import locked
    from gradtruce.study.plans.plan import load_plan
    from gradtruce.study.running.data_sets import make_data
    from gradtruce.study.running.folder import open_study
    from gradtruce.study.running.queue import study_queue
    from gradtruce.study.running.worker import Worker

    quieten_transformers()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as ctrl-C: give the runs back
    if plan is None and settings:
        raise ValueError("--set changes a plan, and none is given; name the plan")
    opened = open_study(output, None if plan is None else load_plan(plan, settings or []))
    with locked(opened.lock("queue")):
        queue = study_queue(opened, storage)
    with Bars() as bars:
        make_data(opened, Paces(bars).tell)
        shown: set[str] = set()

        def report(failure: "Failure") -> None:
            _print_failure(failure, opened)

        def watch(now: "StudyStatus") -> None:
            _show(bars, now, shown)

        worker = Worker(opened, queue, count=workers, only=only, watch=watch, report=report)
        try:
            status = worker.work(retry=retry)
        except KeyboardInterrupt:
            raise Stopped(
                f"stopped; go on with: gradtruce study run --output {opened.path}"
            ) from None
    _print_end(status, opened)
    if status.counts["failed"]:
        raise typer.Exit(1)


@study.command()
def status(
    folder: Folder,
    storage: Storage = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say which runs are finished, running, failed and waiting."""
    from gradtruce.study.running.folder import open_study
    from gradtruce.study.running.queue import study_queue
    from gradtruce.study.running.status import study_status

    opened = open_study(folder)
    entries: dict[str, Entry] = {}
    if storage is not None or (opened.path / "study.db").is_file():
        entries = study_queue(opened, storage).entries()
    now = study_status(opened, entries)
    if as_json:
        print(json.dumps(_as_json(now), indent=1))
        return
    print(f"{opened.plan.title}: {_counts(now)}")
    for each in now.runs:
        line = f"{each.share:4.0%}" if each.state != "failed" else (each.reason or "")
        print(f"  {each.state:<8}  {each.run.name}  {line}".rstrip())


@study.command(name="list")
def list_plans() -> None:
    """List the plans that come with gradtruce."""
    import tomllib

    from gradtruce.presets import preset_file, preset_names

    names = {kind: preset_names(kind) for kind in ("study", "search")}
    width = max(len(name) for of_kind in names.values() for name in of_kind)
    for kind, command in (("study", "run"), ("search", "search")):
        print(f"gradtruce study {command}")
        for name in names[kind]:
            table = tomllib.loads(preset_file(kind, name).read_text(encoding="utf-8"))
            print(f"  {name:<{width}}  {table['title']}: {table['question']}")


def _show(bars: "Bars", now: "StudyStatus", shown: set[str]) -> None:
    """Draw the whole, and each run that runs; those that have ended are drawn full once."""
    bars.show("study", now.share, now.seconds_left, _counts(now))
    for each in now.runs:
        name = each.run.name
        if each.state == "running" and bars.is_drawn:
            shown.add(name)
            bars.show(name, each.share, None, each.progress.phase)
        elif name in shown:
            shown.remove(name)
            bars.hide(name)


def _counts(now: "StudyStatus") -> str:
    return ", ".join(f"{count} {state}" for state, count in now.counts.items() if count)


def _print_failure(failure: "Failure", opened: "StudyFolder") -> None:
    path = opened.log(failure.run)
    lines = path.read_text(encoding="utf-8").strip().splitlines()[-SHOWN:]
    text = "\n".join(f"    {line}" for line in lines)
    print(f"failed: {failure.run.name}\n{text}\n    log: {path}", file=sys.stderr)


def _print_end(now: "StudyStatus", opened: "StudyFolder") -> None:
    print(f"done: {opened.path}: {_counts(now)}")
    for each in now.runs:
        if each.state == "failed":
            print(f"  failed: {each.run.name}: {each.reason}")
    if now.counts["failed"]:
        print(f"try them again: gradtruce study run --output {opened.path} --retry")
    if now.counts["finished"]:
        print(f"next: gradtruce study tables {opened.path}")


def _as_json(now: "StudyStatus") -> dict[str, Any]:
    return {
        "schema": 1,
        "counts": now.counts,
        "share": now.share,
        "seconds_left": now.seconds_left,
        "runs": [
            {
                "name": each.run.name,
                "folder": str(each.run.folder),
                "state": each.state,
                "phase": each.progress.phase,
                "share": each.share,
                "seconds": each.seconds,
                "reason": each.reason,
            }
            for each in now.runs
        ],
    }
