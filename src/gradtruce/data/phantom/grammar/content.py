"""What a report is to say, and in which part of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gradtruce.data.study import Finding

REGION_OF: Final = {
    "Enlarged Cardiomediastinum": "heart",
    "Cardiomegaly": "heart",
    "Lung Opacity": "lungs",
    "Lung Lesion": "lungs",
    "Edema": "lungs",
    "Consolidation": "lungs",
    "Pneumonia": "lungs",
    "Atelectasis": "lungs",
    "Pneumothorax": "pleura",
    "Pleural Effusion": "pleura",
    "Pleural Other": "pleura",
    "Fracture": "bones",
    "Support Devices": "devices",
}
"""Where in the report an observation is spoken of."""


@dataclass(frozen=True, eq=False)
class Facts:
    """What a report is to say.

    Attributes:
        findings: All that is there.
        resolved: What is gone since the previous study.
        has_prior: Whether there is a previous study.
        has_lateral: Whether there is a lateral view.

    >>> Facts([Finding("Edema", "pulmonary edema", certainty="possible")]).observations
    frozenset({'Edema'})
    """

    findings: Sequence[Finding]
    resolved: Sequence[Finding] = ()
    has_prior: bool = False
    has_lateral: bool = True

    @property
    def observations(self) -> frozenset[str]:
        """Return the observations that are there, for certain or possibly."""
        return frozenset(finding.observation for finding in self.findings)

    @property
    def is_unchanged(self) -> bool:
        """Return whether all is as in the previous study."""
        same = all(finding.change == "unchanged" for finding in self.findings)
        return self.has_prior and same and not self.resolved

    def within(self, region: str) -> list[Finding]:
        """Return the findings of one region."""
        return [one for one in self.findings if REGION_OF[one.observation] == region]

    def clear_side(self) -> str | None:
        """Return the side of the chest without a finding, if all in the lungs lie on the other."""
        lungs = self.within("lungs")
        sides = {finding.side for finding in (*lungs, *self.within("pleura"))}
        if not lungs or len(sides) != 1:
            return None
        return {"left": "right", "right": "left"}.get(sides.pop() or "")
