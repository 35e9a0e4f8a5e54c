"""One of two processes that run several backward passes through DistributedDataParallel.

    python tests/peers/passes.py RANK FILE CASE…

Prints what came out, in float64, as one line of JSON a case.
"""

import json
import sys
from importlib import import_module

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

RANKS = 2


class Net(nn.Module):
    """A trunk and a head for each of two tasks."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Linear(3, 4)
        self.heads = nn.ModuleList([nn.Linear(4, 1), nn.Linear(4, 1)])

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the two losses."""
        features = self.trunk(x).tanh()
        first, second = (head(features) for head in self.heads)
        return [first.square().mean(), (second - 1).pow(2).mean()]


def rows(net: Net, losses: list[Tensor]) -> list[Tensor]:
    """Return the trunk's gradient of each loss, by one backward pass each."""
    found = []
    for place, loss in enumerate(losses):
        net.zero_grad()
        loss.backward(retain_graph=place < len(losses) - 1)
        found.append(net.trunk.weight.grad.clone())
    return found


def trunk_only(net: Net, x: Tensor) -> list[Tensor]:
    """Wrap the trunk alone, where every parameter is used by every loss."""
    wrapped = DistributedDataParallel(net.trunk)
    features = wrapped(x).tanh()
    first, second = (head(features) for head in net.heads)
    return rows(net, [first.square().mean(), (second - 1).pow(2).mean()])


def torchjd(net: Net, x: Tensor) -> list[Tensor]:
    """Let TorchJD run through the wrapped model; return its update twice."""
    autojac = import_module("torchjd.autojac")
    aggregator = import_module("torchjd.aggregation").UPGrad()
    wrapped = DistributedDataParallel(net)
    autojac.backward(wrapped(x), inputs=list(net.trunk.parameters()))
    autojac.jac_to_grad(list(net.trunk.parameters()), aggregator)
    return [net.trunk.weight.grad] * 2


def whole(net: Net, x: Tensor, **options: bool) -> list[Tensor]:
    """Wrap the whole model."""
    wrapped = DistributedDataParallel(net, **options)
    return rows(net, wrapped(x))  # the wrapper must outlive the backward passes


CASES = {
    "trunk": trunk_only,
    "whole": whole,
    "find_unused": lambda net, x: whole(net, x, find_unused_parameters=True),
    "static": lambda net, x: whole(net, x, static_graph=True),
    "torchjd": torchjd,
}


def outcome(case: str, net: Net, batches: Tensor, rank: int) -> dict[str, object]:
    """Return how far each row is from the rank's own gradient and from the mean, or the error."""
    own = rows(net, net(batches[rank]))
    mean = [sum(g) / RANKS for g in zip(*(rows(net, net(x)) for x in batches), strict=True)]
    net.zero_grad()
    try:
        found = CASES[case](net, batches[rank])
    except RuntimeError as error:
        return {"error": str(error)}
    return {
        "from_own": [float((f - o).norm() / o.norm()) for f, o in zip(found, own, strict=True)],
        "from_mean": [float((f - m).norm() / m.norm()) for f, m in zip(found, mean, strict=True)],
        "update": found[-1].flatten().tolist(),
    }


def main(rank: int, file: str, cases: list[str]) -> None:
    """Run the cases, each with a new model."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=RANKS)
    for case in cases:
        torch.manual_seed(0)
        net, batches = Net().double(), torch.randn(RANKS, 5, 3, dtype=torch.float64)
        sys.stdout.write(json.dumps(outcome(case, net, batches, rank)) + "\n")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
