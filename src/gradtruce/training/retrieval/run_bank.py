"""The retrieval bank of a run: what its method reads of the studies of any prepared set."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import final

from gradtruce.data.cluster_file import hash_of
from gradtruce.data.prepared import PreparedDataset, PreparedSplit
from gradtruce.data.retrieval.bank_file import RetrievalFile
from gradtruce.data.retrieval.kept_search import KeptSearch
from gradtruce.data.retrieval.neighbours import Neighbours
from gradtruce.training.config import DataConfig
from gradtruce.training.device import training_device
from gradtruce.training.retrieval.image_query import ImageQuery


@final
@dataclass(frozen=True, eq=False)
class RunBank:
    """The bank that a run's configuration names.

    Attributes:
        search: The bank.
        count: How many reports are retrieved for a study.

    >>> RunBank.of(DataConfig(path="runs/demo/data")) is None
    True
    """

    search: KeptSearch
    count: int

    @classmethod
    def of(cls, data: DataConfig) -> "RunBank | None":
        """Return the bank; `None` where the run reads none.

        Raises:
            FileNotFoundError: If the file is not there.
            ValueError: If it is damaged.
        """
        if data.retrieval is None:
            return None
        path = Path(data.retrieval).absolute()  # an error tells where it was looked for
        return cls(KeptSearch(path, RetrievalFile.read(path)), data.neighbours)

    def require(self, dataset: PreparedDataset) -> None:
        """Check that the bank was made of a set.

        Raises:
            ValueError: If it was not, or has a study held out.
        """
        self.search.file.require(dataset)

    def neighbours(
        self, split: PreparedSplit, progress: Callable[[int, int], None] | None = None
    ) -> Neighbours:
        """Return the neighbours of the studies of the set that the bank was made of.

        Args:
            split: Of that set.
            progress: Told how many studies of how many have theirs, where that takes long.

        Raises:
            ValueError: If a study has no query, or the bank has too few reports.
        """
        return self.search.neighbours(split.ids, self.count, training_device(), progress)

    def neighbours_in(
        self,
        dataset: PreparedDataset,
        split: PreparedSplit,
        progress: Callable[[int, int], None] | None = None,
    ) -> Neighbours:
        """Return the neighbours of the studies of any set, of its own images.

        The queries of the set that the bank was made of are in the file; for another, the file's
        encoder looks at the images. Ids don't tell the two apart: every phantom has a patient
        `p00000`.

        Args:
            dataset: The set.
            split: Of the set.
            progress: As in `neighbours`; of another set told how many studies were looked at.

        Raises:
            ValueError: If the file has no image encoder and needs one, or the bank has too few
                reports.
        """
        file, train = self.search.file, dataset.split("train")
        if file.reports_sha256 == hash_of(train.ids, train.reports):
            return self.neighbours(split, progress)
        queries = ImageQuery.of(file).of_studies(split, progress)
        rows, _ = file.bank.nearest(queries, self.count)
        return Neighbours(file.bank, rows)
