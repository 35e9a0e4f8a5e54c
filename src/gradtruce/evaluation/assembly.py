"""One evaluation from files to numbers: what `gradtruce evaluate` does between words and print."""

import difflib
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, final

import numpy as np

from gradtruce.data.label_file import LabelFile
from gradtruce.evaluation.baselines import baseline_predictions
from gradtruce.evaluation.comparison import Comparison, compare_all, require_same_studies
from gradtruce.evaluation.evaluate import check, evaluate, plan, score
from gradtruce.evaluation.families.clinical import Clinical
from gradtruce.evaluation.families.degenerate import DegenerateOutput, alarms
from gradtruce.evaluation.families.error_card import ErrorCard
from gradtruce.evaluation.families.graph_overlap import GraphOverlap
from gradtruce.evaluation.families.lexical import Lexical
from gradtruce.evaluation.families.standard import final_families
from gradtruce.evaluation.family import Family, Plan
from gradtruce.evaluation.formats.layouts import read_any
from gradtruce.evaluation.graphs.files import read_annotations
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.evaluation.metrics import Metrics
from gradtruce.evaluation.nlg.meteor import Meteor
from gradtruce.evaluation.predictions import Prediction
from gradtruce.evaluation.request import Request, described
from gradtruce.evaluation.significance import Score
from gradtruce.evaluation.training_texts import TrainingTexts, read_training_texts

_BY_LABELS: Final = ("clinical", "clinical_text", "labeler", "classification", "chexbert_vectors")
"""Families that a labeler reads for, or CheXbert."""


@final
@dataclass(frozen=True, eq=False)
class Answer:
    """What came of a request.

    Attributes:
        predictions: As they were read.
        metrics: All scores, with baselines and alarms.
        plans: What is known of each report, by family.
        comparisons: With each other system.
    """

    predictions: Sequence[Prediction]
    metrics: Metrics
    plans: Mapping[str, Plan]
    comparisons: Sequence[Comparison]


def answer(request: Request) -> Answer:
    """Read what is asked for and return its scores; what can be refused is refused first.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If a file is damaged, files don't fit each other, a name is unknown, or a
            setting would not be used.
    """
    request.require_fitting()
    predictions = read_system(request, request.predictions)
    others = {
        name: read_system(request, path)
        for path, name in zip(request.against, _names(request), strict=True)
    }
    labeler = request.labeler.make([predictions, *others.values()])
    training = _training(request)
    families = _families(request, predictions, labeler, training)
    if others:
        require_same_studies(predictions, others)
        _require_scores(request.scores, families, predictions)
    written = _written(request, predictions, training, labeler)
    plans = _recorded(request, plan(predictions, families), training, labeler)
    metrics = score(plans, len(predictions), resamples=request.resamples, seed=request.seed)
    metrics = replace(
        metrics,
        baselines=_baselines(request, written, training, labeler),
        alarms=tuple(alarms(plans[DegenerateOutput.name])),
        inputs={name: ", ".join(map(described, each)) for name, each in request.files().items()},
    )
    comparisons = compare_all(
        predictions,
        others,
        _compared(request, families),
        request.scores,
        resamples=request.resamples,
        seed=request.seed,
    )
    return Answer(predictions, metrics, plans, comparisons)


def read_system(request: Request, path: Path) -> list[Prediction]:
    """Return the predictions of a file, with the references and labels that were asked for.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If files don't fit each other.
    """
    predictions = read_any(path, request.layout, request.references)
    try:
        check(predictions)
    except ValueError as error:
        raise ValueError(f"{request.references or path}: {error}") from error
    if request.labels is None:
        return predictions
    truth = LabelFile.read(request.labels)
    lacking = [each.id for each in predictions if each.id not in truth.states]
    if lacking:
        raise ValueError(
            f"{request.labels}: has no labels of {len(lacking)} of {len(predictions)} studies,"
            f" {lacking[0]!r} for one; every study needs a row"
        )
    return [
        replace(each, labels=truth.states[each.id], label_source=truth.source)
        for each in predictions
    ]


def per_report(answer: Answer) -> str:
    """Return what is known of each report as JSON Lines: its id, and values by family."""
    lines = []
    for place, prediction in enumerate(answer.predictions):
        values = {
            name: {key: rows[place] for key, rows in each.per_report.items()}
            for name, each in answer.plans.items()
            if each.per_report
        }
        fields = {"schema": 1, "id": prediction.id} | values
        lines.append(json.dumps(fields, ensure_ascii=False, allow_nan=False) + "\n")
    return "".join(lines)


def _names(request: Request) -> list[str]:
    """Return what the other systems are called: their files, or where these stand, too."""
    every = [request.predictions, *request.against]
    short = [path.name for path in every]
    names = short if len(set(short)) == len(short) else [path.as_posix() for path in every]
    if len(set(names)) < len(names):
        raise ValueError("a file of predictions is given twice; compare different systems")
    return names[1:]


def _recorded(
    request: Request,
    plans: Mapping[str, Plan],
    training: TrainingTexts | None,
    labeler: Labeler,
) -> dict[str, Plan]:
    """Return the plans with what their families can't know in their protocols."""
    settings, versions = {}, {}
    if request.references is not None:
        settings["references_from"] = described(request.references)
    if request.labeler.name == "chexbert" or request.vectors:
        versions = {name: importlib.metadata.version(name) for name in ("torch", "transformers")}
    found = {}
    for name, each in plans.items():
        card = replace(each.protocol, settings={**each.protocol.settings, **settings})
        if name == DegenerateOutput.name and training is not None:
            own = f"labelled by {_normal_by(request, labeler).identity}"
            source = own if training.labels is None else "by the labels of the data set"
            card = replace(card, settings={**card.settings, "normal_training_report": source})
        if name in _BY_LABELS:
            card = replace(card, versions={**card.versions, **versions})
        found[name] = replace(each, protocol=card)
    return found


def _training(request: Request) -> TrainingTexts | None:
    if request.training is None:
        return None
    return read_training_texts(request.training, request.cleaning)


def _families(
    request: Request,
    predictions: Sequence[Prediction],
    labeler: Labeler,
    training: TrainingTexts | None,
) -> list[Family]:
    lexical = Lexical(request.handling, Meteor() if request.meteor else None)
    others = [each for each in final_families(labeler, training) if each.name != Lexical.name]
    return [lexical, *others, *_graphs(request, predictions), *_vectors(request)]


def _graphs(request: Request, predictions: Sequence[Prediction]) -> list[Family]:
    if request.graphs is None or request.reference_graphs is None:
        return []
    generated, reference = (
        read_annotations(path, predictions) for path in (request.graphs, request.reference_graphs)
    )
    return [GraphOverlap([generated], reference, model=request.graph_model)]


def _vectors(request: Request) -> list[Family]:
    if not request.vectors:
        return []
    from gradtruce.evaluation.families.vectors import CheXbertVectors
    from gradtruce.evaluation.labelers.chexbert import CheXbertLabeler
    from gradtruce.evaluation.labelers.weights import locate_chexbert

    choice = request.labeler
    files = locate_chexbert(choice.weights, choice.bert)
    return [CheXbertVectors(CheXbertLabeler(files, device=choice.device))]


def _written(
    request: Request,
    predictions: Sequence[Prediction],
    training: TrainingTexts | None,
    labeler: Labeler,
) -> dict[str, list[Prediction]]:
    """Return what the baselines write, after checking that a file has the labels of it."""
    if training is None:
        return {}
    normal_by = _normal_by(request, labeler)
    written = baseline_predictions(predictions, training, normal_by, seed=request.seed)
    if request.labeler.name == "file":
        try:
            labeler.label([each.generated for texts in written.values() for each in texts])
        except ValueError as error:
            raise ValueError(
                f"baselines write training reports, and {error}; or leave training out"
            ) from error
    return written


def _normal_by(request: Request, labeler: Labeler) -> Labeler:
    """Return who tells a normal training report: the rules, where the labeler is slow or a file."""
    return labeler if request.labeler.name == "rules" else RulesLabeler()


def _baselines(
    request: Request,
    written: Mapping[str, Sequence[Prediction]],
    training: TrainingTexts | None,
    labeler: Labeler,
) -> dict[str, dict[str, Score]]:
    families = [
        Lexical(request.handling),
        Clinical(labeler),
        ErrorCard(),
        DegenerateOutput(training),
    ]
    return {
        name: {
            key: each
            for key, each in evaluate(
                texts, families, resamples=request.resamples, seed=request.seed
            )
            .flat()
            .items()
            if each.value is not None  # such as METEOR, which would start Java for each writer
        }
        for name, texts in written.items()
    }


def _compared(request: Request, families: Sequence[Family]) -> list[Family]:
    """Return the families that the asked scores are of; METEOR's Java only where it is asked."""
    groups = {name.partition(".")[0] for name in request.scores}
    quick = Lexical(request.handling)
    return [
        quick if each.name == Lexical.name and "nlg.meteor" not in request.scores else each
        for each in families
        if each.name in groups
    ]


def _require_scores(
    names: Sequence[str], families: Sequence[Family], predictions: Sequence[Prediction]
) -> None:
    """Refuse a score that no family has, before all texts are read: one report shows the keys."""
    known: list[str] = []
    absent = set()
    for family in families:
        quick = Lexical() if isinstance(family, Lexical) else family
        probe = quick.plan(predictions[:1])
        if probe.statistic is None:
            absent.add(family.name)
            continue
        known += [f"{family.name}.{key}" for key in probe.statistic(np.ones((1, 1)))]
    for name in names:
        if name not in known and name.partition(".")[0] not in absent:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"no score with an interval is called {name!r}{hint}")
