"""The relational memory is exact when carried from token to token."""

import pytest
import torch

from gradtruce.methods.blocks.relational_memory import RelationalMemory
from tests.reference.r2gen import relational_memory


def make_memory() -> RelationalMemory:
    return RelationalMemory(slots=3, width=8, heads=2, dropout=0.0).double()


def test_it_equals_the_equations_of_the_paper() -> None:
    memory = make_memory()
    embeddings = torch.randn(2, 6, 8, dtype=torch.float64)
    outputs, state = memory(embeddings, memory.initial(embeddings))
    weights = {f"memory.{key}": value for key, value in memory.state_dict().items()}
    for study in range(2):
        expected = relational_memory(weights, "memory", list(embeddings[study]), slots=3, heads=2)
        torch.testing.assert_close(outputs[study], torch.stack(expected), rtol=0, atol=1e-12)
    torch.testing.assert_close(outputs[:, -1], state.flatten(1))


@pytest.mark.parametrize("split", [1, 3, 5])
def test_a_carried_state_equals_one_run(split: int) -> None:
    memory = make_memory()
    embeddings = torch.randn(2, 6, 8, dtype=torch.float64)
    whole, last = memory(embeddings, memory.initial(embeddings))
    first, state = memory(embeddings[:, :split], memory.initial(embeddings))
    second, state = memory(embeddings[:, split:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(state, last, rtol=0, atol=1e-12)


def test_later_tokens_do_not_change_earlier_memories() -> None:
    memory = make_memory()
    embeddings = torch.randn(1, 6, 8, dtype=torch.float64)
    changed = embeddings.clone()
    changed[:, 4:] += 1
    first, _ = memory(embeddings, memory.initial(embeddings))
    second, _ = memory(changed, memory.initial(changed))
    assert torch.equal(first[:, :4], second[:, :4])
    assert not torch.equal(first[:, 4:], second[:, 4:])


def test_more_slots_than_width_start_from_a_padded_identity() -> None:
    memory = RelationalMemory(slots=4, width=2, heads=1, dropout=0.0)
    initial = memory.initial(torch.zeros(1, 1, 2))
    assert initial[0].tolist() == [[1, 0], [0, 1], [0, 0], [0, 0]]


def test_gradients_are_those_of_finite_differences() -> None:
    memory = make_memory()
    embeddings = torch.randn(1, 3, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda given: memory(given, memory.initial(given))[0], embeddings
    )
