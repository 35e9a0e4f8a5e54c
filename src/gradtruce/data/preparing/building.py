"""Build one planned shard from its records, or take the one that is already there."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from errno import EMFILE, ENFILE, ENOMEM
from itertools import groupby
from pathlib import Path
from typing import final

from pydantic import ValidationError

from gradtruce.data.prepared_schema import Row, to_row
from gradtruce.data.preparing.disk import file_sha256
from gradtruce.data.preparing.plan import OnError, PlannedShard
from gradtruce.data.preparing.problems import ProblemError
from gradtruce.data.preparing.shards import ShardSummary, ShardWriter
from gradtruce.data.sources.base import Built, Problem, Record, Settings, Source
from gradtruce.data.study import Study
from gradtruce.files import write_whole

_MACHINE = (EMFILE, ENFILE, ENOMEM)  # no fault of the file that was being read


@final
@dataclass(frozen=True)
class ShardBuilder:
    """Builds shards of one set; pickled, it goes to every worker.

    A shard depends on its records, the source's files and the settings alone.

    Attributes:
        source: Builds the studies.
        settings: How views are kept.
        on_error: Whether a problem stops, or leaves its study or view out.
        set_folder: Where the shards go.
        finished_folder: Where a summary of each finished shard goes.
    """

    source: Source
    settings: Settings
    on_error: OnError
    set_folder: Path
    finished_folder: Path

    def build(self, planned: PlannedShard, tell: Callable[[int], None]) -> ShardSummary:
        """Return the summary of a shard that is finished, whole and on the disk.

        Args:
            planned: Its records.
            tell: Called with the number of studies that were done since the last call, not with
                those of a shard that was finished before; an error that it raises ends the work,
                and nothing is left of the shard.

        Raises:
            ProblemError: On the first problem, with `on_error="stop"`.
            OSError: If the shard can't be written.
        """
        summary = self.finished(planned)
        if summary is not None:
            for problem in summary.problems:  # found by a run that skipped
                self._refuse(problem)
            return summary
        writer = ShardWriter(self.set_folder / planned.file, planned.split)
        problems: list[Problem] = []
        try:
            for _, records in groupby(planned.records, key=lambda record: record.patient):
                for study, row in self._of_patient(list(records), problems, tell):
                    writer.add(study, row)
            summary = writer.close(tuple(problems))
        except BaseException:
            writer.abandon()
            raise
        write_whole(self._summary_path(planned), summary.model_dump_json())
        return summary

    def was_finished(self, planned: PlannedShard) -> bool:
        """Return whether an earlier run says it finished a shard, without looking at the file."""
        return self._summary_path(planned).is_file()

    def finished(self, planned: PlannedShard) -> ShardSummary | None:
        """Return the summary of a shard that an earlier run finished, if it is whole."""
        try:
            summary = ShardSummary.model_validate_json(self._summary_path(planned).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        if summary.shard is None:
            return summary
        path = self.set_folder / planned.file
        is_whole = path.is_file() and file_sha256(path) == summary.shard.sha256
        return summary if is_whole else None

    def _of_patient(
        self, records: Sequence[Record], problems: list[Problem], tell: Callable[[int], None]
    ) -> Iterator[tuple[Study, Row]]:
        """Yield the studies of one patient; a prior link to one that was skipped is removed."""
        built: list[tuple[Study, Row]] = []
        for record in records:
            one, found = self._study(record)
            for problem in found:
                self._refuse(problem)
            problems += found
            built += [one] if one is not None else []
            tell(1)
        kept = {study.id for study, _ in built}
        for study, row in built:
            if study.prior is not None and study.prior not in kept:
                reason = f"its prior {study.prior!r} was skipped"
                problems.append(Problem(study.id, "", "prior study", reason, "prior link removed"))
                row["prior"] = None
            yield study, row

    def _study(self, record: Record) -> tuple[tuple[Study, Row] | None, tuple[Problem, ...]]:
        built = Built(None)
        try:
            built = self.source.build(record, self.settings)
            if built.study is None:
                return None, _skipping(record, built.problems)
            _refuse_other(record, built.study)
            return (built.study, to_row(built.study, self.settings.jpeg)), built.problems
        except (ValueError, OSError) as error:
            if isinstance(error, OSError) and error.errno in _MACHINE:
                raise
            return None, (*built.problems, _problem(record, error))
        except Exception as error:
            error.add_note(f"while study {record.id!r} was built; this is a bug, please report it")
            raise

    def _refuse(self, problem: Problem) -> None:
        if self.on_error == "stop" and problem.action != "noted":
            raise ProblemError(problem.message())

    def _summary_path(self, planned: PlannedShard) -> Path:
        return self.finished_folder / f"{planned.file}.json"


def _refuse_other(record: Record, study: Study) -> None:
    for name in ("id", "patient", "split", "prior"):
        if getattr(study, name) != getattr(record, name):
            raise TypeError(
                f"build must give the study the {name} of its record, {getattr(record, name)!r}; "
                f"it gave {getattr(study, name)!r}"
            )


def _skipping(record: Record, problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Return the problems of a study that is skipped: one of them says so, or all are noted."""
    actions = {problem.action for problem in problems}
    if "study skipped" in actions or actions == {"noted"}:
        return problems
    if not problems:
        return (Problem(record.id, "", "no study", "the source built none of it"),)
    return (*problems[:-1], replace(problems[-1], action="study skipped"))


def _problem(record: Record, error: ValueError | OSError) -> Problem:
    text, file = str(error), ""
    if isinstance(error, OSError) and error.strerror:
        text, file = error.strerror, str(error.filename or "")
    with suppress(ValueError):
        text = text[text.index(f"study {record.id!r}: ") + len(f"study {record.id!r}: ") :]
    if isinstance(error, OSError):
        is_missing = isinstance(error, FileNotFoundError)
        return Problem(record.id, file, "missing file" if is_missing else "unreadable file", text)
    return Problem(record.id, file, "unusable study", text)
