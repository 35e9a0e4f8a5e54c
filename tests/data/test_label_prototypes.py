"""Prototypes of observations: what k-means finds, and what few studies are made of."""

import numpy as np
import pytest

from gradtruce.data.label_prototypes import SPREAD, balanced_blocks, label_prototypes


def islands(each: int = 20) -> np.ndarray:
    """Return studies around three places far from each other."""
    places = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    noise = np.random.default_rng(0).normal(scale=0.1, size=(3 * each, 2))
    return np.repeat(places, each, axis=0) + noise


def test_each_observation_has_the_centres_of_its_own_studies() -> None:
    vectors = islands()
    has = np.zeros((60, 2), dtype=bool)
    has[:40, 0] = True
    has[20:, 1] = True
    found = label_prototypes(vectors, has, count=2)
    means = [vectors[start : start + 20].mean(0) for start in (0, 20, 40)]
    for observation, islands_of in enumerate([(0, 1), (1, 2)]):
        for island in islands_of:
            nearest = np.abs(found[observation] - means[island]).sum(1).min()
            assert nearest < 1e-9


def test_fewer_studies_than_prototypes_are_repeated_nearly() -> None:
    vectors = islands(each=1)
    found = label_prototypes(vectors, np.array([[True], [True], [False]]), count=5)[0]
    assert found.shape == (5, 2)
    assert {tuple(row) for row in found[:2]} == {tuple(row) for row in vectors[:2]}
    np.testing.assert_allclose(found[[2, 3, 4]], found[[0, 1, 0]], atol=6 * SPREAD)
    assert len(np.unique(found, axis=0)) == 5


def test_an_observation_that_nobody_has_takes_the_centres_of_all() -> None:
    vectors = islands()
    found = label_prototypes(vectors, np.zeros((60, 1), dtype=bool), count=3)
    everyone = label_prototypes(vectors, np.ones((60, 1), dtype=bool), count=3)
    np.testing.assert_array_equal(found, everyone)


def test_the_same_seed_gives_the_same_prototypes() -> None:
    has = np.ones((60, 1), dtype=bool)
    first, second = (label_prototypes(islands(), has, count=7, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_blocks_get_a_mean_square_of_one_each() -> None:
    rng = np.random.default_rng(0)
    found = balanced_blocks(rng.normal(size=(50, 8)) * 30, rng.normal(size=(50, 3)) * 0.01)
    assert np.mean(found[:, :8] ** 2) == pytest.approx(1)
    assert np.mean(found[:, 8:] ** 2) == pytest.approx(1)


def test_what_makes_no_prototypes_is_refused() -> None:
    has = np.ones((3, 1), dtype=bool)
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        label_prototypes(np.ones((3, 2)), has, count=0)
    with pytest.raises(ValueError, match="at least one study"):
        label_prototypes(np.ones((0, 2)), has[:0], count=2)
    with pytest.raises(ValueError, match="not finite"):
        label_prototypes(np.full((3, 2), np.nan), has, count=2)
