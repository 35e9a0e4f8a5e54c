"""Methods by name, and the errors of whoever misspells one."""

from pathlib import Path

import pytest

from gradtruce.methods.registry import build, load, method_names, option_names
from tests.methods.studies import SMALL, make_tokenizer


def test_the_vocabulary_comes_from_the_tokenizer() -> None:
    tokenizer = make_tokenizer(words=31)
    model = build("r2gen", tokenizer, SMALL["r2gen"])
    config = model.config
    assert config.vocab_size == 31
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == (0, 1, 2)
    assert model.require_tokenizer() is tokenizer


def test_an_unknown_method_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"'r2gem'; did you mean 'r2gen'\? known: r2gen"):
        build("r2gem", make_tokenizer(), {})


def test_an_unknown_option_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"no option of r2gen .*'slots'.*known: "):
        build("r2gen", make_tokenizer(), {"slots": 3})
    with pytest.raises(ValueError, match="did you mean 'dropout'"):
        build("r2gen", make_tokenizer(), {"drop_out": 0.2})


@pytest.mark.parametrize(
    "option", [{"width": "64"}, {"layers": True}, {"published_norm": 1}, {"backbone_widths": 8}]
)
def test_an_option_of_the_wrong_kind_is_refused(option: dict[str, object]) -> None:
    with pytest.raises(TypeError, match=f"option {next(iter(option))} of r2gen must be of type"):
        build("r2gen", make_tokenizer(), option)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"heads": 3}, "width must be a multiple of heads, got 16 and 3"),
        ({"backbone": "vgg"}, r"backbone must be one of .*'compact_batch'\), got 'vgg'"),
        ({"backbone_depths": [1]}, "one entry a stage"),
        ({"layers": 0}, "layers must be at least 1, got 0"),
        ({"width": 15, "heads": 3}, "width must be even"),
        ({"uncertain": "maybe"}, "uncertain must be one of"),
    ],
)
def test_a_bad_value_is_refused(option: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build("r2gen", make_tokenizer(), SMALL["r2gen"] | option)


def test_a_tokenizer_without_eos_is_refused() -> None:
    tokenizer = make_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(ValueError, match="must have a eos_token"):
        build("r2gen", tokenizer, {})


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no saved model"):
        load(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="is of a 'bert' model; known methods: r2gen"):
        load(tmp_path)


def test_options_leave_out_what_the_tokenizer_decides() -> None:
    for name in method_names():
        assert "width" in option_names(name)
        assert "vocab_size" not in option_names(name)


def test_a_damaged_checkpoint_is_refused_in_one_line(tmp_path: Path) -> None:
    build("r2gen", make_tokenizer(), SMALL["r2gen"]).save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ValueError, match="damaged weights"):
        load(tmp_path)
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"config\.json: damaged"):
        load(tmp_path)
