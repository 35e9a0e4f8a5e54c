"""Which study goes into which shard: decided before any image is read."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Literal, final

from gradtruce.data.preparing.problems import ProblemError
from gradtruce.data.preparing.shards import shard_name
from gradtruce.data.sources.base import Problem, Record
from gradtruce.data.study import SPLITS, Split

OnError = Literal["stop", "skip"]
"""What a problem does: stop the run, or leave the study or view out and list it."""

_SHARDS = 256  # enough to keep many cores busy to the end, few enough to open quickly
_LEAST_ROWS, _MOST_ROWS = 64, 1024


@final
@dataclass(frozen=True, slots=True)
class PlannedShard:
    """The records of one shard; all records of a patient are in one.

    Attributes:
        file: Its name in the set.
        split: Of all its studies.
        records: In the order of the rows.
    """

    file: str
    split: Split
    records: tuple[Record, ...]


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """All shards of a set, whatever the number of workers.

    Attributes:
        shards: By split, then in the order of the source.
        problems: What is wrong with the list of studies itself.
        sha256: Hash of all that was listed, in order: the same plan gives the same set.
    """

    shards: tuple[PlannedShard, ...]
    problems: tuple[Problem, ...]
    sha256: str

    @property
    def studies(self) -> int:
        """How many studies are planned."""
        return sum(len(shard.records) for shard in self.shards)


def make_plan(
    listed: Iterable[Record | Problem], *, on_error: OnError = "stop", shard_rows: int | None = None
) -> Plan:
    """Return the plan of a source's records.

    Patients whose names differ in case or blanks alone must be in one split, too. Studies of a
    patient come together, where the first of them stands: so a worker knows whether a
    prior study was kept. A shard has `shard_rows` rows, or one in 256 of the studies, 64 to 1,024.

    Args:
        listed: What a source yields.
        on_error: Whether a problem in the list stops, or leaves its study out.
        shard_rows: Most studies in one shard, but for a patient who has more.

    Raises:
        ValueError: If a patient is in two splits or a split would be empty, always.
        ProblemError: On a problem (duplicate id, unknown split, prior study that is not there),
            with `on_error="stop"`.

    >>> made = make_plan(Record(name, name, name) for name in SPLITS)
    >>> [(shard.file, len(shard.records)) for shard in made.shards]
    [('train-00000.arrow', 1), ('val-00000.arrow', 1), ('test-00000.arrow', 1)]
    """
    if shard_rows is not None and shard_rows < 1:
        raise ValueError(f"shard_rows must be at least 1, got {shard_rows}")
    register = _Register(on_error)
    for entry in listed:
        register.enter(entry)
    patients = register.patients()
    total = len(register.patient_of)
    rows = shard_rows or min(_MOST_ROWS, max(_LEAST_ROWS, -(-total // _SHARDS)))
    shards = tuple(
        PlannedShard(shard_name(split, number), split, records)
        for split in SPLITS
        for number, records in enumerate(_cut(patients[split], rows))
    )
    _refuse_empty_splits({shard.split for shard in shards}, register.problems)
    return Plan(shards, tuple(register.problems), _digest(shards, register.problems, rows))


@final
class _Register:
    """What must hold over all records: unique ids, a patient in one split, priors that exist."""

    def __init__(self, on_error: OnError) -> None:
        self.problems: list[Problem] = []
        self.patient_of: dict[str, str] = {}
        self._on_error = on_error
        self._first_of: dict[str, tuple[Split, str]] = {}
        self._studies: dict[str, list[Record]] = {}

    def enter(self, entry: Record | Problem) -> None:
        """Take a record in, or the problem with it."""
        if isinstance(entry, Problem):
            self._note(entry)
        elif entry.split not in SPLITS:
            reason = f"its split is {entry.split!r}; it must be one of {', '.join(SPLITS)}"
            self._note(Problem(entry.id, "", "unknown split", reason))
        elif entry.id in self.patient_of:
            reason = "the id occurs twice; make ids unique"
            self._note(Problem(entry.id, "", "duplicate id", reason))
        else:
            self._refuse_leak(entry)
            self.patient_of[entry.id] = entry.patient
            self._studies.setdefault(entry.patient, []).append(entry)

    def patients(self) -> Mapping[Split, Sequence[Sequence[Record]]]:
        """Return the studies of every patient, by split, priors that are not there removed."""
        by_split: dict[Split, list[list[Record]]] = {split: [] for split in SPLITS}
        for records in self._studies.values():
            by_split[records[0].split].append([self._linked(r) for r in records])
        return by_split

    def _refuse_leak(self, record: Record) -> None:
        spelt_alike = " ".join(record.patient.split()).casefold()
        split, first = self._first_of.setdefault(spelt_alike, (record.split, record.id))
        if split != record.split:
            raise ValueError(
                f"study {record.id!r}: patient {record.patient!r} is in {record.split!r}, "
                f"but in {split!r} with study {first!r}; put all studies of a patient in one split"
            )

    def _linked(self, record: Record) -> Record:
        if record.prior is None:
            return record
        if record.prior != record.id and self.patient_of.get(record.prior) == record.patient:
            return record
        reason = (
            f"its prior {record.prior!r} is no other study of the same patient in this set; "
            "add that study or leave prior out"
        )
        self._note(Problem(record.id, "", "prior study", reason, "prior link removed"))
        return replace(record, prior=None)

    def _note(self, problem: Problem) -> None:
        if self._on_error == "stop" and problem.action != "noted":
            raise ProblemError(problem.message())
        self.problems.append(problem)


def _cut(patients: Iterable[Sequence[Record]], rows: int) -> Iterator[tuple[Record, ...]]:
    pending: list[Record] = []
    for records in patients:
        if pending and len(pending) + len(records) > rows:
            yield tuple(pending)
            pending = []
        pending += records
    if pending:
        yield tuple(pending)


def _refuse_empty_splits(found: set[Split], problems: Sequence[Problem]) -> None:
    for split in SPLITS:
        if split not in found:
            raise ValueError(
                f"split {split!r} has no study; every split needs at least one: "
                f"move studies there or use a larger source{most_frequent(problems)}"
            )


def most_frequent(problems: Iterable[Problem]) -> str:
    """Return the commonest reason why studies were left out, to end a message with; "" if none.

    >>> most_frequent([Problem("s", "", "missing image", "no.png is not there")])
    " (1 left out: missing image, such as study 's': no.png is not there)"
    """
    left_out = [p for p in problems if p.action in ("study skipped", "noted")]
    if not left_out:
        return ""
    (kind, count), *_ = Counter(problem.kind for problem in left_out).most_common(1)
    example = next(problem for problem in left_out if problem.kind == kind)
    return f" ({count:,} left out: {kind}, such as {example.message()})"


def _digest(shards: Iterable[PlannedShard], problems: Iterable[Problem], rows: int) -> str:
    digest = sha256(f"{rows}\n".encode())
    for shard in shards:
        for record in shard.records:
            digest.update(repr(record).encode())
    for problem in problems:
        digest.update(repr(problem).encode())
    return digest.hexdigest()
