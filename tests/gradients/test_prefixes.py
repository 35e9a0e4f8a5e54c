import pytest

from gradtruce.gradients.prefixes import blocks_by_module, blocks_by_prefix


def test_the_longest_prefix_counts_and_the_rest_comes_last() -> None:
    names = ["head.bias", "encoder.a.weight", "encoder.b.weight", "encoder2.weight"]
    assert blocks_by_prefix(names, ["encoder", "encoder.a"]) == [2, 1, 0, 2]


def test_a_prefix_is_whole_parts_of_a_name() -> None:
    with pytest.raises(ValueError, match="none begins with 'enc'"):
        blocks_by_prefix(["encoder.weight"], ["enc"])


def test_without_prefixes_there_is_one_block() -> None:
    assert blocks_by_prefix(["a.weight", "b.weight"], []) == [0, 0]


def test_a_wrapper_around_the_model_changes_no_block() -> None:
    names = ["vision.weight", "text.0.weight", "text.1.weight", "scale"]
    wanted = blocks_by_module(names)
    assert wanted == [0, 1, 1, 2]
    assert blocks_by_module([f"module._orig_mod.{name}" for name in names]) == wanted


def test_parameters_of_one_layer_are_one_block() -> None:
    assert blocks_by_module(["weight", "bias"]) == [0, 0]
    assert blocks_by_module([]) == []
