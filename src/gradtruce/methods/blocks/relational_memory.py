"""The relational memory that steps along a report and remembers its patterns."""

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradtruce.methods.blocks.attention import Attention
from gradtruce.methods.blocks.xavier import XavierLinear


@final
class RelationalMemory(nn.Module):
    """Relational memory, RM (Chen et al. 2020, 2.2; equations 5 to 10).

    A few slots attend at each token to themselves and to the token's embedding, and are written
    through an input and a forget gate. Everything that does not depend on the slots is computed for
    all tokens at once; the loop over tokens holds the rest. The state is exact: a memory carried
    from token to token equals one run over the whole report.

    Args:
        slots: Number of slots; 3 in the paper.
        width: Size of a slot and of the token embeddings.
        heads: Heads of the attention.
        dropout: Share of the attention weights dropped in training.

    >>> memory = RelationalMemory(slots=3, width=8, heads=2, dropout=0.0)
    >>> embeddings = torch.zeros(2, 5, 8)
    >>> outputs, state = memory(embeddings, memory.initial(embeddings))
    >>> outputs.shape, state.shape
    (torch.Size([2, 5, 24]), torch.Size([2, 3, 8]))
    """

    def __init__(self, slots: int, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.slots = slots
        self.width = width
        self.attention = Attention(width, heads, dropout)
        self.feedforward = nn.Sequential(
            XavierLinear(width, width), nn.ReLU(), XavierLinear(width, width), nn.ReLU()
        )
        self.input_gates = XavierLinear(width, 2 * width)
        self.memory_gates = XavierLinear(width, 2 * width)

    def initial(
        self, embeddings: Float[Tensor, "batch tokens width"]
    ) -> Float[Tensor, "batch slots width"]:
        """Return the state before the first token: an identity matrix cut or padded to width."""
        eye = torch.eye(self.slots, self.width, dtype=embeddings.dtype, device=embeddings.device)
        return eye.expand(len(embeddings), -1, -1)

    def forward(
        self,
        embeddings: Float[Tensor, "batch tokens width"],
        state: Float[Tensor, "batch slots width"],
    ) -> tuple[Float[Tensor, "batch tokens memory_width"], Float[Tensor, "batch slots width"]]:
        """Return the flattened memory after each token, and the last state."""
        attention = self.attention
        weight = torch.cat([attention.query.weight, attention.key.weight, attention.value.weight])
        bias = torch.cat([attention.query.bias, attention.key.bias, attention.value.bias])
        # One unbind a sequence, not one index a step: its backward is one stack, not T zero-fills.
        keys = attention.key(embeddings).unsqueeze(2).unbind(1)
        values = attention.value(embeddings).unsqueeze(2).unbind(1)
        gates = self.input_gates(embeddings).unsqueeze(2).unbind(1)
        states = []
        for key, value, gate in zip(keys, values, gates, strict=True):
            query, slot_keys, slot_values = nn.functional.linear(state, weight, bias).chunk(
                3, dim=-1
            )
            gathered = self._gather(
                query, torch.cat([slot_keys, key], 1), torch.cat([slot_values, value], 1)
            )
            candidate = state + attention.output(gathered)
            candidate = candidate + self.feedforward(candidate)
            both = torch.sigmoid(gate + self.memory_gates(torch.tanh(state)))
            write, keep = both.chunk(2, dim=-1)
            state = write * torch.tanh(candidate) + keep * state
            states.append(state)
        return torch.stack(states, dim=1).flatten(2), state

    def _gather(
        self,
        queries: Float[Tensor, "batch slots width"],
        keys: Float[Tensor, "batch keys width"],
        values: Float[Tensor, "batch keys width"],
    ) -> Float[Tensor, "batch slots width"]:
        """Return attention over a handful of keys as products and sums.

        So few keys leave batched matrix products idle: this form needs no reordering of heads.
        """
        batch, count, width = keys.shape
        heads = self.attention.heads
        queries = queries.view(batch, self.slots, 1, heads, width // heads)
        keys = keys.view(batch, 1, count, heads, width // heads)
        values = values.view(batch, 1, count, heads, width // heads)
        scores = (queries * keys).sum(dim=-1, keepdim=True) / math.sqrt(width // heads)
        weights = scores.softmax(dim=2)
        weights = nn.functional.dropout(weights, self.attention.dropout, self.training)
        return (weights * values).sum(dim=2).flatten(2)
