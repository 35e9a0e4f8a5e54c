"""`gradtruce convert`: from a checkpoint of published code to a folder that `predict` takes.

A further method is one more command here over one more loader in `methods.weights`.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

convert = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Turn a checkpoint of published code into a saved method of ours.",
)

Dataset = Literal["iu_xray", "mimic_cxr"]


@convert.callback()
def options() -> None:
    """Turn a checkpoint of published code into a saved method of ours."""


@convert.command()
def r2gen(
    checkpoint: Annotated[Path, typer.Argument(help="model_best.pth of R2Gen's code.")],
    annotation: Annotated[Path, typer.Option(help="The annotation.json it was trained on.")],
    output: Annotated[Path, typer.Option(help="Folder to make; must not exist.")],
    dataset: Annotated[Dataset, typer.Option(help="Whose reports these are.")] = "iu_xray",
    min_frequency: Annotated[
        int | None,
        typer.Option(min=1, help="--threshold of the training; 3 for iu_xray, 10 for mimic_cxr."),
    ] = None,
    heads: Annotated[int, typer.Option(min=1, help="--num_heads of the training.")] = 8,
    size: Annotated[int, typer.Option(min=32, help="Height and width of the images.")] = 224,
) -> None:
    """Convert R2Gen (Chen et al. 2020): same reports, our folder. Nothing in the file is run."""
    from gradtruce.cli.bar import quieten_transformers
    from gradtruce.data.transforms import ImageProcessor
    from gradtruce.methods.weights.r2gen_checkpoint import load_published_r2gen
    from gradtruce.training.checkpoint import save_checkpoint

    if output.exists():
        raise FileExistsError(f"{output} exists; name a new folder or remove it")
    quieten_transformers()
    model = load_published_r2gen(
        checkpoint, annotation, dataset=dataset, min_frequency=min_frequency, heads=heads
    )
    save_checkpoint(output, [model.save_pretrained, ImageProcessor(size=size).save])
    words = len(model.require_tokenizer())
    print(f"done: {output}: R2Gen with {words} tokens; predict with --run {output}")
    print("its findings head is not trained: a published R2Gen has none")
