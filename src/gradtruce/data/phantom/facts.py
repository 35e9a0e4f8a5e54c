"""Everything that is true of each synthetic study, before anything is drawn.

Truth and text agree: an observation is positive exactly where a finding of that observation is
there, and every finding is stated in the report. Nothing follows from anything else: consolidation,
pneumonia, edema and atelectasis do not make Lung Opacity positive, unless an opacity is itself
among the findings, and then the report says so too. A *possible* finding is there but faint; the
report hedges it and its label is uncertain. Labels are complete: what is absent is negative,
whether the report denies it or passes over it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gradtruce.data.observations import FINDINGS, NO_FINDING, LabelState
from gradtruce.data.phantom.disease import DIFFICULTIES, draw_findings, next_study
from gradtruce.data.phantom.follow_ups import FOLLOW_UPS, FollowUps
from gradtruce.data.phantom.grammar.content import Facts
from gradtruce.data.phantom.grammar.report import write_report
from gradtruce.data.phantom.level import LevelName
from gradtruce.data.study import Finding, Split

SUPPORT_DEVICES: Final = "Support Devices"
_SPLITS: Final[tuple[Split, ...]] = (
    "train", "train", "test", "train", "train", "val", "train", "train", "test", "train",
)  # fmt: skip
_LATERAL: Final = 0.85


@dataclass(frozen=True, eq=False)
class StudyFacts:
    """What is true of one study.

    Attributes:
        id: Unique within the set.
        findings: What is there, without regions.
        labels: State of all 14 observations.
        report: The findings section, the target text.
        sections: Other sections: "impression".
        prior: Id of the patient's previous study, if any.
        resolved: Findings of the previous study that are gone.
        has_lateral: Whether there is a lateral view beside the frontal one.
    """

    id: str
    findings: tuple[Finding, ...]
    labels: Mapping[str, LabelState]
    report: str
    sections: Mapping[str, str]
    prior: str | None
    resolved: tuple[Finding, ...]
    has_lateral: bool


@dataclass(frozen=True, eq=False)
class PatientFacts:
    """One patient: all studies, oldest first, are in one split."""

    patient: str
    split: Split
    studies: tuple[StudyFacts, ...]


def labels_of(findings: Sequence[Finding]) -> dict[str, LabelState]:
    """Return the state of all 14 observations.

    No Finding is positive where nothing but support devices is there, as in the CheXpert labeler
    (Irvin et al. 2019); a finding that is only possible already makes it negative.

    >>> labels = labels_of([Finding("Edema", "pulmonary edema", certainty="possible")])
    >>> labels["Edema"], labels["Fracture"], labels["No Finding"]
    (-1, 0, 0)
    """
    labels: dict[str, LabelState] = dict.fromkeys(FINDINGS, 0)
    for finding in findings:
        if finding.certainty == "definite":
            labels[finding.observation] = 1
        elif labels[finding.observation] == 0:
            labels[finding.observation] = -1
    is_free = all(finding.observation == SUPPORT_DEVICES for finding in findings)
    labels[NO_FINDING] = 1 if is_free else 0
    return labels


def sample_patients(
    count: int, level: LevelName, seed: int, follow_ups: FollowUps = FOLLOW_UPS
) -> Iterator[PatientFacts]:
    """Yield patients 0 … count - 1, each drawn from random numbers of its own.

    A patient depends on `level`, `seed`, `follow_ups` and its number alone: another count, or
    workers that share the numbers out, change nothing. 7 of 10 patients are in the training split,
    1 in validation, 2 in the test split; by default about 1.24 studies a patient.

    Raises:
        ValueError: If `count` is negative.

    >>> patient = next(sample_patients(1, "standard", seed=0))
    >>> patient.patient, patient.split, patient.studies[0].id
    ('p00000', 'train', 'p00000-1')
    """
    if count < 0:
        raise ValueError(f"the number of patients must be at least 0, got {count}")
    return (sample_patient(number, level, seed, follow_ups) for number in range(count))


def sample_patient(
    number: int, level: LevelName, seed: int, follow_ups: FollowUps = FOLLOW_UPS
) -> PatientFacts:
    """Return the patient of that number.

    >>> sample_patient(5, "standard", seed=0).split
    'val'
    """
    disease, words = np.random.SeedSequence(seed, spawn_key=(number,)).spawn(2)
    rng = np.random.default_rng(disease)
    word_rng = np.random.default_rng(words)
    patient = f"p{number:05d}"
    studies: list[StudyFacts] = []
    for place in range(1 + int(rng.choice(len(follow_ups), p=follow_ups))):
        findings: tuple[Finding, ...]
        resolved: tuple[Finding, ...] = ()
        if studies:
            findings, resolved = next_study(studies[-1].findings, rng, level)
        else:
            findings = draw_findings(rng, level)
        has_lateral = bool(rng.random() < _LATERAL)
        facts = Facts(findings, resolved, has_prior=place > 0, has_lateral=has_lateral)
        report = write_report(facts, word_rng, DIFFICULTIES[level].wording)
        studies.append(
            StudyFacts(
                id=f"{patient}-{place + 1}",
                findings=findings,
                labels=labels_of(findings),
                report=report.findings,
                sections={"impression": report.impression},
                prior=studies[-1].id if studies else None,
                resolved=resolved,
                has_lateral=has_lateral,
            )
        )
    return PatientFacts(patient, _SPLITS[number % len(_SPLITS)], tuple(studies))
