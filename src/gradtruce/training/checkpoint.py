"""The checkpoints of a run: each a folder of its own that is never changed, and two names."""

import pickle
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import torch

from gradtruce.manifest import Manifest, Writer, damage, sync_folder, write_folder
from gradtruce.methods.weights.saved_method import TRAINER_FILE
from gradtruce.training.links import lead

_ENDINGS: Final = (".partial", ".removed", ".link", ".copy", ".former")
"""Of hidden names that a stop may leave."""


@final
@dataclass(frozen=True)
class Found:
    """A checkpoint that a run can go on from.

    Attributes:
        folder: What `from_pretrained` reads.
        state: What was saved beside the weights.
        damaged: Newer ones that could not be used, each with the reason.
    """

    folder: Path
    state: dict[str, Any]
    damaged: tuple[str, ...]


@final
class Checkpoints:
    """Folders `step-00000400`, which `last` and `best` are symbolic links to.

    A checkpoint is written whole under a hidden name, flushed, and renamed; then the links are
    replaced, `best` first, and what nobody needs any more is removed. So every moment has whole
    checkpoints, and what is best is what the last one says: a stop between any two of these calls
    loses nothing. Kept are the last two and the best of each; a checkpoint that is only a best
    keeps its weights alone. On a file system without links, `last` and `best` are copies.

    Args:
        folder: `checkpoints` of a run folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     checkpoints = Checkpoints(Path(parent))
    ...     for step, best in ((1, 1), (2, 1), (3, 1), (4, 4)):
    ...         checkpoints.save([], {"step": step}, step=step, best_step=best)
    ...     print(sorted(path.name for path in Path(parent).iterdir()))
    ...     checkpoints.newest().state
    ['best', 'last', 'step-00000001', 'step-00000003', 'step-00000004']
    {'step': 4}
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(
        self, writers: Sequence[Writer], state: Mapping[str, Any], *, step: int, best_step: int
    ) -> None:
        """Write the checkpoint of a step.

        Args:
            writers: Of the weights and what is read with them.
            state: Tensors, numbers, text, and lists, tuples and dicts of them.
            step: Steps completed.
            best_step: Which step is the best so far, this one or one saved before; 0 for none.

        Raises:
            OSError: If it cannot be written; the former checkpoints are then as they were.
        """

        def write_state(folder: Path) -> None:
            torch.save(dict(state), folder / TRAINER_FILE)

        self._discard_hidden()
        write_folder(self._of(step), [*writers, write_state], step=step, best_step=best_step)
        self._point(self._of(step))
        self._prune()

    def newest(self) -> Found | None:
        """Return the newest checkpoint that is whole and whose best is whole; `None` without any.

        `last` and `best` are put right, and checkpoints after it are removed.

        Raises:
            ValueError: If there are checkpoints, but none is whole.
        """
        damaged: list[str] = []
        for folder in reversed(self._all()):
            reason = self._why_not(folder)
            if not reason:
                self._point(folder)
                for newer in self._all():
                    if newer.name > folder.name:
                        self._discard(newer)
                self._discard_hidden()
                self._prune()
                return Found(folder, load_trainer(folder), tuple(damaged))
            damaged.append(f"{folder.name}: {reason}")
        if damaged:
            raise ValueError(
                f"{self._folder}: no checkpoint is whole ({'; '.join(damaged)}); "
                f"remove {self._folder.parent} and train again"
            )
        if (self._folder / "last").is_dir():
            raise ValueError(
                f"{self._folder}: its checkpoints are of an older version, which can't be "
                f"resumed; remove {self._folder.parent} and train again"
            )
        return None

    def _why_not(self, folder: Path) -> str:
        """Return why a run can't go on from a checkpoint; "" where it can."""
        if reason := damage(folder):
            return reason
        best = self._best_of(folder)
        if best not in (None, folder) and (reason := damage(best, without=(TRAINER_FILE,))):
            return f"its best, {best.name}: {reason}"
        return ""

    def _of(self, step: int) -> Path:
        return self._folder / f"step-{step:08d}"

    def _all(self) -> list[Path]:
        return sorted(self._folder.glob("step-*"))

    def _best_of(self, folder: Path) -> Path | None:
        """Return what was the best at a checkpoint; `None` before the first validation."""
        step = Manifest.read(folder).facts["best_step"]
        return self._of(step) if step else None

    def _point(self, last: Path) -> None:
        lead(self._folder / "best", self._best_of(last), leave_out=TRAINER_FILE)
        lead(self._folder / "last", last, leave_out=TRAINER_FILE)
        sync_folder(self._folder)

    def _prune(self) -> None:
        """Keep the last two checkpoints and the best of each."""
        kept = self._all()[-2:]
        bests = [self._best_of(folder) for folder in kept]
        for folder in self._all():
            if folder in kept:
                continue
            if folder in bests:
                (folder / TRAINER_FILE).unlink(missing_ok=True)
            else:
                self._discard(folder)

    def _discard(self, folder: Path) -> None:
        """Remove a folder; a stop half-way leaves no half of it under its name."""
        hidden = folder.with_name(f".{folder.name}.removed")
        shutil.rmtree(hidden, ignore_errors=True)
        folder.rename(hidden)
        shutil.rmtree(hidden)

    def _discard_hidden(self) -> None:
        for path in self._folder.glob(".*"):
            if path.suffix in _ENDINGS and path.is_symlink():
                path.unlink()
            elif path.suffix in _ENDINGS:
                shutil.rmtree(path)


def load_trainer(folder: Path) -> dict[str, Any]:
    """Return what a run needs to go on; only tensors and plain values are unpickled.

    Raises:
        FileNotFoundError: If the checkpoint holds no such file.
        ValueError: If the file is damaged.
    """
    path = folder / TRAINER_FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path}: not there; only `checkpoints/last` can be resumed")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path}: damaged, the run can't be resumed; train again") from error
    return state
