"""From the text of a report to the tokens that CheXbert reads."""

import re
from pathlib import Path
from typing import Final, Literal, NamedTuple, final, get_args

from tokenizers import BertWordPieceTokenizer

Preprocess = Literal["original", "promptmrg"]

_SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_WHITESPACE: Final = re.compile(r"\s+")


class Tokens(NamedTuple):
    """A report as token ids, [CLS] first and [SEP] last, and whether its end was cut off."""

    ids: list[int]
    is_truncated: bool


def clean(report: str, preprocess: Preprocess) -> str:
    r"""Return the text of a report as it goes to the tokenizer.

    "original" squeezes all whitespace to single blanks, as CheXbert's own code does. "promptmrg"
    replaces newlines only: in that wrapper the squeezing is written as a plain replacement of the
    pattern's characters, which changes nothing. The two part where the tokenizer drops a character
    that Python counts as whitespace, such as a form feed between two words.

    >>> clean(" no\fedema .\n", "original"), clean(" no\fedema .\n", "promptmrg")
    ('no edema .', 'no\x0cedema .')
    """
    text = report.encode("utf-8", "replace").decode("utf-8")  # JSON may carry half a character
    if preprocess == "promptmrg":
        return text.strip().replace("\n", " ").strip()
    return _WHITESPACE.sub(" ", text).strip()


@final
class ReportTokenizer:
    r"""WordPiece of bert-base-uncased, from a vocabulary file; long reports lose their end.

    Args:
        vocabulary: File with a token a line.
        longest: Most tokens in a report, [CLS] and [SEP] counted.
        preprocess: How the text is cleaned before.

    Raises:
        ValueError: If the file is no vocabulary of BERT, or `preprocess` is not known.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "vocab.txt"
    >>> _ = file.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nedema\n.\n")
    >>> ReportTokenizer(file, longest=4).encode("Edema . .")
    Tokens(ids=[2, 4, 5, 3], is_truncated=True)
    """

    def __init__(
        self, vocabulary: Path, *, longest: int, preprocess: Preprocess = "original"
    ) -> None:
        if preprocess not in get_args(Preprocess):
            known = ", ".join(get_args(Preprocess))
            raise ValueError(f"preprocess must be one of {known}, got {preprocess!r}")
        tokens = _read_vocabulary(vocabulary)
        self.size = len(tokens)
        self.padding = tokens["[PAD]"]
        self.preprocess: Preprocess = preprocess
        self._longest = longest
        self._separator = tokens["[SEP]"]
        self._tokenizer = BertWordPieceTokenizer(tokens, lowercase=True)

    def encode(self, report: str) -> Tokens:
        """Return the tokens of a report; an empty one is [CLS] [SEP]."""
        ids = self._tokenizer.encode(clean(report, self.preprocess)).ids
        if len(ids) <= self._longest:
            return Tokens(ids, is_truncated=False)
        return Tokens([*ids[: self._longest - 1], self._separator], is_truncated=True)


def _read_vocabulary(path: Path) -> dict[str, int]:
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not UTF-8 text; a vocabulary has a token a line") from None
    tokens = {token: number for number, token in enumerate(lines)}
    lacking = [token for token in _SPECIAL if token not in tokens]
    if lacking or len(tokens) != len(lines):
        found = f"lacks {', '.join(lacking)}" if lacking else "names a token twice"
        raise ValueError(
            f"{path}: {found}; it must be the vocab.txt of bert-base-uncased, a token a line"
        )
    return tokens
