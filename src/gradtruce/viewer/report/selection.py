"""Which test studies the gallery shows: a seeded mixture, not the best and not the worst."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from gradtruce.data.observations import FINDINGS, POSITIVE
from gradtruce.viewer.report.agreement import States

RARE_CLASSES = 4
"""A study counts as rare when it has one of the so many rarest findings of the split."""


@final
@dataclass(frozen=True)
class Candidate:
    """One test study, as the choice sees it.

    Attributes:
        id: Study id.
        truth: Labels, or the reading of the reference.
        readings: What each run's report states.

    >>> Candidate("s1", {"Edema": 1}, ({"Edema": 1},)).scores
    (1.0,)
    """

    id: str
    truth: States
    readings: tuple[States, ...]

    @property
    def findings(self) -> frozenset[str]:
        """The findings that are there."""
        return positives(self.truth)

    @property
    def scores(self) -> tuple[float, ...]:
        """F1 over the 13 findings of each run; 1 where neither side states any."""
        return tuple(study_f1(self.findings, positives(reading)) for reading in self.readings)


def positives(states: States) -> frozenset[str]:
    """Return the findings that are stated; No Finding is none.

    >>> sorted(positives({"Edema": 1, "Fracture": 0, "No Finding": 1}))
    ['Edema']
    """
    return frozenset(name for name in FINDINGS if states.get(name) == POSITIVE)


def study_f1(truth: frozenset[str], stated: frozenset[str]) -> float:
    """Return the F1 of one study; 1 where neither side states any finding.

    >>> study_f1(frozenset({"Edema", "Fracture"}), frozenset({"Fracture", "Pneumonia"}))
    0.5
    """
    both = len(truth & stated)
    total = len(truth) + len(stated)
    return 2 * both / total if total else 1.0


def choose(candidates: Sequence[Candidate], count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Return up to `count` study ids, each with the reason why it was chosen.

    Kinds of study take turns: rare finding, read well, read badly, normal, and, of two runs or
    more, those on which the runs disagree. Within a kind the choice is random by the seed.

    >>> choose([Candidate("s1", {"No Finding": 1}, ({},))], 3)
    [('s1', 'normal study')]
    """
    order = np.random.default_rng(seed).permutation(len(candidates))
    shuffled = [candidates[place] for place in order]
    kinds = {reason: list(members) for reason, members in _kinds(shuffled).items()}
    chosen: dict[str, str] = {}
    while len(chosen) < min(count, len(candidates)):
        for reason, members in kinds.items():
            fresh = next((member for member in members if member.id not in chosen), None)
            if fresh is not None and len(chosen) < count:
                chosen[fresh.id] = reason
    return list(chosen.items())


def _kinds(candidates: Sequence[Candidate]) -> Mapping[str, Sequence[Candidate]]:
    counts = Counter(name for candidate in candidates for name in candidate.findings)
    rare = {name for name, _ in counts.most_common()[::-1][:RARE_CLASSES]}
    several = len(candidates[0].readings) > 1 if candidates else False
    sick = [candidate for candidate in candidates if candidate.findings]
    kinds = {
        "rare finding": [c for c in sick if c.findings & rare],
        "read well": [c for c in sick if min(c.scores) >= 0.8],
        "read badly": [c for c in candidates if max(c.scores) <= 0.34],
        "runs disagree": [c for c in candidates if several and np.ptp(c.scores) >= 0.4],
        "normal study": [c for c in candidates if not c.findings],
    }
    return {**kinds, "drawn at random": candidates}
