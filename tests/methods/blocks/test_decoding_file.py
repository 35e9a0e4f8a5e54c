"""How reports were generated is saved with the weights and read back, or refused."""

import json
from pathlib import Path

import pytest

from gradtruce.methods.base import Decoding
from gradtruce.methods.blocks.decoding_file import FILE, read_decoding, write_decoding
from gradtruce.methods.registry import load, method_names
from tests.methods.studies import make_method

DECODINGS = (Decoding(), Decoding(beams=1, max_tokens=80), Decoding(search="published"))


@pytest.mark.parametrize("decoding", DECODINGS)
def test_a_decoding_is_read_back_as_it_was(tmp_path: Path, decoding: Decoding) -> None:
    write_decoding(tmp_path, decoding)
    assert read_decoding(tmp_path) == decoding


@pytest.mark.parametrize("name", method_names())
def test_every_method_is_saved_with_its_decoding(tmp_path: Path, name: str) -> None:
    method = make_method(name)
    method.save_pretrained(tmp_path / "without")
    assert load(tmp_path / "without").decoding is None
    method.decoding = Decoding(beams=2, length_penalty=0.5, max_tokens=7)
    method.save_pretrained(tmp_path / "with")
    assert load(tmp_path / "with").decoding == method.decoding


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "damaged, not JSON"),
        ("[]", "must have the schema 1"),
        (json.dumps({"schema": 2, "beams": 3}), "must have the schema 1"),
        (json.dumps({"schema": 1, "width": 3}), "knows no 'width', but beams"),
        (
            json.dumps({"schema": 1, "beams": "3"}),
            "beams: Input should be a valid integer, got '3'",
        ),
        (
            json.dumps({"schema": 1, "search": "fast"}),
            "search: Input should be 'transformers' or 'published', got 'fast'",
        ),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ValueError, match=problem):
        read_decoding(tmp_path)
