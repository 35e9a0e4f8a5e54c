"""What `gradtruce analyse` found of the gradient noise, in the runs of a study."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradtruce.study.gradient_dynamics.names import FILE, FOLDER, JOINT, UPDATE
from gradtruce.study.results.finished import FinishedRun, StudyResults
from gradtruce.study.results.record import NoiseRecord


def read_noise(results: StudyResults) -> tuple[NoiseRecord, ...]:
    """Return the noise of arms beside that of others, of the pairs that were analysed.

    `gradtruce analyse FIRST SECOND` leaves its numbers in the first run. Pairs of different
    seeds or cells, and analyses of one run or without the part `noise`, are no pairs of a study.

    Args:
        results: The finished runs.

    Raises:
        ValueError: If an analysis can't be read.
    """
    places = {run.folder.resolve(): run for run in results.finished}
    found = (_noise(run, places) for run in results.finished)
    return tuple(record for record in found if record is not None)


def _noise(first: FinishedRun, places: Mapping[Path, FinishedRun]) -> NoiseRecord | None:
    path = first.folder / FOLDER / FILE
    if not path.is_file():
        return None
    try:
        result: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        runs = result["runs"]
        if len(runs) < 2:
            return None
        second = places.get((path.parent / runs[1]["path"]).resolve())
        ratios = result["noise_of_second_over_first"].get("at_point")
        if second is None or not ratios or _cell(second) != _cell(first):
            return None
        return NoiseRecord(
            cell=second.place.cell,
            arm=second.place.arm,
            beside=first.place.arm,
            seed=second.place.seed,
            update_ratio=ratios[UPDATE]["value"],
            joint_ratio=ratios[JOINT]["value"],
            gain=runs[1]["noise"]["update_over_joint"]["gain"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: no analysis as this version writes it ({error}); `gradtruce analyse` makes it"
            " anew"
        ) from None


def _cell(run: FinishedRun) -> tuple[str, int]:
    return run.place.cell, run.place.seed
