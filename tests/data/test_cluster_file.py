"""Clusters of reports: what a file of them must be."""

import json
from pathlib import Path

import pytest

from gradtruce.data.cluster_file import ClusterFile, hash_of


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = ClusterFile("k-means of a test", {"a": 0, "b": 7}, seed=3, reports_sha256="f00d")
    file.write(tmp_path / "clusters.json")
    assert ClusterFile.read(tmp_path / "clusters.json") == file


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "damaged"),
        ("[]", '"schema": 1'),
        (json.dumps({"schema": 2}), '"schema": 1'),
        (json.dumps({"schema": 1, "clusters": {}}), '"source" and "clusters"'),
        (json.dumps({"schema": 1, "source": "", "clusters": {"a": -1}}), "'a' must have a number"),
        (json.dumps({"schema": 1, "source": "", "clusters": {"a": True}}), "got True"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "clusters.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        ClusterFile.read(path)


def test_a_missing_file_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gradtruce build clusters"):
        ClusterFile.read(tmp_path / "clusters.json")


def test_a_file_of_another_set_is_refused() -> None:
    with pytest.raises(ValueError, match="knows 0 of 1 training studies"):
        ClusterFile("", {"a": 0}).require(["b"], ["Clear."])


def test_a_file_of_the_same_ids_with_other_reports_is_refused() -> None:
    file = ClusterFile("", {"a": 0}, reports_sha256=hash_of(["a"], ["Clear."]))
    file.require(["a"], ["Clear."])
    with pytest.raises(ValueError, match=r"other reports.*gradtruce build clusters"):
        file.require(["a"], ["Edema."])


def test_a_file_written_by_hand_needs_no_hash(tmp_path: Path) -> None:
    path = tmp_path / "clusters.json"
    path.write_text(json.dumps({"schema": 1, "source": "mine", "clusters": {"a": 0}}))
    ClusterFile.read(path).require(["a"], ["Clear."])
