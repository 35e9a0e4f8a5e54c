"""`gradtruce train`: one training, from a configuration to a run folder."""

from pathlib import Path
from typing import Annotated

import typer


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

    Writes config.toml, log.jsonl, checkpoints, predictions.jsonl and metrics.json.
    """
    from gradtruce.cli.bar import Bars, quieten_transformers
    from gradtruce.cli.evaluate import print_told
    from gradtruce.training.config import RunConfig
    from gradtruce.training.config_file import load_config
    from gradtruce.training.loop import train as train_run
    from gradtruce.training.progress import Progress
    from gradtruce.training.select import selected_terms

    overrides = list(settings or [])
    if data is not None:
        overrides.append(f"data.path='{data.absolute()}'")
    quieten_transformers()
    if config is None:
        config = str(output / "config.toml") if resume else "demo"
    resolved: RunConfig = load_config(config, overrides)
    with Bars() as bars:

        def show(now: Progress) -> None:
            if now.note:
                bars.say(f"{output.name}: {now.note}")
            bars.show(output.name, now.share, now.seconds_left, now.phase)

        result = train_run(resolved, output, resume=resume, progress=show)
    print_told(result.metrics)
    for name in selected_terms(resolved.training.select):
        score = result.metrics.flat().get(name)
        if score is not None and score.value is not None:
            print(
                f"{name} on test: {score.value:.3f} "
                f"[{score.low:.3f}, {score.high:.3f}], best step {result.best_step}"
            )
    print(f"done: {output}; next: gradtruce report {output}")
