"""The phantom as a source: what is true of a study is cheap, drawing it is the work."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, islice
from typing import Any, final

from gradtruce.data.phantom.facts import sample_patient
from gradtruce.data.phantom.follow_ups import FOLLOW_UPS, FollowUps
from gradtruce.data.phantom.generate import draw_patient, generate
from gradtruce.data.phantom.level import LevelName
from gradtruce.data.sources.base import Built, Record, Settings, Source, fingerprint_of
from gradtruce.data.study import Study

_DRAWING = 1
"""To be raised with every change of what is drawn or written, so that sets are told apart."""


@final
@dataclass(frozen=True)
class Phantom(Source):
    """Synthetic studies: drawn and written by a program.

    Attributes:
        level: How hard they are: "easy", "standard" or "hard".
        studies: How many, over all splits.
        size: Height and width of the views in pixels; the settings' short side does not shrink it.
        seed: Of patients, findings, images and wording.
        follow_ups: Shares of the patients that have no, one, two … studies after their first.

    Raises:
        ValueError: If a number is out of its range.

    >>> source = Phantom("easy", 3, size=48)
    >>> record = next(source.records())
    >>> source.build(record, Settings()).study.views[0].pixels.shape
    (48, 48)
    """

    level: LevelName = "standard"
    studies: int = 2000
    size: int = 128
    seed: int = 0
    follow_ups: FollowUps = FOLLOW_UPS

    def __post_init__(self) -> None:
        numbers = {"size": self.size, "seed": self.seed}
        generate(self.level, self.studies, **numbers, follow_ups=self.follow_ups)  # checks alone

    @property
    def name(self) -> str:
        """What the set is called."""
        return "phantom"

    @property
    def description(self) -> str:
        """Where the studies come from."""
        return "synthetic: drawn and written by gradtruce, no patient has been seen"

    @property
    def licence(self) -> str:
        """What may be done with it."""
        return "no restriction: no patient's data is in it"

    @property
    def is_synthetic(self) -> bool:
        """All of it."""
        return True

    @property
    def parameters(self) -> Mapping[str, Any]:  # any JSON value
        """With what the set is made; shares of follow-ups where they are not the default.

        So a set keeps its identity that was made before these shares could be chosen.
        """
        chosen = {} if self.follow_ups == FOLLOW_UPS else {"follow_ups": list(self.follow_ups)}
        return {
            "level": self.level,
            "studies": self.studies,
            "size": self.size,
            "seed": self.seed,
            **chosen,
        }

    def fingerprint(self) -> str:
        """Return a hash of the parameters."""
        return fingerprint_of([str(_DRAWING), *(str(value) for value in self.parameters.values())])

    def records(self) -> Iterator[Record]:
        """Yield patient by patient, oldest study first."""
        return islice(self._all_records(), self.studies)

    def build(self, record: Record, settings: Settings) -> Built:
        """Draw a study; the patient's other studies are drawn with it and kept for the next."""
        drawn = _drawn(int(record.detail[0]), self.level, self.size, self.seed, self.follow_ups)
        return Built(next(study for study in drawn if study.id == record.id))

    def notes(self) -> Mapping[str, Any]:  # any JSON value
        """Return nothing: the parameters say it all."""
        return {}

    def _all_records(self) -> Iterator[Record]:
        for number in count():
            patient = sample_patient(number, self.level, self.seed, self.follow_ups)
            for study in patient.studies:
                yield Record(
                    id=study.id,
                    patient=patient.patient,
                    split=patient.split,
                    prior=study.prior,
                    detail=(str(number),),
                )


@lru_cache(maxsize=1)
def _drawn(
    number: int, level: LevelName, size: int, seed: int, follow_ups: FollowUps
) -> tuple[Study, ...]:
    return draw_patient(number, level, size, seed, follow_ups)
