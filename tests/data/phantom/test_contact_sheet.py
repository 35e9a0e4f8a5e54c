"""Pages to look at."""

import numpy as np

from gradtruce.data.phantom.contact_sheet import draw_example, draw_finding, outline, page
from gradtruce.data.phantom.findings.painters import PAINTERS
from gradtruce.data.phantom.kinds import KINDS


def test_a_drawn_finding_has_just_the_attributes_of_its_kind():
    for kind in KINDS:
        finding = draw_finding(kind, np.random.default_rng(0))
        assert (finding.side is None) == (not kind.sides)
        assert (finding.zone is None) == (not kind.zones)
        assert (finding.size is None) == (kind.size is None)
        assert finding.kind in PAINTERS


def test_a_page_holds_every_film_in_its_place():
    films = [np.full((40, 40), 40 * column, np.uint8) for column in range(3)]
    sheet = np.asarray(page([("first", films), ("second", films[::-1])]))
    assert sheet[14 + 20, 42 + 20] == 40
    assert sheet[54 + 14 + 20, 20] == 80
    assert sheet[20, 41] == 255


def test_an_example_is_the_same_for_the_same_seed():
    (one, _), (other, _) = (draw_example(KINDS[0], "easy", 40, seed=[1, 2]) for _ in range(2))
    assert np.array_equal(one[1].pixels, other[1].pixels)


def test_an_outline_lies_on_the_edge_of_the_mask_and_leaves_the_film_alone():
    views, finding = draw_example(KINDS[5], "easy", 64, seed=[0])
    before = views[0].pixels.copy()
    drawn = outline(views[0], finding)
    assert np.array_equal(views[0].pixels, before)
    changed = drawn != before
    assert changed.any()
    assert not changed[~finding.regions[0].mask].any()
