"""How the runs of a cell were trained and scored, in the lines that stand below every table."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gradtruce.evaluation.headline import SELECTION
from gradtruce.study.results.finished import FinishedRun
from gradtruce.study.results.outline import Outline

_HASH: Final = re.compile(r"sha256 ([0-9a-f]{12})[0-9a-f]+")


def run_config(run: FinishedRun) -> Mapping[str, Any]:
    """Return the resolved configuration of a run; empty where its folder has none."""
    path = run.folder / "config.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def training_settings(config: Mapping[str, Any]) -> dict[str, str]:
    """Return how a run was trained, in words by name.

    >>> training_settings({"training": {"steps": 400, "clip": {"kind": "norm", "limit": 5.0}}})
    {'steps': '400', 'clip': 'norm 5.0'}
    """
    training = config.get("training", {})
    found = {}
    for name in ("steps", "epochs", "batch_size", "optimizer", "precision", "select"):
        if name in training and not (name == "epochs" and "steps" in training):
            found[name] = str(training[name])
    if "clip" in training:
        clip = training["clip"]
        limit = "" if clip.get("kind") == "none" else f" {clip.get('limit', '')}"
        found["clip"] = f"{clip.get('kind', '')}{limit}".strip()
    if "decoding" in training:
        found["beams"] = str(training["decoding"].get("beams", ""))
    return found


def protocol_lines(
    outline: Outline, runs: Sequence[FinishedRun], settings: Mapping[str, str], machine: str
) -> tuple[str, ...]:
    """Return the lines of one cell; none where nothing is finished.

    Args:
        outline: The plan.
        runs: Finished ones of the cell.
        settings: How they were trained.
        machine: What the tables were computed on.
    """
    if not runs:
        return ()
    groups = runs[0].protocols
    steps = sorted({run.facts.steps or 0 for run in runs})
    trained = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings.items())
    lines = [
        f"Training, the same for all arms: {trained or 'settings not kept'}; steps made"
        f" {' to '.join(str(step) for step in dict.fromkeys((steps[0], steps[-1])))}; seeds"
        f" {', '.join(str(seed) for seed in outline.seeds)}; checkpoint by"
        f" {outline.selection or SELECTION} on the validation set.",
    ]
    clinical, words = groups.get("clinical", {}), groups.get("nlg", {})
    if clinical:
        lines.append(
            f"Clinical scores, {clinical.get('reports')} test studies: reference labels from"
            f" {_short(clinical.get('reference_labels'))}; scored are those of"
            f" {_short(clinical.get('scored_labels'))}; uncertain counts as negative; P, R and F1"
            " are means over reports of 14 observations (the paper's), Pooled F1 pools counts over"
            " 13 findings (an all-normal writer scores 0); CE Avg. is the mean of P, R and F1."
        )
    if words:
        lines.append(
            f"Word overlap: references {_short(words.get('references'))}; tokens by"
            f" {_short(words.get('tokens'))}; BLEU from counts summed over reports."
        )
    lines.append(f"Tables computed on {machine}.")
    return tuple(lines)


def _short(value: object) -> str:
    return _HASH.sub(r"sha256 \1…", str(value or "not named"))
