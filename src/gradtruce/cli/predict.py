"""`gradtruce predict`: report, findings and overlays for one's own images."""

from pathlib import Path
from typing import Annotated

import typer


def predict(
    images: Annotated[
        list[Path], typer.Argument(help="PNG or JPEG files: the views of one study.")
    ],
    run: Annotated[Path, typer.Option(help="Run folder of a trained method, or a checkpoint.")],
    output: Annotated[Path, typer.Option(help="Folder to make for the results.")],
    each: Annotated[bool, typer.Option("--each", help="Each image is a study of its own.")] = False,
    prior: Annotated[
        list[Path] | None,
        typer.Option(help="A view of the patient's previous study, for DDaTR; may be repeated."),
    ] = None,
    prior_report: Annotated[
        Path | None, typer.Option(help="Text file: the report of that previous study.")
    ] = None,
) -> None:
    """Write a report for your own images, with findings and where each sentence looks.

    Research software, not a medical device: the text must not be used for anyone's care.
    """
    from gradtruce.cli.bar import quieten_transformers
    from gradtruce.viewer.report.read_images import read_images

    quieten_transformers()
    predictions = read_images(
        run,
        images,
        output,
        each=each,
        prior=prior or (),
        prior_report=prior_report,
        tell=print,
    )
    for prediction in predictions:
        print(f"{prediction.id}: {prediction.generated or '(nothing)'}")
        found = sorted((prediction.findings or {}).items(), key=lambda item: -item[1])
        if found:
            print("  " + ", ".join(f"{name} {share:.2f}" for name, share in found[:5]))
    print(f"done: open {output / 'index.html'}; research software, not a medical device")
