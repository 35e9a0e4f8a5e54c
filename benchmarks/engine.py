"""What the engine adds to the backward passes: time as a ratio, and accuracy of the update.

    python benchmarks/engine.py [--tasks 2 4] [--repeats 15] [--batch 4]

Gramian, solve and combination are timed inside the step and divided by the K backward passes of the
same step; the update is compared with Jᵀa of the same rows in float64.
"""

import argparse
import platform
import statistics
import time

import torch
from torch import Tensor, nn

from gradtruce.balance import CAMEGrad
from gradtruce.gradients.balancer import TaskStatistics
from gradtruce.gradients.combine import combine
from gradtruce.gradients.gramian import gramian
from gradtruce.gradients.rows import Row, RowStore


class Model(nn.Module):
    """A transformer trunk of about 19 M parameters, and one small head a task."""

    def __init__(self, tasks: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(512, 8, 2048, batch_first=True, dropout=0.0)
        self.trunk = nn.TransformerEncoder(layer, 6, enable_nested_tensor=False)
        self.heads = nn.ModuleList(nn.Linear(512, 32) for _ in range(tasks))

    def forward(self, tokens: Tensor) -> list[Tensor]:
        """Return one loss a task."""
        features = self.trunk(tokens)
        return [head(features).square().mean() for head in self.heads]


def seconds(start: float) -> float:
    """Return the time since a start."""
    return time.perf_counter() - start


def exact_update(rows: list[Row], shared: list[int], a: Tensor) -> Tensor:
    """Return Jᵀa in float64."""
    parts = [sum(a[k] * row[i].double() for k, row in enumerate(rows)) for i in shared]
    return torch.cat([part.flatten() for part in parts])


def measure(tasks: int, repeats: int, batch: int) -> None:
    """Print medians over the repeats, the first two left out."""
    torch.manual_seed(0)
    model = Model(tasks)
    named = list(model.named_parameters())
    shared = [i for i, (name, _) in enumerate(named) if name.startswith("trunk")]
    count = sum(named[i][1].numel() for i in shared)
    balancer, cpu = CAMEGrad(), torch.device("cpu")
    times: dict[str, list[float]] = {"backward": [], "gramian": [], "solve": [], "combine": []}
    error = 0.0
    for _ in range(repeats + 2):
        losses = model(torch.randn(batch, 64, 512))
        store = RowStore([p for _, p in named], [n for n, _ in named], count=tasks)
        start = time.perf_counter()
        for task, loss in enumerate(losses):
            retain = task < tasks - 1
            store.add(task, lambda loss=loss, retain=retain: loss.backward(retain_graph=retain))
        times["backward"].append(seconds(start))
        rows = [[row[i] for i in shared] for row in store.rows]
        start = time.perf_counter()
        G = gramian(rows, device=cpu)
        times["gramian"].append(seconds(start))
        start = time.perf_counter()
        a = balancer.coefficients(TaskStatistics(G))
        times["solve"].append(seconds(start))
        wanted = exact_update(store.rows, shared, a)
        start = time.perf_counter()
        update = [combine(column, a) for column in zip(*rows, strict=True)]
        times["combine"].append(seconds(start))
        found = torch.cat([g.flatten() for g in update if g is not None]).double()
        error = max(error, float((found - wanted).norm() / wanted.norm()))
    middle = {name: statistics.median(values[2:]) for name, values in times.items()}
    added = sum(middle[name] for name in ("gramian", "solve", "combine"))
    parts = ", ".join(f"{name} {1e3 * value:.2f} ms" for name, value in middle.items())
    print(f"K={tasks}, {count / 1e6:.1f} M shared parameters, batch {batch}: {parts}")
    share = 100 * added / middle["backward"]
    print(f"  (gramian + solve + combine) / K backward passes: {share:.1f} %")
    print(f"  update error against float64: {error:.1e}")


def main() -> None:
    """Measure every number of tasks that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--tasks", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--batch", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {platform.machine()}, one thread")
    for tasks in options.tasks:
        measure(tasks, options.repeats, options.batch)


if __name__ == "__main__":
    main()
