"""The measured difficulty of a phantom as Markdown."""

from collections.abc import Mapping
from typing import Any, Final

from gradtruce.evaluation.baselines import TITLES
from gradtruce.evaluation.headline import SELECTION

HEADLINE: Final = SELECTION
AUC: Final = "classification.macro_auc"


def difficulty_table(measured: Mapping[str, Any]) -> str:
    """Return a measurement as Markdown: one table of totals, one of findings."""
    f1, auc = measured[HEADLINE], measured[AUC]
    splits = measured["data"]["splits"]
    masks = measured["true_masks"]
    rows = {
        "micro F1 over 13 findings, against truth": _mean_and_deviation(f1),
        f"smallest difference that {measured['seeds']} seeds an arm can show (power .8)": (
            f"{f1['smallest_detectable_difference']:.3f}"
        ),
        "macro AUC of the findings head": _mean_and_deviation(auc),
        "findings with F1 above 0, by seed": ", ".join(map(str, measured["findings_above_zero"])),
        "BLEU-4": _mean_and_deviation(measured["bleu_4"]),
        **{
            f"baseline: {TITLES[name][0].lower()}{TITLES[name][1:]}": f"{value:.3f}"
            for name, value in measured["baselines"].items()
        },
        "truth written as text, read back": f"{measured['truth_written_as_text']:.3f}",
        "a classifier given the true masks": f"{masks['micro_13.f1']:.3f}",
    }
    heading = (
        f"Linear scalarization alone, {measured['seeds']} seeds, {splits['train']:,} / "
        f"{splits['val']:,} / {splits['test']:,} studies, {measured['data']['image_size']} px, "
        f"{measured['data']['views']} views.\n"
    )
    findings = {name: f"{value:.3f}" for name, value in measured["f1_by_finding"].items()}
    return "\n".join([heading, _table("measure", rows), _table("finding, mean F1", findings)])


def _mean_and_deviation(spread: Mapping[str, float]) -> str:
    return f"{spread['mean']:.3f} ± {spread['standard_deviation']:.3f}"


def _table(heading: str, rows: Mapping[str, str]) -> str:
    lines = [f"| {heading} | value |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in rows.items())]) + "\n"
