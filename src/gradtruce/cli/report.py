"""`gradtruce report`: a run, a comparison or a study as one page."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[
        Path, typer.Argument(help="A run folder, the folder of a study, or a comparison.")
    ],
    output: Annotated[
        Path | None, typer.Option(help="The page; FOLDER/report.html by default.")
    ] = None,
    gallery: Annotated[
        int | None,
        typer.Option(min=0, help="How many test studies to show; 12, or 4 of a study, by default."),
    ] = None,
) -> None:
    """Draw curves, tables and a gallery as one self-contained HTML file."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; name one of a run, study or comparison")
    from gradtruce.cli.bar import quieten_transformers
    from gradtruce.viewer import report as of_run
    from gradtruce.viewer import study as of_study

    quieten_transformers()
    build = of_study.build if of_study.is_study(folder) else of_run.build
    options = {} if gallery is None else {"gallery": gallery}
    page = build(folder, output, **options)
    print(f"done: open {page}")
