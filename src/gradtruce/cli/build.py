"""`gradtruce build`: what some methods need besides a prepared data set, made from that set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gradtruce.cli.labeler_options import Bert, Device, Weights

if TYPE_CHECKING:
    from gradtruce.data.report_clusters import Embedding

Features = Literal["text", "chexbert"]
Space = Literal["tfidf", "contrastive"]

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


@build.command()
def retrieval(
    data: PreparedSet,
    output: Output,
    features: Annotated[
        Space | None,
        typer.Option(help="TF-IDF and regression to it (default), or a small model trained here."),
    ] = None,
    width: Annotated[
        int | None, typer.Option(min=1, help="Numbers of a report, as the method takes them: 512.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Method preset whose backbone looks: r2gen-tiny.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=32, help="Height and width of the images: 224.")
    ] = None,
    backbone_weights: Annotated[
        Path | None, typer.Option(help="ImageNet weights by torchvision's names; else random.")
    ] = None,
    backbone_of: Annotated[
        Path | None, typer.Option(help="Saved method whose backbone looks at the images instead.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of the contrastive model: 10.")] = None,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Parts of the training set: 5, contrastive 4.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of all that is drawn: 0.")] = None,
    text_features: Annotated[
        Path | None, typer.Option(help="Your features of the training reports, instead.")
    ] = None,
    image_features: Annotated[
        Path | None, typer.Option(help="Your features of the images of all studies.")
    ] = None,
) -> None:
    """Make a bank of the training reports, for PromptMRG; give the file as data.retrieval."""
    from gradtruce.cli.bar import Bars, Pace, quieten_transformers
    from gradtruce.data.prepared import PreparedDataset
    from gradtruce.training.retrieval.build import Choices, build_bank, build_supplied
    from gradtruce.training.retrieval.made import split_shares

    require_new(output)
    quieten_transformers()
    opened = PreparedDataset.open(data)
    given = {
        "features": features,
        "width": width,
        "preset": preset,
        "size": size,
        "backbone_weights": backbone_weights,
        "backbone_of": backbone_of,
        "epochs": epochs,
        "folds": folds,
        "seed": seed,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    if text_features is not None or image_features is not None:
        if text_features is None or image_features is None or chosen:
            raise ValueError(
                "--text-features and --image-features go together, and without the options that "
                "say how to compute features"
            )
        made = build_supplied(opened, text_features, image_features)
    else:
        with Bars() as bars:
            choices = Choices(**chosen)  # type: ignore[arg-type]  # options by their names
            made = build_bank(opened, choices, Pace(bars, output.name).tell)
    made.write(output)
    for split in ("train", "val"):
        for count, share in split_shares(made, opened, split).items():
            print(
                f"{split}: of {count} retrieved reports {share['retrieved']:.1%} have a finding of "
                f"the study, {share['random']:.1%} by chance"
            )
    print(f"done: {output}: {len(made.bank):,} training reports, {made.bank.width} numbers each")


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
