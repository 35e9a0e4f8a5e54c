"""What a study makes before its runs: phantoms, and what methods need besides a data set."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch

from gradtruce.data.phantom.prepare import prepare_phantom
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.report_clusters import cluster_reports
from gradtruce.locks import locked
from gradtruce.study.plans.entries import ClustersBuild, PrototypesBuild, RetrievalBuild
from gradtruce.study.running.folder import StudyFolder
from gradtruce.training.prototypes import (
    build_prototypes,
    preset_config,
    prototype_backbone,
    write_prototypes,
)
from gradtruce.training.retrieval.build import Choices, build_bank

Progress = Callable[[str, int, int], None]
"""Called with what is made, how much of it is done and how much there will be."""


def make_data(study: StudyFolder, progress: Progress | None = None) -> None:
    """Make what the runs of a study need and is not there; one worker does, the others wait.

    Args:
        study: Whose plan says what.
        progress: Told how far it is.

    Raises:
        FileNotFoundError: If a data set that is no phantom is not there.
        ValueError: If a data set is too small for what is made from it.
        OSError: If something can't be written.
    """
    tell = progress or (lambda _name, _done, _total: None)
    for name, entry in study.plan.data.items():
        if entry.phantom is None:
            continue
        path = study.plan.data_path(name, study.path)
        with locked(study.lock(f"data-{name}")):
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                options = entry.phantom.model_dump(exclude_none=True)
                prepare_phantom(path, **options, progress=_named(name, tell))
    for method, data, kind, path in needed_files(study):
        with locked(study.lock(f"data-{data}-{method}-{kind}")):
            if path.exists():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".partial-{path.name}")
            choices = getattr(study.plan.methods[method].builds, kind)
            opened = PreparedDataset.open(study.plan.data_path(data, study.path))
            _BUILDERS[kind](opened, partial, choices, _named(path.name, tell))
            partial.replace(path)


def needed_files(study: StudyFolder) -> list[tuple[str, str, str, Path]]:
    """Return method, data set, kind and path of every file that the methods of a study need."""
    return [
        (method, data, kind, study.plan.built_path(method, data, ending, study.path))
        for method, entry in study.plan.methods.items()
        for data in study.plan.data
        for kind, ending in entry.builds.files().items()
    ]


def _named(name: str, tell: Progress) -> Callable[[int, int], None]:
    return lambda done, total: tell(name, done, total)


def _clusters(
    data: PreparedDataset, path: Path, choices: ClustersBuild, _: Callable[[int, int], None]
) -> None:
    train = data.split("train")
    made = cluster_reports(train.ids, train.reports, count=choices.count, seed=choices.seed)
    made.write(path)


def _prototypes(
    data: PreparedDataset,
    path: Path,
    choices: PrototypesBuild,
    progress: Callable[[int, int], None],
) -> None:
    config = preset_config(choices.preset)
    torch.manual_seed(choices.seed)
    rows = build_prototypes(
        data,
        config,
        prototype_backbone(config),
        image_size=choices.size,
        seed=choices.seed,
        progress=progress,
    )
    source = f"k-means by label over features of random {config.backbone} and TF-IDF"
    write_prototypes(path, rows, data, seed=choices.seed, source=source)


def _retrieval(
    data: PreparedDataset,
    path: Path,
    choices: RetrievalBuild,
    progress: Callable[[int, int], None],
) -> None:
    build_bank(data, Choices(**choices.model_dump()), progress).write(path)


_BUILDERS: Final[dict[str, Callable[..., Any]]] = {
    "clusters": _clusters,
    "prototypes": _prototypes,
    "retrieval": _retrieval,
}
