"""For every study of a split the training reports nearest to its images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gradtruce.data.retrieval.bank import RetrievalBank
from gradtruce.data.retrieval.bank_file import RetrievalFile


@final
@dataclass(frozen=True, eq=False)
class Neighbours:
    """Which reports of a bank are nearest to each study of a split; the same in every epoch.

    Attributes:
        bank: The reports.
        rows: Rows of the bank for each study, nearest first.

    >>> bank = RetrievalBank(["a", "b", "c"], torch.eye(3))
    >>> Neighbours(bank, torch.tensor([[2, 0]])).features([0])
    tensor([[[0., 0., 1.], [1., 0., 0.]]])
    """

    bank: RetrievalBank
    rows: Int[Tensor, "studies neighbours"]

    @classmethod
    def of(
        cls,
        file: RetrievalFile,
        studies: Sequence[str],
        count: int,
        device: torch.device | str = "cpu",
        progress: Callable[[int, int], None] | None = None,
    ) -> "Neighbours":
        """Return the neighbours of some studies, none of which finds itself.

        Args:
            file: Bank and queries.
            studies: Ids.
            count: How many neighbours each has.
            device: Where they are searched.
            progress: Told how many studies of how many have theirs.

        Raises:
            ValueError: If a study has no query, or the bank has too few reports.
        """
        queries = file.queries_of(studies).to(device)
        rows, _ = file.bank.nearest(queries, count, exclude=studies, progress=progress)
        return cls(file.bank, rows)

    def features(self, studies: Sequence[int]) -> Float[Tensor, "batch neighbours width"]:
        """Return what the neighbours of some studies say, nearest first.

        Args:
            studies: Their places in the split.
        """
        return self.bank.rows(self.rows[list(studies)])
