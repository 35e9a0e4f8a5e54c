"""BERT's weights in the prompted decoder: each at its place, the rest as it was, clear errors."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models
from torch import nn
from transformers import (
    BertConfig,
    BertForPreTraining,
    BertModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from gradtruce.methods.blocks.prompted_decoder import PromptedDecoder
from gradtruce.methods.weights.bert_decoder import load_bert_decoder
from tests.methods.blocks.test_prompted_decoder import SEEN, WIDTH, WORDS, blip_of

KNOWN = WORDS - 1
"""Words of the file: the tokenizer has one more, which begins a report."""


def make_decoder(**sizes: int) -> PromptedDecoder:
    options = {"layers": 2, "heads": 2, "hidden": 24, "positions": 20} | sizes
    return PromptedDecoder(WORDS, width=WIDTH, visual_width=SEEN, dropout=0.1, **options)


def make_bert(kind: type[PreTrainedModel], folder: Path, words: int = KNOWN) -> Path:
    config = BertConfig(
        vocab_size=words,
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=32,
    )
    model = kind(config)
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("".join(f"word{number}\n" for number in range(words)))
    return folder


def make_tokenizer(shift: int = 0) -> PreTrainedTokenizerFast:
    words = {f"word{number}": number + shift for number in range(KNOWN)} | {"[DEC]": KNOWN + shift}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(words, "word0")))


def require_taken(decoder: PromptedDecoder, folder: Path, *, prefix: str) -> int:
    """Compare all weights of the file with those that BLIP's names give; return how many."""
    state, compared = blip_of(decoder).state_dict(), 0
    for name, value in load_file(folder / "model.safetensors").items():
        ours = state.get(prefix + name)
        if ours is not None:
            rows = slice(0, min(len(ours), len(value)))
            torch.testing.assert_close(ours[rows].float(), value[rows], rtol=0, atol=0)
            compared += 1
    return compared


def test_every_weight_of_bert_is_at_its_place(tmp_path: Path) -> None:
    decoder, folder = make_decoder(), make_bert(BertForPreTraining, tmp_path)
    before = {name: value.clone() for name, value in decoder.state_dict().items()}
    load_bert_decoder(decoder, folder, make_tokenizer())
    layers, embeddings, head = 2 * 16, 4, 5
    assert require_taken(decoder, folder, prefix="") == layers + embeddings + head
    for name, value in decoder.state_dict().items():
        if "cross_attention" in name or "norms.1" in name:
            torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    torch.testing.assert_close(decoder.words.weight[KNOWN:], before["words.weight"][KNOWN:])


def test_a_file_without_a_head_leaves_ours(tmp_path: Path) -> None:
    decoder, folder = make_decoder(), make_bert(BertModel, tmp_path)
    before = {name: value.clone() for name, value in decoder.scores.state_dict().items()}
    load_bert_decoder(decoder, folder)
    assert require_taken(decoder, folder, prefix="bert.") == 2 * 16 + 4
    for name, value in decoder.scores.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_the_names_of_the_first_files_and_torch_files_are_known(tmp_path: Path) -> None:
    folder = make_bert(BertForPreTraining, tmp_path / "new")
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): value
        for name, value in load_file(folder / "model.safetensors").items()
    }
    old["bert.embeddings.position_ids"] = torch.arange(32)[None]
    torch.save(old, tmp_path / "pytorch_model.bin")
    first, second = make_decoder(), make_decoder()
    second.load_state_dict(first.state_dict())
    load_bert_decoder(first, folder)
    load_bert_decoder(second, tmp_path)
    for name, value in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], value, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"positions": 40}, "has 32 positions, the decoder 40"),
        ({"layers": 3}, "it lacks layers.2"),
        ({"layers": 1}, "it has, and the network has not, layers.1"),
        ({"hidden": 20}, r"other shapes: layers.0.feedforward.0"),
    ],
)
def test_another_size_is_refused_and_changes_nothing(
    tmp_path: Path, sizes: dict[str, int], message: str
) -> None:
    decoder, folder = make_decoder(**sizes), make_bert(BertForPreTraining, tmp_path)
    before = decoder.words.weight.detach().clone()
    with pytest.raises(ValueError, match=message):
        load_bert_decoder(decoder, folder)
    torch.testing.assert_close(decoder.words.weight, before, rtol=0, atol=0)


def test_more_words_than_the_tokenizer_has_are_refused(tmp_path: Path) -> None:
    folder = make_bert(BertForPreTraining, tmp_path, words=WORDS + 1)
    with pytest.raises(ValueError, match=r"has \(14, 16\) word vectors, the decoder 13 words"):
        load_bert_decoder(make_decoder(), folder)


def test_a_tokenizer_that_numbers_words_otherwise_is_refused(tmp_path: Path) -> None:
    folder = make_bert(BertForPreTraining, tmp_path)
    with pytest.raises(ValueError, match=r"word 0 is 'word0', which the tokenizer .* numbers 1"):
        load_bert_decoder(make_decoder(), folder, make_tokenizer(shift=1))


def test_what_is_no_bert_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.ones(2)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="holds no BERT under the names of transformers"):
        load_bert_decoder(make_decoder(), tmp_path)
