"""The phantom as a prepared set: what is drawn is what is kept."""

import numpy as np

from gradtruce.data.phantom.generate import generate
from gradtruce.data.phantom.prepare import prepare_phantom
from gradtruce.data.prepared import PreparedDataset


def test_the_set_holds_what_is_drawn_and_is_marked_synthetic(tmp_path):
    prepare_phantom(tmp_path / "set", level="easy", studies=16, size=40, seed=3)
    dataset = PreparedDataset.open(tmp_path / "set")
    assert dataset.manifest.is_synthetic
    assert dataset.manifest.parameters["seed"] == 3
    for drawn in generate("easy", 16, size=40, seed=3):
        kept = dataset.study(drawn.id)
        assert (kept.report, kept.labels, kept.prior) == (drawn.report, drawn.labels, drawn.prior)
        assert [f.kind for f in kept.findings] == [f.kind for f in drawn.findings]
        for mine, theirs in zip(kept.views, drawn.views, strict=True):
            np.testing.assert_array_equal(mine.pixels, theirs.pixels)
    assert "Synthetic" in (tmp_path / "set" / "card.html").read_text(encoding="utf-8")
