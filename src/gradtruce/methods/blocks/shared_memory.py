"""The memory matrix that images and words query alike, and the response of its best slots."""

import math
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from gradtruce.methods.blocks.xavier import XavierLinear


@final
class MemoryResponse(nn.Module):
    """Attention to the few slots that fit each query best (Chen et al. 2021, 2.2).

    Every head of every query scores all slots, keeps the `read` highest scores, and takes the
    softmax over those alone. Queries know nothing of each other: a word may be asked by itself.

    Args:
        width: Size of queries and of the response.
        heads: Number of heads, a divisor of `width`.
        read: Slots that a head reads; all, where there are fewer.
        dropout: Share of the weights dropped in training.
        slot_width: Size of a slot; `width` where not given.

    Raises:
        ValueError: If `width` is no multiple of `heads`, or `read` is below 1.

    >>> response = MemoryResponse(width=8, heads=2, read=3, dropout=0.0)
    >>> response(torch.ones(2, 5, 8), torch.ones(1, 20, 8)).shape
    torch.Size([2, 5, 8])
    """

    def __init__(
        self, width: int, heads: int, read: int, dropout: float, *, slot_width: int | None = None
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width must be a multiple of heads, got {width} and {heads}")
        if read < 1:
            raise ValueError(f"read must be at least 1, got {read}")
        self.heads, self.read = heads, read
        self.query = XavierLinear(width, width)
        self.key = XavierLinear(slot_width or width, width)
        self.value = XavierLinear(slot_width or width, width)
        self.output = XavierLinear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        queries: Float[Tensor, "batch queries width"],
        slots: Float[Tensor, "#batch slots slot_width"],
        is_there: Bool[Tensor, "#batch slots"] | None = None,
    ) -> Float[Tensor, "batch queries width"]:
        """Return what each query reads.

        Args:
            queries: Visual tokens or embedded words.
            slots: One memory for all studies, or one a study.
            is_there: False for slots that fill up a study's memory; at least one must be there.
        """
        return self.respond(queries, *self.keys_values(slots), is_there)

    def keys_values(
        self, slots: Float[Tensor, "batch slots slot_width"]
    ) -> tuple[Float[Tensor, "batch heads slots size"], Float[Tensor, "batch heads slots size"]]:
        """Return what `respond` needs of the slots; it may be kept while words come one by one."""
        return self._split(self.key(slots)), self._split(self.value(slots))

    def respond(
        self,
        queries: Float[Tensor, "batch queries width"],
        keys: Float[Tensor, "#batch heads slots size"],
        values: Float[Tensor, "#batch heads slots size"],
        is_there: Bool[Tensor, "#batch slots"] | None = None,
    ) -> Float[Tensor, "batch queries width"]:
        """Return what each query reads of slots whose keys and values are known."""
        asked = self._split(self.query(queries))
        scores = asked @ keys.transpose(-1, -2) / math.sqrt(asked.shape[-1])
        if is_there is not None:
            scores = scores.masked_fill(~is_there[:, None, None], -math.inf)
        best, places = scores.topk(min(self.read, scores.shape[-1]), dim=-1)
        shares = self.dropout(best.softmax(dim=-1))
        # A sparse row a query, times all values: one matrix product, no copies of values.
        weights = torch.zeros_like(scores).scatter(-1, places, shares)
        response: Tensor = self.output((weights @ values).transpose(1, 2).flatten(2))
        return response

    def _split(self, tokens: Tensor) -> Tensor:
        batch, count, width = tokens.shape
        return tokens.view(batch, count, self.heads, width // self.heads).transpose(1, 2)


@final
class SharedMemory(nn.Module):
    """A learned matrix of slots and the response to it, which is added to what asks.

    Args:
        slots: Number of slots; 2,048 in R2GenCMN.
        width: Size of a slot and of what asks.
        heads: Heads of the response.
        read: Slots that a head reads; 32 in R2GenCMN.
        dropout: Share of the weights dropped in training.

    >>> memory = SharedMemory(slots=20, width=8, heads=2, read=3, dropout=0.0)
    >>> memory(torch.ones(2, 5, 8)).shape
    torch.Size([2, 5, 8])
    """

    def __init__(self, slots: int, width: int, heads: int, read: int, dropout: float) -> None:
        super().__init__()
        self.slots = nn.Parameter(torch.empty(slots, width))
        self.response = MemoryResponse(width, heads, read, dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the slots from a normal distribution with the inverse of the width as deviation."""
        nn.init.normal_(self.slots, std=1 / self.slots.shape[1])

    def forward(
        self, tokens: Float[Tensor, "batch tokens width"]
    ) -> Float[Tensor, "batch tokens width"]:
        """Return the tokens plus what each reads from the memory."""
        read: Tensor = self.response(tokens, self.slots.unsqueeze(0))
        return tokens + read
