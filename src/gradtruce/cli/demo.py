"""`gradtruce demo`: phantom data, two trainings from one seed, one comparison."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradtruce.evaluation.headline import SELECTION

if TYPE_CHECKING:
    from gradtruce.cli.bar import Bars
    from gradtruce.study.plans.plan import StudyPlan
    from gradtruce.training.progress import Progress


def demo(
    output: Annotated[Path, typer.Option(help="Where everything goes; must not exist.")] = Path(
        "runs/demo"
    ),
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the study 'demo'."),
    ] = None,
) -> None:
    """Compare linear scalarization and CAME-Grad on synthetic studies, in minutes.

    Makes the phantom data set, trains a small R2Gen twice from the same seed, generates and scores
    the test reports, and writes report.html and summary.json.
    """
    import shutil

    from gradtruce.cli.bar import Bars, quieten_transformers
    from gradtruce.study.plans.plan import load_plan
    from gradtruce.viewer.report import build

    if output.exists():
        raise FileExistsError(
            f"{output} exists; remove it (rm -r {output}) or choose another with --output"
        )
    plan = load_plan("demo", settings or [])
    quieten_transformers()
    try:
        with Bars() as bars:
            _train(plan, output.absolute(), bars)
    except BaseException:  # an interrupt must not leave a half either
        shutil.rmtree(output, ignore_errors=True)
        raise
    build(output)
    summary = json.loads((output / "summary.json").read_text(encoding="utf-8"))
    _print_summary(summary)
    print(f"done: open {output / 'report.html'} (numbers: {output / 'summary.json'})")


def _train(plan: "StudyPlan", output: Path, bars: "Bars") -> None:
    from gradtruce.cli.bar import Pace
    from gradtruce.data.phantom.prepare import prepare_phantom
    from gradtruce.study.comparison import compare

    for name, data in plan.data.items():
        if data.phantom is None:
            raise ValueError(f"the demo compares on a phantom; data.{name}.phantom is not set")
        prepare_phantom(
            plan.data_path(name, output),
            **data.phantom.model_dump(),
            workers=2,
            progress=Pace(bars, "phantom").tell,
        )

    def watch(runs: Mapping[str, "Progress"]) -> None:
        for name, now in runs.items():
            bars.show(name, now.share, now.seconds_left, now.phase)

    compare(plan, output, watch=watch)


def _print_summary(summary: dict[str, Any]) -> None:
    print(f"\n{SELECTION} against the truth of the phantom, 95 % interval over test studies")
    for arm in [*summary["arms"].values(), *summary["baselines"].values()]:
        print(f"  {arm['label']:<30} {_interval(arm['scores'][SELECTION])}")
    print(f"  {'difference':<30} {_interval(summary['differences'][SELECTION])}")
    print(summary["caveats"][0])


def _interval(score: dict[str, Any]) -> str:
    return f"{score['value']:.3f}  [{score['low']:.3f}, {score['high']:.3f}]"
