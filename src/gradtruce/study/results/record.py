"""study.json: every number of a study's tables, with what it was computed from.

Pages and tables read this file and compute nothing themselves. A number that does not exist is
`None`, and the record that holds it says why.
"""

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gradtruce.files import write_whole

RECORD: Final = "study.json"
"""The numbers in a study's folder."""

SCHEMA: Final = 2

Outcome = Literal["better", "worse", "undecided", "untested"]
"""Of a comparison: "undecided" was tested and shows nothing, "untested" lacks seeds or scores."""

Status = Literal["supported", "not supported", "undecided", "not measured", "not testable here"]
"""Of a claim; "not measured" could be, by the plan that the claim names."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ArmRecord(_Part):
    """One arm: `name` as in the plan, `label` for people, `stages` of CAME-Grad that are on.

    Attributes:
        stages: Such as ("s1", "s3"); empty for linear scalarization, ("s1", "sgld", "s3") with
            noise in place of stage 2, `None` for other optimizers.
        balance: Its balancer's settings, as the plan gives them.
    """

    name: str
    label: str
    stages: tuple[str, ...] | None = None
    balance: dict[str, Any] = {}  # JSON values of several kinds


class CellRecord(_Part):
    """One method on one data set. Its `name` is "<method>/<data>".

    Attributes:
        settings: How its runs were trained, in words by name: "steps", "optimizer", "clip" and so
            on, from the first finished run; empty where none is.
    """

    name: str
    method: str
    data: str
    method_label: str
    data_label: str
    settings: dict[str, str] = {}


class MetricRecord(_Part):
    """One score.

    Attributes:
        name: Flat name, such as "nlg.bleu_4".
        label: Its name in words.
        column: Its heading in tables, such as "B-4".
        group: Tables that show it: "report" (the paper's Tables 1 to 4) or "auxiliary" (F.1).
        higher_is_better: Whether a positive difference is a gain.
    """

    name: str
    label: str
    column: str
    group: str
    higher_is_better: bool = True


def gain_of(metric: MetricRecord, difference: float | None) -> float:
    """Return a difference, turned so that more is better; 0 where there is none.

    >>> errors = MetricRecord(name="e", label="e", column="e", group="report",
    ...                       higher_is_better=False)
    >>> gain_of(errors, -0.2)
    0.2
    """
    if difference is None:
        return 0.0
    return difference if metric.higher_is_better else -difference


class RunFacts(_Part):
    """What the log of a run says of its training; `None` where it tells nothing.

    Attributes:
        steps: Optimizer steps made.
        seconds_per_step: Median.
        best_step: Step of the checkpoint that was tested.
        conflict_share: Share of negative cosines between two tasks, over all steps and pairs.
        cross_task_share: The same between disjoint halves of a batch, in the null's steps.
        cross_task_cosine: Their mean; below 0 the tasks oppose each other.
        within_task_share: The null: of one task with itself, between disjoint halves of a batch.
        auxiliary_weight: Coefficient of an auxiliary task in the update over that of the first
            task, mean over tasks, median over steps.
        clipped_share: Share of steps whose gradient was clipped.
    """

    steps: int | None = None
    seconds_per_step: float | None = None
    best_step: int | None = None
    conflict_share: float | None = None
    cross_task_share: float | None = None
    cross_task_cosine: float | None = None
    within_task_share: float | None = None
    auxiliary_weight: float | None = None
    clipped_share: float | None = None


class RunRecord(RunFacts):
    """One planned run, and the facts of a finished one.

    Attributes:
        cell: Name of its cell.
        folder: Below the study's folder.
        is_finished: Whether it has metrics.json; where it has not, there are no scores or facts.
        scores: By flat name; `None` where the score is not defined.
    """

    cell: str
    arm: str
    seed: int
    folder: str
    is_finished: bool
    scores: dict[str, float | None] = {}


class NoiseRecord(_Part):
    """Gradient noise of an arm's update over another arm's, of one pair of runs.

    Attributes:
        cell: Of both runs.
        arm: Of the one whose update is above the line.
        beside: The other arm.
        seed: Of both.
        update_ratio: Trace of the noise covariance of its update over the other's.
        joint_ratio: The same of the weighted sum of task gradients: what is not the update's doing.
        gain: Of the update over its own joint gradient, as the ratio of root mean squares.
    """

    cell: str
    arm: str
    beside: str
    seed: int
    update_ratio: float
    joint_ratio: float
    gain: float


class ArmScore(_Part):
    """One metric of one arm in one cell: mean and standard deviation over `seeds` seeds."""

    cell: str
    arm: str
    metric: str
    seeds: int
    mean: float | None
    std: float | None
    reason: str = ""


class ComparisonRecord(_Part):
    """One arm − the reference arm, in one cell and metric, over the seeds that both have.

    Attributes:
        seeds: How many both have.
        difference: Mean over seeds; positive where the arm's score is higher.
        low: Lower end of the 95 % interval over seeds and studies (t on the two-level variance).
        high: Upper end.
        std: Standard deviation of the paired difference over seeds.
        p: Two-sided, of the same t.
        p_holm: Corrected within the metric's family.
        error: Standard error behind interval and p.
        freedom: Degrees of freedom behind them.
        p_signs: By sign flips over seeds; can't fall below 2 / 2^seeds.
        bootstrap_low: Lower end of the percentile interval of the two-level bootstrap.
        bootstrap_high: Upper end.
        detectable: Smallest difference that these seeds show with power .8 at 5 %.
        detectable_holm: The same at 5 % / size of the family: what Holm's first step asks.
        outcome: At 95 % after correction.
        reason: Why there is no difference or no test.
    """

    cell: str
    arm: str
    metric: str
    seeds: int
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    std: float | None = None
    p: float | None = None
    p_holm: float | None = None
    error: float | None = None
    freedom: float | None = None
    p_signs: float | None = None
    bootstrap_low: float | None = None
    bootstrap_high: float | None = None
    detectable: float | None = None
    detectable_holm: float | None = None
    outcome: Outcome = "untested"
    reason: str = ""


class RankRecord(_Part):
    """Average rank of an arm over `cells` cells, 1 the best, with a 95 % bootstrap over seeds.

    Attributes:
        seeds: Fewest seeds that all ranked arms share in a cell.
    """

    metric: str
    arm: str
    rank: float
    low: float | None
    high: float | None
    cells: int
    seeds: int


class VerdictRecord(_Part):
    """What a reader may quote of one arm and metric.

    Attributes:
        wins: Cells in which the arm is better, at 95 % after correction.
        losses: Cells in which it is worse.
        ties: Cells in which nothing was shown.
        untested: Cells that lack seeds.
        difference: Mean over the tested cells.
        low: Of its 95 % interval, cells taken as given.
        high: Upper end.
        line: Such as "better on 5 of 6 methods, worse on none, at 95 % (Holm over 6 comparisons)".
    """

    metric: str
    arm: str
    wins: int
    losses: int
    ties: int
    untested: int
    difference: float | None
    low: float | None
    high: float | None
    line: str


class FamilyRecord(_Part):
    """The comparisons that are corrected together: all tested ones of one metric."""

    metric: str
    size: int
    name: str


class ProtocolRecord(_Part):
    """How the scores of one cell were measured, one line each, for under the tables."""

    cell: str
    lines: tuple[str, ...]


class ClaimRecord(_Part):
    """One claim of the paper, held against this study.

    Attributes:
        name: Short name.
        claim: What the paper says, in our words.
        where: Place in the paper.
        measured: What is measured here for it.
        plan: Preset of the study that measures it; "" where none can.
        rule: When it counts as supported, written down before there were results.
        status: What this study says.
        evidence: The numbers behind the status, or what is missing.
    """

    name: str
    claim: str
    where: str
    measured: str
    plan: str
    rule: str
    status: Status
    evidence: str


class StudyRecord(_Part):
    """All of study.json.

    Attributes:
        schema_number: "schema" in the file.
        kind: Tells it from other JSON files of a study.
        title: Of the study.
        question: What it asks, in a sentence.
        reference: Name of the arm that the others are compared with.
        headline: Flat name of the metric that the verdict is about.
        selection: Score, or sum of scores, that runs select their checkpoint by; by the plan.
        seeds: Planned seeds.
        arms: In the plan's order.
        cells: In the plan's order.
        metrics: In the tables' order.
        runs: Every planned run.
        noise: Every pair of finished runs that `gradtruce analyse` was asked of.
        scores: Every cell, arm and metric.
        comparisons: Every cell, arm but the reference, and metric.
        ranks: Best first within each metric.
        verdicts: Every arm but the reference, and metric.
        families: One a metric.
        protocols: One a cell.
        claims: The paper's.
        settings: How intervals and tests were made, in words, by name.
        machine: What the tables were computed on.
    """

    schema_number: Literal[2] = Field(default=SCHEMA, alias="schema")
    kind: Literal["study"] = "study"
    title: str
    question: str
    reference: str
    headline: str
    selection: str
    seeds: tuple[int, ...]
    arms: tuple[ArmRecord, ...]
    cells: tuple[CellRecord, ...]
    metrics: tuple[MetricRecord, ...]
    runs: tuple[RunRecord, ...]
    noise: tuple[NoiseRecord, ...] = ()
    scores: tuple[ArmScore, ...]
    comparisons: tuple[ComparisonRecord, ...]
    ranks: tuple[RankRecord, ...]
    verdicts: tuple[VerdictRecord, ...]
    families: tuple[FamilyRecord, ...]
    protocols: tuple[ProtocolRecord, ...]
    claims: tuple[ClaimRecord, ...]
    settings: dict[str, str]
    machine: dict[str, str | int]

    def write(self, path: Path) -> None:
        """Write study.json; the file is there whole or not at all."""
        write_whole(path, self.model_dump_json(indent=1, by_alias=True) + "\n")

    @classmethod
    def read(cls, path: Path) -> "StudyRecord":
        """Return the record of a file.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is not one of this schema.
        """
        if not path.is_file():
            raise FileNotFoundError(f"no {path}; `gradtruce study tables {path.parent}` writes it")
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise ValueError(
                f"{path}: not written by this version ({place}: {first['msg']}); `gradtruce study "
                f"tables {path.parent}` writes it anew"
            ) from None
