"""Make a prepared set of a source: in parallel, resumable, all of it at the end or nothing."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, final

from gradtruce.data.card_page import has_examples, write_cards
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.prepared_manifest import MANIFEST, Manifest, current_versions
from gradtruce.data.preparing.building import ShardBuilder
from gradtruce.data.preparing.disk import file_sha256
from gradtruce.data.preparing.plan import OnError, Plan, make_plan, most_frequent
from gradtruce.data.preparing.problems import (
    PROBLEMS,
    ProblemError,
    count_kinds,
    problems_table,
)
from gradtruce.data.preparing.shards import ShardSummary
from gradtruce.data.preparing.summing import manifest_of, studies_of
from gradtruce.data.preparing.work_folder import WorkFolder, differences
from gradtruce.data.preparing.workers import available_cores, build_all
from gradtruce.data.sources.base import Problem, Settings, Source
from gradtruce.files import write_whole

Progress = Callable[[int, int], None]
"""Called with how many studies are done and how many there are; time left follows from it.

The first call says how many an earlier run has left.
"""

_IDENTITY: Final = ("licence", "parameters", "settings", "fingerprint", "plan_sha256")


def prepare(
    source: Source,
    folder: str | Path,
    *,
    settings: Settings | None = None,
    workers: int | None = 1,
    on_error: OnError = "stop",
    pictures: bool = True,
    shard_rows: int | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> Manifest:
    """Write the prepared set of a source and return its manifest.

    Everything is written into a hidden folder beside the target and renamed at the end. After a
    crash, an interrupt or a full disk the same call goes on: finished shards are checked by their
    hash and kept. The same source, settings and versions give the same bytes, whatever the number
    of workers and however often it was interrupted. Called again on a finished set it does nothing,
    or writes the cards anew if example images are now wanted, or no more.

    Args:
        source: What to prepare.
        folder: The prepared data set.
        settings: How views are kept; 256 pixels, lossless, unless given.
        workers: Processes; `None` takes all cores, 1 stays in this process.
        on_error: "stop" raises the first problem; "skip" leaves the study or view out and lists
            it in `problems.csv`.
        pictures: Whether `card.html` shows example images.
        shard_rows: Most studies in a shard file; chosen by the number of studies unless given.
        progress: Called after every study, or several times a second.
        say: Called with what is worth telling, such as that the set is up to date.

    Raises:
        FileExistsError: If `folder` or the work folder holds something else, or another process
            prepares it.
        FileNotFoundError: If the source is not there.
        ValueError: If a patient is in two splits or a split is empty.
        ProblemError: On a problem of the source, with "stop".
        OSError: If the set can't be written.
        ChildProcessError: If a worker process died.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    target = Path(os.path.abspath(folder))  # noqa: PTH100 # resolve() would follow links
    asked = settings or Settings()
    _refuse_foreign(target)
    plan = make_plan(source.records(), on_error=on_error, shard_rows=shard_rows)
    run = _Run(source, asked, plan, on_error, pictures, target, say or (lambda _: None))
    if target.exists():
        run.work.clear_rest()
        return run.up_to_date()
    with _naming(run.work), run.work.held():
        run.work.claim(run.identity())
        summaries = run.build(
            workers or available_cores(), progress or (lambda _done, _total: None)
        )
        return run.finish(summaries)


class NothingLeftError(ValueError):
    """All studies of a split were left out."""


@final
class _Run:
    """One call of `prepare`, once its arguments have been checked."""

    def __init__(
        self,
        source: Source,
        settings: Settings,
        plan: Plan,
        on_error: OnError,
        pictures: bool,
        target: Path,
        say: Callable[[str], None],
    ) -> None:
        self.source, self.settings, self.plan = source, settings, plan
        self.target, self.work = target, WorkFolder(target)
        self._on_error, self._pictures, self._say = on_error, pictures, say

    def identity(self) -> dict[str, Any]:
        """Return all that decides the set."""
        return {
            "name": self.source.name,
            "licence": self.source.licence,
            "parameters": json.loads(json.dumps(dict(self.source.parameters))),
            "settings": _as_json(self.settings),
            "fingerprint": self.source.fingerprint(),
            "plan_sha256": self.plan.sha256,
            "versions": current_versions(),
        }

    def up_to_date(self) -> Manifest:
        """Return the manifest of the set that is there, if it is the one asked for."""
        there = Manifest.read(self.target)
        begun = {name: getattr(there, name) for name in ("name", *_IDENTITY)}
        identity = self.identity()
        differing = differences(begun, {name: identity[name] for name in begun})
        if differing:
            raise FileExistsError(
                f"{self.target} exists; remove it or give another folder: it holds another set "
                f"({differing})"
            )
        self._say(f"{self.target} is up to date")
        if there.problems:
            self._say(
                f"{PROBLEMS} lists what was wrong then; where that has been mended since, "
                f"remove {self.target} to prepare it anew"
            )
        if has_examples(self.target) != self._pictures:
            write_cards(PreparedDataset.open(self.target), pictures=self._pictures)
            self._say(
                f"card.html was written anew {'with' if self._pictures else 'without'} images"
            )
        return there

    def build(self, workers: int, progress: Progress) -> list[ShardSummary]:
        """Build all shards that are not there yet."""
        builder = ShardBuilder(
            self.source,
            self.settings,
            self._on_error,
            self.work.set_folder,
            self.work.finished_folder,
        )
        before = [shard for shard in self.plan.shards if builder.was_finished(shard)]
        if before:
            shards = len(self.plan.shards)
            self._say(f"going on: {len(before):,} of {shards:,} shards were finished before")
        total, done = self.plan.studies, sum(len(shard.records) for shard in before)
        progress(done, total)

        def tell(studies: int) -> None:
            nonlocal done
            done = min(done + studies, total)  # a finished shard that was damaged is built again
            progress(done, total)

        return build_all(builder, self.plan.shards, workers, tell)

    def finish(self, summaries: Sequence[ShardSummary]) -> Manifest:
        """Write what stands beside the shards and give the set its name."""
        problems = (*self.plan.problems, *(p for s in summaries for p in s.problems))
        for split, count in studies_of(summaries).items():
            if not count:
                raise NothingLeftError(
                    f"split {split!r}: nothing of its studies could be used"
                    f"{most_frequent(problems)}"
                )
        folder = self.work.set_folder
        write_whole(folder / PROBLEMS, problems_table(problems))
        manifest = self._manifest(summaries, problems)
        manifest.write(folder)
        write_cards(PreparedDataset.open(folder), pictures=self._pictures)
        self.work.publish()
        return manifest

    def _manifest(self, summaries: Sequence[ShardSummary], problems: Sequence[Problem]) -> Manifest:
        source, identity = self.source, self.identity()
        return manifest_of(
            summaries,
            name=source.name,
            source=source.description,
            is_synthetic=source.is_synthetic,
            notes=dict(source.notes()),
            problems=count_kinds(problems),
            tables={PROBLEMS: file_sha256(self.work.set_folder / PROBLEMS)},
            **{name: identity[name] for name in _IDENTITY},
        )


def _refuse_foreign(target: Path) -> None:
    """Refuse early, before a source is read, what is no prepared set."""
    if (target.exists() or target.is_symlink()) and not (target / MANIFEST).is_file():
        raise FileExistsError(f"{target} exists and is no prepared set; give another folder")


def _as_json(settings: Settings) -> dict[str, int | None]:
    return {"short_side": settings.short_side, "jpeg": settings.jpeg}


@contextmanager
def _naming(work: WorkFolder) -> Iterator[None]:
    """Say in every error what is kept, and keep the work folder only if there is something."""
    try:
        yield
    except FileExistsError:
        raise
    except (ProblemError, NothingLeftError, ChildProcessError) as error:
        raise type(error)(f"{error}{_what_is_kept(work)}") from None
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise OSError(
            f"could not write the prepared set {work.target}: {reason}; "
            f"free some space or give another folder{_what_is_kept(work)}"
        ) from error
    except BaseException as error:
        kept = _what_is_kept(work).removeprefix("; ")
        if kept:
            error.add_note(kept)
        raise


def _what_is_kept(work: WorkFolder) -> str:
    finished = work.finished()
    if not finished:
        work.remove()
        return ""
    kept = "1 finished shard is" if finished == 1 else f"{finished:,} finished shards are"
    return (
        f"; {kept} kept in {work.path}: give the same command again to go on, or remove that folder"
    )
