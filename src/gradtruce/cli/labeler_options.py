"""Options of the labelers, shared by `evaluate` and `label`."""

from pathlib import Path
from typing import Annotated

import typer

LabelerName = Annotated[
    str, typer.Option(help="Who reads the reports: rules, chexbert or file (made elsewhere).")
]
EmptyPolicyOption = Annotated[
    str, typer.Option(help="Labeler 'rules': an empty report is blank or normal.")
]
Compat = Annotated[
    bool, typer.Option("--compat", help="Labeler 'rules': keep the CheXpert labeler's quirks.")
]
Weights = Annotated[
    Path | None,
    typer.Option(
        "--chexbert", help="Labeler 'chexbert': its checkpoint, if not in its usual place."
    ),
]
Bert = Annotated[
    Path | None, typer.Option("--bert-base", help="Labeler 'chexbert': folder with vocab.txt.")
]
Device = Annotated[str, typer.Option(help="Labeler 'chexbert': where it runs, such as cuda.")]
Cache = Annotated[
    Path | None,
    typer.Option(help="Labeler 'chexbert': file that keeps labels by the hash of a text."),
]
