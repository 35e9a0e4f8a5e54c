"""Which tokenizer a run has, from its configuration to its saved model."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.text import clean
from gradtruce.data.tokenizer import decode, encode
from gradtruce.data.wordpiece import SPECIAL, train_wordpiece
from gradtruce.evaluation.predictions import read_predictions
from gradtruce.methods.registry import load
from gradtruce.training.config import DataConfig, RunConfig
from gradtruce.training.data_parts import load_data
from gradtruce.training.loop import train

Config = Callable[..., RunConfig]


def test_pieces_are_trained_on_the_training_reports(tiny_config: Config, tiny_set: Path) -> None:
    config = tiny_config(data={"tokenizer": "wordpiece", "vocabulary_size": 64})
    found = load_data(config).tokenizer.get_vocab()
    reports = [
        clean(each, "clean") for each in PreparedDataset.open(tiny_set).split("train").reports
    ]
    assert found == train_wordpiece(reports, 64, 1).get_vocab()
    assert len(found) <= 64


def test_a_vocabulary_is_read(tiny_config: Config, tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("[PAD]\n[UNK]\n[SEP]\nlungs\n.\n")
    config = tiny_config(data={"tokenizer": "wordpiece", "vocabulary": str(path)})
    assert encode(load_data(config).tokenizer, "lungs stone .", 60) == [5, 3, 1, 4, 2]


def test_a_vocabulary_of_another_tokenizer_is_refused() -> None:
    with pytest.raises(ValueError, match="set tokenizer to 'wordpiece', or leave vocabulary out"):
        DataConfig(path="set", vocabulary="vocab.txt")


def test_a_run_with_pieces_trains_saves_them_and_writes_words(
    tiny_config: Config, tmp_path: Path
) -> None:
    config = tiny_config(data={"tokenizer": "wordpiece", "vocabulary_size": 64})
    train(config, tmp_path / "run")
    method = load(tmp_path / "run" / "checkpoints" / "best")
    tokenizer, expected = method.require_tokenizer(), load_data(config)
    assert tokenizer.get_vocab() == expected.tokenizer.get_vocab()
    assert method.config.vocab_size == len(tokenizer)
    for reference in expected.test.references:
        assert decode(tokenizer, encode(tokenizer, reference, 500)) == reference
    for each in read_predictions(tmp_path / "run" / "predictions.jsonl"):
        assert not any(token in each.generated for token in (*SPECIAL, "##"))
