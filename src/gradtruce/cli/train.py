"""`gradtruce train`: one training, from a configuration to a run folder."""

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gradtruce.training.config import RunConfig
    from gradtruce.training.loop import RunResult
    from gradtruce.training.world import World


def train(
    output: Annotated[Path, typer.Option(help="Run folder to make, such as runs/first.")],
    config: Annotated[
        str | None,
        typer.Option(help="A training preset (gradtruce list presets) or a TOML file. [demo]"),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Prepared data set; as --set data.path=FOLDER.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a run was stopped.")
    ] = False,
) -> None:
    """Train a method on a prepared data set, generate the test reports and score them.

    Writes config.toml, log.jsonl, checkpoints, predictions.jsonl and metrics.json. On several GPUs
    or machines: torchrun --nproc-per-node N -m gradtruce train …
    """
    from gradtruce.cli.bar import quieten_transformers
    from gradtruce.training.config import RunConfig
    from gradtruce.training.config_file import load_config
    from gradtruce.training.joining import OtherProcessError, Place, joined

    overrides = list(settings or [])
    if data is not None:
        overrides.append(f"data.path='{data.absolute()}'")
    quieten_transformers()
    if config is None:
        config = str(output / "config.toml") if resume else "demo"
    try:
        with joined() as world:
            resolved: RunConfig = load_config(config, overrides)
            _train(resolved, output, world, resume=resume)
    except OtherProcessError:  # which says why
        raise typer.Exit(2) from None
    except Exception:
        if (place := Place.read(os.environ)) is not None:
            print(f"gradtruce: process {place.rank} of {place.size} failed", file=sys.stderr)
        raise


def _train(config: "RunConfig", output: Path, world: "World", *, resume: bool) -> None:
    from gradtruce.cli.bar import Bars
    from gradtruce.training.loop import train as train_run
    from gradtruce.training.progress import Progress

    with Bars() if world.is_first else nullcontext() as bars:

        def show(now: Progress) -> None:
            if bars is None:
                return
            if now.note:
                bars.say(f"{output.name}: {now.note}")
            bars.show(output.name, now.share, now.seconds_left, now.phase)

        result = train_run(config, output, resume=resume, progress=show, world=world)
    if world.is_first:
        _print(config, result)


def _print(config: "RunConfig", result: "RunResult") -> None:
    from gradtruce.cli.evaluate import print_told
    from gradtruce.training.select import selected_terms

    print_told(result.metrics)
    for name in selected_terms(config.training.select):
        score = result.metrics.flat().get(name)
        if score is not None and score.value is not None:
            print(
                f"{name} on test: {score.value:.3f} "
                f"[{score.low:.3f}, {score.high:.3f}], best step {result.best_step}"
            )
    print(f"done: {result.folder}; next: gradtruce report {result.folder}")
