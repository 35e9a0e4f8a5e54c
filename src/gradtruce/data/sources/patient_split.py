"""Splits where the source has none: by a hash of the patient, so that they never move."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, final

from gradtruce.data.study import SPLITS, Split

_BITS = 64


@final
@dataclass(frozen=True, slots=True)
class PatientSplit:
    """Puts every patient into one split by a hash of seed and patient.

    More patients never move the others. The shares hold for many patients; of a few, a split may
    get none.

    Attributes:
        shares: Of train, val and test; each above 0, together 1.
        seed: At least 0.

    Raises:
        ValueError: If a number is out of its range.

    >>> split = PatientSplit()
    >>> [split.of(patient) for patient in ("1", "2", "5", "6")]
    ['test', 'train', 'val', 'train']
    """

    shares: tuple[float, float, float] = (0.7, 0.1, 0.2)
    seed: int = 0

    def __post_init__(self) -> None:
        if (
            len(self.shares) != len(SPLITS)
            or not all(0 < share < 1 for share in self.shares)
            or not math.isclose(sum(self.shares), 1, abs_tol=1e-6)
        ):
            raise ValueError(
                "shares must be three numbers above 0 that add up to 1, for train, val and test, "
                f"got {self.shares}"
            )
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")

    def of(self, patient: str) -> Split:
        """Return the split of a patient."""
        text = f"{self.seed}:{patient}".encode("utf-8", "surrogatepass")
        place = int.from_bytes(sha256(text).digest()[: _BITS // 8]) / 2**_BITS
        train, val, _ = self.shares
        if place < train:
            return "train"
        return "val" if place < train + val else "test"

    def parameters(self) -> dict[str, Any]:  # any JSON value
        """Return shares and seed as a manifest keeps them."""
        return {"by": "hash of the patient", "shares": list(self.shares), "seed": self.seed}

    def refuse_empty(self, found: Iterable[Split]) -> None:
        """Refuse a set that the hash leaves without some split; none at all is another's matter.

        Raises:
            ValueError: Naming the split and the ways out.

        >>> PatientSplit().refuse_empty(["train", "test"])
        Traceback (most recent call last):
        ValueError: split 'val': no study falls into it by the hash with seed 0 and shares ...
        """
        there = set(found)
        for split in SPLITS if there else ():
            if split not in there:
                raise ValueError(
                    f"split {split!r}: no study falls into it by the hash with seed {self.seed} "
                    f"and shares {self.shares}; name the splits yourself, add studies, or give "
                    "other shares or another seed"
                )
