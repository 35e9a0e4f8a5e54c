"""Affinity propagation against scikit-learn's."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.cluster import AffinityPropagation

from gradtruce.gradients.solvers.affinity import affinity_propagation


def expected(similarity: np.ndarray) -> list[list[int] | None]:
    """Return what scikit-learn finds, which breaks ties at random: symmetric pairs are tied."""
    results = []
    for seed in range(6):
        model = AffinityPropagation(
            affinity="precomputed", convergence_iter=50, max_iter=1200, random_state=seed
        )
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            labels = model.fit_predict(similarity).tolist()
        order = list(dict.fromkeys(labels))
        failed = any("did not converge" in str(each.message) for each in found)
        results.append(None if failed else [order.index(label) for label in labels])
    return results


@pytest.mark.parametrize("things", [2, 3, 4, 6, 9, 16])
def test_random_similarities_are_clustered_as_by_scikit_learn(things: int) -> None:
    generator = np.random.default_rng(things)
    for _ in range(15):
        X = generator.normal(size=(things, things)) * 10 ** generator.uniform(-4, 4)
        similarity = (X + X.T) / 2
        assert affinity_propagation(torch.from_numpy(similarity)) in expected(similarity)


def test_points_are_clustered_as_by_scikit_learn() -> None:
    generator = np.random.default_rng(1)
    for _ in range(15):
        points = generator.normal(size=(12, 2)) + 3 * generator.integers(0, 3, size=(12, 1))
        similarity = -((points[:, None] - points) ** 2).sum(-1)
        assert affinity_propagation(torch.from_numpy(similarity)) in expected(similarity)


def test_one_thing_and_equal_things_are_one_cluster() -> None:
    assert affinity_propagation(torch.zeros(1, 1)) == [0]
    assert affinity_propagation(torch.ones(4, 4)) == [0, 0, 0, 0]


def test_messages_that_do_not_settle_are_told() -> None:
    similarity = torch.from_numpy(np.random.default_rng(0).normal(size=(6, 6)))
    assert affinity_propagation(similarity, limit=10) is None


def test_the_argument_is_left_alone() -> None:
    similarity = torch.randn(4, 4, dtype=torch.float64)
    before = similarity.clone()
    affinity_propagation(similarity)
    assert torch.equal(similarity, before)
