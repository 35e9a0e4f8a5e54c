"""Conflict layer by layer at a checkpoint, beside its null."""

from collections.abc import Sequence
from itertools import combinations

from gradtruce.analysis.conflict import task_rows
from gradtruce.analysis.layers import LayerConflict, layer_names
from gradtruce.study.gradient_dynamics.options import AnalysisOptions
from gradtruce.study.gradient_dynamics.run import (
    Checkpoint,
    Json,
    MicroBatches,
    OpenedRun,
    left_alone,
    losses_of,
)

HOW = (
    "cosines of task gradients on two disjoint halves of a batch, layer by layer, the model in "
    "training mode at fixed parameters; null of a pair: the mean of the two tasks' own"
)


def analyse_layers(
    run: OpenedRun, point: Checkpoint, batches: Sequence[MicroBatches], options: AnalysisOptions
) -> Json:
    """Return mean cosine, share of negative ones, null and excess of every pair in every layer.

    Only the first micro-batch of a step is looked at, as where training measures the null.
    """
    method = point.method
    named = [(name, each) for name, each in method.named_parameters() if each.requires_grad]
    parameters = [each for _, each in named]
    tasks = [task.name for task in method.tasks if task.name not in point.waiting]
    layers = layer_names([name for name, _ in named], most=options.most_layers)
    meter: LayerConflict | None = None
    with left_alone(method, options.seed):
        method.train()
        for batch, *_ in batches:
            halves = [task_rows(losses_of(run, point, batch.half(h)), parameters) for h in (0, 1)]
            present = [task for task in tasks if all(task in rows for rows in halves)]
            if meter is None:
                meter = LayerConflict(layers, present)
            if present == meter.tasks:  # a task without targets in a half would shift the rows
                meter.add(*([rows[task] for task in present] for rows in halves))
    assert meter is not None  # there are at least four batches
    return {"how": HOW, "batches": meter.batches, "names": meter.names} | _tables(meter)


def _tables(meter: LayerConflict) -> Json:
    places = {task: place for place, task in enumerate(meter.tasks)}
    return {
        "tasks": {
            task: {
                "cosine": [found.to_dict() for found in meter.cosine(place, place)],
                "negative": [found.to_dict() for found in meter.negative(place, place)],
            }
            for task, place in places.items()
        },
        "pairs": {
            f"{one}|{other}": {
                "cosine": [e.to_dict() for e in meter.cosine(places[one], places[other])],
                "negative": [e.to_dict() for e in meter.negative(places[one], places[other])],
                "excess": [e.to_dict() for e in meter.excess(places[one], places[other])],
            }
            for one, other in combinations(meter.tasks, 2)
        },
    }
