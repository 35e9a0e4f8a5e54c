"""`gradtruce evaluate`: scores of any prediction file, with their protocol."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gradtruce.evaluation.metrics import Metrics
    from gradtruce.evaluation.significance import Score

SHOWN = {
    "nlg": ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l"),
    "clinical": (
        "micro_13.f1",
        "macro_13.f1",
        "example_14.f1",
        "micro_13.precision",
        "micro_13.recall",
    ),
    "clinical_text": ("micro_13.f1", "macro_14.f1", "example_14.f1"),
    "labeler": ("micro_13.f1",),
    "classification": ("macro_auc", "micro_auc"),
}


def evaluate(
    predictions: Annotated[Path, typer.Argument(help="JSON Lines: id, reference, generated.")],
    output: Annotated[
        Path | None, typer.Option(help="Where the scores go; beside the predictions by default.")
    ] = None,
    labeler: Annotated[
        str, typer.Option(help="Who reads the reports; only 'rules' yet.")
    ] = "rules",
    resamples: Annotated[int, typer.Option(min=2, help="Bootstrap resamples.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
) -> None:
    """Score generated reports: BLEU, ROUGE-L, clinical efficacy, findings; with intervals.

    Works on any system's predictions. What cannot be computed says why.
    """
    from gradtruce.evaluation.evaluate import evaluate as score
    from gradtruce.evaluation.labelers.rules import RulesLabeler
    from gradtruce.evaluation.predictions import read_predictions

    if labeler != "rules":
        raise typer.BadParameter(f"no labeler is called '{labeler}'; known: rules")
    target = output if output is not None else predictions.with_name("metrics.json")
    studies = read_predictions(predictions)
    try:
        metrics = score(studies, RulesLabeler(), resamples=resamples, seed=seed)
    except ValueError as error:
        raise ValueError(f"{predictions}: {error}") from error
    metrics.write(target)
    print_metrics(metrics)
    print(f"all scores with their protocols: {target}")


def print_metrics(metrics: "Metrics") -> None:
    """Print the headline scores of every group, a line a score."""
    print_told(metrics)
    for name, group in metrics.groups.items():
        print(f"{name}: {group.protocol.compares}")
        if group.reason:
            print(f"  not available: {group.reason}")
        for key in SHOWN.get(name, ()):
            if key in group.scores:
                print(f"  {key:<20} {score_text(group.scores[key])}")


def print_told(metrics: "Metrics") -> None:
    """Print what reports were generated from besides the images, if they were."""
    for told in sorted({group.protocol.told for group in metrics.groups.values()} - {""}):
        print(f"reports were generated from the images and {told}")


def score_text(score: "Score") -> str:
    """Return a score as its value and interval, or why there is none."""
    if score.value is None:
        return f"not available: {score.reason}"
    if score.low is None or score.high is None:
        return f"{score.value:.3f}"
    return f"{score.value:.3f}  [{score.low:.3f}, {score.high:.3f}]"
