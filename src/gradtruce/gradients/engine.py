"""The engine: from the losses of a step to `.grad`, by one backward pass a task."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, Literal, final, overload

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gradtruce.gradients.balancer import AfterStep, Balancer, FeatureReader, TaskSchedule
from gradtruce.gradients.cadence import Cadence
from gradtruce.gradients.clipping import Clipping
from gradtruce.gradients.counter import Draws
from gradtruce.gradients.finite import Check, FiniteCheck
from gradtruce.gradients.inactivity import Inactivity
from gradtruce.gradients.kernels import KernelChoice, kernels_of
from gradtruce.gradients.losses import admitted, none_active
from gradtruce.gradients.open_step import OpenStep, loss_vector
from gradtruce.gradients.opening import Features, Opening
from gradtruce.gradients.options import (
    is_of_rows,
    needs_step,
    require_backward,
    require_exact_rows,
    require_options,
    require_possible,
    require_scope_of_features,
    require_seed,
)
from gradtruce.gradients.parallel.distributed import ranks_of
from gradtruce.gradients.parallel.shards import Shards
from gradtruce.gradients.record import StepRecord
from gradtruce.gradients.replay import Replay
from gradtruce.gradients.rows import gradients_aside, write
from gradtruce.gradients.scaling import KeptState, enabled_scaler, take
from gradtruce.gradients.scope import Scope, ScopeRule
from gradtruce.gradients.state import EngineState
from gradtruce.gradients.support import (
    chosen_places,
    named_parameters,
    require_empty,
    require_held,
    require_sharing,
    require_supported,
    single_device,
    static_weights,
)
from gradtruce.gradients.update import Updater


@final
class TaskGradients:
    """Fills `.grad` from several losses, balanced by their gradients.

    One backward pass a task gives the task gradients g_k; a balancer turns their inner products
    into coefficients a; the parameters in scope get Σ a_k g_k, all others Σ λ_k g_k, as from the
    weighted sum of the losses. Optimizer and schedule stay the user's.

    Make it after `model.to(device)` and after DDP or `fully_shard`, before the first forward pass,
    and put everything trained into `model`, parameters of losses too. Losses and gradients are
    means over ranks.

    Args:
        model: All parameters that the losses may reach.
        balancer: Such as `CAMEGrad()`.
        weights: Static weight λ of every task, which fixes names and order; at least 0.
        tasks: Names alone, for weights of 1.
        scope: "shared": parameters that at least two tasks reach, found from the gradients; "all":
            every parameter; "features": parameters before the features that are given to each
            `backward`, with the Gramian of the gradients of those features in place of the
            parameters': cheaper, and another method than with the true Gramian.
        shared: Parameters to take as shared instead of finding them.
        check: "now" raises on a NaN or infinity before `.grad` changes (default on the processor);
            "deferred" writes zeros and raises at the next call, without a synchronisation (default
            on a GPU).
        diagnostics: Whether to keep rows, and so report geometry, where the balancer needs none.
        seed: Of the balancer's random numbers, for balancers that draw some.
        scaler: Of mixed precision. Losses are multiplied by its factor, `.grad` is left so for
            `scaler.step(optimizer)`; balancer, clipping and record get unscaled numbers. A step
            that is not finite raises nothing and leaves no trace in the balancer: the scaler skips
            it, `record.finite` tells.
        clip_norm: Largest norm of the whole update, as `clip_grad_norm_` on all parameters.
        clip_value: Largest size of each number of the update, as `clip_grad_value_`.
        every: Steps from one computation of the coefficients to the next; in between, one backward
            pass of the weighted losses takes the last ones. Cheaper, and another method than 1.
        sketch: For DDP over slow links: size of random projections whose Gramian, right on average
            and off by about √(2/sketch), stands for the true one; see `Replicas`.
        kernels: What measures and combines rows: "torch", or "triton" on a GPU, which has been
            checked without one and never measured.

    Attributes:
        epoch: Set by the training loop, for balancers that ask for it.

    Raises:
        ValueError: If an argument is out of range or names what is not there.
        TypeError: If model or balancer are of another kind.
        RuntimeError: If a model in DDP has run a forward pass before.
        NotImplementedError: For FSDP1, and DDP with options that count on one backward pass.

    >>> from gradtruce.balance import CAMEGrad
    >>> trunk, a, b = nn.Linear(2, 2), nn.Linear(2, 1), nn.Linear(2, 1)
    >>> model = nn.ModuleList([trunk, a, b])
    >>> gradients = TaskGradients(model, CAMEGrad(), weights={"a": 1.0, "b": 4.0})
    >>> features = trunk(torch.ones(3, 2))
    >>> record = gradients.backward({"a": a(features).mean(), "b": b(features).square().mean()})
    >>> record.coefficients.shape, trunk.weight.grad.shape
    (torch.Size([2]), torch.Size([2, 2]))
    """

    def __init__(
        self,
        model: nn.Module,
        balancer: Balancer,
        *,
        weights: Mapping[str, float] | None = None,
        tasks: Sequence[str] | None = None,
        scope: ScopeRule = "shared",
        shared: Iterable[nn.Parameter] | None = None,
        check: Check | None = None,
        diagnostics: bool = False,
        seed: int | None = None,
        scaler: torch.amp.GradScaler | None = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        every: int = 1,
        sketch: int | None = None,
        kernels: KernelChoice = "torch",
    ) -> None:
        require_supported(model, balancer)
        require_seed(balancer, seed)
        require_options(scope, shared, check)
        self._scaler = enabled_scaler(scaler)
        require_possible(balancer, scope=scope, every=every, check=check, scaler=self._scaler)
        by_task = static_weights(weights, tasks)
        self.tasks, self.weights = tuple(by_task), tuple(by_task.values())
        self.epoch: int | None = None
        self._model, self._balancer = model, balancer
        self._names, self._parameters = named_parameters(model)
        self._device = single_device(self._parameters)
        self._home = torch.device("cpu") if self._device.type == "mps" else self._device
        self._ranks = ranks_of(model, self._names, self._parameters, sketch=sketch, seed=seed)
        sharded = isinstance(self._ranks, Shards)
        require_exact_rows(balancer, sketch, (clip_norm, clip_value), sharded, scope, every)
        needs_rows = is_of_rows(balancer)
        require_sharing(self.tasks, is_found=needs_rows and scope == "shared" and shared is None)
        self._keeps_rows = needs_rows or diagnostics
        self._scope = Scope(
            self._names,
            self.tasks,
            rule=scope,
            chosen=chosen_places(shared, self._parameters),
            may_be_empty=not needs_rows,
            united=None if self._ranks.count == 1 else self._ranks.united,
            device=self._device,
        )
        mode: Check = "deferred" if self._device.type == "cuda" else "now"
        sources = [*(f"task {task!r}" for task in self.tasks), "the combined gradient"]
        self._check = FiniteCheck("passed on" if self._scaler else check or mode, sources)
        self._inactivity = Inactivity(self.tasks, self._home)
        self._generator = None if seed is None else torch.Generator(self._device).manual_seed(seed)
        static = torch.tensor(self.weights, dtype=torch.float64, device=self._home)
        self._cadence = Cadence(every, static)
        self._updater = Updater(
            balancer=balancer,
            scope=self._scope,
            check=self._check,
            tasks=self.tasks,
            static=static,
            clipping=Clipping(clip_norm, clip_value),
            device=self._device,
            generator=self._generator,
            sizes=[parameter.numel() for parameter in self._parameters],
            ranks=self._ranks,
            kernels=kernels_of(kernels, self._device),
        )
        self._opening = Opening(
            updater=self._updater,
            cadence=self._cadence,
            parameters=self._parameters,
            names=self._names,
            keeps_rows=self._keeps_rows,
            scaler=self._scaler,
            home=self._home,
        )
        saved = (self._scope, self._cadence, self._inactivity, self._generator, self._device)
        self._state = EngineState(self.tasks, balancer, *saved)
        self._steps = 0
        self._open: OpenStep | None = None
        balancer.bind(self.tasks)
        if isinstance(balancer, FeatureReader):
            balancer.attach(model)
        balancer.to(self._home)
        self._ranks.start((by_task, balancer.name, scope, every, sketch, seed, self._names))

    @property
    def needs_step(self) -> bool:
        """Whether the balancer must be driven by `step` instead of `backward`."""
        return needs_step(self._balancer)

    @overload
    def backward(
        self,
        losses: Mapping[str, Tensor],
        last: Literal[True] = True,
        add: bool = False,
        features: Features | None = None,
    ) -> StepRecord: ...

    @overload
    def backward(
        self,
        losses: Mapping[str, Tensor],
        last: bool,
        add: bool = False,
        features: Features | None = None,
    ) -> StepRecord | None: ...

    def backward(
        self,
        losses: Mapping[str, Tensor],
        last: bool = True,
        add: bool = False,
        features: Features | None = None,
    ) -> StepRecord | None:
        """Fill `.grad` from the losses of a batch, or of one micro-batch of several.

        Args:
            losses: Task name to unweighted scalar; a task that is left out, or whose loss has no
                graph, is inactive.
            last: False for all micro-batches of a step but the last; such a call only runs backward
                passes, leaves `.grad` alone and returns `None`.
            add: Whether to add to gradients that are in `.grad`, which are an error otherwise.
            features: With scope="features", the shared representation, of one tensor or several,
                that the losses were computed from.

        Raises:
            ValueError: If a loss is unknown, no scalar, or elsewhere; if no task is active; if
                `.grad` is not empty; if no parameter is shared.
            FloatingPointError: If a loss or gradient is not finite, here or in the step before.
            TypeError: If the balancer needs `step`.
        """
        require_backward(self._balancer)
        return self._backward(losses, last=last, add=add, due=None, features=features)

    def step(
        self, compute_losses: Callable[[], Mapping[str, Tensor]], optimizer: Optimizer
    ) -> StepRecord:
        """Do all of a step for any balancer: losses, backward passes, update, zero_grad.

        Args:
            compute_losses: Runs the model on the batch and returns its losses; called more than
                once where the balancer asks for it.
            optimizer: Holds all trainable parameters; stepped by the scaler where there is one.

        Returns:
            The record of the last update of the batch.

        Raises:
            ValueError: As `backward`, and if a trained parameter is in no group of the optimizer.
            FloatingPointError: As `backward`.
        """
        require_held(optimizer, self._names, self._parameters)
        record: StepRecord | None = None
        for due in self._groups():
            replay = Replay(self._model, self._device)
            losses = compute_losses()
            if due is not None and isinstance(self._balancer, TaskSchedule):
                present = admitted(losses, self.tasks, self._device)
                means, everywhere = self._ranks.agreed(self._values(present), list(present))
                if not set(due) & set(everywhere):
                    continue
                self._balancer.before_update(due, means)
                losses = {self.tasks[task]: present[task] for task in due if task in present}
            record = self._backward(losses, last=True, add=False, due=due, features=None)
            take(optimizer, self._scaler)
            if isinstance(self._balancer, AfterStep) and record is not None:
                again = admitted(replay.run(compute_losses), self.tasks, self._device, graph=False)
                kept = KeptState(self._balancer)
                means = self._ranks.total(self._values(again)) / self._ranks.count
                self._balancer.after_step(means)
                self._ranks.finish()
                kept.restore_unless(record.finite & means.isfinite().all())
        if record is None:
            raise none_active({}, self.tasks)
        return record

    def expect_inactive(self, names: Collection[str]) -> None:
        """Say which tasks may stay inactive from now on without a warning; replaces the last call.

        Raises:
            ValueError: If there is no such task.
        """
        self._inactivity.expect(names)

    def describe(self) -> str:
        """Return tasks, weights, balancer and scope in words."""
        weights = ", ".join(f"{t} ({w:g})" for t, w in zip(self.tasks, self.weights, strict=True))
        lines = [
            f"tasks (weight): {weights}",
            f"balancer: {self._balancer.name}; completed steps: {self._steps}",
            *self._scope.describe([p.numel() for p in self._parameters], reach=self._keeps_rows),
        ]
        return "\n".join(lines)

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed run needs: balancer, scope, counts, random numbers.

        Raises:
            RuntimeError: Between the micro-batches of a step.
        """
        if self._open is not None:
            raise RuntimeError("a step is open: save after backward(…, last=True), not before")
        return self._state.dump(self._steps, self.epoch)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned; works before the first step.

        Raises:
            ValueError: If it is about other tasks, another balancer, model or scope.
        """
        self._steps, self.epoch = self._state.load(state)

    def close(self) -> None:
        """Drop an open step, let DDP average again, and raise what was deferred.

        Raises:
            FloatingPointError: If the last step was not finite.
        """
        self._open = None
        self._ranks.close()
        self._check.settle()

    def _backward(
        self,
        losses: Mapping[str, Tensor],
        *,
        last: bool,
        add: bool,
        due: Sequence[int] | None,
        features: Features | None,
    ) -> StepRecord | None:
        self._check.settle()
        present = admitted(losses, self.tasks, self._device)
        is_looking = self._keeps_rows and self._scope.rule == "features"
        require_scope_of_features(self._scope.rule, features, is_whole=last or not is_looking)
        if not add:
            require_empty(self._names, self._parameters)
        arrival = self._opening.arrived(present, self._open, self._steps)
        if last and not arrival.everywhere:
            raise none_active(losses, self.tasks)
        step = self._steps + 1
        opened = self._open or self._opening.open(
            arrival, features, last=last, step=step, epoch=self.epoch
        )
        self._open = None
        undone = nullcontext() if opened.kept is None else opened.kept.back_on_errors()
        with gradients_aside(self._parameters), undone:
            complete = partial(
                self._updater.complete, opened.store, is_watched=opened.weighted is None
            )
            opened.add(present, arrival.everywhere, complete if last else None)
            if not last:
                self._open = opened
                return None
            opened.losses, opened.present = arrival.losses, list(arrival.everywhere)
            update = (
                self._updater.from_rows(opened, step, self.epoch)
                if opened.weighted is None
                else self._updater.from_sum(opened, opened.weighted, step)
            )
        write(self._parameters, update.gradients)
        self._ranks.finish()
        self._steps = step
        self._opening.count(opened, update.record.coefficients, update.record.finite)
        self._inactivity.count(update.record.active, due, step)
        return update.record

    def _groups(self) -> Sequence[Sequence[int] | None]:
        if isinstance(self._balancer, TaskSchedule) and self._generator is not None:
            return self._balancer.groups(Draws(self._generator.initial_seed(), self._steps))
        return [None]

    def _values(self, losses: Mapping[int, Tensor]) -> Tensor:
        return loss_vector(losses, len(self.tasks), self._home)
