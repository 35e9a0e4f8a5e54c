"""The vocabulary of R2Gen's published code, made anew from the annotation file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from transformers import PreTrainedTokenizerFast

from gradtruce.data.text import clean
from gradtruce.data.tokenizer import SPECIAL, UNKNOWN, build_tokenizer

R2GenDataset = Literal["iu_xray", "mimic_cxr"]

MIN_FREQUENCY = {"iu_xray": 3, "mimic_cxr": 10}
"""Of the published scripts: rarer words are unknown."""

MAX_TOKENS = {"iu_xray": 60, "mimic_cxr": 100}
"""Of the published scripts: most tokens of a generated report, end token included."""

NO_WORD = 0
"""The one id that the published code has for pad, bos and eos; its words count from 1."""

_COLLAPSED = (("__", "_", 7), ("  ", " ", 7), ("..", ".", 8))
"""What MIMIC-CXR reports have doubled, what it becomes, and how often that is repeated."""


@dataclass(frozen=True)
class PublishedVocabulary:
    """Our tokenizer with the words of the published one.

    Attributes:
        tokenizer: With ids of its own for pad, bos and eos.
        rows: For each of our ids, the row that the published weights have for it.
        max_tokens: Most tokens of a report that the published scripts generate.
    """

    tokenizer: PreTrainedTokenizerFast
    rows: tuple[int, ...]
    max_tokens: int

    @property
    def size(self) -> int:
        """Rows of the published weights."""
        return max(self.rows) + 1


def published_vocabulary(
    annotation: str | Path, dataset: str, min_frequency: int | None = None
) -> PublishedVocabulary:
    """Return the vocabulary with which R2Gen's code trains on an annotation file.

    Words of the training reports, cleaned as that code cleans the data set, and `<unk>`, in the
    order of their characters.

    Args:
        annotation: `annotation.json` as R2Gen has it, the one that the weights were trained on.
        dataset: Whose reports they are; says how they are cleaned.
        min_frequency: Rarer words are unknown; `None` takes that of the published scripts.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, has no training reports or no frequent word, or the data set
            is unknown.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "annotation.json"
    ...     _ = path.write_text('{"train": [{"report": "Clear lungs. Clear."}]}')
    ...     found = published_vocabulary(path, "iu_xray", min_frequency=2)
    >>> found.tokenizer.get_vocab() == {
    ...     "<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3, ".": 4, "clear": 5}
    True
    >>> found.rows  # theirs: 0 for all that is no word, then ".", "<unk>", "clear"
    (0, 0, 0, 2, 1, 3)
    """
    if dataset not in get_args(R2GenDataset):
        raise ValueError(f"dataset must be one of {get_args(R2GenDataset)}, got {dataset!r}")
    reports = [_clean(report, dataset) for report in _training_reports(Path(annotation))]
    least = MIN_FREQUENCY[dataset] if min_frequency is None else min_frequency
    tokenizer = build_tokenizer(reports, least)
    words = [word for word in tokenizer.get_vocab() if word not in SPECIAL]
    theirs = {word: place for place, word in enumerate(sorted([*words, UNKNOWN]), start=1)}
    ours = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    rows = tuple(theirs.get(word, NO_WORD) for word, _ in ours)
    return PublishedVocabulary(tokenizer, rows, MAX_TOKENS[dataset])


def _clean(report: str, dataset: str) -> str:
    if dataset == "mimic_cxr":
        report = report.replace("\n", " ")
        for doubled, single, times in _COLLAPSED:
            for _ in range(times):
                report = report.replace(doubled, single)
    return clean(report, "r2gen")


def _training_reports(path: Path) -> list[str]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such annotation file")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not valid JSON ({error}); download it again") from None
    entries = content.get("train") if isinstance(content, dict) else None
    reports = [e.get("report") for e in entries or [] if isinstance(e, dict)]
    if not reports or not all(isinstance(report, str) for report in reports):
        raise ValueError(
            f"{path}: must be an object with the list train, each entry with the text 'report'"
        )
    return [str(report) for report in reports]
