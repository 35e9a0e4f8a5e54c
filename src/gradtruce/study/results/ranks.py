"""Average ranks of the arms over cells, with an interval by the two-level bootstrap.

No Friedman test and no Nemenyi distance: both take the cells for independent blocks drawn from one
population, and here they are a handful of methods, chosen by hand and tested on the same studies.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from scipy import stats

from gradtruce.evaluation.significance import interval
from gradtruce.study.results.measures import Measure
from gradtruce.study.results.outline import Outline
from gradtruce.study.results.record import MetricRecord, RankRecord
from gradtruce.study.results.resampling import CellScores, Key, Resampled
from gradtruce.study.results.statistics import FEWEST, common_seeds

Table = Mapping[Key, Resampled]


def ranks(
    outline: Outline, cells: Mapping[str, CellScores], every: Sequence[Measure], *, seed: int = 0
) -> tuple[RankRecord, ...]:
    """Return the average rank of every arm in every metric, best first within a metric.

    Ranked are the arms that have, in every cell in which anything is finished, a score in all
    seeds of the reference: one with fewer would take the seeds of all others away.

    Args:
        outline: The plan.
        cells: Scores by name of the cell.
        every: The metrics.
        seed: Of the draws over seeds.
    """
    found: list[RankRecord] = []
    for measure in every:
        name = measure.record.name
        tables = [scores.scores[name] for scores in cells.values() if scores.scores.get(name)]
        arms = [
            arm.name
            for arm in outline.arms
            if tables and all(_has_all(table, arm.name, outline.reference) for table in tables)
        ]
        if len(arms) > 1:
            found += _ranked(tables, arms, measure.record, seed)
    return tuple(found)


def _has_all(table: Table, arm: str, reference: str) -> bool:
    wanted = common_seeds(table, [reference])
    return bool(wanted) and common_seeds(table, [arm, reference]) == wanted


def _ranked(
    tables: Sequence[Table], arms: Sequence[str], metric: MetricRecord, seed: int
) -> list[RankRecord]:
    sign = -1.0 if metric.higher_is_better else 1.0
    seeds = [common_seeds(table, arms) for table in tables]
    means, drawn = [], []
    for number, (table, shared) in enumerate(zip(tables, seeds, strict=True)):
        observed = np.array([[table[arm, each].observed for each in shared] for arm in arms])
        draws = np.stack([[table[arm, each].drawn for each in shared] for arm in arms])
        means.append(stats.rankdata(sign * observed.mean(axis=1)))
        drawn.append(_rank_draws(sign * draws, seed=seed + number))
    rank = np.mean(means, axis=0)
    spread = np.mean(drawn, axis=0)
    has_interval = all(len(shared) >= FEWEST for shared in seeds)
    records = []
    for row, arm in enumerate(arms):
        low, high = interval(spread[row]) if has_interval else (None, None)
        records.append(
            RankRecord(
                metric=metric.name,
                arm=arm,
                rank=float(rank[row]),
                low=low,
                high=high,
                cells=len(tables),
                seeds=min(len(shared) for shared in seeds),
            )
        )
    return sorted(records, key=lambda record: record.rank)


def _rank_draws(
    drawn: Float[np.ndarray, "arms seeds draws"], *, seed: int
) -> Float[np.ndarray, "arms draws"]:
    """Return the ranks of the arms' means under draws of seeds and studies, smallest first.

    Every arm gets the same seeds and studies in a draw; a draw in which an arm has no score is NaN.

    >>> _rank_draws(np.array([[[0.1, 0.4]], [[0.2, 0.3]]]), seed=0)
    array([[1., 2.],
           [2., 1.]])
    """
    _, seeds, draws = drawn.shape
    generator = np.random.default_rng([seed, 3])
    counts = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws)
    means = np.einsum("asd,ds->ad", drawn, counts) / seeds
    return np.asarray(stats.rankdata(means, axis=0, nan_policy="propagate"))
