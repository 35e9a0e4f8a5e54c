"""Scores of a run on its validation studies."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.evaluate import evaluate
from gradtruce.evaluation.families.standard import standard_families
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.predictions import Prediction
from gradtruce.methods.base import Decoding, TaskSpec, Validation
from gradtruce.methods.registry import Method
from gradtruce.naming import suggestion
from gradtruce.training.config import RunConfig
from gradtruce.training.data_parts import DataParts
from gradtruce.training.prediction import known_labels, mean_losses, predict
from gradtruce.training.select import LOSSES, selected_terms, selected_value
from gradtruce.training.world import ALONE, World

_FINE = ("per_class", "uncertain_positive", "both_empty", "auc.")


def validate(
    method: Method,
    data: DataParts,
    config: RunConfig,
    labeler: Labeler,
    world: World = ALONE,
) -> Validation:
    """Return the scores of generated validation reports and the losses, and the findings.

    Reports are generated, not teacher-forced. Scores of single observations are left out of the
    log, unless `training.select` asks for one. A sum that it asks for is there by its own name.

    Args:
        method: Whole.
        data: The validation studies.
        config: Decoding, precision and selection.
        labeler: Reads the reports.
        world: The processes that share the work; all get the same, scored by the first.
    """
    training = config.training
    decoding = decoding_of(config, beams=training.validation.beams)
    source = data.dataset.manifest.label_source
    precision = training.precision
    predictions = predict(
        method, data.val, decoding, label_source=source, precision=precision, world=world
    )
    losses = mean_losses(method, data.val, precision, world)
    scores = world.by_first(lambda: _scores(predictions, losses, training.select, labeler))
    return Validation(scores, *_findings_and_labels(predictions))


def _scores(
    predictions: Sequence[Prediction], losses: Mapping[str, float], select: str, labeler: Labeler
) -> dict[str, float | None]:
    """Return what the log keeps of the scores, and what the best checkpoint is chosen by."""
    metrics = evaluate(predictions, standard_families(labeler), resamples=0)
    every = {name: score.value for name, score in metrics.flat().items()}
    every |= {LOSSES + task: loss for task, loss in losses.items()}
    selected = selected_terms(select)
    scores = {
        name: value
        for name, value in every.items()
        if name in selected or not any(part in name for part in _FINE)
    }
    scores[select] = selected_value(select, scores)
    return scores


def _findings_and_labels(predictions: Sequence[Prediction]) -> tuple[Tensor | None, Tensor]:
    """Return predicted probabilities, where there are any, and known labels, study by study."""
    known = [each.labels or {} for each in predictions]
    labels = [[float(row.get(name, math.nan)) for name in OBSERVATIONS] for row in known]
    found = [each.findings for each in predictions]
    if any(row is None for row in found):
        return None, torch.tensor(labels)
    rows = [[row[name] for name in OBSERVATIONS] for row in found if row is not None]
    return torch.tensor(rows), torch.tensor(labels)


def decoding_of(config: RunConfig, *, beams: int | None = None) -> Decoding:
    """Return how a run generates reports.

    >>> config = RunConfig(data={"path": "x", "max_tokens": 40})
    >>> decoding_of(config, beams=1)
    Decoding(beams=1, length_penalty=0.0, max_tokens=40, search='transformers', min_tokens=0)
    """
    decoding = config.training.decoding
    return Decoding(
        beams=decoding.beams if beams is None else beams,
        length_penalty=decoding.length_penalty,
        max_tokens=decoding.max_tokens or config.data.max_tokens,
        search=decoding.search,
        min_tokens=decoding.min_tokens,
    )


def require_score(name: str, data: DataParts, labeler: Labeler, tasks: Sequence[TaskSpec]) -> None:
    """Refuse a score to select by that validation will not have, before anything is trained.

    Args:
        name: Flat name of the score, or a sum of scores.
        data: The validation studies, scored here as if their references had been generated.
        labeler: Reads them.
        tasks: Whose losses can be selected by.

    Raises:
        ValueError: If there is no such score, or it can't be computed on these studies.
    """
    terms = selected_terms(name)
    val = data.val
    perfect = [
        Prediction(
            id=val.split.ids[place],
            reference=text,
            generated=text,
            findings=dict.fromkeys(OBSERVATIONS, 0.5),
            labels=known_labels(torch.from_numpy(val.split.labels[place])) or None,
            label_source=data.dataset.manifest.label_source,
        )
        for place, text in enumerate(val.references)
    ]
    metrics = evaluate(perfect, standard_families(labeler), resamples=0)
    known = [*metrics.flat(), *(LOSSES + task.name for task in tasks)]
    for term in terms:
        group = metrics.groups.get(term.partition(".")[0])
        if group is not None and group.reason:
            raise ValueError(f"training.select: {term!r} can't be computed: {group.reason}")
        if term not in known:
            raise ValueError(
                f"training.select: no score is called {term!r}{suggestion(term, known)}"
            )
