"""`gradtruce prepare`: from a source to a prepared data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, final

import typer

from gradtruce.cli.preparing import run_prepare

if TYPE_CHECKING:
    from typer import Context

    from gradtruce.data.sources.base import Source
    from gradtruce.data.sources.patient_split import PatientSplit
else:
    Context = typer.Context.__mro__[1]  # what typer really passes

prepare = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make a prepared data set: Arrow shards with views, reports and labels.",
)

Level = Literal["easy", "standard", "hard"]
OnError = Literal["stop", "skip"]
Target = Literal["findings", "impression", "findings+impression", "last_paragraph", "labeler_text"]

Folder = Annotated[
    Path, typer.Argument(help="The set to make; the same command resumes an interrupted run.")
]
Size = Annotated[int, typer.Option(min=32, help="Short side of the views in pixels.")]
Jpeg = Annotated[
    int | None, typer.Option(min=1, max=100, help="Keep views as JPEG of this quality.")
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes; all cores by default. They change nothing.")
]
OnErrorOption = Annotated[
    OnError, typer.Option(help="On a damaged study: stop, or skip and list it in problems.csv.")
]
Pictures = Annotated[bool, typer.Option(help="Example images in card.html.")]
TargetOption = Annotated[Target, typer.Option(help="The section that is the report.")]
Labels = Annotated[
    Path | None, typer.Option(help="Labels of the 14 observations by id, such as a CSV.")
]
LabelOrder = Annotated[
    str | None, typer.Option(help="Order of labels in a JSON file: chexbert or chexpert …")
]
Shares = Annotated[
    str | None,
    typer.Option("--split-shares", help="Train, val, test by patient, such as 0.7,0.1,0.2."),
]
Seed = Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")]
SplitSeed = Annotated[int, typer.Option(min=0, help="Of the split by patient.")]

_NOT_ANNOTATED: Final = (
    "reports", "split", "labels", "target", "views", "unit", "image_format",
)  # fmt: skip


@final
@dataclass(frozen=True)
class _How:
    """What all sources of files have in common."""

    size: int
    jpeg: int | None
    workers: int | None
    on_error: OnError
    pictures: bool


@prepare.command(short_help="Draw synthetic studies; nothing to download.")
def phantom(
    folder: Folder,
    studies: Annotated[int, typer.Option(min=1, help="How many, over all splits.")] = 2000,
    level: Annotated[Level, typer.Option(help="How hard the studies are to read.")] = "standard",
    size: Annotated[int, typer.Option(help="Height and width of the views in pixels.")] = 128,
    seed: Seed = 0,
    follow_ups: Annotated[
        str,
        typer.Option(metavar="SHARES", help="Of patients with no, one, two … later studies."),
    ] = "0.80,0.16,0.04",
    workers: Annotated[
        int, typer.Option(min=1, help="Processes; their number changes nothing in the set.")
    ] = 2,
) -> None:
    """Draw synthetic chest radiograph studies of which everything is known."""
    from gradtruce.data.phantom.follow_ups import read_follow_ups
    from gradtruce.data.phantom.prepare import prepare_phantom

    try:
        shares = read_follow_ups(follow_ups)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--follow-ups") from None
    run_prepare(
        folder,
        lambda progress: prepare_phantom(
            folder,
            level=level,
            studies=studies,
            size=size,
            seed=seed,
            follow_ups=shares,
            workers=workers,
            progress=progress,
            say=print,
        ),
    )


@prepare.command(name="iu_xray", short_help="Read a download of IU X-Ray (Open-i).")
def iu_xray(
    context: Context,
    folder: Folder,
    images: Annotated[
        str, typer.Option(help="Folder with the images you have; 'phantom' draws them.")
    ],
    annotation: Annotated[
        Path | None, typer.Option(help="annotation.json as R2Gen has it.")
    ] = None,
    reports: Annotated[
        Path | None, typer.Option(help="Open-i's folder of XML reports, or indiana_reports.csv.")
    ] = None,
    projections: Annotated[
        Path | None, typer.Option(help="indiana_projections.csv: which image is frontal.")
    ] = None,
    labels: Labels = None,
    label_order: LabelOrder = None,
    target: TargetOption = "findings",
    split_shares: Shares = None,
    seed: Seed = 0,
    level: Annotated[Level, typer.Option(help="Of drawn images: how hard to read.")] = "standard",
    size: Size = 256,
    jpeg: Jpeg = None,
    workers: Workers = None,
    on_error: OnErrorOption = "stop",
    pictures: Pictures = True,
) -> None:
    """Read IU X-Ray from R2Gen's annotation, Open-i's XML or Kaggle's tables.

    Studies whose images are missing are counted and listed in problems.csv. With --images phantom
    every report gets synthetic images that show what it says.
    """
    from gradtruce.data.sources.iu_xray import IUXRay
    from gradtruce.data.sources.iu_xray_phantom import IUXRayPhantom

    drawn = images == "phantom"
    if annotation is not None:
        fixed = ("split_shares",) if drawn else ("split_shares", "seed")
        _refuse(context, fixed, "beside --annotation, whose splits are taken")
    _refuse(
        context,
        ("projections",) if drawn else ("level",),
        "where images are drawn" if drawn else "without --images phantom",
    )
    split = _split(split_shares, seed)
    source: Source
    if drawn:
        source = IUXRayPhantom(
            annotation=annotation,
            reports=reports,
            labels=labels,
            label_order=label_order,
            target=target,
            split=split,
            level=level,
            seed=seed,
        )
    else:
        source = IUXRay(
            images,
            annotation=annotation,
            reports=reports,
            projections=projections,
            labels=labels,
            label_order=label_order,
            target=target,
            split=split,
        )
    _prepare(source, folder, _How(size, jpeg, workers, on_error, pictures))


@prepare.command(name="mimic_cxr", short_help="Read your own copy of MIMIC-CXR.")
def mimic_cxr(
    context: Context,
    folder: Folder,
    images: Annotated[Path, typer.Option(help="Your folder with files/p10 …, JPG or DICOM.")],
    reports: Annotated[
        Path | None, typer.Option(help="Folder of report files, or mimic-cxr-reports.zip.")
    ] = None,
    metadata: Annotated[
        Path | None, typer.Option(help="…-metadata.csv.gz; beside the images by default.")
    ] = None,
    split: Annotated[
        Path | None, typer.Option(help="…-split.csv.gz; beside the images by default.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="chexpert, negbio, or a file of labels by study_id.")
    ] = None,
    annotation: Annotated[
        Path | None, typer.Option(help="Annotation file of R2Gen or PromptMRG, in their place.")
    ] = None,
    target: TargetOption = "findings",
    views: Annotated[Literal["all", "frontal"], typer.Option(help="Which views are kept.")] = "all",
    unit: Annotated[
        Literal["study", "image"], typer.Option(help="A record a study, or an image as R2Gen.")
    ] = "study",
    image_format: Annotated[
        Literal["jpg", "dcm", "png"] | None, typer.Option(help="By a look into the tree.")
    ] = None,
    size: Size = 256,
    jpeg: Jpeg = None,
    workers: Workers = None,
    on_error: OnErrorOption = "stop",
    pictures: Pictures = False,
) -> None:
    """Read your own credentialed copy of MIMIC-CXR; nothing of it may be passed on."""
    from gradtruce.data.sources.mimic_cxr import MimicCxr
    from gradtruce.data.sources.mimic_cxr_annotation import MimicCxrAnnotation

    source: Source
    if annotation is not None:
        _refuse(context, _NOT_ANNOTATED, "beside --annotation, which has it")
        source = MimicCxrAnnotation(annotation, images, metadata=metadata)
    elif reports is None:
        raise typer.BadParameter("--reports is needed, or --annotation")
    else:
        source = MimicCxr(
            images,
            reports,
            metadata=metadata,
            split=split,
            labels=labels,
            target=target,
            views=views,
            unit=unit,
            image_format=image_format,
        )
    _prepare(source, folder, _How(size, jpeg, workers, on_error, pictures))


@prepare.command(name="folder", short_help="Read your own images and reports.")
def own_folder(
    folder: Folder,
    studies: Annotated[
        Path, typer.Argument(help="CSV with id, image and report; or a folder of images and .txt.")
    ],
    root: Annotated[Path | None, typer.Option(help="Folder that paths in the CSV are in.")] = None,
    labels: Labels = None,
    label_order: LabelOrder = None,
    target: TargetOption = "findings",
    split_shares: Shares = None,
    seed: SplitSeed = 0,
    name: Annotated[str, typer.Option(help="What the set is called.")] = "folder",
    licence: Annotated[str, typer.Option(help="What may be done with it, in words.")] = "",
    size: Size = 256,
    jpeg: Jpeg = None,
    workers: Workers = None,
    on_error: OnErrorOption = "stop",
    pictures: Pictures = True,
) -> None:
    """Read your own images and reports: PNG, JPEG or DICOM."""
    from gradtruce.data.sources.folder import Folder as FolderSource

    source = FolderSource(
        studies,
        root=root,
        labels=labels,
        label_order=label_order,
        target=target,
        split=_split(split_shares, seed),
        name=name,
        licence=licence,
    )
    _prepare(source, folder, _How(size, jpeg, workers, on_error, pictures))


def _prepare(source: "Source", folder: Path, how: _How) -> None:
    from gradtruce.data.preparing.pipeline import prepare as prepare_set
    from gradtruce.data.sources.base import Settings

    run_prepare(
        folder,
        lambda progress: prepare_set(
            source,
            folder,
            settings=Settings(short_side=how.size, jpeg=how.jpeg),
            workers=how.workers,
            on_error=how.on_error,
            pictures=how.pictures,
            progress=progress,
            say=print,
        ),
    )


def _split(shares: str | None, seed: int) -> "PatientSplit | None":
    """Return the split that shares ask for; none where the source is to decide."""
    from gradtruce.data.sources.patient_split import PatientSplit

    if shares is None:
        return PatientSplit(seed=seed) if seed else None
    try:
        train, val, test = (float(share) for share in shares.split(","))
        return PatientSplit((train, val, test), seed)
    except ValueError:
        raise typer.BadParameter(
            "--split-shares must be three numbers above 0 that add up to 1, such as 0.7,0.1,0.2, "
            f"got '{shares}'"
        ) from None


def _refuse(context: Context, names: Sequence[str], where: str) -> None:
    """Refuse options that would be ignored."""
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = name.replace("_", "-")
            raise typer.BadParameter(f"--{option} has no meaning {where}; leave it out")
