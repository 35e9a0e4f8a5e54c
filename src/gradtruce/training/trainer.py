"""The training loop: steps, validation, checkpoints."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import final

from gradtruce.data.batch import Batch
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.methods.base import Validation, waiting_tasks
from gradtruce.methods.registry import Method, load
from gradtruce.training.assembly import build_training
from gradtruce.training.checkpoint import Checkpoints
from gradtruce.training.config import RunConfig
from gradtruce.training.data_parts import DataParts
from gradtruce.training.null import measure_null
from gradtruce.training.pieces import load_whole
from gradtruce.training.progress import Progress, ProgressCallback, Stopwatch
from gradtruce.training.runlog import RunLog, cut_log
from gradtruce.training.select import Selection
from gradtruce.training.share import Share
from gradtruce.training.spread import has_batch_statistics
from gradtruce.training.state import restore_training, training_state
from gradtruce.training.stepper import Stepper, coupling_note
from gradtruce.training.validation import decoding_of, require_score, validate
from gradtruce.training.world import ALONE, World


@final
class Trainer:
    """Takes the optimizer steps of a run, validates, and keeps the best and the last checkpoint.

    Args:
        config: Everything the run depends on.
        data: Tokenizer and loaders.
        folder: The run folder.
        labeler: Reads the validation reports.
        progress: Told how far the run is.
        world: The processes that train together; the first alone writes.

    Raises:
        ValueError: If the configuration names what is not there.

    Attributes:
        step: Optimizer steps taken.
        best_step: Step of the best checkpoint.
        total_steps: Optimizer steps of the run.
    """

    def __init__(
        self,
        config: RunConfig,
        data: DataParts,
        folder: Path,
        labeler: Labeler,
        progress: ProgressCallback,
        world: World = ALONE,
    ) -> None:
        self._config, self._data, self._folder = config, data, folder
        self._labeler, self._progress, self._world = labeler, progress, world
        self._parts = build_training(config, data, world)
        self._method, self._gradients = self._parts.method, self._parts.gradients
        self._method.decoding = decoding_of(config)
        self._steps_per_epoch = self._parts.steps_per_epoch
        self.total_steps = self._parts.total_steps
        require_score(config.training.select, data, labeler, self._method.tasks)
        self._stepper = Stepper(self._parts, config.training, world)
        self._selection = Selection(config.training.select)
        self._checkpoints = Checkpoints(folder / "checkpoints")
        self._validation: Validation | None = None
        self.step, self.best_step = 0, 0

    def run(self, log: RunLog) -> None:
        """Take all steps that are left.

        Raises:
            FloatingPointError: If a loss is not finite; the message names task and step.
            ValueError: If a task was never active.
        """
        watch = Stopwatch(self.step, self.total_steps)
        if self.step == 0:
            self._method.before_training(self._data.train.labels)
            for note in self._notes():
                log.write("note", step=0, text=note)
        while self.step < self.total_steps:
            epoch, offset = divmod(self.step, self._steps_per_epoch)
            self._gradients.epoch = epoch
            self._gradients.expect_inactive(waiting_tasks(self._method.tasks, epoch))
            for batches in self._epoch(epoch, offset):
                self._take(batches, epoch, log, watch)
                if self.step == self.total_steps:
                    break

    def whole(self) -> Method:
        """Return the method with all of its weights; all processes must ask for it."""
        return self._parts.spread.whole()

    def _notes(self) -> Iterator[str]:
        """Yield what a reader of the log should know before the first step."""
        training, size = self._config.training, self._world.size
        if size > 1:
            yield (
                f"{size} processes, training.parallel = {training.parallel!r}: "
                f"{training.batch_size * training.accumulation * size} studies a step"
            )
        if note := coupling_note(training, self._method.tasks, size):
            yield note
        if training.null_every and not self._has_halves():
            yield "the null is not measured: a micro-batch of one study has no halves"
        if size > 1 and has_batch_statistics(self._method):
            yield (
                f"batch normalisation sees the {training.batch_size} studies of a micro-batch of "
                "one process; its running statistics are averaged over processes"
            )

    def _epoch(self, epoch: int, offset: int) -> Iterator[list[Batch]]:
        """Yield the micro-batches of every step of an epoch; what fills no step is left out.

        Args:
            epoch: From 0.
            offset: Steps of it that were taken before the run was resumed; they are not read again.
        """
        accumulation = self._config.training.accumulation
        self._data.train.set_epoch(epoch, offset * accumulation)
        batches = iter(self._data.train)
        for _ in range(offset, self._steps_per_epoch):
            yield [batch.to(self._method.device) for batch in islice(batches, accumulation)]

    def _take(self, batches: list[Batch], epoch: int, log: RunLog, watch: Stopwatch) -> None:
        if self._is_null_due():
            waiting = waiting_tasks(self._method.tasks, epoch)
            cosines = measure_null(
                self.whole(),
                batches[0],
                leave_out=waiting,
                precision=self._config.training.precision,
                world=self._world,
            )
            log.write("null", step=self.step + 1, **vars(cosines))
        record = self._stepper.step(batches, self.step)
        self.step += 1
        left = watch.seconds_left(self.step)
        self._progress(Progress("training", self.step, self.total_steps, left))
        place = {"step": self.step, "epoch": epoch, "total_steps": self.total_steps}
        for text in record.pop("notes"):
            log.write("note", step=self.step, text=text)
        log.write("step", **{**record, **place, "seconds_left": left})
        self._after_step(epoch, log)

    def _after_step(self, epoch: int, log: RunLog) -> None:
        is_last = self.step == self.total_steps
        ends_epoch = self.step % self._steps_per_epoch == 0
        every = self._config.training.validation.every
        is_due = is_last or (ends_epoch if every is None else self.step % every == 0)
        if ends_epoch or is_last:
            self._require_seen(epoch)
        if is_due:
            self._validate(epoch, log)
        if ends_epoch and self._validation is not None:
            self._method.on_epoch_end(self._validation)
        if is_due or self._is_checkpoint_due():
            self._save(log)

    def _is_checkpoint_due(self) -> bool:
        every = self._config.training.checkpoint_every
        return every is not None and self.step % every == 0

    def _is_null_due(self) -> bool:
        """Return whether the null is measured before the next step."""
        every = self._config.training.null_every
        return bool(every) and self._has_halves() and (self.step + 1) % every == 0

    def _has_halves(self) -> bool:
        return self._config.training.batch_size * self._world.size > 1

    def _require_seen(self, epoch: int) -> None:
        seen = set[str]().union(*self._world.gathered(self._stepper.seen))
        for task in self._method.tasks:
            if task.name not in seen and task.start_epoch <= epoch:
                needs = f"; it needs {', '.join(sorted(task.needs))}" if task.needs else ""
                raise ValueError(
                    f"task {task.name!r} had no loss in any step of epoch {epoch}{needs}: give the "
                    "data what it needs, or choose a method without this task"
                )

    def _validate(self, epoch: int, log: RunLog) -> None:
        self._validation = validate(
            self.whole(), self._data, self._config, self._labeler, self._world
        )
        scores = self._validation.scores
        is_best = self._selection.improves(scores)
        log.write("validation", step=self.step, epoch=epoch, scores=scores, best=is_best)
        if is_best:
            self.best_step = self.step

    def _save(self, log: RunLog) -> None:
        method = self.whole()
        state = {
            "step": self.step,
            "best_step": self.best_step,
            "selection": self._selection.state_dict(),
            "validation": None if self._validation is None else vars(self._validation),
            "share": vars(Share.of(self._config.training, self._world)),
            **training_state(self._parts, self._stepper, self._world),
        }
        writers = (method.save_pretrained, self._data.processor.save)

        def write() -> None:
            complete = {**state, "log": log.sync()}
            self._checkpoints.save(writers, complete, step=self.step, best_step=self.best_step)

        self._world.by_first(write)

    def restore(self) -> list[str]:
        """Go back to the newest checkpoint that is whole, and cut the log to it.

        Where the run was stopped before the first one, it is left as it was made: it begins anew.

        Returns:
            What a reader of the log should know of it.

        Raises:
            ValueError: If no checkpoint is whole, lines of the log are lost, or a step would take
                another number of studies.
        """
        found = self._world.by_first(self._checkpoints.newest)
        log = self._folder / "log.jsonl"
        if found is None:
            self._world.by_first(lambda: cut_log(log, 0))
            return ["resumed from step 0: the run was stopped before its first checkpoint"]
        state = found.state
        former, now = Share(**state["share"]), Share.of(self._config.training, self._world)
        now.require_to_follow(former, is_bucketed=self._config.data.bucket_by_length)
        self._world.by_first(lambda: cut_log(log, state["log"]))
        weights = self._world.by_first(lambda: load(found.folder).state_dict())
        load_whole(self._method, weights)
        self.step, self.best_step = state["step"], state["best_step"]
        self._selection.load_state_dict(state["selection"])
        kept = state["validation"]
        self._validation = None if kept is None else Validation(**kept)
        restore_training(state, self._parts, self._stepper, self._world)
        notes = [
            f"a checkpoint was not whole and could not be used: {each}" for each in found.damaged
        ]
        by = "" if now == former else f" by {now} (before: {former})"
        return [*notes, f"resumed from step {self.step}{by}"]
