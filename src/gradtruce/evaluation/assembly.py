"""One evaluation from files to numbers: what `gradtruce evaluate` does between words and print."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from gradtruce.data.label_file import LabelFile
from gradtruce.evaluation.baselines import TITLES, baseline_predictions
from gradtruce.evaluation.comparison import Comparison, compare_all
from gradtruce.evaluation.evaluate import evaluate, plan, score
from gradtruce.evaluation.families.clinical import Clinical
from gradtruce.evaluation.families.degenerate import DegenerateOutput, alarms
from gradtruce.evaluation.families.error_card import ErrorCard
from gradtruce.evaluation.families.graph_overlap import GraphOverlap
from gradtruce.evaluation.families.lexical import Lexical
from gradtruce.evaluation.families.standard import final_families
from gradtruce.evaluation.family import Family, Plan
from gradtruce.evaluation.formats.layouts import AUTO, read_any
from gradtruce.evaluation.graphs.files import read_annotations
from gradtruce.evaluation.headline import PAPER, RELEASED_CODE, SELECTION
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.labelers.choice import LabelerChoice
from gradtruce.evaluation.metrics import Metrics
from gradtruce.evaluation.nlg.meteor import Meteor
from gradtruce.evaluation.nlg.references import FULL, ReferenceHandling
from gradtruce.evaluation.predictions import Prediction
from gradtruce.evaluation.significance import Score
from gradtruce.evaluation.training_texts import TrainingTexts, read_training_texts

if TYPE_CHECKING:
    from gradtruce.data.text import CleaningMode

COMPARED: Final = (
    PAPER,
    RELEASED_CODE,
    SELECTION,
    "nlg.bleu_4",
    "nlg.rouge_l",
    "nlg.cider",
    "errors.accurate",
)
"""Scores that two systems are compared by, unless others are asked for."""


@final
@dataclass(frozen=True)
class Request:
    """What is evaluated, and how.

    Attributes:
        predictions: File or folder of the system's output.
        layout: One of `formats.layouts.LAYOUTS`, or "auto".
        references: File of references by id, in place of those of the predictions.
        labels: CSV of true labels by id, which clinical scores are then held against.
        labeler: Reads the reports.
        handling: What is done to texts before words are compared.
        meteor: Whether METEOR is wanted; it starts Java.
        vectors: Whether similarity of CheXbert vectors is wanted; it needs the weights.
        graphs: RadGraph annotations of the generated reports.
        reference_graphs: RadGraph annotations of the references.
        graph_model: The model that drew both.
        training: Prepared data set, or file of training reports: brings the baselines.
        cleaning: Done to training reports, as it was to the references.
        against: Output of other systems on the same studies.
        scores: Flat names that systems are compared by.
        resamples: Bootstrap draws; 0 for no intervals.
        seed: Of all draws.
    """

    predictions: Path
    layout: str = AUTO
    references: Path | None = None
    labels: Path | None = None
    labeler: LabelerChoice = field(default_factory=LabelerChoice)
    handling: ReferenceHandling = FULL
    meteor: bool = True
    vectors: bool = False
    graphs: Path | None = None
    reference_graphs: Path | None = None
    graph_model: str = ""
    training: Path | None = None
    cleaning: "CleaningMode | None" = None
    against: tuple[Path, ...] = ()
    scores: tuple[str, ...] = COMPARED
    resamples: int = 1000
    seed: int = 0


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
    """Read what is asked for and return its scores.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If a file is damaged, files don't fit each other, or a name is unknown.
    """
    predictions = read_system(request, request.predictions)
    others = {path.name: read_system(request, path) for path in request.against}
    if len(others) < len(request.against):
        raise ValueError("two of the other systems' files have one name; rename one")
    labeler = request.labeler.make([predictions, *others.values()])
    training = _training(request)
    families = _families(request, predictions, labeler, training)
    plans = plan(predictions, families)
    metrics = score(plans, len(predictions), resamples=request.resamples, seed=request.seed)
    metrics = replace(
        metrics,
        baselines=_baselines(request, predictions, training, labeler),
        alarms=tuple(alarms(plans[DegenerateOutput.name])),
    )
    compared = [family for family in families if family.name in _groups(request.scores)]
    comparisons = compare_all(
        predictions,
        others,
        compared,
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
    given = (request.graphs, request.reference_graphs)
    if given == (None, None):
        return []
    if request.graphs is None or request.reference_graphs is None:
        raise ValueError("RadGraph annotations must be given of generated reports and references")
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


def _baselines(
    request: Request,
    predictions: Sequence[Prediction],
    training: TrainingTexts | None,
    labeler: Labeler,
) -> dict[str, dict[str, Score]]:
    if training is None:
        return {}
    written = baseline_predictions(predictions, training, labeler, seed=request.seed)
    families = [
        Lexical(request.handling),
        Clinical(labeler),
        ErrorCard(),
        DegenerateOutput(training),
    ]
    return {
        name: evaluate(
            written[name], families, resamples=request.resamples, seed=request.seed
        ).flat()
        for name in TITLES
    }


def _groups(names: Sequence[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}
