"""Clusters of training reports."""

from collections import Counter

import numpy as np
import pytest

from gradtruce.data.cluster_file import hash_of
from gradtruce.data.report_clusters import cluster_reports, text_vectors

TOPICS = {
    "heart": "The heart is {} enlarged. Cardiac silhouette is {} large.",
    "effusion": "There is a {} pleural effusion. Blunting of the {} angle.",
    "clear": "Lungs are {} clear. No {} disease.",
}
WORDS = ("mildly", "possibly", "clearly", "very")
REPORTS = {
    f"{topic}-{first}-{second}": text.format(first, second)
    for topic, text in TOPICS.items()
    for first in WORDS
    for second in WORDS
    if (first, second, topic) != ("very", "very", "heart")
}
STUDIES, TEXTS = list(REPORTS), list(REPORTS.values())


def test_reports_on_one_topic_share_a_cluster() -> None:
    found = cluster_reports(STUDIES, TEXTS, count=3).clusters
    for topic in TOPICS:
        assert len({found[study] for study in STUDIES if study.startswith(topic)}) == 1
    assert sorted(Counter(found.values()).values()) == [15, 16, 16]
    assert found["heart-mildly-mildly"] == 2  # the smallest comes last


def test_the_same_seed_gives_the_same_file() -> None:
    first, second = (cluster_reports(STUDIES, TEXTS, count=5, seed=7) for _ in range(2))
    assert first == second
    assert first.seed == 7
    assert first.reports_sha256 == hash_of(STUDIES, TEXTS)


def test_other_vectors_are_taken_where_they_are_given() -> None:
    def lengths(reports: list[str]) -> np.ndarray:
        return np.array([[float(len(report) > 50)] for report in reports])

    file = cluster_reports(STUDIES, TEXTS, count=2, embed=lengths, embedding="lengths of a test")
    long = {study for study, report in REPORTS.items() if len(report) > 50}
    assert len({file.clusters[study] for study in long}) == 1
    assert file.source == "k-means, 2 clusters, over lengths of a test"


def test_vectors_are_short_where_texts_are_few() -> None:
    vectors = text_vectors(["clear lungs .", "an effusion ."], seed=0)
    assert vectors.shape == (2, 1)
    assert np.isfinite(text_vectors(["clear ."], seed=0)).all()


@pytest.mark.parametrize(
    ("count", "message"),
    [(1, "must be at least 2, got 1"), (14, "14 clusters need .* found 2; ask for fewer")],
)
def test_too_few_or_too_many_clusters_are_refused(count: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cluster_reports(["a", "b", "c"], ["Clear.", "clear", "Edema."], count=count)
