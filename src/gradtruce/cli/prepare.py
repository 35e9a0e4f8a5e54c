"""`gradtruce prepare`: from a source to a prepared data set."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from gradtruce.data.prepared_manifest import Manifest

prepare = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make a prepared data set: Arrow shards with views, reports and labels.",
)

Level = Literal["easy", "standard", "hard"]
Folder = Annotated[Path, typer.Argument(help="The prepared data set; must not exist.")]


@prepare.command()
def phantom(
    folder: Folder,
    studies: Annotated[int, typer.Option(min=1, help="How many, over all splits.")] = 2000,
    level: Annotated[Level, typer.Option(help="How hard the studies are to read.")] = "standard",
    size: Annotated[int, typer.Option(help="Height and width of the views in pixels.")] = 128,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 0,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes; their number changes nothing in the set.")
    ] = 2,
) -> None:
    """Draw synthetic chest radiograph studies of which everything is known."""
    from gradtruce.data.phantom.prepare import prepare_phantom

    _run(
        folder,
        lambda progress: prepare_phantom(
            folder,
            level=level,
            studies=studies,
            size=size,
            seed=seed,
            workers=workers,
            progress=progress,
        ),
    )


@prepare.command(name="iu_xray")
def iu_xray(
    folder: Folder,
    annotation: Annotated[Path, typer.Option(help="annotation.json as R2Gen has it.")],
    images: Annotated[Path, typer.Option(help="Folder with the images you have.")],
    projections: Annotated[
        Path | None, typer.Option(help="indiana_projections.csv: which image is frontal.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="CSV with an id column and the 14 observations.")
    ] = None,
    size: Annotated[int, typer.Option(min=32, help="Short side of the views in pixels.")] = 256,
) -> None:
    """Read IU X-Ray; studies whose images are missing are counted and listed in problems.csv."""
    from gradtruce.data.preparing.pipeline import prepare as prepare_set
    from gradtruce.data.sources.base import Settings
    from gradtruce.data.sources.iu_xray import IUXRay

    _run(
        folder,
        lambda progress: prepare_set(
            IUXRay(images, annotation=annotation, projections=projections, labels=labels),
            folder,
            settings=Settings(short_side=size),
            progress=progress,
        ),
    )


def _run(folder: Path, make: Callable[[Any], "Manifest"]) -> None:
    """Make a set under a progress bar and say what came of it."""
    from gradtruce.cli.bar import Bars, Pace

    with Bars() as bars:
        manifest = make(Pace(bars, folder.name).tell)
    counts = ", ".join(f"{split} {count}" for split, count in manifest.splits.items())
    summary = manifest.notes.get("summary")
    if summary:
        print(summary)
    kind = "synthetic studies" if manifest.is_synthetic else "studies"
    print(f"done: {folder}: {sum(manifest.splits.values())} {kind} ({counts})")
