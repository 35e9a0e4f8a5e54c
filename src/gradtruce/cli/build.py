"""`gradtruce build`: what some methods need besides a prepared data set, made from that set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gradtruce.cli.labeler_options import Bert, Device, Weights

if TYPE_CHECKING:
    from gradtruce.data.report_clusters import Embedding

Features = Literal["text", "chexbert"]

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
    features: Annotated[
        Features, typer.Option(help="What is compared: TF-IDF, or vectors of CheXbert as in WCL.")
    ] = "text",
    chexbert: Weights = None,
    bert_base: Bert = None,
    device: Device = "cpu",
) -> None:
    """Group the training reports by what they say, for WCL; give the file as data.clusters."""
    from collections import Counter

    from gradtruce.data.prepared import PreparedDataset
    from gradtruce.data.report_clusters import cluster_reports

    require_new(output)
    embed, embedding = None, ""
    if features == "chexbert":
        embed, embedding = _chexbert(chexbert, bert_base, device)
    elif chexbert or bert_base or device != "cpu":
        raise ValueError("--chexbert, --bert-base and --device need --features chexbert")
    train = PreparedDataset.open(data).split("train")
    made = cluster_reports(
        train.ids, train.reports, count=count, seed=seed, embed=embed, embedding=embedding
    )
    made.write(output)
    sizes = Counter(made.clusters.values())
    spread = f"{min(sizes.values())} to {max(sizes.values())} in one"
    print(f"done: {output}: {len(train)} training reports in {count} clusters, {spread}")


@build.command()
def prototypes(
    data: PreparedSet,
    output: Output,
    preset: Annotated[
        str, typer.Option(help="Method preset of the XProNet that starts from them.")
    ] = "xpronet-fixed",
    size: Annotated[int, typer.Option(min=32, help="Height and width of the images.")] = 224,
    backbone_weights: Annotated[
        Path | None, typer.Option(help="ImageNet weights by torchvision's names; else random.")
    ] = None,
    backbone_of: Annotated[
        Path | None, typer.Option(help="Saved method whose backbone looks at the images instead.")
    ] = None,
    mirrored: Annotated[
        bool, typer.Option("--mirrored", help="Half of them of mirrored images, as published.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of random weights and of k-means.")] = 0,
) -> None:
    """Cluster the training studies label by label, for XProNet; give it as method.start_from."""
    import torch

    from gradtruce.cli.bar import Bars, Pace, quieten_transformers
    from gradtruce.data.prepared import PreparedDataset
    from gradtruce.training.prototypes import (
        build_prototypes,
        preset_config,
        prototype_backbone,
        write_prototypes,
    )

    require_new(output)
    quieten_transformers()
    opened, config = PreparedDataset.open(data), preset_config(preset)
    torch.manual_seed(seed)
    backbone = prototype_backbone(config, weights=backbone_weights, run=backbone_of)
    with Bars() as bars:
        rows = build_prototypes(
            opened,
            config,
            backbone,
            image_size=size,
            is_mirrored=mirrored,
            seed=seed,
            progress=Pace(bars, output.name).tell,
        )
    eyes = backbone_weights or backbone_of or f"random {config.backbone}"
    source = f"k-means by label over features of {eyes} and TF-IDF, mirrored: {mirrored}"
    write_prototypes(output, rows, opened, seed=seed, source=source)
    print(f"done: {output}: {config.prototypes} prototypes for each observation")


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


def _chexbert(weights: Path | None, bert: Path | None, device: str) -> "tuple[Embedding, str]":
    """Return what makes the vectors of CheXbert, and what it is."""
    from gradtruce.evaluation.labelers.chexbert import CheXbertLabeler
    from gradtruce.evaluation.labelers.weights import locate_chexbert

    labeler = CheXbertLabeler(locate_chexbert(weights, bert), device=device)
    return labeler.embed, f"[CLS] vectors of {labeler.identity}"
