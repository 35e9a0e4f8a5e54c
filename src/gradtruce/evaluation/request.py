"""What is to be evaluated, and how: one record of all that `gradtruce evaluate` takes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from gradtruce.data.prepared_writer import file_sha256
from gradtruce.evaluation.formats.layouts import AUTO
from gradtruce.evaluation.headline import PAPER, RELEASED_CODE, SELECTION
from gradtruce.evaluation.labelers.choice import LabelerChoice
from gradtruce.evaluation.nlg.references import FULL, ReferenceHandling

if TYPE_CHECKING:
    from gradtruce.data.text import CleaningMode

MANIFEST: Final = "manifest.json"
"""What a prepared data set is known by."""

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

    def files(self) -> dict[str, tuple[Path, ...]]:
        """Return the files and folders that are read, by what they give.

        >>> Request(Path("p.jsonl"), labels=Path("truth.csv")).files()
        {'predictions': (...Path('p.jsonl'),), 'labels': (...Path('truth.csv'),)}
        """
        given: dict[str, tuple[Path | None, ...]] = {
            "predictions": (self.predictions,),
            "references": (self.references,),
            "labels": (self.labels,),
            "generated_labels": (self.labeler.generated,),
            "reference_labels": (self.labeler.reference,),
            "graphs": (self.graphs,),
            "reference_graphs": (self.reference_graphs,),
            "training": (self.training,),
            "against": self.against,
        }
        named = {name: tuple(filter(None, paths)) for name, paths in given.items()}
        return {name: paths for name, paths in named.items() if paths}

    def require_fitting(self) -> None:
        """Refuse settings that nothing of this request would use.

        Raises:
            ValueError: If there is one; the message says what it belongs to.

        >>> Request(Path("p.jsonl"), cleaning="clean").require_fitting()
        Traceback (most recent call last):
        ValueError: cleaning is done to training reports; give training, too
        """
        self.labeler.require_fitting(vectors=self.vectors)
        if self.cleaning is not None and self.training is None:
            raise ValueError("cleaning is done to training reports; give training, too")
        if self.scores != COMPARED and not self.against:
            raise ValueError(
                "score names what systems are compared by; give another system by against, too"
            )
        graphs = (self.graphs, self.reference_graphs)
        if (None in graphs or not self.graph_model.strip()) and (any(graphs) or self.graph_model):
            raise ValueError(
                "RadGraph F1 needs graphs of the generated reports, reference_graphs, and the"
                " graph_model that drew both; give all three or none"
            )


def described(path: Path) -> str:
    """Return the name of a file, with the beginning of its SHA-256; of a folder, its name.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "p.jsonl"
    >>> _ = file.write_text("")
    >>> described(file)
    'p.jsonl (sha256 e3b0c44298fc)'
    """
    file = path / MANIFEST if path.is_dir() else path
    if not file.is_file():
        return f"folder {path.name}"
    digest = f"sha256 {file_sha256(file)[:12]}"
    return f"{path.name} ({'' if file == path else f'{MANIFEST} '}{digest})"
