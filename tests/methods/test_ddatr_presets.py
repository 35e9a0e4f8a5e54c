"""DDaTR's presets, its weights from files, and a run with priors."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertModel

from gradtruce.data.phantom.prepare import prepare_phantom
from gradtruce.methods.ddatr import DDaTRConfig
from gradtruce.methods.registry import build
from gradtruce.methods.weights.bert_parts import load_bert
from gradtruce.methods.weights.prior_text_file import load_prior_text
from gradtruce.training.assembly import build_training
from gradtruce.training.config_file import load_config
from gradtruce.training.data_parts import load_data
from tests.methods.studies import SMALL, make_method, make_tokenizer

BERT = {
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 512,
}


def options_of(preset: str) -> dict[str, Any]:
    path = resources.files("gradtruce.presets") / "methods" / f"ddatr-{preset}.toml"
    options: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["method"]
    assert options.pop("name") == "ddatr"
    return options


def test_the_paper_preset_is_the_default_configuration_but_for_the_code() -> None:
    with torch.device("meta"):
        model = build("ddatr", make_tokenizer(), options_of("paper"))
    known = DDaTRConfig(
        vocab_size=model.config.vocab_size, dtype=model.config.dtype, paper_code=True
    )
    assert model.config == known
    swin_b = 86_743_224
    streams = sum(
        each.numel()
        for stream in (model.visual.backbone.current, model.visual.backbone.prior)
        for each in stream.parameters()
    )
    embedding = 3 * 4 * 4 * 128 + 3 * 128
    assert streams == 2 * swin_b - embedding


def test_the_fixed_preset_differs_from_the_paper_in_the_code_alone() -> None:
    paper, fixed = options_of("paper"), options_of("fixed")
    assert {key for key in paper if paper[key] != fixed[key]} == {"paper_code"}


def test_the_tiny_preset_builds_and_is_small() -> None:
    model = build("ddatr", make_tokenizer(), options_of("tiny"))
    assert sum(each.numel() for each in model.parameters()) < 2_500_000


def test_bert_fills_the_encoder_of_prior_reports(tmp_path: Path) -> None:
    encoder = make_method("ddatr").float().visual.prior_text.eval()
    torch.manual_seed(5)
    bert = BertModel(BertConfig(vocab_size=20, **BERT)).eval()
    bert.save_pretrained(tmp_path)
    unknown = encoder.model.embeddings.word_embeddings.weight[20:].clone()
    load_prior_text(encoder, tmp_path)
    ids = torch.tensor([[1, 5, 19, 2]])
    with torch.no_grad():
        torch.testing.assert_close(encoder(ids)[0], bert(ids).last_hidden_state)
    assert torch.equal(encoder.model.embeddings.word_embeddings.weight[20:], unknown)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"vocab_size": 99}, r"has \(99, 8\) word vectors, which do not fit into \(23, 8\)"),
        ({"num_hidden_layers": 2}, "it has, and the network has not, encoder.layer.1"),
    ],
)
def test_a_bert_that_does_not_fit_is_refused(
    changed: dict[str, int], message: str, tmp_path: Path
) -> None:
    encoder = make_method("ddatr").visual.prior_text
    BertModel(BertConfig(**{"vocab_size": 20, **BERT, **changed})).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=message):
        load_prior_text(encoder, tmp_path)


def test_what_is_no_bert_is_refused(tmp_path: Path) -> None:
    encoder = make_method("ddatr").visual.prior_text
    with pytest.raises(FileNotFoundError, match=r"holds neither model\.safetensors"):
        load_prior_text(encoder, tmp_path)
    torch.save({"weight": torch.ones(2)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="holds no BERT under the names of transformers"):
        load_prior_text(encoder, tmp_path)


def test_one_file_of_bert_fills_decoder_and_encoder(tmp_path: Path) -> None:
    sizes = {"width": 8, "hidden": 16, "layers": 1, "prior_text_hidden": 16}
    model = build("ddatr", make_tokenizer(), SMALL["ddatr"] | sizes)
    bert = BertModel(BertConfig(vocab_size=20, **BERT))
    bert.save_pretrained(tmp_path)
    load_bert(model, tmp_path)
    words = bert.embeddings.word_embeddings.weight
    assert torch.equal(model.decoder.words.weight[:20], words)
    assert torch.equal(model.visual.prior_text.model.embeddings.word_embeddings.weight[:20], words)


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom") / "set"
    prepare_phantom(folder, studies=120, size=32, workers=1, say=lambda _: None)
    return folder


def config_of(data: Path, *settings: str) -> Any:
    return load_config(
        "ddatr-demo",
        [f"data.path='{data}'", "data.image_size=32", "training.steps=2", *settings],
    )


def test_a_run_reads_priors_where_it_is_told_to(phantom: Path) -> None:
    parts = load_data(config_of(phantom))
    batches = list(parts.train)
    assert all(batch.has_priors for batch in batches)
    assert any(bool(batch.prior_mask.any()) for batch in batches)
    assert not next(iter(load_data(config_of(phantom, "data.priors=false")).train)).has_priors


def test_a_frozen_encoder_without_weights_is_refused(phantom: Path) -> None:
    frozen = "method.options={ prior_text_frozen = true }"
    config = config_of(phantom, frozen)
    with pytest.raises(ValueError, match="frozen, and no file gives its weights"):
        build_training(config, load_data(config))
    config = config_of(phantom, frozen, "data.priors=false")
    assert build_training(config, load_data(config)).total_steps == 2


@pytest.mark.parametrize(
    "name",
    ["ddatr-mimic-cxr", "ddatr-mimic-cxr-fixed", "ddatr-iu-xray", "ddatr-iu-xray-zero-shot"],
)
def test_training_presets_ask_for_priors_where_the_set_has_them(name: str) -> None:
    config = load_config(name, ["data.path='somewhere'"])
    assert config.method.name == "ddatr"
    assert config.data.priors == (name != "ddatr-iu-xray")
