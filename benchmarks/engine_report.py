"""The page that the engine's benchmark writes: targets first, then the numbers behind them."""

from collections.abc import Iterable
from typing import Any

from benchmarks.ways import AUTOGRAM, BASE, FLOOR, OURS, SELDOM

Target = tuple[str, str, bool]


def report(result: dict[str, Any]) -> str:
    """Return the page in Markdown."""
    size, machine = result["size"], result["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    notes = "A quick run on a tiny model: it says nothing but that the benchmark runs.\n\n"
    return (
        "# What the engine costs, beside its peers\n\n"
        f"Made by `{result['command']}`. {machine['processor']}, {machine['cores']} cores, "
        f"{machine['threads']} thread in use, {machine['allocator']}; Python {machine['python']}, "
        f"{versions}.\n\n"
        f"{notes if result['is_quick'] else ''}"
        f"ResNet-18 with {size['layers']} transformer layers, "
        f"{size['shared_parameters'] / 1e6:.1f} M shared parameters "
        f"({size['shared_mib']:.0f} MiB); a report decoder and K − 1 classifiers; batch "
        f"{size['batch']}, {size['pixels']} × {size['pixels']} pixels, {size['words']} words; "
        "float32. All that balance compute CAGrad. LibMTL's and the authors' algorithms are "
        "re-stated: the release of LibMTL on the package index is of 2021. Numbers "
        "in brackets: 95 % intervals of the median over interleaved, shuffled rounds.\n\n"
        f"## Targets\n\n{_targets(result)}\n"
        f"## Inside a step\n\n{_inside(result)}\n"
        f"## Whole steps\n\n{_steps(result)}\n"
        f"## Peak memory\n\n{_memory(result)}\n"
        f"## Coefficients alone\n\n{_coefficients(result)}"
    )


def targets(result: dict[str, Any]) -> list[Target]:
    """Return target, what was found, and whether it was met."""
    found: list[Target] = []
    for tasks, limit in (("2", 0.03), ("4", 0.05)):
        if tasks in result["parts"]:
            share = result["parts"][tasks]["share"]
            what = f"K = {tasks}: (Gramian + solve + combine) / K backward passes ≤ {limit:.0%}"
            found.append((what, _percent(share), share[0] <= limit))
    for tasks, part in result["parts"].items():
        if int(tasks) <= 4:
            what = f"K = {tasks}: the same ≤ one foreach AdamW step"
            found.append((what, _times(part["of_adamw"]), part["of_adamw"][0] <= 1))
        what = f"K = {tasks}: update against Jᵀa in float64 ≤ 1e-6"
        found.append((what, f"{part['error']:.1e}", part["error"] <= 1e-6))
    slowest = max(max(times.values()) for times in result["coefficients_ms"].values())
    found.append(("coefficients, K ≤ 6, ≤ 0.5 ms", f"{slowest:.2f} ms at most", slowest <= 0.5))
    if "2" in result["steps"]:
        ratio = result["steps"]["2"]["of_linear"][SELDOM]
        what = "every=4 at K = 2 ≤ 1.15 × linear scalarization"
        found.append((what, _times(ratio), ratio[0] <= 1.15))
    return found + list(_memory_targets(result))


def _memory_targets(result: dict[str, Any]) -> Iterable[Target]:
    copy = result["size"]["shared_mib"]
    for tasks, peaks in result["peak_mib"].items():
        copies = (peaks[OURS] - peaks[FLOOR]) / copy
        allowed = (int(tasks) - 1) * 1.02
        what = (
            f"K = {tasks}: memory beyond K backward passes ≤ (K − 1) copies of the gradients + 2 %"
        )
        yield what, f"{copies:.2f} copies", copies <= allowed
        rivals = {n: p for n, p in peaks.items() if n not in {BASE, FLOOR, OURS, SELDOM, AUTOGRAM}}
        least = min(rivals, key=rivals.__getitem__)
        what = f"K = {tasks}: lower peak than every peer that stores rows"
        found = f"{peaks[OURS]:.0f} MiB; {least} {rivals[least]:.0f}"
        yield what, found, peaks[OURS] < rivals[least]


def _targets(result: dict[str, Any]) -> str:
    lines = [(what, found, "yes" if met else "**no**") for what, found, met in targets(result)]
    wins = [t for t, p in result["peak_mib"].items() if p[AUTOGRAM] < p[OURS]]
    where = f"from K = {wins[0]} on" if wins else "at no K measured here"
    last = f"\nTorchJD's autogram stores no rows: its peak is the lower one {where}.\n"
    return _table(("Target", "Found", "Met"), lines) + last


def _inside(result: dict[str, Any]) -> str:
    head = (
        "K",
        "K backward passes",
        "Gramian",
        "Solve",
        "Combination",
        "Share",
        "AdamW step",
        "All that the engine adds",
    )
    lines = []
    for tasks, part in result["parts"].items():
        ms = {name: f"{value:.1f} ms" for name, value in part["milliseconds"].items()}
        lines.append(
            (
                tasks,
                ms["backward"],
                ms["gramian"],
                ms["solve"],
                ms["combine"],
                _percent(part["share"]),
                ms["adamw"],
                _percent(part["rest_share"]),
            )
        )
    last = (
        "\n*All that the engine adds* is the time within `TaskGradients.backward` outside the "
        "backward passes: checks, scope and record too, as a share of the passes.\n"
    )
    return _table(head, lines) + last


def _steps(result: dict[str, Any]) -> str:
    text = (
        "From the batch to `.grad`, forward pass included, optimizer not. The floor is K backward "
        "passes and nothing else. TorchJD's defaults and autogram vectorise the backward passes; "
        "for its fused attention on the processor torch has no rule for that, and loops.\n"
    )
    for tasks, steps in result["steps"].items():
        lines = [
            (
                name,
                f"{ms:.0f} ms",
                _times(steps["of_floor"][name]),
                _times(steps["of_linear"][name]),
                _times(steps["of_ours"][name]),
            )
            for name, ms in steps["milliseconds"].items()
        ]
        head = (
            f"K = {tasks}, {steps['rounds']} rounds",
            "Median",
            "of the floor",
            "of linear scalarization",
            "of gradtruce",
        )
        text += "\n" + _table(head, lines)
    return text


def _memory(result: dict[str, Any]) -> str:
    columns = list(result["peak_mib"])
    names = list(next(iter(result["peak_mib"].values())))
    copy = result["size"]["shared_mib"]
    lines = []
    for name in names:
        cells = [name]
        for tasks in columns:
            peaks = result["peak_mib"][tasks]
            if name in peaks:
                beyond = [(peaks[name] - peaks[base]) / copy for base in (BASE, FLOOR)]
                cells.append(f"{peaks[name]:.0f} ({beyond[0]:+.1f}; {beyond[1]:+.1f})")
            else:
                cells.append("–")
        lines.append(tuple(cells))
    text = (
        "VmHWM in MiB of a process that has loaded the code of all and runs two steps of one, with "
        "an allocator that keeps nothing. In brackets, in copies of the shared gradients: beyond "
        "linear scalarization, whose pass frees the graph as it goes; and beyond K backward passes "
        "that keep nothing, which need the graph to the end as all that balance do.\n\n"
    )
    return text + _table(("Peak", *(f"K = {tasks}" for tasks in columns)), lines)


def _coefficients(result: dict[str, Any]) -> str:
    columns = list(next(iter(result["coefficients_ms"].values())))
    lines = [
        (name, *(f"{times[tasks]:.2f} ms" for tasks in columns))
        for name, times in result["coefficients_ms"].items()
    ]
    return _table(("Balancer", *(f"K = {tasks}" for tasks in columns)), lines)


def _table(head: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> str:
    rows = [head, ("---",) * len(head), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _times(ratio: list[float]) -> str:
    return f"{ratio[0]:.2f} × ({ratio[1]:.2f} to {ratio[2]:.2f})"


def _percent(share: list[float]) -> str:
    return f"{100 * share[0]:.1f} % ({100 * share[1]:.1f} to {100 * share[2]:.1f})"
