"""`gradtruce convert`: from a checkpoint of published code to a saved method of ours.

A further method is one more command here over one more loader in `methods.weights`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from gradtruce.methods.registry import Method

convert = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Turn a checkpoint of published code into a saved method of ours.",
)

Dataset = Literal["iu_xray", "mimic_cxr"]
Annotation = Annotated[Path, typer.Option(help="The annotation.json it was trained on.")]
Output = Annotated[Path, typer.Option(help="Folder to make; must not exist.")]
Reports = Annotated[Dataset, typer.Option(help="Whose reports these are.")]
MinFrequency = Annotated[
    int | None,
    typer.Option(min=1, help="--threshold of the training; 3 for iu_xray, 10 for mimic_cxr."),
]
Heads = Annotated[int, typer.Option(min=1, help="--num_heads of the training.")]
Size = Annotated[int, typer.Option(min=32, help="Height and width of the images.")]


@convert.callback()
def options() -> None:
    """Turn a checkpoint of published code into a saved method of ours."""


@convert.command()
def r2gen(
    checkpoint: Annotated[Path, typer.Argument(help="model_best.pth of R2Gen's code.")],
    annotation: Annotation,
    output: Output,
    dataset: Reports = "iu_xray",
    min_frequency: MinFrequency = None,
    heads: Heads = 8,
    size: Size = 224,
) -> None:
    """Convert R2Gen (Chen et al. 2020): same reports, our folder. Nothing in the file is run."""
    from gradtruce.methods.weights.r2gen_checkpoint import load_published_r2gen

    _prepare(output)
    model = load_published_r2gen(
        checkpoint, annotation, dataset=dataset, min_frequency=min_frequency, heads=heads
    )
    _save(model, output, size)
    print(
        f"done: {output}: R2Gen with {model.config.vocab_size} tokens; predict with --run {output}"
    )
    print("it has no findings head: a published R2Gen has none")


@convert.command()
def xpronet(
    checkpoint: Annotated[Path, typer.Argument(help="model_best.pth of XProNet's code.")],
    annotation: Annotation,
    output: Output,
    dataset: Reports = "iu_xray",
    min_frequency: MinFrequency = None,
    heads: Heads = 8,
    prototypes_read: Annotated[int, typer.Option(min=1, help="--topk of the training.")] = 15,
    size: Size = 224,
) -> None:
    """Convert XProNet (Wang et al. 2022): same reports, our folder. Nothing in the file is run."""
    from gradtruce.methods.weights.xpronet_checkpoint import load_published_xpronet

    _prepare(output)
    model = load_published_xpronet(
        checkpoint,
        annotation,
        dataset=dataset,
        min_frequency=min_frequency,
        heads=heads,
        prototypes_read=prototypes_read,
    )
    _save(model, output, size)
    print(f"done: {output}: XProNet with {model.config.vocab_size} tokens")
    print(
        "its prototypes are chosen by the labels of the reference report, so it reads labelled "
        "studies, not your own images; to have a findings head choose, train on with "
        f'method.start_from = ["{output}"] and method.options.selecting_labels = "predicted"'
    )


def _prepare(output: Path) -> None:
    from gradtruce.cli.bar import quieten_transformers

    if output.exists():
        raise FileExistsError(f"{output} exists; name a new folder or remove it")
    quieten_transformers()


def _save(model: "Method", output: Path, size: int) -> None:
    from gradtruce.data.transforms import ImageProcessor
    from gradtruce.manifest import write_folder

    write_folder(output, [model.save_pretrained, ImageProcessor(size=size).save])
