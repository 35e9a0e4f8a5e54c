"""How much of a known front each of Optuna's samplers finds in a small search with noise.

`OMP_NUM_THREADS=1 python -m benchmarks.search_samplers` prints a table: the share of the true
front's hypervolume that the front of the search has, by true values, with and without pruning.

A problem is drawn as a search over (radius, gain, fusion) may be: three settings from 0 to 1 of
which one does next to nothing (the gain, under Adam without clipping), two scores that are best at
different places, and noise of a tenth of a score's range on every trial (another training seed). A
pruned trial is one with both scores below the median of those before it, after five.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import optuna
from optuna.distributions import FloatDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState

Array = np.ndarray

_SPACE = {name: FloatDistribution(0.0, 1.0) for name in ("radius", "gain", "fusion")}
_SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "random": lambda seed: RandomSampler(seed=seed),
    "NSGA-II, 10 a generation": lambda seed: NSGAIISampler(seed=seed, population_size=10),
    "TPE": lambda seed: TPESampler(seed=seed, n_startup_trials=10),
    "Gaussian process": lambda seed: GPSampler(seed=seed, n_startup_trials=10),
}


def problem(seed: int) -> Callable[[Array], Array]:
    """Return the two true scores, each from 0 to 1, of settings (..., 3)."""
    random = np.random.default_rng(seed)
    best = random.uniform(0.1, 0.9, (2, 3))
    matters = np.array([1.0, 0.02, 1.0]) * random.uniform(0.5, 1.5, (2, 3))

    def scores(settings: Array) -> Array:
        distance = (matters * (settings[..., None, :] - best) ** 2).sum(-1)
        return 1.0 - distance / matters.sum(-1)

    return scores


def hypervolume(points: Sequence[Array]) -> float:
    """Return the area that two scores dominate, both above 0."""
    area, height = 0.0, 0.0
    for first, second in sorted(map(tuple, points), reverse=True):
        if second > height:
            area += first * (second - height)
            height = second
    return area


def share_found(sampler: BaseSampler, seed: int, trials: int, *, is_pruned: bool) -> float:
    """Search one problem; return the share of the true hypervolume that was found."""
    scores, random = problem(seed), np.random.default_rng(1000 + seed)
    study = optuna.create_study(directions=["maximize"] * 2, sampler=sampler)
    seen: list[Array] = []
    for _ in range(trials):
        trial = study.ask(_SPACE)
        settings = np.array([trial.params[name] for name in _SPACE])
        measured = scores(settings) + random.normal(0.0, 0.1, 2)
        if is_pruned and len(seen) >= 5 and (measured < np.median(seen, axis=0)).all():
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, measured.tolist())
        seen.append(measured)
    front = [np.array([trial.params[name] for name in _SPACE]) for trial in study.best_trials]
    grid = np.random.default_rng(0).uniform(0.0, 1.0, (200_000, 3))
    return hypervolume([scores(point) for point in front]) / hypervolume(list(scores(grid)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=10)
    parser.add_argument("--trials", type=int, default=40)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    print(f"optuna {optuna.__version__}; {options.problems} problems, {options.trials} trials\n")
    print("| sampler | no pruning | pruning | seconds a trial |\n|---|---|---|---|")
    for name, build in _SAMPLERS.items():
        start = time.perf_counter()
        cells = [
            [
                share_found(build(seed), seed, options.trials, is_pruned=is_pruned)
                for seed in range(options.problems)
            ]
            for is_pruned in (False, True)
        ]
        taken = (time.perf_counter() - start) / (2 * options.problems * options.trials)
        means = " | ".join(
            f"{statistics.mean(cell):.3f} ± {statistics.stdev(cell) / len(cell) ** 0.5:.3f}"
            for cell in cells
        )
        print(f"| {name} | {means} | {taken:.2f} |", flush=True)


if __name__ == "__main__":
    main()
