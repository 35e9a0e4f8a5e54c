"""Pages to look at."""

import numpy as np

from gradtruce.data.phantom.contact_sheet import draw_finding, sheet_of, tile
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
    films = [
        [np.full((4, 4), 10 * row + column, np.uint8) for column in range(3)] for row in (0, 1)
    ]
    page = tile(films, gap=1)
    assert page[6, 6] == 11
    assert page[4].min() == 255


def test_a_sheet_is_the_same_for_the_same_seed():
    one, other = (sheet_of(KINDS[0], 2, "easy", 40, seed=1) for _ in range(2))
    assert np.array_equal(one[1][0].pixels, other[1][0].pixels)
