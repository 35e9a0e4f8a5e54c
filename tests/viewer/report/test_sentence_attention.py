"""Where a saved method looks while it writes a sentence."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gradtruce.data.observations import FINDINGS
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.transforms import ImageProcessor
from gradtruce.viewer.report.sentence_attention import Reader

REPORT = "the heart is enlarged . no pleural effusion ."


@pytest.fixture
def reader(comparison: Path) -> Reader:
    return Reader(comparison / "linear" / "checkpoints" / "best")


def test_every_sentence_has_a_map_that_sums_to_one(comparison: Path, reader: Reader):
    studies = PreparedDataset.open(comparison / "data").split("test")[:3]
    for looks in reader.looks(studies, [REPORT] * 3):
        assert [look.text for look in looks] == ["the heart is enlarged .", "no pleural effusion ."]
        for look in looks:
            assert float(look.grid.sum()) == pytest.approx(1.0, abs=1e-4)
            assert sum(look.shares) == pytest.approx(1.0)


def test_a_map_is_the_mean_of_what_its_words_attend_to(comparison: Path, reader: Reader):
    study = PreparedDataset.open(comparison / "data").split("test")[0]
    (whole,) = reader.looks([study], ["the heart is enlarged ."])
    (longer,) = reader.looks([study], [REPORT])
    torch.testing.assert_close(whole[0].grid, longer[0].grid, rtol=1e-4, atol=1e-6)


def test_studies_together_look_as_each_alone(comparison: Path, reader: Reader):
    studies = PreparedDataset.open(comparison / "data").split("test")[:2]
    together = reader.looks(studies, [REPORT, "no pneumothorax is seen ."])
    alone = reader.looks(studies[1:], ["no pneumothorax is seen ."])
    torch.testing.assert_close(together[1][0].grid, alone[0][0].grid, rtol=1e-4, atol=1e-6)


def test_an_empty_report_has_no_sentence(comparison: Path, reader: Reader):
    study = PreparedDataset.open(comparison / "data").split("test")[0]
    assert reader.looks([study], [""]) == [[]]


def test_a_report_beyond_the_longest_is_cut(comparison: Path):
    reader = Reader(comparison / "linear" / "checkpoints" / "best", max_tokens=6)
    study = PreparedDataset.open(comparison / "data").split("test")[0]
    (looks,) = reader.looks([study], [REPORT])
    assert [look.text for look in looks] == ["the heart is enlarged ."]


def test_a_centre_crop_is_the_part_that_the_method_sees(comparison: Path, reader: Reader):
    reader.processor = ImageProcessor(64, aspect="crop")
    view = PreparedDataset.open(comparison / "data").split("test")[0].views[0]
    wide = type(view)(np.zeros((40, 60), dtype=np.uint8), "frontal")
    assert reader.frame(wide) == (10.0, 0.0, 40.0, 40.0)
    assert reader.crop(wide.pixels).shape == (40, 40)


def test_every_finding_is_seen_somewhere_in_the_views(comparison: Path, reader: Reader):
    studies = PreparedDataset.open(comparison / "data").split("test")[:3]
    for study, looks in zip(studies, reader.finding_looks(studies), strict=True):
        assert list(looks) == list(FINDINGS)
        for look in looks.values():
            assert look.grid.shape[0] == len(study.views)
            assert float(look.grid.sum()) == pytest.approx(1.0, abs=1e-5) or not look.grid.any()
            assert look.heat((8, 8)).isfinite().all()
        assert any(look.grid.any() for look in looks.values())


def test_a_folder_without_a_method_is_refused(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        Reader(tmp_path)
