"""WordPiece tokenizers: from BERT's `vocab.txt`, or trained on the training reports."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from tokenizers import Regex, Tokenizer, decoders
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import WordPieceTrainer
from transformers import PreTrainedTokenizerFast

PAD, BOS, EOS, UNKNOWN = "[PAD]", "[DEC]", "[SEP]", "[UNK]"
SPECIAL = (PAD, BOS, EOS, UNKNOWN)
"""BLIP and PromptMRG begin a text with [DEC], where BERT has [CLS]."""

_UNWRITTEN: Final = {"cls_token": "[CLS]", "mask_token": "[MASK]"}
"""Tokens of BERT's vocabulary that are no words."""

_INSIDE: Final = "##"
"""Before a piece that goes on with a word."""

_DECIMAL_POINT: Final = r"(?<=\d) \. (?=\d)"


def read_wordpiece(path: str | Path) -> PreTrainedTokenizerFast:
    r"""Return the tokenizer of a vocabulary file, such as that of bert-base-uncased.

    Words keep the numbers of their lines, so that BERT's weights fit; [DEC] comes after the last
    one, where the file has none.

    Args:
        path: A token a line, [PAD] the first.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such vocabulary.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "vocab.txt"
    >>> _ = file.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nef\n##fusion\nright\n-\nsided\n.\n")
    >>> tokenizer = read_wordpiece(file)
    >>> tokenizer.encode("Right-sided effusion .")
    [10, 6, 7, 8, 4, 5, 9, 3]
    >>> tokenizer.decode([10, 6, 7, 8, 4, 5, 9, 3], skip_special_tokens=True)
    'right-sided effusion .'
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: there is no such vocabulary; give the path of a vocab.txt"
        )
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not UTF-8 text; a vocabulary has a token a line") from None
    vocabulary = {token: number for number, token in enumerate(lines)}
    lacking = [token for token in (PAD, UNKNOWN, EOS) if token not in vocabulary]
    problem = (
        (lacking and f"lacks {', '.join(lacking)}")
        or (len(vocabulary) != len(lines) and "names a token twice")
        or (vocabulary[PAD] != 0 and f"has {PAD} in line {vocabulary[PAD] + 1}, not in the first")
    )
    if problem:
        raise ValueError(
            f"{path}: {problem}; it must be a vocabulary such as the vocab.txt of "
            "bert-base-uncased, a token a line"
        )
    vocabulary.setdefault(BOS, len(vocabulary))
    return _tokenizer(vocabulary)


def train_wordpiece(
    texts: Iterable[str], size: int, min_frequency: int = 3
) -> PreTrainedTokenizerFast:
    """Return a tokenizer whose pieces are those of `texts` that pay most.

    The same texts in any order give the same pieces: the trainer of `tokenizers` numbers single
    letters inside a word as it meets them, in an order that changes from run to run and decides
    between pieces of equal frequency, so it is told them beforehand.

    Args:
        texts: Cleaned training reports.
        size: Most pieces, special tokens included.
        min_frequency: How often two neighbouring pieces must occur to become one.

    Raises:
        ValueError: If there is no text, or `size` is too small for the letters alone.

    >>> tokenizer = train_wordpiece(["clear lungs .", "clear lung ."], size=40, min_frequency=2)
    >>> tokenizer.convert_ids_to_tokens(tokenizer.encode("clear lungs ."))
    ['[DEC]', 'clear', 'lung', '##s', '.', '[SEP]']
    """
    kept = list(texts)
    draft = _pipeline(Tokenizer(WordPiece({UNKNOWN: 0}, unk_token=UNKNOWN)))
    normal = BertNormalizer(lowercase=True)
    letters = sorted({mark for text in kept for mark in normal.normalize_str(text)} - {" "})
    least = len(SPECIAL) + 2 * len(letters)
    if not letters:
        raise ValueError("there are no words in the training reports to train a WordPiece on")
    if size < least:
        raise ValueError(
            f"a WordPiece vocabulary of these reports has at least {least} pieces, every letter at "
            f"the beginning of a word and inside it, got {size}"
        )
    trainer = WordPieceTrainer(
        vocab_size=size,
        min_frequency=min_frequency,
        special_tokens=[*SPECIAL, *(_INSIDE + letter for letter in letters)],
        continuing_subword_prefix=_INSIDE,
        show_progress=False,
    )
    draft.train_from_iterator(kept, trainer)
    return _tokenizer(draft.get_vocab())


def _pipeline(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer


def _tokenizer(vocabulary: Mapping[str, int]) -> PreTrainedTokenizerFast:
    """Return BERT's tokenizer, which writes words as cleaned reports have them.

    Published codes put full stops and hyphens right after they have decoded, by hand.
    """
    backend = _pipeline(Tokenizer(WordPiece(dict(vocabulary), unk_token=UNKNOWN)))
    backend.post_processor = TemplateProcessing(
        single=f"{BOS} $A {EOS}",
        special_tokens=[(BOS, vocabulary[BOS]), (EOS, vocabulary[EOS])],
    )
    backend.decoder = decoders.Sequence(
        [
            decoders.WordPiece(prefix=_INSIDE, cleanup=False),
            decoders.Fuse(),
            decoders.Replace(Regex(f"^{_INSIDE}"), ""),
            decoders.Replace(" - ", "-"),
            decoders.Replace(Regex(_DECIMAL_POINT), "."),
        ]
    )
    unwritten = {name: token for name, token in _UNWRITTEN.items() if token in vocabulary}
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call] # transformers has none
        tokenizer_object=backend,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
        **unwritten,
    )
