"""`gradtruce analyse`: the gradient dynamics of one run, or of two side by side."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def analyse(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    other: Annotated[
        Path | None, typer.Argument(help="A second run of the same method, set beside it.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for numbers and figures. [RUN/analysis]")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help="log (seconds), layers, noise, sharpness or landscape; may be repeated. [all]",
        ),
    ] = None,
    checkpoint: Annotated[
        Literal["best", "last"], typer.Option(help="Whose parameters are looked at.")
    ] = "last",
    split: Annotated[
        Literal["train", "val", "test"], typer.Option(help="Studies that gradients are of.")
    ] = "train",
    batches: Annotated[
        int, typer.Option(help="Disjoint batches for layers and for noise at one point.")
    ] = 16,
    window: Annotated[
        int, typer.Option(help="Steps of training after the checkpoint, for noise; 0 for none.")
    ] = 32,
    fixed_batches: Annotated[
        int, typer.Option(help="Batches whose loss sharpness and landscape are of.")
    ] = 4,
    points: Annotated[int, typer.Option(help="Places along a line of the landscape, odd.")] = 21,
    reach: Annotated[
        float, typer.Option(help="Largest amount of a direction; 1: as long as the filters.")
    ] = 1.0,
    float64: Annotated[
        bool, typer.Option("--float64", help="Sharpness and landscape in float64.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of batches, dropout and directions.")] = 0,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="Of the figures, svg or png; may be repeated. [svg]"),
    ] = None,
) -> None:
    """Measure conflict beside its null, magnitude, noise, sharpness and the loss landscape.

    Writes analysis.json and figures, and prints a summary. A second run stands beside the first on
    the same batches, with the same directions and scale.
    """
    from gradtruce.cli.bar import Bars, quieten_transformers
    from gradtruce.study.gradient_dynamics.analyse import analyse as analyse_runs
    from gradtruce.study.gradient_dynamics.names import FOLDER
    from gradtruce.study.gradient_dynamics.options import PARTS, AnalysisOptions, parts_named

    quieten_transformers()
    options = AnalysisOptions(
        parts=parts_named(only) if only else PARTS,
        checkpoint=checkpoint,
        split=split,
        batches=batches,
        window=window,
        fixed_batches=fixed_batches,
        points=points,
        reach=reach,
        is_double=float64,
        seed=seed,
    )
    folder = run / FOLDER if output is None else output
    with Bars() as bars:

        def show(phase: str, share: float) -> None:
            bars.show("analyse", share, None, phase)

        found, text = analyse_runs(
            [run] if other is None else [run, other],
            folder,
            options,
            formats=formats or ["svg"],
            watch=show,
        )
    print(text)
    print(f"\ndone: {folder}: analysis.json and {len(found['figures'])} figures")
