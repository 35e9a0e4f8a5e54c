"""The labelers by name, as `--labeler` takes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.labelers.cached import CachedLabeler
from gradtruce.evaluation.labelers.file import FileLabeler
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.evaluation.predictions import Prediction
from gradtruce.naming import suggestion

LABELERS: Final = ("rules", "chexbert", "file")


@final
@dataclass(frozen=True)
class LabelerChoice:
    """Which labeler reads the reports, and what it is made with.

    Attributes:
        name: "rules", "chexbert" or "file".
        empty_policy: Of rules: what an empty report says, "blank" or "normal".
        compat: Of rules: whether the quirks of the CheXpert labeler are kept.
        weights: Of chexbert: the checkpoint; looked for where it is usually kept by default.
        bert: Of chexbert: folder with vocab.txt.
        device: Of chexbert: where the network runs.
        cache: Of chexbert: file that keeps labels by the hash of the text; `None` for none.
        generated: Of file: labels of the generated texts by id, or of any texts by text.
        reference: Of file: labels of the reference texts by id.

    >>> LabelerChoice().make().identity.split()[0]
    'rules'
    """

    name: str = "rules"
    empty_policy: str = "blank"
    compat: bool = False
    weights: Path | None = None
    bert: Path | None = None
    device: str = "cpu"
    cache: Path | None = None
    generated: Path | None = None
    reference: Path | None = None

    def require_fitting(self, *, vectors: bool = False) -> None:
        """Refuse settings that another labeler than the chosen one takes: none is ignored.

        Args:
            vectors: Whether CheXbert is wanted for its vectors, whoever labels.

        Raises:
            ValueError: If there are such settings; the message names the labeler that takes them.

        >>> LabelerChoice("rules", cache=Path("labels.sqlite")).require_fitting()
        Traceback (most recent call last):
        ValueError: cache is a setting of labeler 'chexbert', and the labeler is 'rules'
        """
        self._require_name()
        given = {
            "rules": {"empty_policy": self.empty_policy != "blank", "compat": self.compat},
            "chexbert": {"cache": self.cache is not None},
            "file": {
                "generated_labels": self.generated is not None,
                "reference_labels": self.reference is not None,
            },
        }
        if not vectors:
            given["chexbert"] |= {
                "chexbert": self.weights is not None,
                "bert_base": self.bert is not None,
                "device": self.device != "cpu",
            }
        for labeler, settings in given.items():
            for name, is_given in settings.items():
                if is_given and labeler != self.name:
                    raise ValueError(
                        f"{name} is a setting of labeler {labeler!r}, and the labeler is"
                        f" {self.name!r}"
                    )

    def make(self, systems: Sequence[Sequence[Prediction]] = ()) -> CachedLabeler:
        """Return the labeler.

        Args:
            systems: Predictions whose texts a file of labels by id belongs to.

        Raises:
            FileNotFoundError: If a file is not there.
            ValueError: If there is no such labeler, or a file is not what it should be.
        """
        self._require_name()
        if self.name == "chexbert":
            return CachedLabeler(self._chexbert(), self.cache)
        return CachedLabeler(self._from_file(systems) if self.name == "file" else self._rules())

    def _require_name(self) -> None:
        if self.name not in LABELERS:
            near = suggestion(self.name, LABELERS)
            raise ValueError(f"no labeler is called {self.name!r}{near}")

    def _rules(self) -> Labeler:
        return RulesLabeler(empty_policy=self.empty_policy, compat=self.compat)

    def _chexbert(self) -> Labeler:
        from gradtruce.evaluation.labelers.chexbert import CheXbertLabeler
        from gradtruce.evaluation.labelers.weights import locate_chexbert

        return CheXbertLabeler(locate_chexbert(self.weights, self.bert), device=self.device)

    def _from_file(self, systems: Sequence[Sequence[Prediction]]) -> Labeler:
        if self.generated is None:
            raise ValueError(
                "labeler 'file' needs the file of labels of the generated texts: generated_labels"
            )
        if self.reference is None:
            return FileLabeler.read_texts(self.generated)
        if len(systems) != 1:
            raise ValueError(
                "labels by id belong to the predictions of one system; to compare systems, give one"
                " file of labels by text"
            )
        return FileLabeler.for_predictions(systems[0], self.generated, self.reference)
