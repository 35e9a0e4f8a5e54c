"""What the engine refuses when it is made, each with the reason and the remedy."""

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from gradtruce.gradients.balancer import Balancer, ParameterBlocks


def require_supported(model: object, balancer: object) -> None:
    """Refuse what this version does not do.

    Raises:
        TypeError: If the model is no module or the balancer no balancer.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    if not isinstance(balancer, Balancer):
        raise TypeError(f"balancer must be an instance such as CAMEGrad(), got {balancer!r}")
    if balancer.needs == "blocks" and not isinstance(balancer, ParameterBlocks):
        raise TypeError(
            f"balancer {balancer.name!r} needs parameter blocks, but has no method blocks(names)"
        )


def static_weights(
    weights: Mapping[str, float] | None, tasks: Sequence[str] | None
) -> dict[str, float]:
    """Return the weight of each task, from either argument.

    Raises:
        ValueError: If not exactly one of them is given, it names no task or one twice, or a weight
            is negative or not finite.
        TypeError: If `tasks` is a single text.

    >>> static_weights(None, ("report", "findings"))
    {'report': 1.0, 'findings': 1.0}
    """
    if (weights is None) == (tasks is None):
        raise ValueError('give either weights={"a": 1.0, "b": 4.0} or tasks=("a", "b")')
    if isinstance(tasks, str):
        raise TypeError(f"tasks must be a sequence of names, got the text {tasks!r}")
    named = list(weights.items()) if weights is not None else [(t, 1.0) for t in tasks or ()]
    result = {task: float(weight) for task, weight in named}
    if not named or len(result) < len(named):
        raise ValueError(
            f"there must be at least one task, and each once, got {[t for t, _ in named]}"
        )
    for task, weight in result.items():
        if not (0 <= weight < math.inf):
            raise ValueError(f"the weight of task {task!r} must be at least 0, got {weight}")
    return result


def single_device(parameters: Iterable[nn.Parameter]) -> torch.device:
    """Return the device of all parameters.

    Raises:
        ValueError: If there are none, they are spread over devices, or one is complex.
    """
    parameters = list(parameters)
    devices = {parameter.device for parameter in parameters}
    if len(devices) != 1:
        found = ", ".join(sorted(map(str, devices))) or "no parameters"
        raise ValueError(f"all parameters of the model must be on one device, found {found}")
    if any(parameter.is_complex() for parameter in parameters):
        raise ValueError("complex parameters are not supported; use pairs of real ones")
    return devices.pop()


def chosen_places(
    shared: Iterable[nn.Parameter] | None, parameters: Sequence[nn.Parameter]
) -> list[int] | None:
    """Return the places of the parameters that a user calls shared.

    Raises:
        ValueError: If there are none, or one is not the model's.
    """
    if shared is None:
        return None
    places = {id(parameter): place for place, parameter in enumerate(parameters)}
    chosen = list(shared)
    strange = [parameter for parameter in chosen if id(parameter) not in places]
    if strange or not chosen:
        found = f"{len(strange)} others" if strange else "none"
        raise ValueError(
            f"shared must be parameters of the model, such as model.trunk.parameters(), got {found}"
        )
    return sorted({places[id(parameter)] for parameter in chosen})


def named_parameters(model: nn.Module) -> tuple[list[str], list[nn.Parameter]]:
    """Return all parameters, each once, with the names they have where nothing is wrapped.

    >>> named_parameters(nn.Linear(2, 1))[0]
    ['weight', 'bias']
    """
    wrappers = [n for n, m in model.named_modules() if isinstance(m, DistributedDataParallel)]
    added = [f"{name}.module." if name else "module." for name in wrappers]
    names, parameters = [], []
    for name, parameter in model.named_parameters():
        for prefix in sorted(added, key=len, reverse=True):
            if name.startswith(prefix):
                name = prefix.removesuffix("module.") + name.removeprefix(prefix)
        names.append(name.replace("_orig_mod.", ""))
        parameters.append(parameter)
    return names, parameters


def require_sharing(tasks: Sequence[str], *, is_found: bool) -> None:
    """Refuse to look for shared parameters where there is one task.

    Raises:
        ValueError: If the scope must be found and there is one task.
    """
    if is_found and len(tasks) == 1:
        raise ValueError(f"one task ({tasks[0]!r}) shares no parameter; use scope='all'")


def require_empty(names: Sequence[str], parameters: Sequence[nn.Parameter]) -> None:
    """Refuse gradients that a former step left.

    Raises:
        ValueError: If a parameter has one.
    """
    left = [name for name, p in zip(names, parameters, strict=True) if p.grad is not None]
    if left:
        raise ValueError(
            f"{left[0]!r} has a gradient already (and {len(left) - 1} others); call zero_grad() "
            "before backward, not zero_grad(set_to_none=False), whose zeros look the same; or pass "
            "add=True to add to what is there"
        )


def require_held(
    optimizer: torch.optim.Optimizer, names: Sequence[str], parameters: Sequence[nn.Parameter]
) -> None:
    """Refuse an optimizer that does not hold all trainable parameters.

    Raises:
        ValueError: If a parameter that requires a gradient is in none of its groups.
    """
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    named = zip(names, parameters, strict=True)
    loose = [name for name, p in named if p.requires_grad and id(p) not in held]
    if loose:
        raise ValueError(
            f"{loose[0]!r} (and {len(loose) - 1} others) is trained but in no group of the "
            "optimizer; add it, or set requires_grad_(False)"
        )
