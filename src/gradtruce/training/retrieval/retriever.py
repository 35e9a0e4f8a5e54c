"""Retrieved reports for single studies: those of the prepared set, and one's own images."""

from collections.abc import Callable, Sequence
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from gradtruce.data.retrieval.bank_file import RetrievalFile
from gradtruce.data.retrieval.neighbours import Neighbours
from gradtruce.data.study import Study
from gradtruce.training.config import DataConfig
from gradtruce.training.retrieval.image_query import ImageQuery

Retriever = Callable[[Sequence[Study]], Float[Tensor, "studies neighbours features"]]
"""From studies to the features of the reports nearest to each, nearest first."""


def retriever(config: DataConfig, *, are_own: bool) -> Retriever | None:
    """Return what finds the reports that a run's method reads; `None` where it reads none.

    Args:
        config: Of the run; names the file.
        are_own: Whether the studies are one's own images, whose queries the file's encoder makes;
            those of studies of the prepared set are in the file.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it is damaged, or has no encoder and one is needed.

    >>> retriever(DataConfig(path="runs/demo/data"), are_own=True)
    """
    if config.retrieval is None:
        return None
    file, count = RetrievalFile.read(Path(config.retrieval).absolute()), config.neighbours
    if not are_own:
        return lambda studies: _of_set(file, [study.id for study in studies], count)
    query = ImageQuery.of(file)

    def find(studies: Sequence[Study]) -> Float[Tensor, "studies neighbours features"]:
        rows, _ = file.bank.nearest(query.of_studies(studies), count)
        return file.bank.rows(rows)

    return find


def _of_set(
    file: RetrievalFile, ids: Sequence[str], count: int
) -> Float[Tensor, "studies neighbours features"]:
    return Neighbours.of(file, ids, count).features(range(len(ids)))
