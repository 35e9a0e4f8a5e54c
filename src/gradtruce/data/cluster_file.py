"""Clusters of reports: a JSON file beside a prepared set, from study id to a number."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

SCHEMA: Final = 1
_AGAIN: Final = "build it from this data set: gradtruce build clusters DATA --output FILE"


@final
@dataclass(frozen=True)
class ClusterFile:
    """Which cluster each training report belongs to.

    Attributes:
        source: How the clusters were made, for the record.
        clusters: Study id to the number of a cluster, from 0.
        seed: Of what made them, where it draws.
        reports_sha256: `hash_of` the reports they were made from; "" where that is not known.
    """

    source: str
    clusters: Mapping[str, int]
    seed: int | None = None
    reports_sha256: str = ""

    @classmethod
    def read(cls, path: str | Path) -> "ClusterFile":
        """Return the clusters in a file.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is no file of clusters.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ClusterFile("by hand", {"s1": 3}).write(Path(folder) / "clusters.json")
        ...     ClusterFile.read(Path(folder) / "clusters.json").clusters
        {'s1': 3}
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}: there is no such file of clusters; `gradtruce build clusters` makes one"
            )
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise ValueError(f"{path}: damaged, not JSON; build the clusters again") from None
        _check(content, path)
        seed, reports_sha256 = content.get("seed"), content.get("reports_sha256", "")
        return cls(content["source"], content["clusters"], seed, reports_sha256)

    def write(self, path: str | Path) -> None:
        """Write the file; one that is there is replaced."""
        content = {
            "schema": SCHEMA,
            "source": self.source,
            "seed": self.seed,
            "reports_sha256": self.reports_sha256,
            "clusters": dict(self.clusters),
        }
        Path(path).write_text(json.dumps(content, indent=0) + "\n", encoding="utf-8")

    def require(self, studies: Sequence[str], reports: Sequence[str]) -> None:
        """Check that the file is of some studies: that it knows each, and was made from them.

        Args:
            studies: Ids.
            reports: Their reports, in the same order.

        Raises:
            ValueError: If it lacks a study, or was made from other reports.

        >>> ClusterFile("by hand", {"s1": 3}).require(["s1", "s2"], ["Clear.", "Edema."])
        Traceback (most recent call last):
        ValueError: the file of clusters knows 1 of 2 training studies and not, for one, 's2'; ...
        """
        absent = [study for study in studies if study not in self.clusters]
        if absent:
            raise ValueError(
                f"the file of clusters knows {len(studies) - len(absent)} of {len(studies)} "
                f"training studies and not, for one, {absent[0]!r}; {_AGAIN}"
            )
        if self.reports_sha256 and self.reports_sha256 != hash_of(studies, reports):
            raise ValueError(
                "the file of clusters was made from other reports than the training reports of "
                f"this data set; {_AGAIN}"
            )


def hash_of(studies: Sequence[str], reports: Sequence[str]) -> str:
    """Return the SHA-256 of ids and reports, in any order of the studies.

    >>> hash_of(["a", "b"], ["x", "y"]) == hash_of(["b", "a"], ["y", "x"])
    True
    """
    pairs = sorted(zip(studies, reports, strict=True))
    return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()


def _check(content: Any, path: Path) -> None:  # whatever JSON holds
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise ValueError(f'{path}: must be a table with "schema": {SCHEMA}; build it again')
    clusters: Any = content.get("clusters")
    words = [content.get("source"), content.get("reports_sha256", "")]
    if not isinstance(clusters, dict) or not all(isinstance(word, str) for word in words):
        raise ValueError(f'{path}: must have "source" and "clusters"; build it again')
    for study, cluster in clusters.items():
        if not isinstance(cluster, int) or isinstance(cluster, bool) or cluster < 0:
            raise ValueError(f"{path}: {study!r} must have a number from 0, got {cluster!r}")
