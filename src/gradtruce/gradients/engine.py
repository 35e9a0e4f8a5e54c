"""The engine: from the losses of a step to `.grad`, by one backward pass a task."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, final, overload

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gradtruce.gradients.balancer import (
    AfterStep,
    Balancer,
    FeatureReader,
    GradientNoise,
    RowTransform,
    TaskSchedule,
)
from gradtruce.gradients.counter import Draws
from gradtruce.gradients.finite import Check, FiniteCheck
from gradtruce.gradients.inactivity import Inactivity
from gradtruce.gradients.losses import admitted, none_active
from gradtruce.gradients.open_step import OpenStep, loss_vector, task_mask
from gradtruce.gradients.record import StepRecord
from gradtruce.gradients.replay import Replay
from gradtruce.gradients.rows import RowStore, gradients_aside
from gradtruce.gradients.scope import Scope, ScopeRule, is_read_after
from gradtruce.gradients.support import (
    chosen_places,
    named_parameters,
    require_empty,
    require_held,
    require_options,
    require_seed,
    require_sharing,
    require_supported,
    single_device,
    static_weights,
)
from gradtruce.gradients.update import Updater

SCHEMA = 1


@final
class TaskGradients:
    """Fills `.grad` from several losses, balanced by their gradients.

    One backward pass a task gives the task gradients g_k; a balancer turns their inner products
    into coefficients a; the parameters in scope get Σ a_k g_k, all others Σ λ_k g_k, as from the
    weighted sum of the losses. Optimizer, schedule and clipping stay the user's.

    Make it after `model.to(device)` and before the first forward pass of a compiled model, and put
    everything trained into `model`, parameters of losses too.

    Args:
        model: All parameters that the losses may reach.
        balancer: Such as `CAMEGrad()`.
        weights: Static weight λ of every task, which fixes names and order; at least 0.
        tasks: Names alone, for weights of 1.
        scope: "shared": parameters that at least two tasks reach, found from the gradients; "all":
            every parameter.
        shared: Parameters to take as shared instead of finding them.
        check: "now" raises on a NaN or infinity before `.grad` changes (default on the processor);
            "deferred" writes zeros and raises at the next call, without a synchronisation (default
            on a GPU).
        diagnostics: Whether to keep rows, and so report geometry, where the balancer needs none.
        seed: Of the balancer's random numbers, for balancers that draw some.
        scaler: Not in this version.

    Attributes:
        epoch: Set by the training loop, for balancers that ask for it.

    Raises:
        ValueError: If an argument is out of range or names what is not there.
        TypeError: If model or balancer are of another kind.
        NotImplementedError: For a distributed model, a scaler, or parameter blocks.

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
        scaler: object | None = None,
    ) -> None:
        require_supported(model, balancer, scaler)
        require_seed(balancer, seed)
        require_options(scope, shared, check)
        by_task = static_weights(weights, tasks)
        self.tasks, self.weights = tuple(by_task), tuple(by_task.values())
        self.epoch: int | None = None
        self._model, self._balancer = model, balancer
        self._names, self._parameters = named_parameters(model)
        self._device = single_device(self._parameters)
        self._home = torch.device("cpu") if self._device.type == "mps" else self._device
        needs_rows = balancer.needs != "losses" or isinstance(
            balancer, RowTransform | GradientNoise
        )
        require_sharing(self.tasks, is_found=needs_rows and scope == "shared" and shared is None)
        self._keeps_rows = needs_rows or diagnostics
        self._scope = Scope(
            self._names,
            self.tasks,
            rule=scope,
            chosen=chosen_places(shared, self._parameters),
            may_be_empty=not needs_rows,
        )
        mode: Check = "deferred" if self._device.type == "cuda" else "now"
        sources = [*(f"task {task!r}" for task in self.tasks), "the combined gradient"]
        self._check = FiniteCheck(check or mode, sources)
        self._inactivity = Inactivity(self.tasks, self._home)
        self._generator = None if seed is None else torch.Generator(self._device).manual_seed(seed)
        self._updater = Updater(
            balancer=balancer,
            scope=self._scope,
            check=self._check,
            tasks=self.tasks,
            static=torch.tensor(self.weights, dtype=torch.float64, device=self._home),
            device=self._device,
            generator=self._generator,
            sizes=[parameter.numel() for parameter in self._parameters],
        )
        self._steps = 0
        self._open: OpenStep | None = None
        balancer.bind(self.tasks)
        if isinstance(balancer, FeatureReader):
            balancer.attach(model)
        balancer.to(self._home)

    @overload
    def backward(
        self, losses: Mapping[str, Tensor], last: Literal[True] = True, add: bool = False
    ) -> StepRecord: ...

    @overload
    def backward(
        self, losses: Mapping[str, Tensor], last: bool, add: bool = False
    ) -> StepRecord | None: ...

    def backward(
        self, losses: Mapping[str, Tensor], last: bool = True, add: bool = False
    ) -> StepRecord | None:
        """Fill `.grad` from the losses of a batch, or of one micro-batch of several.

        Args:
            losses: Task name to unweighted scalar; a task that is left out, or whose loss has no
                graph, is inactive.
            last: False for all micro-batches of a step but the last; such a call only runs backward
                passes, leaves `.grad` alone and returns `None`.
            add: Whether to add to gradients that are in `.grad`, which are an error otherwise.

        Raises:
            ValueError: If a loss is unknown, no scalar, or elsewhere; if no task is active; if
                `.grad` is not empty; if no parameter is shared.
            FloatingPointError: If a loss or gradient is not finite, here or in the step before.
            TypeError: If the balancer needs `step`.
        """
        if isinstance(self._balancer, AfterStep | TaskSchedule):
            raise TypeError(
                f"balancer {self._balancer.name!r} must see losses again or update several times a "
                "batch: call step(compute_losses, optimizer) in place of backward"
            )
        return self._backward(losses, last=last, add=add, due=None)

    def step(
        self, compute_losses: Callable[[], Mapping[str, Tensor]], optimizer: Optimizer
    ) -> StepRecord:
        """Do all of a step for any balancer: losses, backward passes, update, zero_grad.

        Args:
            compute_losses: Runs the model on the batch and returns its losses; called more than
                once where the balancer asks for it.
            optimizer: Holds all trainable parameters. To clip, register a step pre-hook on it.

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
                if not set(due) & set(present):
                    continue
                self._balancer.before_update(due, self._values(present))
                losses = {self.tasks[task]: present[task] for task in due if task in present}
            record = self._backward(losses, last=True, add=False, due=due)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if isinstance(self._balancer, AfterStep):
                again = replay.run(compute_losses)
                self._balancer.after_step(
                    self._values({self.tasks.index(name): loss for name, loss in again.items()})
                )
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
        inside = [
            p for p, is_in in zip(self._parameters, self._scope.members, strict=True) if is_in
        ]
        lines = [
            f"tasks (weight): {weights}",
            f"balancer: {self._balancer.name}; completed steps: {self._steps}",
            f"scope: {self._scope.rule}, {len(inside)} of {len(self._parameters)} parameters, "
            f"{_numbers(inside):,} of {_numbers(self._parameters):,} numbers",
        ]
        if self._scope.is_found and self._keeps_rows:
            reach = ", ".join(f"{task} {count}" for task, count in self._scope.reach().items())
            lines.append(f"parameters reached: {reach}")
        return "\n".join(lines)

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed run needs: balancer, scope, counts, random numbers.

        Raises:
            RuntimeError: Between the micro-batches of a step.
        """
        if self._open is not None:
            raise RuntimeError("a step is open: save after backward(…, last=True), not before")
        return {
            "schema": SCHEMA,
            "tasks": list(self.tasks),
            "name": self._balancer.name,
            "balancer": self._balancer.state_dict(),
            "steps": self._steps,
            "epoch": self.epoch,
            "scope": self._scope.state_dict(),
            "inactive": self._inactivity.counts.cpu(),
            "generator": None if self._generator is None else self._generator.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned; works before the first step.

        Raises:
            ValueError: If it is about other tasks, another balancer, model or scope.
        """
        if state["schema"] != SCHEMA:
            raise ValueError(f"the state has schema {state['schema']}, this version reads {SCHEMA}")
        if tuple(state["tasks"]) != self.tasks:
            raise ValueError(
                f"the state is of tasks {', '.join(state['tasks'])}; this engine has "
                f"{', '.join(self.tasks)}, and names and order must agree"
            )
        if state["name"] != self._balancer.name:
            raise ValueError(
                f"the state is of balancer {state['name']!r}; this engine has "
                f"{self._balancer.name!r}"
            )
        self._scope.load_state_dict(state["scope"], self._device)
        self._balancer.load_state_dict(state["balancer"])
        self._steps, self.epoch = state["steps"], state["epoch"]
        self._inactivity.counts = state["inactive"].to(self._home)
        if self._generator is not None and state["generator"] is not None:
            self._generator.set_state(state["generator"].cpu())

    def close(self) -> None:
        """Drop an open step, and raise what was deferred.

        Raises:
            FloatingPointError: If the last step was not finite.
        """
        self._open = None
        self._check.settle()

    def _backward(
        self, losses: Mapping[str, Tensor], *, last: bool, add: bool, due: Sequence[int] | None
    ) -> StepRecord | None:
        self._check.settle()
        present = admitted(losses, self.tasks, self._device)
        if not add:
            require_empty(self._names, self._parameters)
        if last and not present and (self._open is None or not self._open.present):
            raise none_active(losses, self.tasks)
        opened, self._open = self._open or self._opened(present, last=last), None
        with gradients_aside(self._parameters):
            opened.add(present)
            if not last:
                self._open = opened
                return None
            step = self._steps + 1
            update = (
                self._updater.from_rows(opened, step, self.epoch)
                if opened.coefficients is None
                else self._updater.from_sum(opened, opened.coefficients, step)
            )
        for parameter, gradient in zip(self._parameters, update.gradients, strict=True):
            if gradient is not None:
                parameter.grad = (
                    gradient if parameter.grad is None else parameter.grad.add_(gradient)
                )
        self._steps = step
        self._count(update.record, due)
        return update.record

    def _opened(self, present: Mapping[int, Tensor], *, last: bool) -> OpenStep:
        """Start a step: with a single row where its coefficients can be known by now."""
        if isinstance(self._balancer, FeatureReader):
            self._balancer.forget()
        tasks, coefficients = len(self.tasks), None
        if not self._keeps_rows and (last or self._balancer.is_fixed):
            active = task_mask(present if last else range(tasks), tasks, self._home)
            coefficients = self._updater.coefficients(
                torch.zeros(tasks, tasks, dtype=torch.float64, device=self._home),
                loss_vector(present, tasks, self._home),
                active,
                self._steps + 1,
                self.epoch,
            )
        rows = tasks if coefficients is None else 1
        store = RowStore(self._parameters, self._names, count=rows)
        return OpenStep(store, coefficients, tasks=tasks, device=self._device, home=self._home)

    def _count(self, record: StepRecord, due: Sequence[int] | None) -> None:
        mask = None if due is None else task_mask(due, len(self.tasks), self._home)
        self._inactivity.update(record.active, mask)
        if self._home.type == "cpu" or is_read_after(record.step):
            self._inactivity.warn(record.step)

    def _groups(self) -> Sequence[Sequence[int] | None]:
        if isinstance(self._balancer, TaskSchedule) and self._generator is not None:
            return self._balancer.groups(Draws(self._generator.initial_seed(), self._steps))
        return [None]

    def _values(self, losses: Mapping[int, Tensor]) -> Tensor:
        return loss_vector(losses, len(self.tasks), self._home)


def _numbers(parameters: Iterable[nn.Parameter]) -> int:
    return sum(parameter.numel() for parameter in parameters)
