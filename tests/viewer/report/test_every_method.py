"""Every method is shown alike: attention of sentences, maps of findings, what it is told."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gradtruce.data.observations import FINDINGS
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.retrieval.bank import RetrievalBank
from gradtruce.data.retrieval.bank_file import RetrievalFile
from gradtruce.data.study import SPLITS, Study
from gradtruce.data.tokenizer import build_tokenizer
from gradtruce.data.transforms import ImageProcessor
from gradtruce.evaluation.predictions import Prediction, read_predictions, write_predictions
from gradtruce.methods.base import Decoding
from gradtruce.methods.registry import Method, build, method_names
from gradtruce.training.config import DataConfig, MethodConfig, RunConfig
from gradtruce.training.config_file import load_config, write_config
from gradtruce.training.retrieval.image_query import EncoderConfig, ImageQuery
from gradtruce.training.retrieval.retriever import retriever
from gradtruce.viewer.report.builder import build as build_page
from gradtruce.viewer.report.own_images import write_own_images
from gradtruce.viewer.report.read_images import read_images
from gradtruce.viewer.report.sentence_attention import Reader
from tests.methods.studies import SMALL, VARIANTS, method_of

NEIGHBOURS = 4
REPORT = "the heart is enlarged . no pleural effusion ."
WITHOUT_HEAD = {
    "r2gen": {"findings_weight": 0.0},
    "r2gen_cmn": {"findings_weight": 0.0},
    "xpronet": {"findings_weight": 0.0, "selecting_labels": "oracle"},
}
"""Options that take the findings head off the methods that have one and need not."""

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    **{variant: (method_of(variant), options) for variant, options in VARIANTS.items()},
    **{f"{name}, no head": (name, options) for name, options in WITHOUT_HEAD.items()},
    "xpronet, oracle and head": ("xpronet", {"selecting_labels": "oracle"}),
}


def test_every_method_is_among_the_cases() -> None:
    assert {name for name, _ in CASES.values()} == set(method_names())


@pytest.fixture(params=CASES)
def run(request: pytest.FixtureRequest, comparison: Path, tmp_path: Path) -> tuple[Path, Method]:
    """Return the run folder of a method with random weights, and the method."""
    name, options = CASES[request.param]
    options = SMALL[name] | options
    torch.manual_seed(0)
    method = build(name, build_tokenizer([REPORT], 1), options)
    folder = tmp_path / "run"
    folder.mkdir()
    bank = None if method.retrieved_width is None else write_bank(comparison, tmp_path, method)
    config = RunConfig(
        data=DataConfig(
            path=str(comparison / "data"), image_size=32, retrieval=bank, neighbours=NEIGHBOURS
        ),
        method=MethodConfig(name=name, options=options),
    )
    write_config(config, folder / "config.toml")
    for file in ("log.jsonl", "metrics.json"):
        shutil.copy(comparison / "linear" / file, folder / file)
    method.save_pretrained(folder / "checkpoints" / "best")
    ImageProcessor(32).save(folder / "checkpoints" / "best")
    return folder, method


def write_bank(comparison: Path, folder: Path, method: Method) -> str:
    """Write a bank of random features with the encoder that made its queries."""
    data = PreparedDataset.open(comparison / "data")
    query = ImageQuery(EncoderConfig("compact", (8,), (1,), method.retrieved_width, 32))
    splits = [data.split(name) for name in SPLITS]
    features = torch.nn.functional.normalize(torch.randn(8, method.retrieved_width), dim=1)
    texts = features[torch.arange(len(splits[0])) % 8]
    file = RetrievalFile(
        RetrievalBank(splits[0].ids, texts),
        tuple(study for split in splits for study in split.ids),
        torch.cat([query.of_studies(list(split)) for split in splits]),
        "a test",
        encoder=query.state_dict(),
        encoder_config=query.record(),
    )
    file.write(folder / "bank")
    return str(folder / "bank")


def reader_of(folder: Path) -> Reader:
    """Return the reader of the run's own studies."""
    data = load_config(folder / "config.toml").data
    return Reader(folder / "checkpoints/best", retriever=retriever(data, are_own=False))


def studies_of(comparison: Path) -> list[Study]:
    return list(PreparedDataset.open(comparison / "data").split("test")[:2])


def written(comparison: Path, folder: Path) -> list[Prediction]:
    """Write the predictions of the run: with known sentences and all findings."""
    reader, studies = reader_of(folder), studies_of(comparison)
    generated = reader.write(studies, Decoding(beams=1, max_tokens=4))
    truths = {each.id: each for each in read_predictions(comparison / "linear/predictions.jsonl")}
    found = [
        replace(
            truths[each.id],
            generated=REPORT,
            findings=each.findings and dict.fromkeys(each.findings, 0.9),
            told=each.told,
        )
        for each in generated
    ]
    write_predictions(folder / "predictions.jsonl", found)
    return found


def test_the_run_report_shows_attention_and_activation(
    run: tuple[Path, Method], comparison: Path
) -> None:
    folder, method = run
    predictions = written(comparison, folder)
    assert {each.told for each in predictions} == {method.told}
    page = build_page(folder, gallery=len(predictions)).read_text(encoding="utf-8")
    for study in range(2):
        for sentence in range(2):
            for view in range(2):
                assert f'id="heat-{study}-0-{sentence}-{view}"' in page
        has_head = predictions[study].findings is not None
        for finding in FINDINGS:
            name = finding.lower().replace(" ", "-")
            assert (f'id="finding-{study}-0-{name}-0"' in page) == has_head
    assert ("generated from the images and the labels" in page) == bool(method.told)


def test_predict_shows_attention_and_activation(
    run: tuple[Path, Method], comparison: Path, tmp_path: Path
) -> None:
    folder, method = run
    predictions = written(comparison, folder)
    reader, studies = reader_of(folder), studies_of(comparison)
    page = write_own_images(tmp_path / "out", reader, studies, predictions)
    assert len([*page.parent.rglob("sentence-*.png")]) == 2 * 2 * 2
    has_head = predictions[0].findings is not None
    assert len([*page.parent.rglob("finding-*.png")]) == 2 * 2 * len(FINDINGS) * has_head
    told = page.read_text(encoding="utf-8")
    assert ("Generated from the images and the labels" in told) == bool(method.told)


def test_own_images_are_read_from_images_alone_or_refused(
    run: tuple[Path, Method], tmp_path: Path
) -> None:
    folder, method = run
    film = np.random.default_rng(0).integers(0, 255, (48, 40)).astype(np.uint8)
    Image.fromarray(film).save(tmp_path / "film.png")
    if not method.told:
        (prediction,) = read_images(folder, [tmp_path / "film.png"], tmp_path / "out")
        assert not prediction.told
        return
    has_head = method.visual.findings is not None
    remedy = "predicted.*in its config.json" if has_head else "train one that has a findings head"
    with pytest.raises(ValueError, match=rf"oracle\), and film has no labels. .*{remedy}"):
        read_images(folder, [tmp_path / "film.png"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_labels_of_a_study_reach_a_method_that_is_told_them(
    run: tuple[Path, Method], comparison: Path
) -> None:
    folder, method = run
    reader, (study, _) = reader_of(folder), studies_of(comparison)
    other = replace(study, labels=dict.fromkeys(FINDINGS, 1))
    (first,), (second,) = (reader.looks([each], [REPORT]) for each in (study, other))
    is_same = all(torch.equal(a.grid, b.grid) for a, b in zip(first, second, strict=True))
    assert is_same == (not method.told)


def test_a_checkpoint_alone_is_decoded_as_it_was_saved(comparison: Path, tmp_path: Path) -> None:
    saved = tmp_path / "model"
    shutil.copytree(comparison / "linear" / "checkpoints" / "best", saved)
    Image.fromarray(np.zeros((48, 40), dtype=np.uint8)).save(tmp_path / "film.png")
    told: list[str] = []

    def lengths(output: str) -> int:
        (found,) = read_images(saved, [tmp_path / "film.png"], tmp_path / output, tell=told.append)
        return len(found.generated.split())

    lengths("default")
    method = Reader(saved).method
    method.decoding = Decoding(beams=1, max_tokens=5)
    method.save_pretrained(saved)
    assert lengths("saved") <= 5
    assert Reader(saved).max_tokens == 5
    assert told == [
        "decoding: beam search of width 3, at most 60 tokens, by default: the folder tells "
        "nothing of it",
        "decoding: greedy search, at most 5 tokens, as saved with the model",
    ]
