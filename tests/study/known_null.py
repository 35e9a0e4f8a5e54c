"""How often the tests of a study call a difference that is not there: known-null data.

Differences between two arms are drawn from d = seed + study + both, all of mean zero, so that every
rejection at 5 % is a false one. Also for F1 with pooled counts, whose arms detect findings with
chances that vary by seed and study. Prints the table of docs/study-statistics.md:

    python -m tests.study.known_null
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from gradtruce.evaluation.significance import draws
from gradtruce.study.results.effects import effect

STUDIES = 300


@dataclass(frozen=True)
class World:
    """Standard deviations of what a score's difference is made of, a study at a time.

    Attributes:
        seed: Of what a seed gives all studies.
        study: Of what a study gives all seeds: one arm suits it better.
        both: Of the rest.
        skewed: Whether seeds' effects are exponential, not normal.
    """

    seed: float
    study: float
    both: float
    skewed: bool = False


WORLDS = {
    "rest only": World(0.0, 0.0, 1.0),
    "seeds": World(0.1, 0.0, 1.0),
    "seeds, skewed": World(0.1, 0.0, 0.3, skewed=True),
    "studies": World(0.0, 1.0, 1.0),
    "seeds and studies": World(0.05, 0.8, 1.0),
}


def linear(world: World, seeds: int, generator: np.random.Generator, counts, mean: float = 0.0):
    """Return observed and drawn differences of a mean over studies."""
    if world.skewed:
        of_seed = world.seed * (generator.exponential(size=(seeds, 1)) - 1)
    else:
        of_seed = world.seed * generator.normal(size=(seeds, 1))
    of_study = world.study * generator.normal(size=(1, STUDIES))
    rest = world.both * generator.normal(size=(seeds, STUDIES))
    values = mean + of_seed + of_study + rest
    return values.mean(axis=1), (values @ counts.T) / STUDIES


def pooled_f1(world: World, seeds: int, generator: np.random.Generator, counts):
    """Return observed and drawn differences of a pooled F1 between two exchangeable arms."""
    stated = generator.random((STUDIES, 13)) < 0.1
    arms = []
    for _ in range(2):
        ease = 0.6 * world.study * generator.normal(size=(STUDIES, 1))
        hits = np.empty((seeds, 3, STUDIES))
        for each in range(seeds):
            level = 2 * world.seed * generator.normal() + ease
            chance = 1 / (1 + np.exp(-np.where(stated, 0.5 + level, -3.0 + level)))
            said = generator.random(stated.shape) < chance
            hits[each] = [
                (said & stated).sum(axis=1),
                (said & ~stated).sum(axis=1),
                (~said & stated).sum(axis=1),
            ]
        arms.append(hits)
    everyone = np.concatenate([np.ones((1, STUDIES)), counts])
    scores = []
    for hits in arms:
        both, extra, missed = np.moveaxis(hits @ everyone.T, 1, 0)
        scores.append(2 * both / (2 * both + extra + missed))
    found = scores[1] - scores[0]
    return found[:, 0], found[:, 1:]


def rejections(
    make, world: World, seeds: int, *, trials: int, resamples: int = 500, seed: int = 0, mean=None
) -> dict[str, float]:
    """Return the share of trials in which each test calls a difference at 5 %."""
    generator = np.random.default_rng(seed)
    counts = np.concatenate(list(draws(STUDIES, resamples, seed)))
    extra = {} if mean is None else {"mean": mean}
    called = np.zeros(4)
    for trial in range(trials):
        observed, drawn = make(world, seeds, generator, counts, **extra)
        found = effect(observed, drawn, studies=STUDIES, seed=trial)
        called += list(_calls(found, observed))
    names = ("two-level t", "paired t", "sign flips", "two-level bootstrap")
    return dict(zip(names, (called / trials).tolist(), strict=True))


def _calls(found, observed) -> Iterator[bool]:
    yield found.p < 0.05
    yield stats.ttest_1samp(observed, 0).pvalue < 0.05
    yield found.p_signs < 0.05
    yield not found.bootstrap_low <= 0 <= found.bootstrap_high


if __name__ == "__main__":
    for kind, make in (("mean", linear), ("pooled F1", pooled_f1)):
        for name, world in WORLDS.items():
            if world.skewed and make is pooled_f1:
                continue  # chances of detection are normal there
            for seeds in (3, 5, 10):
                shares = rejections(make, world, seeds, trials=2000 if kind == "mean" else 600)
                row = " | ".join(f"{share:.1%}" for share in shares.values())
                sys.stdout.write(f"| {kind}, {name} | {seeds} | {row} |\n")
                sys.stdout.flush()
