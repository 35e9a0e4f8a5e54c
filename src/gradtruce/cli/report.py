"""`gradtruce report`: a run or a comparison as one page."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[
        Path, typer.Argument(help="A run folder, or a comparison such as runs/demo.")
    ],
    output: Annotated[
        Path | None, typer.Option(help="The page; FOLDER/report.html by default.")
    ] = None,
    gallery: Annotated[int, typer.Option(min=0, help="How many test studies to show.")] = 12,
) -> None:
    """Draw curves, tables and a gallery of studies as one self-contained HTML file."""
    from gradtruce.cli.bar import quieten_transformers
    from gradtruce.viewer.report import build

    quieten_transformers()
    page = build(folder, output, gallery=gallery)
    print(f"done: open {page}")
