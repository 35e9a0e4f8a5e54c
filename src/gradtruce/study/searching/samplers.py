"""Optuna's samplers, seeded by the trial."""

import random

from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler

from gradtruce.study.searching.plan import SamplerName

START_UP = 10
"""Trials drawn at random before a sampler learns from them; published ones count."""


def build_sampler(name: SamplerName, seed: int, trial: int) -> BaseSampler:
    """Return a sampler that draws one trial.

    It is seeded by the plan's seed and the trial's place, so that what is drawn depends on the
    trials before it and on nothing else: neither on which worker asks nor on interruptions.

    Args:
        name: "tpe" (the default), "gp", "nsga2" or "random".
        seed: Of the plan.
        trial: How many trials there are already.

    >>> type(build_sampler("tpe", 0, 3)).__name__
    'TPESampler'
    """
    drawn = random.Random(f"{seed} {trial}").getrandbits(31)
    if name == "tpe":
        return TPESampler(seed=drawn, n_startup_trials=START_UP)
    if name == "gp":
        return GPSampler(seed=drawn, n_startup_trials=START_UP)
    if name == "nsga2":
        return NSGAIISampler(seed=drawn, population_size=START_UP)
    return RandomSampler(seed=drawn)
