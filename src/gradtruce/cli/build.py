"""`gradtruce build`: what some methods need besides a prepared data set, made from that set."""

from pathlib import Path
from typing import Annotated

import typer

build = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make what some methods need, from a prepared data set.",
)

PreparedSet = Annotated[Path, typer.Argument(help="The prepared data set.")]
Output = Annotated[Path, typer.Option(help="File to make; must not exist.")]


@build.callback()
def options() -> None:
    """Make what some methods need, from a prepared data set."""


@build.command()
def clusters(
    data: PreparedSet,
    output: Output,
    count: Annotated[
        int, typer.Option("--clusters", min=2, help="How many; WCL has 14 on MIMIC-CXR.")
    ] = 14,
    seed: Annotated[int, typer.Option(min=0, help="Of the starts of k-means.")] = 0,
) -> None:
    """Group the training reports by what they say, for WCL; give the file as data.clusters."""
    from collections import Counter

    from gradtruce.data.prepared import PreparedDataset
    from gradtruce.data.report_clusters import cluster_reports

    require_new(output)
    train = PreparedDataset.open(data).split("train")
    made = cluster_reports(train.ids, train.reports, count=count, seed=seed)
    made.write(output)
    sizes = Counter(made.clusters.values())
    spread = f"{min(sizes.values())} to {max(sizes.values())} in one"
    print(f"done: {output}: {len(train)} training reports in {count} clusters, {spread}")


def require_new(output: Path) -> None:
    """Check that a file can be made, before the work that fills it.

    Raises:
        FileExistsError: If it is there.
        FileNotFoundError: If its folder is not.
    """
    if output.exists():
        raise FileExistsError(f"{output} exists; name a new file or remove it")
    if not output.parent.is_dir():
        raise FileNotFoundError(f"{output.parent}: there is no such folder; make it first")
