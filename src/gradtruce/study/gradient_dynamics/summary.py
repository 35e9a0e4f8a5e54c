"""The analysis in words and tables, as Markdown for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from gradtruce.study.gradient_dynamics.run import Json

Entry = Mapping[str, Any]  # an estimate as JSON


def summary(result: Json) -> str:
    """Return what was found, a section a part.

    Args:
        result: As `analysis.json` holds it.

    >>> print(summary({"runs": [{"label": "first (linear)", "balancer": "linear"}],
    ...                "differences": []}))
    # Gradient dynamics of first (linear)
    """
    runs = result["runs"]
    sections = [f"# Gradient dynamics of {' and '.join(run['label'] for run in runs)}"]
    if result["differences"]:
        listed = "\n".join(f"- {line}" for line in result["differences"])
        sections.append(f"The runs differ in more than the balancer:\n{listed}")
    for title, part in (
        ("Conflict and its null", _conflict),
        ("The update", _update),
        ("Stages of CAME-Grad", _stages),
        ("Conflict by layer", _layers),
        ("Noise of the gradient", _noise),
        ("Sharpness and landscape", _sharpness),
    ):
        text = part(result)
        if text:
            sections.append(f"## {title}\n{text}")
    return "\n\n".join(sections)


def _conflict(result: Json) -> str:
    rows, notes = [], list[str]()
    for run in result["runs"]:
        log = run.get("log", {})
        notes += [f"{run['label']}: {text}." for text in log.get("missing", [])]
        for pair, found in log.get("conflict", {}).items():
            within = " / ".join(
                _percent(entry["negative"]) for entry in found["within_task"].values()
            )
            excess = found["excess"]
            rows.append(
                (
                    run["label"],
                    pair.replace("|", ", "),
                    _percent(found["same_batch"]["negative"]),
                    _percent(found["cross_task"]["negative"]),
                    within,
                    "–" if excess is None else _percent(excess["negative"], signed=True),
                    _number(found["cross_task"]["cosine"]),
                )
            )
    header = (
        "run",
        "tasks",
        "negative, same batch",
        "disjoint halves",
        "null (each task with itself)",
        "excess over null",
        "mean cosine, disjoint halves",
    )
    text = _table(header, rows)
    if any(row[-1] != "–" for row in rows):
        notes.append("Tasks oppose each other where the mean cosine on disjoint halves is below 0.")
    return "\n\n".join(filter(None, (text, "\n".join(notes))))


def _update(result: Json) -> str:
    rows = []
    for run in result["runs"]:
        found = run.get("log", {}).get("update", {}).get("all")
        if found and found["retained"]["value"] is not None:
            rows.append(
                (
                    run["label"],
                    _number(found["retained"]),
                    _percent(found["valid"]),
                    _degrees(found["angle"]),
                    _percent(found["clipped"]),
                    f"{found['squared_gain']:.3g}",
                    _number(run["log"].get("interference")),
                )
            )
    header = (
        "run",
        "‖update‖ / ‖Σ λ g‖",
        "no loss rises",
        "angle to Σ λ g (°)",
        "clipped",
        "ratio of second moments",
        "interference",
    )
    return _table(header, rows)


def _stages(result: Json) -> str:
    rows = [
        (
            run["label"],
            name,
            _number(stage["magnitude"]),
            _degrees(stage["angle"]),
            _percent(stage["valid"]),
        )
        for run in result["runs"]
        for name, stage in run.get("log", {}).get("stages", {}).items()
        if isinstance(stage, Mapping)
    ]
    return _table(("run", "after", "norm / ‖Σ λ g‖", "angle to Σ λ g (°)", "no loss rises"), rows)


def _layers(result: Json) -> str:
    lines = []
    for run in result["runs"]:
        layers = run.get("layers")
        for pair, found in layers["pairs"].items() if layers else ():
            beyond = [
                name
                for name, entry in zip(layers["names"], found["excess"], strict=True)
                if entry["low"] is not None and entry["low"] > 0
            ]
            known = sum(entry["value"] is not None for entry in found["cosine"])
            named = f": {', '.join(beyond)}" if beyond else ""
            lines.append(
                f"- {run['label']}, {pair.replace('|', ' and ')}: an excess over the null in "
                f"{len(beyond)} of {known} layers that both reach{named} "
                f"(95 % each, {layers['batches']} batches)"
            )
    return "\n".join(lines)


def _noise(result: Json) -> str:
    rows = []
    for run in result["runs"]:
        for key, place in (("noise", "one point"), ("training_noise", "training")):
            found = run.get(key, {})
            for name, entry in found.get("gradients", {}).items():
                rows.append(
                    (
                        run["label"],
                        place,
                        name,
                        _number(entry["trace"]),
                        f"{entry['window_variance']:.3g}",
                        "–" if entry["noise_share"] is None else f"{entry['noise_share']:.2f}",
                    )
                )
    header = ("run", "where", "gradient", "tr Σ", "to the mean", "share of E‖g‖²")
    return "\n\n".join(filter(None, (_table(header, rows), "\n".join(_ratios(result)))))


def _ratios(result: Json) -> list[str]:
    lines = []
    for run in result["runs"]:
        found = run.get("noise", {}).get("update_over_joint")
        if found and run["balancer"] != "linear":
            lines.append(
                f"- {run['label']}: tr Σ of the update is {_number(found['ratio'])} times that of "
                f"its joint gradient at the same point; its gain is {found['gain']:.3g}, and "
                f"divided by gain² {found['ratio_over_squared_gain']:.3g} are left"
            )
    names = [run["label"] for run in result["runs"]]
    for where, ratios in result.get("noise_of_second_over_first", {}).items():
        told = ", ".join(f"{name} {_number(entry)}" for name, entry in ratios.items())
        lines.append(f"- {names[1]} over {names[0]}, {where.replace('_', ' ')}: {told}")
    if lines:
        published = result["published"]["noise_ratio"]
        lines.append(f"- the paper: {published:.2f}; a gain of 1.5 alone makes 2.25")
    return lines


def _sharpness(result: Json) -> str:
    rows = [
        (
            run["label"],
            name,
            f"{run['sharpness']['losses'][name]:.4g}",
            f"{entry['value']:.4g}",
            f"{entry['residual']:.1e}",
        )
        for run in result["runs"]
        for name, entry in run.get("sharpness", {}).get("eigenvalues", {}).items()
    ]
    text = _table(("run", "loss of", "loss", "largest eigenvalue", "residual"), rows)
    line = result.get("line_between", {})
    notes = [f"No line between the runs: {line['reason']}."] if "reason" in line else []
    if "barrier" in line:
        told = ", ".join(f"{name} {value:.3g}" for name, value in line["barrier"].items())
        notes.append(f"Barrier on the line between the two ends: {told}.")
    return "\n\n".join(filter(None, (text, "\n".join(notes))))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    )


def _number(found: Entry | None) -> str:
    if found is None or found["value"] is None:
        return "–"
    if found["low"] is None:
        return f"{found['value']:.3g}"
    return f"{found['value']:.3g} [{found['low']:.3g}, {found['high']:.3g}]"


def _percent(found: Entry, *, signed: bool = False) -> str:
    if found["value"] is None:
        return "–"
    sign = "+" if signed else ""
    ends = "" if found["low"] is None else f" [{100 * found['low']:.0f}, {100 * found['high']:.0f}]"
    return f"{100 * found['value']:{sign}.0f} %{ends}"


def _degrees(found: Entry) -> str:
    if found["value"] is None or found["low"] is None:
        return "–"
    return f"{found['value']:.1f} [{found['low']:.1f}, {found['high']:.1f}]"
