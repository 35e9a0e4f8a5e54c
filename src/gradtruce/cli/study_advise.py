"""`gradtruce study advise`: measure the conflict of a run's tasks, propose CAME-Grad's options."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gradtruce.study.advice.adviser import Advice
    from gradtruce.study.advice.pilot import PairMeasures
    from gradtruce.training.config import RunConfig

UNKNOWN = (
    "the rule puts the paper's words into numbers; that its classes help is not shown by anyone, "
    "and here only if the trial 'adviser-trial' says so",
    "a pilot sees the first steps; conflict may change later, and differ with another seed",
    "the steps of one pilot resemble each other: its intervals are likely too narrow",
    "about half of all cosines are negative between unrelated tasks too; noise alone does that",
    "with Adam or AdamW and no clipping, gain changes next to nothing",
)
"""What advice does not know, whatever was measured."""


def advise(
    config: Annotated[
        str, typer.Option(help="A training preset (gradtruce list presets) or a TOML file.")
    ] = "demo",
    data: Annotated[
        Path | None, typer.Option(help="Prepared data set; as --set data.path=FOLDER.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Keep the pilot's log and settings in this new folder.")
    ] = None,
    steps: Annotated[int, typer.Option(min=20, help="Optimizer steps of the pilot.")] = 100,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated."),
    ] = None,
) -> None:
    """Train a short pilot by linear scalarization and say what its gradients suggest.

    Prints what was measured, the class of conflict, the radius, gain and fusion proposed for
    CAME-Grad, why, and what is not known. Only training studies are looked at.
    """
    import tempfile

    from gradtruce.cli.bar import Bars, quieten_transformers
    from gradtruce.study.advice.adviser import advise as propose
    from gradtruce.study.advice.pilot import measure, pilot_config, run_pilot
    from gradtruce.study.plans.task_weights import task_weights
    from gradtruce.training.config import RunConfig
    from gradtruce.training.config_file import load_config
    from gradtruce.training.progress import Progress

    overrides = list(settings or [])
    if data is not None:
        overrides.append(f"data.path='{data.absolute()}'")
    quieten_transformers()
    resolved: RunConfig = load_config(config, overrides)
    with tempfile.TemporaryDirectory() as scratch, Bars() as bars:

        def show(now: Progress) -> None:
            bars.show("pilot", now.share, now.seconds_left, now.phase)

        folder = Path(scratch) / "pilot" if output is None else output
        log = run_pilot(pilot_config(resolved, steps), folder, show)
        weights = task_weights(resolved.method) | resolved.balance.weights
        measures = measure(log, weights)
    print_advice(resolved, measures, propose(measures))


def print_advice(
    config: "RunConfig", measures: "tuple[PairMeasures, ...]", advice: "Advice"
) -> None:
    """Print numbers, class, proposal, reasons and what is not known."""
    print(f"measured on {config.method.name}, {config.data.path}")
    for each in measures:
        print(f"  report and {each.auxiliary}:")
        print(f"    negative cosines, one batch      {each.conflict_ratio:6.1%}")
        print(
            f"    negative cosines, null           {each.null_ratio:6.1%}   (one task, two halves)"
        )
        print(f"    excess over the null, two halves {each.excess}")
        print(f"    mean cosine, two halves          {each.cosine}")
        print(f"    norm ratio, weighted             {each.norm_ratio:6.3g}")
        print(f"    magnitude kept by the sum        {each.magnitude_kept:6.3f}")
    print(f"class: {advice.conflict}")
    for judgement in advice.judgements:
        print(f"  {judgement.auxiliary}: {judgement.conflict}; {judgement.reason}")
    options = ", ".join(f"{name} = {value:g}" for name, value in advice.options.items())
    print(f"proposed: --set 'balance={{ name = \"came_grad\", options = {{ {options} }} }}'")
    print("  the medians of the class's rows in Table D.1 of the paper")
    if advice.is_default:
        print("  these are CAME-Grad's defaults: the advice changes nothing")
    print("not known:")
    for text in UNKNOWN:
        print(f"  {text}")
