"""Labels of IU X-Ray by the number of the study: files differ in how they write its id."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, final

from gradtruce.data.label_file import LabelFile
from gradtruce.data.label_states import Labels

_UID: Final = re.compile(r"(?:CXR)?(\d{1,9})(?:_.*)?", re.ASCII | re.IGNORECASE)


@final
@dataclass(frozen=True)
class UidLabels:
    """Labels that are found by the id, or by the number in it.

    136 ids of R2Gen carry a suffix ("CXR2372_IM-0933-0001") that label files leave out; reports
    alone give "CXR2372". The number is the same in all of them.

    Attributes:
        source: Of the file.
        by_id: As the file has them.
        by_uid: By the number of the study.
        faults: By the number of the study, why its row can't be taken.
    """

    source: str
    by_id: Mapping[str, Labels]
    by_uid: Mapping[int, Labels]
    faults: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, file: LabelFile) -> "UidLabels":
        """Return the labels of a file.

        Raises:
            ValueError: If two of its rows are of one study and differ.

        >>> labels = UidLabels.of(LabelFile("a.csv", {"CXR54_IM-2145": {"Edema": 1}}))
        >>> labels.states("CXR54_IM-2145-0001", 54), labels.states("CXR5", 5)
        ({'Edema': 1}, {})
        """
        by_uid: dict[int, Labels] = {}
        for study, states in file.states.items():
            found = _UID.fullmatch(study)
            if found and by_uid.setdefault(int(found[1]), states) != states:
                raise ValueError(
                    f"{file.source}: study {study!r} is labelled twice under several ids, and not "
                    "alike; keep one row a study"
                )
        numbered = ((_UID.fullmatch(study), why) for study, why in file.faults.items())
        faults = {int(found[1]): why for found, why in numbered if found}
        return cls(file.source, file.states, by_uid, faults)

    def states(self, study: str, uid: int) -> Labels:
        """Return the known observations of a study; none where the file has not got it."""
        return self.by_id.get(study) or self.by_uid.get(uid) or {}
