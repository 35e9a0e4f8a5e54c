"""One analysis: read, measure, compare, write."""

import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Final, final

from gradtruce.analysis.estimate import ratio_estimate
from gradtruce.analysis.noise import PUBLISHED_RATIO, PUBLISHED_TRACES, NoiseTrace
from gradtruce.files import write_whole
from gradtruce.study.gradient_dynamics.curvature_part import (
    have_same_shapes,
    landscape_of,
    line_between,
    sharpness_of,
)
from gradtruce.study.gradient_dynamics.figures import draw, require_formats
from gradtruce.study.gradient_dynamics.layers_part import analyse_layers
from gradtruce.study.gradient_dynamics.log_part import analyse_log
from gradtruce.study.gradient_dynamics.names import FILE, JOINT, UPDATE
from gradtruce.study.gradient_dynamics.noise_part import noise_at_point
from gradtruce.study.gradient_dynamics.options import AnalysisOptions
from gradtruce.study.gradient_dynamics.run import (
    Checkpoint,
    Json,
    MicroBatches,
    OpenedRun,
    open_checkpoint,
    open_run,
    read_batches,
)
from gradtruce.study.gradient_dynamics.summary import summary
from gradtruce.study.gradient_dynamics.surface import open_surface
from gradtruce.study.gradient_dynamics.training_noise import noise_along_training
from gradtruce.study.machine import machine
from gradtruce.training.config_difference import differences
from gradtruce.training.progress import without_transformers_bars
from gradtruce.training.runlog import plain

SCHEMA: Final = 1
HOW: Final = {
    "intervals": "95 %, over batches or steps of the one run; nothing of other seeds",
    "noise_of_second_over_first": "second run's trace over the first's, each at its own parameters;"
    " paired by batch (the same seed and data give the same batches), on a logarithmic scale",
}
Watch = Callable[[str, float], None]
"""Told what is being measured, and how much of all is done."""


def analyse(
    folders: Sequence[Path],
    output: Path,
    options: AnalysisOptions,
    *,
    formats: Sequence[str] = ("svg",),
    watch: Watch | None = None,
) -> tuple[Json, str]:
    """Measure the gradient dynamics of one run, or of two side by side; write numbers and figures.

    Nothing is written into a run but where `output` is inside of it.

    Args:
        folders: One or two run folders.
        output: Where `analysis.json` and the figures go; made if need be.
        options: What is measured.
        formats: Of the figures: "svg", "png".
        watch: Told how far this is.

    Returns:
        What was written, and a summary in Markdown.

    Raises:
        FileNotFoundError: If a run, its checkpoint or its data are not there.
        ValueError: If the runs can't be compared, the data are too few, or an analysis that holds
            more would be written over.
        ArithmeticError: If the search for an eigenvalue does not end.
    """
    require_formats(formats)
    require_no_loss(output, folders, options.parts)
    runs = [open_run(folder) for folder in folders]
    require_comparable(runs)
    tell = watch or (lambda *_: None)
    found = _Analysis(runs, options, tell).all_parts()
    for described, run in zip(found["runs"], runs, strict=True):
        described["path"] = Path(os.path.relpath(run.folder, output)).as_posix()
    result: Json = plain(found)
    output.mkdir(parents=True, exist_ok=True)
    tell("drawing", 0.98)
    result["figures"] = draw(result, output, formats)
    write_whole(output / FILE, json.dumps(result, indent=1, allow_nan=False) + "\n")
    tell("done", 1.0)
    return result, summary(result)


def require_comparable(runs: Sequence[OpenedRun]) -> None:
    """Refuse two runs that can't stand side by side.

    Raises:
        ValueError: If there are none or more than two, or they train different methods.
    """
    if len(runs) not in (1, 2):
        raise ValueError(f"an analysis is of one run or two, got {len(runs)}")
    names = [run.config.method.name for run in runs]
    if len(set(names)) > 1:
        raise ValueError(
            f"runs side by side must train the same method, got {names[0]!r} and {names[1]!r}: "
            "analyse each by itself"
        )


@final
class _Analysis:
    """Runs the parts one after another."""

    def __init__(self, runs: Sequence[OpenedRun], options: AnalysisOptions, tell: Watch) -> None:
        self._runs, self._options, self._tell = runs, options, tell
        self._points: list[Checkpoint] = []
        self._batches: list[list[MicroBatches]] = []

    def all_parts(self) -> Json:
        options = self._options
        self._tell("reading", 0.0)
        if options.is_deep:
            with without_transformers_bars():
                self._points = [open_checkpoint(run, options.checkpoint) for run in self._runs]
            wanted = max(options.batches, options.fixed_batches)
            self._batches = [
                read_batches(run, options.split, wanted, options.seed) for run in self._runs
            ]
        traces: list[dict[str, dict[str, NoiseTrace]]] = [{} for _ in self._runs]
        described = [self._describe(place, traces[place]) for place in range(len(self._runs))]
        found: Json = {
            "schema": SCHEMA,
            "kind": "gradient dynamics",
            "options": asdict(options),
            "runs": described,
            "differences": _differences(self._runs),
            "published": {
                "noise_traces": list(PUBLISHED_TRACES),
                "noise_ratio": PUBLISHED_RATIO,
                "source": "CAME-Grad paper, appendix B.2, REVTAF on MIMIC-CXR",
            },
            "how": HOW,
            "machine": machine(),
        }
        if len(self._runs) == 2:
            found["noise_of_second_over_first"] = {
                where: _noise_ratios(traces[0][where], traces[1][where])
                for where in traces[0]
                if where in traces[1]
            }
        if {"sharpness", "landscape"} & set(options.parts):
            found |= self._surfaces(described)
        return found

    def _describe(self, place: int, traces: dict[str, dict[str, NoiseTrace]]) -> Json:
        run, options, parts = self._runs[place], self._options, self._options.parts
        point = self._points[place] if self._points else None
        weights = run.config.balance.weights if point is None else point.weights
        share = place / len(self._runs)
        found: Json = {
            "label": run.label,
            "folder": run.folder.resolve().name,
            "method": run.config.method.name,
            "balancer": run.config.balance.name,
            "balancer_options": dict(run.config.balance.options),
            "weights": dict(weights),
            "clip": run.config.training.clip.model_dump(),
            "step": None if point is None else point.step,
        }
        if "log" in parts:
            self._tell(f"{run.label}: log", share)
            found["log"] = analyse_log(run, weights)
        if point is None:
            return found
        batches = self._batches[place][: options.batches]
        if "layers" in parts:
            self._tell(f"{run.label}: layers", share + 0.02)
            found["layers"] = analyse_layers(run, point, batches, options)
        if "noise" in parts:
            self._tell(f"{run.label}: noise at one point", share + 0.08)
            found["noise"], traces["at_point"] = noise_at_point(run, point, batches, options)
        if "noise" in parts and options.window and point.state is not None:
            self._tell(f"{run.label}: noise along a training", share + 0.15)
            found["training_noise"], traces["along_training"] = noise_along_training(
                run, point, options
            )
        return found

    def _tell_products(self, label: str, share: float, count: int) -> None:
        self._tell(f"{label}: sharpness, {count} Hessian products", share)

    def _surfaces(self, described: list[Json]) -> Json:
        options, found = self._options, Json()
        with ExitStack() as stack:
            surfaces = [
                stack.enter_context(open_surface(point, batches, options))
                for point, batches in zip(self._points, self._batches, strict=True)
            ]
            for place, surface in enumerate(surfaces):
                label, share = described[place]["label"], 0.5 + 0.2 * place
                if "sharpness" in options.parts:
                    self._tell(f"{label}: sharpness", share)
                    watch = partial(self._tell_products, label, share)
                    described[place]["sharpness"] = sharpness_of(surface, options, watch)
                if "landscape" in options.parts:
                    self._tell(f"{label}: landscape", share + 0.1)
                    described[place]["landscape"] = landscape_of(surface, options)
            if len(surfaces) == 2 and "landscape" in options.parts:
                first, second = surfaces
                if have_same_shapes(first, second):
                    found["line_between"] = line_between(first, second, options)
                else:
                    found["line_between"] = {"reason": "the two networks have different shapes"}
        return found


def _noise_ratios(first: Mapping[str, NoiseTrace], second: Mapping[str, NoiseTrace]) -> Json:
    """Return the second run's traces over the first's, batch by batch where these are the same."""
    names = [name for name in first if name in second]
    if JOINT not in names or UPDATE not in names:
        return {}
    return {
        name: ratio_estimate(
            second[name].samples,
            first[name].samples,
            paired=len(first[name].samples) == len(second[name].samples),
        ).to_dict()
        for name in names
    }


def _differences(runs: Sequence[OpenedRun]) -> list[str]:
    """Return what differs between the configurations besides the balancer."""
    found = []
    for one, other in combinations(runs, 2):
        tables = (run.config.model_dump(exclude={"balance"}) for run in (one, other))
        found += [
            f"{key}: {mine} and {theirs}" for key, (mine, theirs) in differences(*tables).items()
        ]
    return found


def require_no_loss(output: Path, folders: Sequence[Path], parts: Collection[str]) -> None:
    """Refuse to write over an analysis that holds more: other parts, or another run beside.

    Args:
        output: Where the analysis would be written.
        folders: Of the runs that would be analysed.
        parts: That would be measured.

    Raises:
        ValueError: If something would be lost; the message names it.
    """
    path = output / FILE
    if not path.is_file():
        return
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        before = {(output / run["path"]).resolve() for run in there["runs"]}
        lost = [part for part in there["options"]["parts"] if part not in parts]
    except (ValueError, KeyError, TypeError):
        return  # of another version, or damaged: nothing reads it
    lost += [run.name for run in sorted(before - {folder.resolve() for folder in folders})]
    if lost:
        raise ValueError(
            f"{path} holds more than was asked for now ({', '.join(lost)}), which would be lost; "
            f"give --output another folder, or remove {output}"
        )
