"""Clusters of reports: a JSON file beside a prepared set, from study id to a number."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

SCHEMA: Final = 1


@final
@dataclass(frozen=True)
class ClusterFile:
    """Which cluster each training report belongs to.

    Attributes:
        source: How the clusters were made, for the record.
        clusters: Study id to the number of a cluster, from 0.
    """

    source: str
    clusters: Mapping[str, int]

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
        return cls(content["source"], content["clusters"])

    def write(self, path: str | Path) -> None:
        """Write the file; one that is there is replaced."""
        content = {"schema": SCHEMA, "source": self.source, "clusters": dict(self.clusters)}
        Path(path).write_text(json.dumps(content, indent=0) + "\n", encoding="utf-8")

    def require(self, studies: Collection[str]) -> None:
        """Check that the file knows every one of some studies.

        Raises:
            ValueError: If it lacks one.

        >>> ClusterFile("by hand", {"s1": 3}).require(["s1", "s2"])
        Traceback (most recent call last):
        ValueError: the file of clusters knows 1 of 2 training studies and not, for one, 's2'; ...
        """
        absent = [study for study in studies if study not in self.clusters]
        if absent:
            raise ValueError(
                f"the file of clusters knows {len(studies) - len(absent)} of {len(studies)} "
                f"training studies and not, for one, {absent[0]!r}; build it from this data set"
            )


def _check(content: Any, path: Path) -> None:  # whatever JSON holds
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise ValueError(f'{path}: must be a table with "schema": {SCHEMA}; build it again')
    clusters: Any = content.get("clusters")
    is_whole = isinstance(content.get("source"), str) and isinstance(clusters, dict)
    if not is_whole:
        raise ValueError(f'{path}: must have "source" and "clusters"; build it again')
    for study, cluster in clusters.items():
        if not isinstance(cluster, int) or isinstance(cluster, bool) or cluster < 0:
            raise ValueError(f"{path}: {study!r} must have a number from 0, got {cluster!r}")
