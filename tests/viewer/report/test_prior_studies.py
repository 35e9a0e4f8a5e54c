"""A method that was trained with prior studies is shown with them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gradtruce.data.loader import Loader
from gradtruce.data.prepared import PreparedDataset, PreparedWriter
from gradtruce.data.study import SPLITS
from gradtruce.data.tokenizer import build_tokenizer
from gradtruce.data.transforms import ImageProcessor
from gradtruce.methods.registry import build
from gradtruce.training.config import DataConfig
from gradtruce.viewer.report import gallery
from gradtruce.viewer.report.prior_studies import priors_of
from gradtruce.viewer.report.records import read_run
from gradtruce.viewer.report.sentence_attention import Reader
from tests.methods.studies import SMALL
from tests.viewer.conftest import DENIALS, SENTENCES

REPORT = "the heart is enlarged ."
FIELDS = ("prior_pixel_values", "prior_mask", "prior_input_ids", "prior_labels")
MAX_TOKENS = 12


@pytest.fixture(scope="module")
def followed(comparison: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """Return a set whose second test study comes after the first, of one view and few labels."""
    data, folder = PreparedDataset.open(comparison / "data"), tmp_path_factory.mktemp("set") / "set"
    with PreparedWriter(folder, name="followed", source="tests") as writer:
        for name in SPLITS:
            first, second, third = data.split(name)[:3]
            report = first.report.upper().replace(" .", ".")
            writer.add(
                replace(
                    first, views=first.views[:1], report=report, labels={"Edema": 1}, findings=()
                )
            )
            writer.add(replace(second, patient=first.patient, prior=first.id))
            writer.add(third)
    return PreparedDataset.open(folder)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of DDaTR with random weights."""
    torch.manual_seed(0)
    texts = [*SENTENCES.values(), *DENIALS.values()]
    run = tmp_path_factory.mktemp("run")
    folder = run / "checkpoints" / "best"
    build("ddatr", build_tokenizer(texts, 1), SMALL["ddatr"]).save_pretrained(folder)
    ImageProcessor(32).save(folder)
    return run


def config_of(dataset: PreparedDataset, *, priors: bool = True) -> DataConfig:
    return DataConfig(path=str(dataset.folder), priors=priors, max_tokens=MAX_TOKENS)


def reader_of(saved: Path, dataset: PreparedDataset, *, priors: bool) -> Reader:
    config = config_of(dataset, priors=priors)
    found = priors_of(config, dataset)
    return Reader(saved / "checkpoints" / "best", max_tokens=MAX_TOKENS, priors=found)


def test_the_fields_are_those_of_a_loader(saved: Path, followed: PreparedDataset):
    reader, split = reader_of(saved, followed, priors=True), followed.split("test")
    tokenizer = reader.method.require_tokenizer()
    loader = Loader(
        split, tokenizer, reader.processor, batch_size=3, max_tokens=MAX_TOKENS, with_priors=True
    )
    (expected,) = loader
    batch = reader._batch(list(split), expected.reports)
    for name in (*FIELDS, "pixel_values", "input_ids", "labels"):
        torch.testing.assert_close(
            getattr(batch, name), getattr(expected, name), rtol=0, atol=0, equal_nan=True
        )
    assert expected.prior_mask.tolist() == [[False, False], [True, False], [False, False]]
    maps = reader.method.attention(expected, expected.input_ids)
    for row, (look, *_) in enumerate(reader.looks(list(split), expected.reports)):
        words = look.text.split()
        grid = maps[row, 1 : 1 + len(words), : len(look.grid)].mean(dim=0)
        torch.testing.assert_close(look.grid, grid)


def test_maps_depend_on_the_prior(saved: Path, followed: PreparedDataset):
    studies = list(followed.split("test"))
    readers = [reader_of(saved, followed, priors=priors) for priors in (True, False)]
    looks = [[look for (look,) in reader.looks(studies, [REPORT] * 3)] for reader in readers]
    same = [torch.equal(a.grid, b.grid) for a, b in zip(*looks, strict=True)]
    assert not same[1]
    for place in (0, 2):
        torch.testing.assert_close(looks[0][place].grid, looks[1][place].grid)
    seen = [reader.finding_looks(studies)[1]["Edema"].grid for reader in readers]
    assert not torch.equal(*seen)


def test_studies_without_any_prior_are_shown(saved: Path, followed: PreparedDataset):
    reader = reader_of(saved, followed, priors=True)
    batch = reader._batch(followed.split("test")[:1], [REPORT])
    assert not batch.prior_mask.any()
    assert not batch.prior_input_ids.any()
    assert batch.prior_labels.isnan().all()
    assert len(reader.looks(followed.split("test")[:1], [REPORT])[0]) == 1


@pytest.mark.parametrize("priors", [True, False])
def test_the_gallery_gives_priors_where_the_run_had_them(
    comparison: Path, saved: Path, followed: PreparedDataset, priors: bool
):
    record = read_run(comparison / "linear")
    config = record.config.model_copy(update={"data": config_of(followed, priors=priors)})
    reader = gallery._reader(replace(record, folder=saved, config=config), followed)
    assert reader._batch(list(followed.split("test")), [REPORT] * 3).has_priors == priors
