"""The fast attention kernel against the same written out."""

import pytest
import torch

from gradtruce.methods.blocks.attention import Attention, causal_mask


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_explicit_softmax_equals_the_fast_kernel(dtype: torch.dtype) -> None:
    attention = Attention(width=16, heads=4, dropout=0.0).to(dtype)
    queries, memory = torch.randn(2, 5, 16, dtype=dtype), torch.randn(2, 9, 16, dtype=dtype)
    allowed = torch.rand(2, 1, 5, 9) > 0.3
    allowed[..., 0] = True
    keys, values = attention.keys_values(memory)
    fast = attention(queries, keys, values, allowed)
    explicit, weights = attention.explain(queries, keys, values, allowed)
    torch.testing.assert_close(fast, explicit, rtol=1e-5, atol=1e-5)
    assert not weights.masked_select(~allowed).any()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, 5, dtype=dtype))


def test_attention_equals_that_of_torch() -> None:
    ours, theirs = Attention(8, 2, 0.0), torch.nn.MultiheadAttention(8, 2, batch_first=True)
    parts = (ours.query, ours.key, ours.value)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        theirs.out_proj.load_state_dict(ours.output.state_dict())
    queries, memory = torch.randn(3, 4, 8), torch.randn(3, 6, 8)
    found = ours(queries, *ours.keys_values(memory))
    torch.testing.assert_close(found, theirs(queries, memory, memory)[0])


def test_a_token_sees_itself_and_what_came_before() -> None:
    seen = causal_mask(3, past=2, device=torch.device("cpu"))[0, 0]
    assert seen.sum(1).tolist() == [3, 4, 5]


def test_dropout_acts_in_training_only() -> None:
    attention = Attention(8, 2, dropout=0.5)
    tokens = torch.randn(1, 20, 8)
    keys, values = attention.keys_values(tokens)
    first, second = attention(tokens, keys, values), attention(tokens, keys, values)
    assert not torch.equal(first, second)
    attention.eval()
    torch.testing.assert_close(
        attention(tokens, keys, values), attention.explain(tokens, keys, values)[0]
    )
