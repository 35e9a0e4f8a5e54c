"""The file of a retrieval bank: reports and image queries of one prepared set, in one space."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, final

from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from gradtruce.data.cluster_file import hash_of
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.retrieval.bank import RetrievalBank
from gradtruce.files import write_whole

SCHEMA: Final = 1
RECORD: Final = "gradtruce"
"""Entry of the file's header under which, as JSON, stands everything that is no tensor."""

TEXT: Final = "text_features"
QUERY: Final = "query_features"
ENCODER: Final = "encoder."
"""Weights of the image encoder begin so."""

_AGAIN: Final = "build it from this data set: gradtruce build retrieval DATA --output FILE"


@final
@dataclass(frozen=True, eq=False)
class RetrievalFile:
    """A bank of training reports, and the images of a whole prepared set as queries to it.

    Attributes:
        bank: Reports of the training split.
        query_ids: Studies of all splits.
        queries: Image features of each, of length 1, in the space of the bank.
        source: How the features were made, for the record.
        seed: Of what made them, where it draws.
        reports_sha256: `hash_of` the training reports; "" where that is not known.
        encoder: Weights of what made the queries from images; none where it is not known.
        encoder_config: What the encoder is built from.
        shares: What `finding_shares` says of the training studies, by number of neighbours.
    """

    bank: RetrievalBank
    query_ids: tuple[str, ...]
    queries: Float[Tensor, "studies width"]
    source: str
    seed: int | None = None
    reports_sha256: str = ""
    encoder: Mapping[str, Tensor] = field(default_factory=dict)
    encoder_config: Mapping[str, Any] = field(default_factory=dict)  # JSON
    shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str | Path) -> "RetrievalFile":
        """Return the content of a file; its matrices stay there and are mapped.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is damaged, or no file of retrieval.

        >>> import tempfile
        >>> import torch
        >>> bank, queries = RetrievalBank(["s1", "s2"], torch.eye(2)), torch.eye(2)[[0, 1, 1]]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "retrieval.safetensors"
        ...     RetrievalFile(bank, ("s1", "s2", "s3"), queries, "by hand").write(path)
        ...     RetrievalFile.read(path).queries_of(["s3"])
        tensor([[0., 1.]])
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}: there is no such file of retrieval; `gradtruce build retrieval` makes "
                "one; if it was moved, correct data.retrieval"
            )
        try:
            with safe_open(path, "pt") as file:
                record = json.loads((file.metadata() or {}).get(RECORD, "null"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, ValueError) as error:
            raise ValueError(f"{path}: damaged ({error}); build it again") from None
        try:
            return cls._of(record, tensors)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path}: damaged, its record lacks {error}; build it again") from None
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    @classmethod
    def _of(cls, record: Any, tensors: Mapping[str, Tensor]) -> "RetrievalFile":
        if not isinstance(record, dict) or record.get("kind") != "retrieval":
            raise ValueError("no file of retrieval; gradtruce build retrieval makes one")
        if record.get("schema") != SCHEMA or not {TEXT, QUERY} <= tensors.keys():
            raise ValueError(f"must be of schema {SCHEMA}, with {TEXT} and {QUERY}; build it again")
        bank, queries = RetrievalBank(record["ids"], tensors[TEXT]), tensors[QUERY]
        if queries.shape != (len(record["query_ids"]), bank.width):
            raise ValueError(
                f"must have a query of {bank.width} numbers for each of its "
                f"{len(record['query_ids'])} studies, got {tuple(queries.shape)}; build it again"
            )
        return cls(
            bank=bank,
            query_ids=tuple(record["query_ids"]),
            queries=queries,
            source=record["source"],
            seed=record["seed"],
            reports_sha256=record["reports_sha256"],
            encoder={
                name.removeprefix(ENCODER): value
                for name, value in tensors.items()
                if name.startswith(ENCODER)
            },
            encoder_config=record["encoder"],
            shares=record["shares"],
        )

    def write(self, path: Path) -> None:
        """Write the file whole or not at all; the same content gives the same bytes."""
        record = {
            "schema": SCHEMA,
            "kind": "retrieval",
            "source": self.source,
            "seed": self.seed,
            "reports_sha256": self.reports_sha256,
            "encoder": dict(self.encoder_config),
            "shares": self.shares,
            "ids": self.bank.ids,
            "query_ids": self.query_ids,
        }
        tensors = {TEXT: self.bank.features, QUERY: self.queries}
        tensors |= {ENCODER + name: value for name, value in self.encoder.items()}
        header = {RECORD: json.dumps(record)}  # one entry: their order in the file is by chance
        write_whole(path, save({name: row.contiguous() for name, row in tensors.items()}, header))

    def require(self, data: PreparedDataset) -> None:
        """Check that the file is of a prepared set, and that its bank knows no study held out.

        Raises:
            ValueError: If a validation or test study is in the bank, the bank was made from other
                reports than the training reports, or a study has no query.
        """
        require_training_ids(self.bank.ids, data)
        train = data.split("train")
        if self.reports_sha256 and self.reports_sha256 != hash_of(train.ids, train.reports):
            raise ValueError(
                "the retrieval bank was made from other reports than the training reports of this "
                f"data set; {_AGAIN}"
            )
        for split in ("train", "val", "test"):
            self.queries_of(data.split(split).ids)

    def queries_of(self, studies: Sequence[str]) -> Float[Tensor, "studies width"]:
        """Return the queries of some studies.

        Raises:
            ValueError: If one has none; the message names it.
        """
        absent = [study for study in studies if study not in self._places]
        if absent:
            raise ValueError(
                f"the retrieval file has no query features of {len(absent)} of {len(studies)} "
                f"studies, for one {absent[0]!r}; {_AGAIN}"
            )
        return self.queries[[self._places[study] for study in studies]]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {study: place for place, study in enumerate(self.query_ids)}


def require_training_ids(ids: Sequence[str], data: PreparedDataset) -> None:
    """Check that every study is of the training split.

    Raises:
        ValueError: If one is held out, which would tell the method what it is to write, or is not
            of the set; the message names some.
    """
    known = set(ids)
    for split in ("val", "test"):
        held_out = [study for study in data.split(split).ids if study in known]
        if held_out:
            raise ValueError(
                f"the retrieval bank has {len(held_out)} studies of the split {split!r}, such as "
                f"{_some(held_out)}; a bank may have training reports alone: leave them out"
            )
    train = set(data.split("train").ids)
    strange = [study for study in ids if study not in train]
    if strange:
        raise ValueError(
            f"the retrieval bank has {len(strange)} studies that the data set has not, such as "
            f"{_some(strange)}; {_AGAIN}"
        )


def _some(ids: Sequence[str]) -> str:
    return ", ".join(repr(study) for study in ids[:3])
