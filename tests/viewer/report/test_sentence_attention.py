"""Where a saved method looks while it writes a sentence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gradtruce.data.observations import FINDINGS
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.study import Study
from gradtruce.data.tokenizer import build_tokenizer
from gradtruce.data.transforms import ImageProcessor
from gradtruce.data.wordpiece import train_wordpiece
from gradtruce.methods.registry import build
from gradtruce.viewer.report.sentence_attention import Reader
from tests.methods.studies import SMALL

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


@pytest.fixture(params=["words", "wordpiece"])
def worded(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a saved method with a tokenizer of words, or of pieces of them."""
    texts = [REPORT] * 3
    tokenizer = (
        build_tokenizer(texts) if request.param == "words" else train_wordpiece(texts, size=50)
    )
    torch.manual_seed(0)
    build("r2gen", tokenizer, SMALL["r2gen"]).save_pretrained(tmp_path / "saved")
    ImageProcessor(32).save(tmp_path / "saved")
    return tmp_path / "saved"


def token_maps(reader: Reader, study: Study, report: str) -> tuple[list[str], torch.Tensor]:
    """Return the tokens of a report, bos and eos included, and the map of each."""
    tokenizer = reader.method.require_tokenizer()
    ids = torch.tensor([tokenizer.encode(report)])
    batch = replace(reader._batch([study], [report]), input_ids=ids)
    return tokenizer.convert_ids_to_tokens(ids[0].tolist()), reader.method.attention(batch, ids)[0]


def test_a_map_is_the_mean_over_the_tokens_of_its_sentence(comparison: Path, worded: Path):
    reader, study = Reader(worded), PreparedDataset.open(comparison / "data").split("test")[0]
    report = "the heart is enlarged 1.5 times . no effusions ."
    tokens, maps = token_maps(reader, study, report)
    end = len(tokens) - next(n for n, token in enumerate(reversed(tokens[:-2]), 2) if token == ".")
    (looks,) = reader.looks([study], [report])
    assert [look.text for look in looks] == ["the heart is enlarged 1.5 times .", "no effusions ."]
    for look, part in zip(looks, (maps[1:end], maps[end:-1]), strict=True):
        torch.testing.assert_close(look.grid, part.mean(dim=0))


def test_a_report_is_cut_at_a_token(comparison: Path, worded: Path):
    study = PreparedDataset.open(comparison / "data").split("test")[0]
    report = "the heart is enlarged . no effusions ."
    tokens, maps = token_maps(Reader(worded), study, report)
    stop = tokens.index(".") + 1
    for kept in (stop - 1, stop, stop + 2):
        (looks,) = Reader(worded, max_tokens=kept).looks([study], [report])
        assert len(looks) == 1 + (kept > stop)
        torch.testing.assert_close(looks[0].grid, maps[1 : min(kept, stop)].mean(dim=0))
