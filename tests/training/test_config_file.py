from pathlib import Path

import pytest

from gradtruce.presets import preset_names
from gradtruce.training.config import BalanceConfig, DataConfig, MethodConfig, RunConfig
from gradtruce.training.config_file import (
    check,
    load_config,
    merge,
    parse_override,
    with_absolute_paths,
    write_config,
)

MINIMAL = '[data]\npath = "set"\n'


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_lies_over_the_one_it_extends(tmp_path):
    write(tmp_path, "base.toml", MINIMAL + "[training]\nepochs = 3\nbatch_size = 4\n")
    path = write(tmp_path, "mine.toml", 'extends = "base.toml"\n[training]\nepochs = 5\n')
    config = load_config(path)
    assert (config.training.epochs, config.training.batch_size) == (5, 4)


def test_a_file_may_extend_a_preset(tmp_path):
    path = write(tmp_path, "mine.toml", 'extends = "r2gen-iu-xray"\n' + MINIMAL)
    assert load_config(path).training.seed == 9223


def test_a_cycle_of_extends_is_an_error_that_shows_it(tmp_path):
    write(tmp_path, "a.toml", 'extends = "b.toml"\n')
    path = write(tmp_path, "b.toml", 'extends = "a.toml"\n')
    with pytest.raises(ValueError, match=r"b\.toml → a\.toml → b\.toml"):
        load_config(path)


@pytest.mark.parametrize("name", preset_names("training"))
def test_every_training_preset_is_valid(name):
    assert load_config(name, ["data.path=set"]).data.path == "set"


def test_mimic_preset_keeps_the_schedule_it_extends():
    schedule = load_config("r2gen-mimic-cxr", ["data.path=set"]).training.schedule
    assert (schedule.name, schedule.every, schedule.factor) == ("step", 1, 0.8)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b=3", 3),
        ("a.b=2e-3", 2e-3),
        ("a.b=true", True),
        ('a.b="3"', "3"),
        ("a.b=clinical.micro_13.uncertain_negative.f1", "clinical.micro_13.uncertain_negative.f1"),
        ("a.b={ x = 1 }", {"x": 1}),
        ("a.b=", ""),
    ],
)
def test_an_override_has_the_type_that_toml_gives_it(text, value):
    assert parse_override(text) == {"a": {"b": value}}


@pytest.mark.parametrize("text", ["training.epochs", "=3", "a..b=3"])
def test_an_override_without_key_or_value_is_an_error(text):
    with pytest.raises(ValueError, match="key=value"):
        parse_override(text)


def test_another_name_drops_the_options_of_the_former():
    lower = {"balance": {"name": "came_grad", "options": {"radius": 0.5}, "weights": {"a": 2.0}}}
    assert merge(lower, {"balance": {"name": "linear"}}) == {
        "balance": {"name": "linear", "weights": {"a": 2.0}}
    }


def test_an_unknown_key_is_named_with_the_nearest_known_one():
    table = {"data": {"path": "x"}, "training": {"epoch": 3}}
    with pytest.raises(
        ValueError, match=r"unknown key 'training\.epoch'; did you mean 'training\.e"
    ):
        check(table, RunConfig, where="my.toml")


def test_a_key_in_the_wrong_table_is_found_in_the_right_one():
    with pytest.raises(ValueError, match=r"did you mean 'training\.batch_size'"):
        check({"data": {"path": "x"}, "batch_size": 3}, RunConfig, where="my.toml")


def test_a_bad_value_is_named_with_what_was_found():
    with pytest.raises(
        ValueError, match=r"training\.epochs: input should be greater than 0, got 0"
    ):
        check({"data": {"path": "x"}, "training": {"epochs": 0}}, RunConfig, where="my.toml")


def test_a_missing_data_set_names_the_setting():
    with pytest.raises(ValueError, match=r"data\.path must be given"):
        check({"data": {}}, RunConfig, where="my.toml")


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(FileNotFoundError, match="did you mean 'r2gen-iu-xray'"):
        load_config("r2gen-iu-xrya")


def test_a_missing_file_is_an_error_with_its_path(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.toml"):
        load_config(tmp_path / "none.toml")


def test_broken_toml_is_an_error_with_its_path(tmp_path):
    with pytest.raises(ValueError, match=r"x\.toml: not readable as TOML"):
        load_config(write(tmp_path, "x.toml", "a = ["))


def test_a_resolved_configuration_reads_back_equal(tmp_path):
    config = load_config(
        "demo", ["data.path=set", "balance.options.radius=0.5", "training.steps=7"]
    )
    write_config(config, tmp_path / "config.toml")
    assert load_config(tmp_path / "config.toml") == config


def test_a_configuration_cannot_be_changed():
    config = load_config("demo", ["data.path=set"])
    with pytest.raises(ValueError, match="frozen"):
        config.training.epochs = 4


def test_a_preset_of_another_balancer_or_method_is_refused():
    table = {"data": {"path": "x"}, "method": {"name": "wcl", "preset": "r2gen-tiny"}}
    with pytest.raises(ValueError, match="method: preset 'r2gen-tiny' belongs to 'r2gen', not to"):
        check(table, RunConfig, where="my.toml")


def test_an_unknown_method_preset_names_the_nearest():
    with pytest.raises(FileNotFoundError, match="did you mean 'r2gen-tiny'"):
        check({"data": {"path": "x"}, "method": {"preset": "r2gen-tini"}}, RunConfig, where="")


def test_a_published_row_brings_options_weights_and_scope():
    config = BalanceConfig(preset="came_grad-promptmrg-mimic", options={"fusion": 0.3})
    assert config.name == "came_grad"
    assert config.options == {"radius": 0.2, "gain": 1.5, "fusion": 0.3}
    assert config.scope == "all"
    assert BalanceConfig(preset="came_grad-promptmrg-mimic-shared").scope == "shared"


def test_an_unknown_row_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'came_grad-dcl-iu'"):
        check({"data": {"path": "x"}, "balance": {"preset": "came-dcl-iu"}}, RunConfig, where="")


def test_every_path_of_a_run_is_made_absolute_and_nothing_else(tmp_path, monkeypatch):
    changed = {
        "data": {"path": "a", "vocabulary": "../b", "clusters": "c", "retrieval": "d"},
        "method": {"backbone_weights": "e", "bert_weights": "f"},
    }
    config = RunConfig(
        data={**changed["data"], "tokenizer": "wordpiece"},
        method={**changed["method"], "start_from": ["g", "/h"]},
    )
    monkeypatch.chdir(tmp_path)
    found = with_absolute_paths(config)
    expected = config.model_dump()
    for table, names in changed.items():
        expected[table] |= {name: str(tmp_path / path) for name, path in names.items()}
    expected["method"]["start_from"] = (str(tmp_path / "g"), "/h")
    assert found.model_dump() == expected
    assert with_absolute_paths(found) == found


def test_every_text_of_a_run_that_may_be_a_path_is_known_to_be_one_or_not():
    """A new field that names a file has to be made absolute too."""
    names = {"name", "preset", "options", "tokenizer", "augmentation", "cleaning"}
    paths = {"path", "vocabulary", "clusters", "retrieval"}
    paths |= {"backbone_weights", "bert_weights", "start_from"}
    for table in (DataConfig, MethodConfig):
        texts = {key for key, field in table.model_fields.items() if "str" in str(field.annotation)}
        assert texts <= names | paths, texts
