"""An optimizer with the engine inside: the interface of the CAME-Grad authors' trainer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, final

from torch import Tensor, nn
from torch.optim import Optimizer

from gradtruce.gradients.balancer import Balancer
from gradtruce.gradients.engine import TaskGradients
from gradtruce.gradients.record import StepRecord
from gradtruce.gradients.scaling import enabled_scaler, take
from gradtruce.gradients.support import named_parameters, require_held


def wrap(
    optimizer: Optimizer,
    balancer: Balancer,
    *,
    model: nn.Module | None = None,
    task_weights: Sequence[float] | None = None,
    **options: Any,
) -> "WrappedOptimizer":
    """Return an optimizer whose `step` takes a list of losses and does all of an update.

    Args:
        optimizer: Holds every parameter that is trained.
        balancer: Such as `CAMEGrad()`.
        model: Gives parameters their names in messages, and is needed for a distributed model.
            Without it the parameters are those of the optimizer.
        task_weights: λ of every loss, in order. If left out, the first `step` says them, which is
            too late for a distributed or compiled model.
        options: Further arguments of `TaskGradients`, such as `scope="all"` or `scaler=scaler`.

    Raises:
        TypeError: If optimizer or balancer are of another kind.
        ValueError: If a trained parameter of the model is in no group of the optimizer.

    >>> import torch
    >>> from gradtruce.balance import CAMEGrad
    >>> trunk, heads = nn.Linear(2, 4), nn.ModuleList([nn.Linear(4, 1), nn.Linear(4, 1)])
    >>> sgd = torch.optim.SGD([*trunk.parameters(), *heads.parameters()], lr=0.1)
    >>> optimizer = wrap(sgd, CAMEGrad())
    >>> schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    >>> features = trunk(torch.ones(3, 2))
    >>> losses = [heads[0](features).square().mean(), heads[1](features).exp().mean()]
    >>> record = optimizer.step(losses, task_weights=[1.0, 4.0])
    >>> schedule.step()
    >>> round(sgd.param_groups[0]["lr"], 3)
    0.01
    """
    return WrappedOptimizer(
        optimizer, balancer, model=model, task_weights=task_weights, options=options
    )


@final
class WrappedOptimizer(Optimizer):
    """Made by `wrap`; for schedulers and loops it is the optimizer inside.

    Groups, state and defaults are those of the optimizer inside; hooks are registered there.

    Attributes:
        optimizer: The one inside.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        balancer: Balancer,
        *,
        model: nn.Module | None,
        task_weights: Sequence[float] | None,
        options: Mapping[str, Any],
    ) -> None:
        # Optimizer.__init__ is left out: it would make groups and state of its own.
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer must be a torch.optim.Optimizer, got {optimizer!r}")
        if not isinstance(balancer, Balancer):
            raise TypeError(f"balancer must be an instance such as CAMEGrad(), got {balancer!r}")
        self.optimizer = optimizer
        self._balancer, self._options, self._is_named = balancer, dict(options), model is not None
        self._model = _holder(optimizer) if model is None else model
        self._gradients: TaskGradients | None = None
        self._is_checked = False
        require_held(optimizer, *named_parameters(self._model))
        if task_weights is not None:
            self._gradients = self._engine(task_weights)

    def step(  # type: ignore[override]  # losses in place of a closure is what it is for
        self,
        losses: Sequence[Tensor] | Callable[[], Sequence[Tensor]],
        task_weights: Sequence[float] | None = None,
    ) -> StepRecord:
        """Run the backward passes, update, and empty the gradients.

        Args:
            losses: Unweighted scalars, always in the same order; or a function that computes them,
                for balancers that must see them again or update several times a batch.
            task_weights: λ of every loss; the same in every step. 1 each if never given.

        Raises:
            ValueError: If the number of losses or the weights change, if a loss reaches a parameter
                that is in no optimizer (looked for in the first step), or as
                `TaskGradients.backward`.
            TypeError: If the balancer needs a function and got losses.
            FloatingPointError: If a loss or gradient is not finite.
        """
        if callable(losses):
            if self._gradients is None and task_weights is None:
                raise ValueError(
                    "where losses is a function, wrap or the first step needs task_weights=[…]"
                )
            gradients = self._of(task_weights, count=0)
            return gradients.step(lambda: self._named(losses()), self.optimizer)
        gradients = self._of(task_weights, count=len(losses))
        record = gradients.backward(self._named(losses))
        take(self.optimizer, enabled_scaler(self._options.get("scaler")))
        return record

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Empty the gradients."""
        self.optimizer.zero_grad(set_to_none=set_to_none)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, which is possible before the first step alone.

        Raises:
            RuntimeError: Afterwards.
        """
        if self._gradients is not None and not self._is_named:
            raise RuntimeError(
                "the engine knows its parameters by now: add groups before task weights are given "
                "or a step is made, or say wrap(…, model=model) with a model that holds them all"
            )
        self.optimizer.add_param_group(param_group)
        self._model = self._model if self._is_named else _holder(self.optimizer)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the optimizer inside and of the engine."""
        gradients = self._gradients
        return {
            "optimizer": self.optimizer.state_dict(),
            "task_weights": None if gradients is None else list(gradients.weights),
            "gradients": None if gradients is None else gradients.state_dict(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned; works before the first step.

        Raises:
            ValueError: If it is about other weights, or as `TaskGradients.load_state_dict`.
        """
        if state_dict["gradients"] is not None:
            self._of(state_dict["task_weights"]).load_state_dict(state_dict["gradients"])
        self.optimizer.load_state_dict(dict(state_dict["optimizer"]))

    @property
    def param_groups(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Return the groups of the optimizer inside, which schedulers change."""
        return self.optimizer.param_groups

    @property
    def state(self) -> Any:  # type: ignore[override]  # torch types it by the parameters
        """Return the state of the optimizer inside."""
        return self.optimizer.state

    @property
    def defaults(self) -> dict[str, Any]:  # type: ignore[override]
        """Return the defaults of the optimizer inside."""
        return self.optimizer.defaults

    def _of(self, task_weights: Sequence[float] | None, *, count: int = 0) -> TaskGradients:
        """Return the engine of these weights; made by the first call."""
        if self._gradients is None:
            self._gradients = self._engine([1.0] * count if task_weights is None else task_weights)
        weights = list(self._gradients.weights)
        if task_weights is not None and list(map(float, task_weights)) != weights:
            raise ValueError(
                f"task_weights must stay as they were, {weights}, got {list(task_weights)}"
            )
        return self._gradients

    def _engine(self, task_weights: Sequence[float]) -> TaskGradients:
        weights = {_name(place): weight for place, weight in enumerate(task_weights)}
        return TaskGradients(self._model, self._balancer, weights=weights, **self._options)

    def _named(self, losses: Sequence[Tensor]) -> dict[str, Tensor]:
        tasks = self._gradients.tasks if self._gradients is not None else ()
        if len(losses) != len(tasks):
            raise ValueError(
                f"there must be {len(tasks)} losses, one for each weight, got {len(losses)}; for a "
                "task without a loss in this batch give a constant such as torch.zeros(())"
            )
        if not self._is_checked:
            require_reached_are_held(losses, self.optimizer)
            self._is_checked = True
        return {_name(place): loss for place, loss in enumerate(losses)}


def require_reached_are_held(losses: Iterable[Tensor], optimizer: Optimizer) -> None:
    """Refuse losses that reach a parameter which no group of the optimizer holds.

    Raises:
        ValueError: If there is one. Parameters behind re-entrant checkpointing are not seen.

    >>> import torch
    >>> held, loose = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))
    >>> optimizer = torch.optim.SGD([held], lr=0.1)
    >>> require_reached_are_held([held.sum()], optimizer)
    >>> require_reached_are_held([held.sum() + loose.sum()], optimizer)
    Traceback (most recent call last):
    ValueError: the losses reach 1 parameter in no group of the optimizer, ...
    """
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    seen, waiting = set(), [loss.grad_fn for loss in losses if loss.grad_fn is not None]
    loose: dict[int, Tensor] = {}
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if isinstance(variable, nn.Parameter) and id(variable) not in held:
            loose[id(variable)] = variable
        waiting += [following for following, _ in node.next_functions if following is not None]
    if loose:
        shape = tuple(next(iter(loose.values())).shape)
        what = "1 parameter" if len(loose) == 1 else f"{len(loose)} parameters"
        raise ValueError(
            f"the losses reach {what} in no group of the optimizer, the first of shape {shape}; "
            "add them, or set requires_grad_(False)"
        )


def _holder(optimizer: Optimizer) -> nn.Module:
    """Return a module with the parameters of the optimizer, named by their place in its groups."""
    module = nn.Module()
    for number, group in enumerate(optimizer.param_groups):
        for place, parameter in enumerate(group["params"]):
            if not isinstance(parameter, nn.Parameter):
                raise TypeError(
                    f"what is trained must be a torch.nn.Parameter; number {place} of group "
                    f"{number} is a {type(parameter).__name__}"
                )
            module.register_parameter(f"group_{number}_parameter_{place}", parameter)
    return module


def _name(place: int) -> str:
    return f"loss {place}"
