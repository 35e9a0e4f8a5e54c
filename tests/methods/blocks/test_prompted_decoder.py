"""The decoder with a prompt of states: as BLIP's, cached as whole, and its errors."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import BlipTextConfig, BlipTextLMHeadModel, PreTrainedConfig, PreTrainedModel

from gradtruce.methods.blocks.cache import ReportCache
from gradtruce.methods.blocks.initialization import initialize
from gradtruce.methods.blocks.prompted_decoder import STATE_TOKENS, PromptedDecoder

STUDIES, WORDS, WIDTH, SEEN, PROMPT = 3, 13, 16, 6, 4


def make_decoder(dropout: float = 0.1, positions: int = 20) -> PromptedDecoder:
    return PromptedDecoder(
        WORDS,
        layers=2,
        width=WIDTH,
        heads=2,
        hidden=24,
        visual_width=SEEN,
        positions=positions,
        dropout=dropout,
    ).double()


def make_inputs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    ids = torch.randint(3, WORDS, (STUDIES, 7))
    ids[:, 0] = 1
    mask = torch.ones(STUDIES, 5, dtype=torch.bool)
    mask[1, 3:] = False
    prompt = torch.randint(len(STATE_TOKENS), (STUDIES, PROMPT))
    return ids, torch.randn(STUDIES, 5, SEEN, dtype=torch.float64), mask, prompt


def blip_of(decoder: PromptedDecoder) -> BlipTextLMHeadModel:
    """Return BLIP's text decoder of transformers with the weights of ours, one name at a time."""
    config = BlipTextConfig(
        vocab_size=WORDS + len(STATE_TOKENS),
        hidden_size=WIDTH,
        encoder_hidden_size=SEEN,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=20,
        hidden_act="gelu",
        is_decoder=True,
        label_smoothing=0.1,
        bos_token_id=1,
        eos_token_id=2,
        sep_token_id=2,
    )
    model = BlipTextLMHeadModel(config).double().eval()
    head = model.cls.predictions
    pairs = [
        (model.bert.embeddings.word_embeddings, decoder.words),
        (model.bert.embeddings.position_embeddings, decoder.positions),
        (model.bert.embeddings.LayerNorm, decoder.norm),
        (head.transform.dense, decoder.scores.dense),
        (head.transform.LayerNorm, decoder.scores.norm),
    ]
    for theirs, ours in zip(model.bert.encoder.layer, decoder.layers, strict=True):
        both = zip(
            (theirs.attention, theirs.crossattention),
            (ours.self_attention, ours.cross_attention),
            strict=True,
        )
        for (block, attention), norm in zip(both, ours.norms[:2], strict=True):
            pairs += [
                (getattr(block.self, name), getattr(attention, name))
                for name in ("query", "key", "value")
            ]
            pairs += [(block.output.dense, attention.output), (block.output.LayerNorm, norm)]
        pairs += [
            (theirs.intermediate.dense, ours.feedforward[0]),
            (theirs.output.dense, ours.feedforward[2]),
        ]
        pairs += [(theirs.output.LayerNorm, ours.norms[2])]
    for theirs, ours in pairs:
        theirs.load_state_dict(ours.state_dict())
    head.bias.data.copy_(decoder.scores.bias.data)
    assert head.decoder.weight is model.bert.embeddings.word_embeddings.weight
    assert head.decoder.bias is head.bias
    return model


def restless(decoder: PromptedDecoder) -> PromptedDecoder:
    """Move the parameters that start at 0 or 1, so that each of them counts."""
    for parameter in decoder.parameters():
        nn.init.normal_(parameter, mean=float(parameter.mean() > 0.5), std=0.3)
    return decoder


def test_scores_and_looks_are_those_of_blip_with_the_prompt_written_out() -> None:
    decoder, (ids, visual, _, prompt) = restless(make_decoder()).eval(), make_inputs()
    told = torch.cat([ids[:, :1], prompt + WORDS, ids[:, 1:]], dim=1)
    expected = blip_of(decoder)(told, encoder_hidden_states=visual, output_attentions=True)
    everything = torch.ones(visual.shape[:2], dtype=torch.bool)
    for layer in range(2):
        written = decoder(ids, visual, everything, prompt=prompt, explained=layer)
        torch.testing.assert_close(written.logits, expected.logits[:, PROMPT:])
        looks = expected.cross_attentions[layer][:, :, PROMPT:]
        torch.testing.assert_close(written.looks, looks)


def test_loss_and_gradients_are_those_of_blip() -> None:
    decoder, (ids, visual, _, prompt) = restless(make_decoder(dropout=0.0)), make_inputs()
    told = torch.cat([ids[:, :1], prompt + WORDS, ids[:, 1:]], dim=1)
    labels = told.clone()
    labels[:, : 1 + PROMPT] = -100
    blip = blip_of(decoder)
    theirs = blip(told, encoder_hidden_states=visual, labels=labels).loss
    everything = torch.ones(visual.shape[:2], dtype=torch.bool)
    logits = decoder(ids[:, :-1], visual, everything, prompt=prompt).logits
    ours = nn.functional.cross_entropy(
        logits.flatten(0, 1), ids[:, 1:].flatten(), label_smoothing=0.1
    )
    torch.testing.assert_close(ours, theirs)
    for loss in (ours, theirs):
        loss.backward()
    torch.testing.assert_close(
        decoder.words.weight.grad[1:], blip.bert.embeddings.word_embeddings.weight.grad[1:]
    )
    torch.testing.assert_close(decoder.scores.bias.grad, blip.cls.predictions.bias.grad)
    first, other = decoder.layers[0], blip.bert.encoder.layer[0]
    torch.testing.assert_close(
        first.self_attention.query.weight.grad, other.attention.self.query.weight.grad
    )


def test_masked_tokens_are_as_if_not_there_and_blip_would_read_them() -> None:
    decoder, (ids, visual, mask, _) = restless(make_decoder()).eval(), make_inputs()
    blip, row = blip_of(decoder), slice(1, 2)
    alone = blip(ids[row], encoder_hidden_states=visual[row, :3]).logits
    torch.testing.assert_close(decoder(ids, visual, mask).logits[row], alone)
    masked = blip(ids[row], encoder_hidden_states=visual[row], encoder_attention_mask=mask[row])
    unmasked = blip(ids[row], encoder_hidden_states=visual[row])
    torch.testing.assert_close(masked.logits, unmasked.logits)


@pytest.mark.parametrize("steps", [(1,) * 7, (3, 1, 2, 1)], ids=["one by one", "in pieces"])
def test_a_cache_changes_nothing(steps: tuple[int, ...]) -> None:
    decoder, (ids, visual, mask, prompt) = make_decoder().eval(), make_inputs()
    whole = decoder(ids, visual, mask, prompt=prompt)
    cache = ReportCache()
    pieces = [
        decoder(piece, visual, mask, cache, prompt=prompt) for piece in ids.split(list(steps), 1)
    ]
    for name in ("logits", "states", "words"):
        joined = torch.cat([piece[name] for piece in pieces], dim=1)
        assert joined.shape[1] == ids.shape[1]
        torch.testing.assert_close(joined, whole[name])
    assert cache.get_seq_length() == ids.shape[1] + PROMPT


def test_reordered_beams_go_on_from_their_own_words_and_prompt() -> None:
    decoder, (ids, visual, mask, prompt) = make_decoder().eval(), make_inputs()
    rows, cache = torch.tensor([2, 0, 0]), ReportCache()
    decoder(ids[:, :4], visual, mask, cache, prompt=prompt)
    cache.reorder_cache(rows)
    chosen = {"visual": visual[rows], "visual_mask": mask[rows], "prompt": prompt[rows]}
    stepped = decoder(ids[:, 4:], cache=cache, **chosen).logits
    joined = torch.cat([ids[rows, :4], ids[:, 4:]], dim=1)
    torch.testing.assert_close(stepped, decoder(joined, **chosen).logits[:, 4:])


def test_without_a_prompt_nothing_is_put_in() -> None:
    decoder, (ids, visual, mask, prompt) = make_decoder().eval(), make_inputs()
    bare = decoder(ids, visual, mask).logits
    torch.testing.assert_close(decoder(ids, visual, mask, prompt=prompt[:, :0]).logits, bare)
    assert not torch.allclose(decoder(ids, visual, mask, prompt=prompt).logits, bare)


def test_what_stands_after_a_word_and_behind_the_mask_changes_nothing() -> None:
    decoder, (ids, visual, mask, prompt) = make_decoder().eval(), make_inputs()
    scores = decoder(ids, visual, mask, prompt=prompt).logits
    padded, other = ids.clone(), visual.masked_fill(~mask[..., None], 1e3)
    padded[:, 5:] = 0
    changed = decoder(padded, other, mask, prompt=prompt).logits
    torch.testing.assert_close(changed[:, :5], scores[:, :5])


def test_explicit_softmax_gives_what_the_kernel_gives_and_sums_to_one_over_what_is_there() -> None:
    decoder, (ids, visual, mask, prompt) = restless(make_decoder()).eval(), make_inputs()
    fast = decoder(ids, visual, mask, prompt=prompt)
    slow = decoder(ids, visual, mask, prompt=prompt, explained=0)
    assert fast.looks is None
    torch.testing.assert_close(slow.logits, fast.logits, rtol=0, atol=1e-5)
    torch.testing.assert_close(slow.looks.sum(-1), torch.ones_like(slow.looks[..., 0]))
    assert torch.all(slow.looks[1, ..., 3:] == 0)


COMPILING = """
import torch
from tests.methods.blocks.test_prompted_decoder import make_decoder, make_inputs

decoder, (ids, visual, mask, prompt) = make_decoder(dropout=0.0), make_inputs()
compiled, found = torch.compile(decoder, backend="aot_eager", fullgraph=True), []
for each in (decoder, compiled):
    decoder.zero_grad()
    logits = each(ids, visual, mask, prompt=prompt).logits
    logits.logsumexp(-1).sum().backward()
    found.append([logits, *(p.grad.clone() for p in decoder.parameters() if p.grad is not None)])
for eager, other in zip(*found, strict=True):
    torch.testing.assert_close(other, eager)
"""


@pytest.mark.slow
def test_compiled_is_one_graph_and_gives_the_same_gradients() -> None:
    # A process of its own: the checker of shapes in tests cannot be compiled.
    command = [sys.executable, "-W", "ignore", "-c", COMPILING]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("state", [-1, 4])
def test_a_state_that_is_none_is_refused(state: int) -> None:
    decoder, (ids, visual, mask, prompt) = make_decoder(), make_inputs()
    prompt[1, 2] = state
    with pytest.raises(ValueError, match=f"from 0 to 3.*got {state}"):
        decoder(ids, visual, mask, prompt=prompt)


def test_a_prompt_longer_than_the_decoder_is_refused() -> None:
    ids, visual, mask, prompt = make_inputs()
    with pytest.raises(ValueError, match="has 4 positions, got 4 states and 1 tokens"):
        make_decoder(positions=4)(ids[:, :1], visual, mask, prompt=prompt)


def test_a_report_that_grows_beyond_the_decoder_is_refused() -> None:
    decoder, (ids, visual, mask, prompt) = make_decoder(positions=10), make_inputs()
    cache = ReportCache()
    decoder(ids[:, :6], visual, mask, cache, prompt=prompt)
    with pytest.raises(ValueError, match="has 10 positions, got 10 before, 0 states and 1 tokens"):
        decoder(ids[:, 6:], visual, mask, cache, prompt=prompt)


def test_a_width_that_heads_cannot_share_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of heads, got 10 and 4"):
        PromptedDecoder(
            9,
            layers=1,
            width=10,
            heads=4,
            hidden=8,
            visual_width=4,
            positions=8,
            dropout=0.0,
        )


class Holder(PreTrainedModel):
    """A model with the decoder one level down, as methods have it."""

    config_class = PreTrainedConfig
    base_model_prefix = ""

    def __init__(self, config: PreTrainedConfig) -> None:
        super().__init__(config)
        self.decoder = make_decoder().float()
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        initialize(module)


def test_weights_start_small_and_come_back_from_a_folder(tmp_path: Path) -> None:
    model = Holder(PreTrainedConfig())
    for name, parameter in model.state_dict().items():
        if parameter.dim() > 1:
            assert 0.015 < float(parameter.std()) < 0.025, name
        else:
            assert set(parameter.tolist()) <= {0.0, 1.0}, name
    restless(model.decoder)
    model.save_pretrained(tmp_path)
    loaded, info = Holder.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=0, atol=0)
    ids, visual, mask, prompt = make_inputs()
    first, second = (
        each.decoder.eval()(ids, visual.float(), mask, prompt=prompt).logits
        for each in (model, loaded)
    )
    torch.testing.assert_close(first, second)
