"""A proposal of CAME-Grad's radius, gain and fusion from the conflict that a pilot measured.

The paper sorts eight methods into three classes by the kind of their auxiliary task (Table D.1,
Appendix D.1) and says of each class how its gradients lie. The rule here turns those words into
measured numbers. It was written before it was tried on any pilot, and is not fitted to anything:

- *soft* (TGRG, WCL): "the conflict is often merely stochastic noise rather than structural
  misalignment". Here: the excess of negative cosines over the null is not above 0 with 95 %
  confidence; or the auxiliary gradient is too small to matter, `NEGLIGIBLE` of the primary one.
- *rigid* (PromptMRG, REVTAF, DDaTR, DCL): gradients "nearly orthogonal or opposing" those of the
  report. Here, of tasks that are not soft: the mean cosine on two halves of a batch is not above 0
  with 95 % confidence, or the conflict ratio is at least `RIGID_RATIO`, the lower of the two ratios
  that the paper publishes, both for rigid methods (53.8 % of REVTAF, 49.8 % of PromptMRG).
- *geometric* (XProNet, CAMANet): softer than rigid, with parts to rectify and parts to keep. Here:
  what is left, tasks that agree on average and yet disagree more often than noise explains.

Of several auxiliary tasks the hardest decides. The values proposed are the medians of the class's
rows in Table D.1. Nothing in the paper tests such a rule, and 50 % of negative cosines is what
unrelated tasks have by chance.
"""

import inspect
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, final

from gradtruce.balance.came_grad import CAMEGrad
from gradtruce.balance.presets import load_preset
from gradtruce.study.advice.pilot import PairMeasures

ConflictClass = Literal["soft", "geometric", "rigid"]

HARDNESS: Final[tuple[ConflictClass, ...]] = ("soft", "geometric", "rigid")

RIGID_RATIO: Final = 0.498
"""The conflict ratio published for PromptMRG (Appendix A)."""

NEGLIGIBLE: Final = 0.1
"""Norm ratio below which a task can't matter; ours. The interaction term of eq. 5 is then less than
a fifth of the squared norm of the joint gradient, whatever the cosine."""

ROWS: Final[Mapping[ConflictClass, tuple[str, ...]]] = {
    "soft": ("tgrg", "wcl"),
    "geometric": ("xpronet", "camanet"),
    "rigid": ("promptmrg", "revtaf", "ddatr", "dcl"),
}
"""The methods of each class in Table D.1."""

OPTIONS: Final = ("radius", "gain", "fusion")


@final
@dataclass(frozen=True)
class Judgement:
    """The class of one auxiliary task, and why.

    Attributes:
        auxiliary: Name of the task.
        conflict: Its class.
        reason: Which part of the rule decided, with the numbers.
    """

    auxiliary: str
    conflict: ConflictClass
    reason: str


@final
@dataclass(frozen=True)
class Advice:
    """What the adviser proposes.

    Attributes:
        conflict: The class of the hardest auxiliary task.
        options: Radius, gain and fusion.
        judgements: Of every auxiliary task.
        is_default: Whether that is what CAME-Grad has by default, so that there is nothing to gain.
    """

    conflict: ConflictClass
    options: Mapping[str, float]
    judgements: tuple[Judgement, ...]
    is_default: bool


def advise(measures: Sequence[PairMeasures]) -> Advice:
    """Return the proposal for the measured conflict of all auxiliary tasks.

    Raises:
        ValueError: If there is no auxiliary task.
    """
    if not measures:
        raise ValueError("advice needs an auxiliary task beside 'report'; this method has none")
    judgements = tuple(judge(each) for each in measures)
    hardest = max(judgements, key=lambda one: HARDNESS.index(one.conflict)).conflict
    options = class_options(hardest)
    return Advice(hardest, options, judgements, is_default=options == default_options())


def default_options() -> dict[str, float]:
    """Return the radius, gain and fusion that CAME-Grad has where none are given.

    >>> default_options()
    {'radius': 0.5, 'gain': 1.5, 'fusion': 0.2}
    """
    parameters = inspect.signature(CAMEGrad).parameters
    return {name: parameters[name].default for name in OPTIONS}


def judge(measured: PairMeasures) -> Judgement:
    """Return the class of one auxiliary task by the rule of this module.

    >>> from gradtruce.study.advice.pilot import Estimate
    >>> measured = PairMeasures("findings", conflict_ratio=0.54, cosine=Estimate(0.0, -0.1, 0.1),
    ...     excess=Estimate(0.3, 0.2, 0.4), null_ratio=0.2, norm_ratio=2.0, magnitude_kept=1.0)
    >>> judge(measured).conflict
    'rigid'
    """
    conflict, reason = _apply(measured)
    return Judgement(measured.auxiliary, conflict, reason)


def _apply(measured: PairMeasures) -> tuple[ConflictClass, str]:
    excess, cosine, ratio = measured.excess, measured.cosine, measured.conflict_ratio
    if measured.norm_ratio < NEGLIGIBLE:
        return "soft", (
            f"its weighted gradient is {measured.norm_ratio:.2g} of that of the report, under "
            f"{NEGLIGIBLE:g}: too small for a conflict to matter"
        )
    if not excess.is_above(0.0):
        return "soft", (
            f"negative cosines are not more frequent than between two halves of one task's batch "
            f"(excess {excess}): noise, as far as seen"
        )
    if not cosine.is_above(0.0):
        return "rigid", (
            f"beyond noise, and on average the gradients are orthogonal or opposing (mean cosine "
            f"{cosine})"
        )
    if ratio >= RIGID_RATIO:
        return "rigid", (
            f"beyond noise, and {ratio:.1%} of steps conflict, at least the {RIGID_RATIO:.1%} "
            "published for PromptMRG"
        )
    return "geometric", (
        f"beyond noise (excess {excess}), but on average the gradients agree (mean cosine {cosine})"
    )


def class_options(conflict: ConflictClass) -> dict[str, float]:
    """Return the medians of the rows of a class in Table D.1.

    >>> class_options("rigid")
    {'radius': 0.5, 'gain': 1.5, 'fusion': 0.2}
    """
    rows = [load_preset(f"came_grad-{name}-mimic").options for name in ROWS[conflict]]
    return {name: round(statistics.median(row[name] for row in rows), 4) for name in OPTIONS}
