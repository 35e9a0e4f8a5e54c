"""A balancer that states no synchronisation has none: seen on a device without numbers to read."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gradtruce.gradients.balancer import (
    AfterStep,
    Balancer,
    ParameterBlocks,
    TaskStatistics,
)
from tests.laws.balancers import RANDOM, balancers, make


class Watch(TorchDispatchMode):
    """Counts copies between devices that the host would wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if isinstance(result, Tensor) and func.overloadpacket.__name__ in {"_to_copy", "copy_"}:
            came, goes = {arg.device for arg in args if isinstance(arg, Tensor)}, result.device
            waits = not (kwargs.get("non_blocking") or any(arg is True for arg in args))
            self.waits += waits and came != {goes}
        return result


def statistics(tasks: int, *blocks: int) -> TaskStatistics:
    return TaskStatistics(
        torch.empty(*blocks, tasks, tasks, dtype=torch.float64, device="meta"),
        torch.empty(tasks, dtype=torch.float64, device="meta"),
        torch.empty(tasks, dtype=torch.float64, device="meta"),
        torch.empty(tasks, dtype=torch.bool, device="meta"),
        epoch=0,
        generator=torch.Generator(),
    )


@balancers(lambda kind: kind.synchronises == "" or kind.synchronises.startswith("above 8"))
@pytest.mark.parametrize("tasks", [1, 2, 3, 8])
def test_coefficients_never_wait_for_the_device(kind: type[Balancer], tasks: int) -> None:
    balancer = make(kind)
    balancer.bind([f"task {k}" for k in range(tasks)])
    blocks = []
    if isinstance(balancer, ParameterBlocks):
        blocks = [1 + max(balancer.blocks(["one.weight", "two.weight"]))]
    balancer.to("meta")
    step = statistics(tasks, *blocks)
    with Watch() as watch, torch.no_grad():
        for _ in range(2):
            a = balancer.coefficients(step)
            if isinstance(balancer, AfterStep):
                balancer.after_step(step.losses)
    assert a.device.type == "meta"
    drawn = 2 if kind.name in RANDOM else 0  # there are no random numbers on this device
    assert watch.waits <= drawn


def test_the_watch_sees_what_it_is_for() -> None:
    there = torch.empty(2, device="meta")
    with Watch() as watch:
        torch.ones(2).to("meta")
        torch.ones(2).to("meta", non_blocking=True)
        there.to(torch.float64)
    assert watch.waits == 1
    with pytest.raises(RuntimeError, match="meta"):
        bool(there.sum() > 0)
