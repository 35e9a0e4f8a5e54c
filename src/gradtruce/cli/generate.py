"""`gradtruce generate`: the reports of a trained method for a prepared data set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from gradtruce.data.study import Split

Which = Literal["all", "train", "val", "test"]


def generate(
    data: Annotated[Path, typer.Argument(help="Prepared data set, of the run or another.")],
    run: Annotated[Path, typer.Option(help="Run folder of a trained method.")],
    output: Annotated[Path, typer.Option(help="File of predictions to make.")],
    config: Annotated[
        str | None,
        typer.Option(help="Preset or TOML file: views, cleaning, decoding. [of the run]"),
    ] = None,
    split: Annotated[Which, typer.Option(help="Which studies.")] = "test",
) -> None:
    """Write reports for the studies of a prepared data set; `gradtruce evaluate` scores them.

    The set need not be the one that was trained on. Takes the best checkpoint of the run and, where
    the method retrieves reports, its bank.
    """
    from gradtruce.cli.bar import Bars, quieten_transformers
    from gradtruce.cli.build import require_new
    from gradtruce.data.study import SPLITS
    from gradtruce.evaluation.predictions import write_predictions
    from gradtruce.training.config import RunConfig
    from gradtruce.training.config_file import load_config
    from gradtruce.training.generation import generate as generate_reports
    from gradtruce.training.progress import Progress

    require_new(output)
    quieten_transformers()
    protocol: RunConfig | None = None
    if config is not None:
        protocol = load_config(config, [f"data.path='{data.absolute()}'"])
    splits: tuple[Split, ...] = SPLITS if split == "all" else (split,)
    with Bars() as bars:

        def show(now: Progress) -> None:
            bars.show(output.name, now.share, now.seconds_left, now.phase)

        found = generate_reports(run, data, protocol=protocol, splits=splits, progress=show)
    write_predictions(output, found)
    print(f"done: {output}: {len(found)} reports; next: gradtruce evaluate {output}")
