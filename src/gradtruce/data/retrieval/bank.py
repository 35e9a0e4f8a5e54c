"""Reports as vectors of length 1, and the nearest of them to a query, by cosine."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

BLOCK: Final = 16_384
"""Rows of the bank that are compared at a time."""

QUERIES: Final = 256
"""Queries that are compared at a time."""

SLACK: Final = 1e-3
"""How far from 1 the length of a vector may be; half precision keeps within it."""

_SHIFT: Final = 32
_LOW: Final = (1 << _SHIFT) - 1


@final
class RetrievalBank:
    """Text features of training reports, one row a report, and a search of all of them.

    The search is exact. It goes over the rows block by block, so a bank that is mapped from a file
    is never copied whole, and no table of queries times rows is made. Reports of equal features
    are compared once.

    Args:
        ids: Study of each row.
        features: Of length 1; kept as they are, on the processor.

    Attributes:
        ids: Study of each row.
        features: The rows.

    Raises:
        ValueError: If there is no row, an id comes twice, or a row is not finite or not of length
            1.

    >>> bank = RetrievalBank(["a", "b", "c"], torch.eye(3))
    >>> rows, similarities = bank.nearest(torch.tensor([[0.0, 2.0, 1.0]]), 2)
    >>> [bank.ids[row] for row in rows[0].tolist()], round(similarities[0, 0].item(), 3)
    (['b', 'c'], 0.894)
    >>> bank.nearest(torch.tensor([[0.0, 2.0, 1.0]]), 2, exclude=["b"])[0].tolist()
    [[2, 0]]
    """

    def __init__(self, ids: Sequence[str], features: Float[Tensor, "reports width"]) -> None:
        self.ids, self.features = tuple(ids), features
        if not len(features) or len(ids) != len(features):
            raise ValueError(
                "a retrieval bank must have an id for each of its rows, and at least one row; got "
                f"{len(ids)} ids and {len(features)} rows"
            )
        if len(self._rows_by_id) < len(self.ids):
            twice = next(name for row, name in enumerate(self.ids) if self._rows_by_id[name] != row)
            raise ValueError(f"the retrieval bank has the study {twice!r} twice; give each once")
        self._first, self._order, self._starts = self._equal_rows()

    def __len__(self) -> int:
        """Return the number of reports."""
        return len(self.ids)

    @property
    def width(self) -> int:
        """Return how many numbers a report has."""
        return self.features.shape[1]

    def rows(self, rows: Int[Tensor, "*any"]) -> Float[Tensor, "*any width"]:
        """Return the features of some rows."""
        return self.features[rows]

    def nearest(
        self,
        queries: Float[Tensor, "queries width"],
        k: int,
        exclude: Sequence[str] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[Int[Tensor, "queries k"], Float[Tensor, "queries k"]]:
        """Return the `k` rows of the highest cosine to each query, the highest first.

        At equal cosine the lowest row comes first; rows of equal features always tie. It computes
        where the queries are; on another device the last bits of a cosine are others, and so may
        be the order of two rows that nearly tie.

        Args:
            queries: Of any length above 0.
            k: How many.
            exclude: A study for each query that it must not find, its own; one that is not in the
                bank excludes nothing.
            progress: Told how many queries of how many are answered.

        Returns:
            Rows and their cosines.

        Raises:
            ValueError: If `k` is below 1 or above the number of rows that may be found, or the
                queries have another width, or one is zero or not finite.
        """
        mine = self._own_rows(len(queries), exclude)
        self._require_enough(k, is_excluding=bool((mine >= 0).any()))
        directions = self._directions(queries)
        count = min(k + 1, len(self._first))
        rows = np.empty((len(queries), k), dtype=np.int64)
        scores = np.empty((len(queries), k), dtype=np.float32)
        for start in range(0, len(queries), QUERIES):
            places, values = self._best(directions[start : start + QUERIES], count)
            for query, (place, value) in enumerate(zip(places, values, strict=True), start):
                rows[query], scores[query] = self._spread(place, value, k, int(mine[query]))
            if progress is not None:
                progress(min(start + QUERIES, len(queries)), len(queries))
        return torch.from_numpy(rows), torch.from_numpy(scores)

    @cached_property
    def _rows_by_id(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.ids)}

    def _equal_rows(
        self,
    ) -> tuple[Int[Tensor, " distinct"], Int[np.ndarray, " reports"], Int[np.ndarray, " bounds"]]:
        """Check every row; group the equal ones.

        Returns:
            The first row of each group, rising; all rows, group after group; where the groups
            begin and end in that order.
        """
        groups: dict[bytes, int] = {}
        group_of = np.empty(len(self.ids), dtype=np.int64)
        first: list[int] = []
        for start in range(0, len(self.ids), BLOCK):
            block = self.features[start : start + BLOCK]
            self._require_directions(block, start)
            for row, vector in enumerate(block.numpy(), start):
                group = groups.setdefault(
                    hashlib.blake2b(vector.tobytes(), digest_size=16).digest(), len(first)
                )
                if group == len(first):
                    first.append(row)
                group_of[row] = group
        starts = np.concatenate([[0], np.cumsum(np.bincount(group_of))])
        return torch.tensor(first), np.argsort(group_of, kind="stable"), starts

    def _require_directions(self, block: Float[Tensor, "rows width"], start: int) -> None:
        lengths = block.norm(dim=1)
        wrong = ((lengths - 1).abs() <= SLACK).logical_not().nonzero()  # NaN too
        if len(wrong):
            row = int(wrong[0])
            raise ValueError(
                "every row of a retrieval bank must be finite and of length 1, the row of study "
                f"{self.ids[start + row]!r} has the length {float(lengths[row]):.4g}; normalise "
                "the features"
            )

    def _own_rows(self, count: int, exclude: Sequence[str] | None) -> Int[np.ndarray, " queries"]:
        """Return the row that each query must not find, -1 for none."""
        if exclude is None:
            return np.full(count, -1)
        if len(exclude) != count:
            raise ValueError(
                f"exclude must name one study for each of the {count} queries, got {len(exclude)}"
            )
        return np.array([self._rows_by_id.get(name, -1) for name in exclude], dtype=np.int64)

    def _require_enough(self, k: int, *, is_excluding: bool) -> None:
        can_find = len(self.ids) - is_excluding
        if not 1 <= k <= can_find:
            own = ", a study's own left out" if is_excluding else ""
            raise ValueError(
                f"from 1 to {can_find} neighbours can be found in a retrieval bank of "
                f"{len(self.ids)} reports{own}, got {k}; set data.neighbours so, or build the bank "
                "from more studies"
            )

    def _directions(
        self, queries: Float[Tensor, "queries width"]
    ) -> Float[Tensor, "queries width"]:
        if queries.shape[1] != self.width:
            raise ValueError(
                f"the queries must be as wide as the bank, {self.width}, got {queries.shape[1]}; "
                "take text and image features of one model"
            )
        lengths = queries.norm(dim=1, keepdim=True)
        wrong = (lengths.isfinite() & (lengths > 0)).logical_not().nonzero()
        if len(wrong):
            raise ValueError(
                f"query {int(wrong[0, 0])} must be finite and not zero, its length is "
                f"{float(lengths[wrong[0, 0], 0]):.4g}; compute the image features again"
            )
        directions: Tensor = queries / lengths
        return directions

    def _best(
        self, queries: Float[Tensor, "queries width"], count: int
    ) -> tuple[Int[np.ndarray, "queries count"], Float[np.ndarray, "queries count"]]:
        """Return the best groups of each query, and their cosines."""
        best = torch.empty(len(queries), 0, dtype=torch.int64, device=queries.device)
        for start, block in self._blocks():
            keys = sort_keys(queries @ block.to(queries.device).float().T, start)
            both = torch.cat([best, keys.topk(min(count, keys.shape[1])).values], dim=1)
            best = both.topk(min(count, both.shape[1])).values
        places, values = from_keys(best.cpu())
        return places.numpy(), values.numpy()

    def _blocks(self) -> Iterator[tuple[int, Float[Tensor, "rows width"]]]:
        for start in range(0, len(self._first), BLOCK):
            yield start, self.features[self._first[start : start + BLOCK]]

    def _spread(
        self,
        groups: Int[np.ndarray, " count"],
        scores: Float[np.ndarray, " count"],
        k: int,
        mine: int,
    ) -> tuple[Int[np.ndarray, " k"], Float[np.ndarray, " k"]]:
        """Return the best rows of the best groups, the excluded one left out."""
        members = [
            self._order[
                self._starts[group] : min(self._starts[group + 1], self._starts[group] + k + 1)
            ]
            for group in groups
        ]
        rows = np.concatenate(members)
        values = np.repeat(scores, [len(each) for each in members])
        order = np.lexsort((rows, -values))
        order = order[rows[order] != mine][:k]
        return rows[order], values[order]


def sort_keys(scores: Float[Tensor, "queries rows"], start: int) -> Int[Tensor, "queries rows"]:
    """Return whole numbers, all different, in the order of the scores, then of falling row.

    The largest is the best score and, of equal ones, that of the lowest row; which of equal floats
    `topk` returns is not defined.

    Args:
        scores: Single precision.
        start: Number of the first row, below 2^32.

    >>> sort_keys(torch.tensor([[0.5, -1.0, 0.5, -0.0]]), 0).argsort(descending=True)
    tensor([[0, 2, 3, 1]])
    """
    bits = (scores + 0.0).view(torch.int32)  # -0 becomes 0
    rising = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long()
    rows = torch.arange(start, start + scores.shape[1], device=scores.device)
    return (rising << _SHIFT) + (_LOW - rows)


def from_keys(
    keys: Int[Tensor, "queries count"],
) -> tuple[Int[Tensor, "queries count"], Float[Tensor, "queries count"]]:
    """Return rows and scores of `sort_keys`.

    >>> from_keys(sort_keys(torch.tensor([[0.5, -1.0]]), 7))
    (tensor([[7, 8]]), tensor([[ 0.5000, -1.0000]]))
    """
    bits = (keys >> _SHIFT).to(torch.int32)
    scores = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).view(torch.float32)
    return _LOW - (keys & _LOW), scores
