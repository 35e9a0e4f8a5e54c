import json

import pytest
import torch
from safetensors.torch import save_file

from gradtruce.evaluation.labelers.chexbert_checkpoint import load_chexbert
from gradtruce.evaluation.labelers.weights import CheXbertFiles
from tests.evaluation.tiny_chexbert import tiny_tensors, wrap, write_chexbert

CONFIG = {
    "model_type": "bert",
    "vocab_size": 17,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": 32,
}


def with_config(files: CheXbertFiles, **changes: object) -> CheXbertFiles:
    config = files.vocabulary.with_name("config.json")
    config.write_text(json.dumps(CONFIG | changes))
    return CheXbertFiles(files.weights, files.vocabulary, config)


def test_the_size_is_read_from_the_shapes_or_from_the_configuration(tmp_path):
    files = write_chexbert(tmp_path)
    assert load_chexbert(files).bert.config.num_attention_heads == 1
    model = load_chexbert(with_config(files))
    assert model.bert.config.num_attention_heads == 4
    for name, tensor in tiny_tensors().items():
        assert torch.equal(model.state_dict()[name], tensor)
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_a_hidden_size_that_tells_no_number_of_heads_asks_for_the_configuration(tmp_path):
    tensors = {name: tensor[..., :40] for name, tensor in tiny_tensors().items()}
    with pytest.raises(ValueError, match=r"hidden size 40 does not tell .* put the config"):
        load_chexbert(write_chexbert(tmp_path, wrap(tensors)))


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"model_type": "vit"}',
        '{"hidden_size": "wide"}',
        '{"num_attention_heads": 5}',
        '{"hidden_act": "x"}',
    ],
)
def test_a_configuration_that_is_none_of_berts_is_named(tmp_path, text):
    files = with_config(write_chexbert(tmp_path))
    files.config.write_text(text)
    with pytest.raises(ValueError, match=r"config\.json: no configuration of BERT"):
        load_chexbert(files)


@pytest.mark.parametrize("text", ["<html>", "version https://git-lfs.github.com/spec/v1\n", ""])
def test_a_file_that_is_no_checkpoint_is_named(tmp_path, text):
    files = write_chexbert(tmp_path)
    files.weights.write_text(text)
    with pytest.raises(ValueError, match=r"chexbert\.pth: not a PyTorch checkpoint \(it begins"):
        load_chexbert(files)


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("share", [0.001, 0.5, 0.99])
def test_a_file_that_is_cut_short_is_named_with_its_size(tmp_path, is_zip, share):
    files = write_chexbert(tmp_path)
    torch.save(wrap(tiny_tensors()), files.weights, _use_new_zipfile_serialization=is_zip)
    content = files.weights.read_bytes()
    files.weights.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match=r"chexbert\.pth: damaged, or cut short at [\d,]+ bytes"):
        load_chexbert(files)


def test_a_cut_safetensors_file_is_named(tmp_path):
    files = write_chexbert(tmp_path)
    path = tmp_path / "chexbert.safetensors"
    save_file(tiny_tensors(), path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"chexbert\.safetensors: no safetensors file, or cut"):
        load_chexbert(CheXbertFiles(path, files.vocabulary))


class Foreign:
    """What no checkpoint should hold."""


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_pickle_of_more_than_tensors_is_refused_without_advice_to_trust_it(tmp_path, is_zip):
    files = write_chexbert(tmp_path)
    content = {**wrap(tiny_tensors()), "args": Foreign()}
    torch.save(content, files.weights, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(ValueError, match=r"holds objects of .*Foreign beside tensors") as caught:
        load_chexbert(files)
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "under 'model_state_dict', found list"),
        (tiny_tensors(), r"under 'model_state_dict', found bert\.embeddings\.word.* and 64 more"),
        ({"model_state_dict": {}}, r"it lacks bert\.embeddings\.\S+, .* and has nothing"),
        (wrap({"conv1.weight": torch.zeros(3)}), r"lacks bert\.emb.* and has conv1\.weight"),
        (
            {"model_state_dict": {"module.note": "hello"}},
            r"module\.note under 'model_state_dict' is no tensor",
        ),
    ],
)
def test_another_content_is_named(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        load_chexbert(write_chexbert(tmp_path, content))


def test_missing_and_unexpected_names_are_told(tmp_path):
    tensors = tiny_tensors()
    tensors["linear_heads.14.bias"] = tensors.pop("linear_heads.13.bias")
    message = r"missing linear_heads\.13\.bias; unexpected linear_heads\.14\.bias"
    with pytest.raises(ValueError, match=message):
        load_chexbert(write_chexbert(tmp_path, wrap(tensors)))


def test_wrong_shapes_are_told(tmp_path):
    tensors = tiny_tensors() | {"linear_heads.13.weight": torch.zeros(4, 64)}
    message = r"linear_heads\.13\.weight \(4, 64\) where \(2, 64\) is due"
    with pytest.raises(ValueError, match=message):
        load_chexbert(write_chexbert(tmp_path, wrap(tensors)))
    flat = tiny_tensors() | {"bert.embeddings.word_embeddings.weight": torch.zeros(9)}
    with pytest.raises(ValueError, match="its matrices have the shapes"):
        load_chexbert(write_chexbert(tmp_path, wrap(flat)))


def test_a_configuration_of_another_size_is_told(tmp_path):
    files = write_chexbert(tmp_path)
    with pytest.raises(ValueError, match=r"config\.json: missing bert\.encoder\.layer\.2"):
        load_chexbert(with_config(files, num_hidden_layers=3))
    with pytest.raises(ValueError, match=r"shapes are not those of the BERT of .*config\.json"):
        load_chexbert(with_config(files, intermediate_size=128))


def test_weights_that_are_not_numbers_are_told(tmp_path):
    tensors = tiny_tensors()
    tensors["linear_heads.2.bias"][0] = torch.nan
    with pytest.raises(ValueError, match=r"NaN or infinity in linear_heads\.2\.bias"):
        load_chexbert(write_chexbert(tmp_path, wrap(tensors)))


def test_a_checkpoint_that_is_not_there_is_named(tmp_path):
    files = write_chexbert(tmp_path)
    files.weights.unlink()
    with pytest.raises(FileNotFoundError, match="no CheXbert checkpoint at"):
        load_chexbert(files)
