"""The interface of a source: cheap records first, whole studies later, in another process."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Literal, final

from gradtruce.data.observations import OBSERVATIONS, LabelState
from gradtruce.data.study import Split, Study, ViewPosition

SHORT_SIDE: Final = 256
"""Short side in pixels that prepared views have, unless asked."""

Action = Literal["study skipped", "view skipped", "prior link removed", "noted"]
"""What became of a problem; "noted" alone never stops a run, it is only listed."""


@final
@dataclass(frozen=True, slots=True)
class Settings:
    """What decides how a study is built, beside its source.

    Attributes:
        short_side: Short side of the views in pixels; smaller images stay as they are.
        jpeg: Quality of the kept views, 1 to 100; `None` keeps them lossless.

    Raises:
        ValueError: If a number is out of its range.

    >>> Settings(jpeg=95)
    Settings(short_side=256, jpeg=95)
    """

    short_side: int = SHORT_SIDE
    jpeg: int | None = None

    def __post_init__(self) -> None:
        if self.short_side < 1:
            raise ValueError(f"short_side must be at least 1, got {self.short_side}")
        if self.jpeg is not None and not 1 <= self.jpeg <= 100:
            raise ValueError(f"jpeg must be a quality from 1 to 100, got {self.jpeg}")


@final
@dataclass(frozen=True, slots=True)
class ViewFile:
    """One image of a study.

    Attributes:
        path: Below the source's root folder, or whole; text, because 500,000 are kept in memory.
        position: From which side it was taken, where the source says so; the file may say it too.
    """

    path: str
    position: ViewPosition | None = None


@final
@dataclass(frozen=True, slots=True)
class Record:
    """One study as a source lists it: what is known without opening image or report.

    It is kept in memory for every study of a set and sent to a worker, so it is small: text and
    numbers, no pixels. What is shared by many studies (such as the root folder) belongs to the
    source, what belongs to one study belongs here.

    Attributes:
        id: Unique within the source.
        patient: All studies of a patient are in one split; the id where it is not known.
        split: "train", "val" or "test".
        views: Its images; may be empty where the source draws them.
        report: The report, or "" where `report_file` has it.
        report_file: Path of the report, like a view's.
        labels: States in the order of `OBSERVATIONS`, `None` where missing; () without labels.
        label_source: Where they come from; "" without labels.
        prior: Id of the patient's previous study in this source, if any.
        detail: Anything else that `build` needs, as text.

    >>> Record("s1", "p1", "train", (ViewFile("s1/0.png"),), report="Clear.").prior is None
    True
    """

    id: str
    patient: str
    split: Split
    views: tuple[ViewFile, ...] = ()
    report: str = ""
    report_file: str | None = None
    labels: tuple[LabelState | None, ...] = ()
    label_source: str = ""
    prior: str | None = None
    detail: tuple[str, ...] = ()

    def label_states(self) -> dict[str, LabelState]:
        """Return the labels by name, missing ones left out.

        >>> Record("s", "p", "val", labels=(None, 1, -1)).label_states()
        {'Cardiomegaly': 1, 'Lung Opacity': -1}
        """
        named = zip(OBSERVATIONS, self.labels, strict=False)
        return {name: state for name, state in named if state is not None}


@final
@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with the source, as `problems.csv` lists it.

    Attributes:
        id: Of the study, "" where it is not known.
        file: Which file, as the record names it; "" where it is none.
        kind: A few words that are counted, such as "missing image" or "duplicate id".
        reason: What must hold, what was found, what to do, in one line.
        action: What became of it.
    """

    id: str
    file: str
    kind: str
    reason: str
    action: Action = "study skipped"

    def __post_init__(self) -> None:
        for name in ("id", "file", "kind", "reason"):  # file names and broken text may be anything
            text = getattr(self, name).encode("utf-8", "backslashreplace").decode()
            object.__setattr__(self, name, " ".join(text.split()) if name == "reason" else text)

    def message(self) -> str:
        """Return the problem as an error says it.

        >>> Problem("s1", "a.png", "damaged image", "it ends early").message()
        "study 's1': a.png: it ends early"
        """
        parts = [f"study {self.id!r}"] if self.id else []
        if self.file and self.file not in self.reason:
            parts.append(self.file)
        return ": ".join([*parts, self.reason])


@final
@dataclass(frozen=True, eq=False)
class Built:
    """What came of a record: the study, or none, and what was wrong on the way.

    Attributes:
        study: `None` where nothing of it can be kept; then a problem says why.
        problems: Such as a view that was left out.
    """

    study: Study | None
    problems: tuple[Problem, ...] = ()


class Source(ABC):
    """Studies of one download, or drawn ones.

    A source is pickled and sent to every worker once: what it keeps must be small and picklable
    (drop the list of records in `__getstate__` if it keeps one).
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """What the set is called in tables and pages, such as "iu_xray"."""

    @property
    @abstractmethod
    def description(self) -> str:
        """Where the studies come from, in words."""

    @property
    @abstractmethod
    def licence(self) -> str:
        """What may be done with it, in words; "" where it is not known."""

    @property
    @abstractmethod
    def is_synthetic(self) -> bool:
        """Whether any study or image is drawn."""

    @property
    @abstractmethod
    def parameters(self) -> Mapping[str, Any]:  # any JSON value
        """With what the set is made, such as seed or split file; kept in the manifest."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a hash of the files and arguments that decide the set, images left out.

        No path of this machine goes in: the same download elsewhere is the same source.
        """

    @abstractmethod
    def records(self) -> Iterator[Record | Problem]:
        """Yield every study, or what is wrong with it, in an order that is always the same.

        Cheap: no image is opened. A study without report or image is a `Problem`, not left out in
        silence.

        Raises:
            FileNotFoundError: If the source is not there.
            ValueError: If it can't be read at all, such as a CSV without the columns needed.
        """

    @abstractmethod
    def build(self, record: Record, settings: Settings) -> Built:
        """Return the study of a record; runs in a worker process and reads the files.

        The study has the record's id, patient, split and prior.

        Raises:
            ValueError: If nothing of the study can be used, in one line that says why.
            OSError: If a file can't be read.
        """

    @abstractmethod
    def notes(self) -> Mapping[str, Any]:  # any JSON value
        """Return what is worth knowing of the source, such as counts; asked after `records`."""


def fingerprint_of(parts: Sequence[str]) -> str:
    """Return one hash of several texts, such as arguments and hashes of files.

    >>> fingerprint_of(["a", "bc"]) == fingerprint_of(["ab", "c"])
    False
    """
    digest = sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()
