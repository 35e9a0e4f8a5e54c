"""The paper's claims as records: what each says, what here measures it, and the rule it meets.

The rules were written down before any study was run; what has changed since is told in
`docs/our-study.md`. A claim that compares two arms is supported
where the mean difference over the study's cells has the claimed sign and its p, corrected over all
claims tested in the study (Holm 1979), is below 5 %; else it is not supported, and the evidence
says what could have been detected. "Not supported" is no proof of the opposite.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from gradtruce.study.results.outline import balancer_name
from gradtruce.study.results.record import ArmRecord

Kind = Callable[[ArmRecord], bool]
"""Whether an arm is what a claim speaks of."""

MARGIN: Final = 0.01
"""Largest loss of BLEU-4 that still counts as stable."""

DEFAULTS: Final = {"radius": 0.5, "gain": 1.5, "fusion": 0.2}
"""CAME-Grad's settings where none are given."""

PUBLISHED_OPTIMIZERS: Final = (
    *("uncertainty_weighting", "gradnorm", "cagrad", "rotograd", "famo", "mmpareto", "stgu"),
)
"""The other optimizers of Table 3, by our names."""


@final
@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        name: Short name.
        claim: What the paper says, in our words.
        where: Place in the paper.
        measured: What is measured for it.
        plan: Preset of the study that measures it; "" where none can.
        rule: When it counts as supported.
        better: Which arms should score higher; `None` where the claim compares no two arms.
        worse: Than which arms; than each of them, where there are several.
        metric: "headline", or the flat name of the score; a loss up to `margin` is allowed.
        margin: See `metric`.
        obstacle: Why it can't be tested here; "" where it can.
    """

    name: str
    claim: str
    where: str
    measured: str
    plan: str
    rule: str
    better: Kind | None = None
    worse: Kind | None = None
    metric: str = "headline"
    margin: float = 0.0
    obstacle: str = ""


def is_linear(arm: ArmRecord) -> bool:
    """Return whether an arm is linear scalarization, with any weights."""
    return _is_named(arm, "linear")


def is_came_grad(arm: ArmRecord) -> bool:
    """Return whether an arm is the whole CAME-Grad, as we read it.

    >>> is_came_grad(ArmRecord(name="a", label="A", balance={"name": "came_grad"}, stages=("s1",)))
    False
    """
    return (
        _is_named(arm, "came_grad")
        and arm.stages == ("s1", "s2", "s3")
        and not _options(arm).get("fold_weights", False)
        and arm.balance.get("auxiliary_scale", 1.0) == 1.0
    )


def _is_named(arm: ArmRecord, *names: str) -> bool:
    return balancer_name(arm.balance) in names


def _options(arm: ArmRecord) -> Mapping[str, Any]:
    options = arm.balance.get("options", {})
    return options if isinstance(options, Mapping) else {}


def _stages(*stages: str) -> Kind:
    return lambda arm: arm.stages == stages


def _is_folded(arm: ArmRecord) -> bool:
    return _is_named(arm, "came_grad") and bool(_options(arm).get("fold_weights", False))


def _is_on_shared(arm: ArmRecord) -> bool:
    return is_came_grad(arm) and arm.balance.get("scope", "shared") == "shared"


def _is_on_all(arm: ArmRecord) -> bool:
    return is_came_grad(arm) and arm.balance.get("scope") == "all"


def has_default_stages(arm: ArmRecord) -> bool:
    """Return whether radius, gain and fusion are the defaults (or a published row's preset)."""
    options = _options(arm)
    return all(options.get(name, value) == value for name, value in DEFAULTS.items())


def differ_in_gain(one: ArmRecord, other: ArmRecord) -> bool:
    """Return whether the second arm is the first but with gain 1, and the first has more."""
    if not (is_came_grad(one) and is_came_grad(other)):
        return False
    gains = [{**DEFAULTS, **_options(arm)}["gain"] for arm in (one, other)]
    rest = [
        {
            **arm.balance,
            "options": {**DEFAULTS, **_options(arm), "gain": None},
        }
        for arm in (one, other)
    ]
    return gains[0] > gains[1] == 1.0 and rest[0] == rest[1]


_BETTER: Final = "supported where the mean difference in the headline score is above 0 (Holm, 5 %)"
_EACH: Final = "supported where the difference to each of them is above 0 (largest p, Holm, 5 %)"

CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        "gain",
        "CAME-Grad in place of linear scalarization improves clinical efficacy on every method",
        "Tables 1 and 2, section 4.4.1",
        "CAME-Grad − linear scalarization",
        "baselines",
        f"{_BETTER}, and in no cell below 0",
        is_came_grad,
        is_linear,
    ),
    Claim(
        "weights",
        "What CAME-Grad gains no static weights could gain",
        "implied by sections 1 and 4.4.2; our control",
        "CAME-Grad − linear scalarization with each of several weights",
        "optimizers",
        _EACH,
        is_came_grad,
        is_linear,
    ),
    Claim(
        "best",
        "CAME-Grad has the highest clinical efficacy of all optimizers compared",
        "Table 3, section 4.4.2",
        "CAME-Grad − each of the other rows of Table 3, linear scalarization among them",
        "optimizers",
        f"{_EACH}, where all of them are there",
        is_came_grad,
        lambda arm: _is_named(arm, *PUBLISHED_OPTIMIZERS),
    ),
    Claim(
        "collapse",
        "MMPareto does worse than linear scalarization (the paper: it collapses)",
        "Table 3, section 4.4.2",
        "linear scalarization − MMPareto",
        "optimizers",
        _BETTER,
        is_linear,
        lambda arm: _is_named(arm, "mmpareto"),
    ),
    *(
        Claim(
            f"s{stage}",
            f"Stage {stage} contributes: without it clinical efficacy falls",
            "Tables 4, D.3 and E.3, section 4.5.1",
            f"CAME-Grad − CAME-Grad without stage {stage}",
            "ablation",
            _BETTER,
            is_came_grad,
            _stages(*(f"s{other}" for other in (1, 2, 3) if other != stage)),
        )
        for stage in (1, 2, 3)
    ),
    Claim(
        "noise",
        "Isotropic noise in place of stage 2 destroys what stage 1 gains",
        "Table B.1, appendix B.3",
        "stages 1 and 3 (Setting A) − the same with noise in place of stage 2 (Setting B, SGLD)",
        "ablation",
        _BETTER,
        _stages("s1", "s3"),
        _stages("s1", "sgld", "s3"),
    ),
    Claim(
        "conflict",
        "Report and auxiliary tasks conflict in about half of all steps",
        "section 3.2.1, appendix A: 53.8 % and 49.8 %",
        "mean cosine between tasks on disjoint halves of a batch, with linear scalarization; beside"
        " it the share of negative ones, and that of one task with itself (the null)",
        "dynamics",
        "supported where the mean cosine is below 0 (t over runs, Holm, 5 %): of tasks that have"
        " nothing to do with each other half of the cosines are negative too, more than the null",
    ),
    Claim(
        "trace",
        "CAME-Grad raises the trace of the gradient noise covariance (the paper: fourteen-fold)",
        "appendix B.2: 0.3215 to 4.4886",
        "trace of CAME-Grad's update over that of linear scalarization's, raw and divided by the"
        " square of the gain",
        "dynamics",
        "supported where the ratio divided by gain² is above 1 (t over pairs of runs, Holm, 5 %)",
    ),
    Claim(
        "kappa",
        "A larger gain κ injects energy that helps",
        "section 3.3, Table D.1",
        "CAME-Grad − the same with gain 1, by cell: AdamW with and without clipping",
        "ablation",
        f"{_BETTER}; without clipping AdamW divides κ out, so nothing may be shown there",
        is_came_grad,
        is_came_grad,
    ),
    Claim(
        "reading",
        "Weights enter the joint gradient alone (our reading; the text leaves it open)",
        "section 3.2, equations 4 and 8",
        "CAME-Grad − the same with the weights folded into the rows",
        "optimizers",
        _BETTER,
        is_came_grad,
        _is_folded,
    ),
    Claim(
        "scope",
        "Rectification acts on all parameters (the public trainer; the text says shared ones)",
        "section 3.2; public trainer",
        "CAME-Grad on all parameters − on shared ones",
        "optimizers",
        _BETTER,
        _is_on_all,
        _is_on_shared,
    ),
    Claim(
        "words",
        "Scores of word overlap remain stable",
        "section 4.4.1",
        "BLEU-4 of CAME-Grad − that of linear scalarization",
        "baselines",
        f"supported where the difference is above −{MARGIN} (Holm, 5 %)",
        is_came_grad,
        is_linear,
        metric="nlg.bleu_4",
        margin=MARGIN,
    ),
    Claim(
        "auxiliary",
        "The auxiliary classification is kept or improved",
        "Table F.1, appendix F",
        "macro F1 of the findings head, CAME-Grad − linear scalarization",
        "auxiliary",
        "supported where the mean difference is above 0 (Holm, 5 %)",
        is_came_grad,
        is_linear,
        metric="classification.macro_f1",
    ),
    Claim(
        "mimic",
        "All figures on MIMIC-CXR",
        "Tables 1, 3, 4, B.1, D.1 to D.3, F.1",
        "nothing",
        "",
        "none",
        obstacle="MIMIC-CXR needs credentials and may not be shared",
    ),
    Claim(
        "zero_shot",
        "Figures on IU X-Ray of methods trained on MIMIC-CXR (zero-shot)",
        "Tables 2, E.2, E.3: PromptMRG, DDaTR, REVTAF",
        "nothing",
        "",
        "none",
        obstacle="it needs weights trained on MIMIC-CXR",
    ),
)
"""The claims, in the order of the table."""
