import numpy as np
from jaxtyping import Float

from gradtruce.evaluation.labelers.cached import CachedLabeler


def test_a_text_is_read_once_in_a_labelers_life(labeler) -> None:
    cached = CachedLabeler(labeler)
    first: Float[np.ndarray, "reports observations"] = cached.label(["edema .", "fracture ."])
    again = cached.label(["fracture .", "edema .", "no edema ."])
    assert labeler.read == ["edema .", "fracture .", "no edema ."]
    np.testing.assert_array_equal(again[:2], first[::-1])


def test_it_goes_by_the_name_of_the_labeler_that_reads(labeler) -> None:
    assert CachedLabeler(labeler).identity == labeler.identity


def test_no_report_gives_no_row(labeler) -> None:
    assert CachedLabeler(labeler).label([]).shape == (0, 14)
