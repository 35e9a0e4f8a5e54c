"""Cleaning of report text, before words are counted or compared."""

import re
from collections.abc import Callable, Mapping
from typing import Final, Literal

CleaningMode = Literal["r2gen", "r2gen_mimic", "promptmrg", "clean"]

_R2GEN_DROPPED: Final = re.compile(r"[.,?;*!%^&_+():-\[\]{}]")
_ENUMERATOR: Final = re.compile(r"(?<![\w.])(\d{1,2})[.)]\s+")
_END_OF_SENTENCE: Final = re.compile(r"[!?]|(?<!\d)(?<!\s)(?<!^)\.|\.(?!\d)")
_NOT_TOKEN: Final = re.compile(r"[^\w.\-]|_")
_LONE_MARK: Final = re.compile(r"(?<!\w)-+|-+(?!\w)")
_DELETED: Final = str.maketrans("", "", "'’")


def clean(text: str, mode: CleaningMode) -> str:
    r"""Return a report as words and full stops, each between blanks.

    "r2gen" does to IU X-Ray reports what R2Gen's code does (Chen et al. 2020), flaws included: the
    enumerator "1. " is deleted anywhere, even the end of "level of L1. The"; decimals lose their
    point; "and/or" becomes "andor"; empty sentences stay. For comparison with published figures.

    "r2gen_mimic" is what the same code does to MIMIC-CXR reports: first newlines become blanks,
    and runs of `_`, blanks and full stops shrink. "promptmrg" is the same function, which
    PromptMRG (Jin et al. 2024) takes over for both data sets; that it keeps the first 100 words
    alone is a matter of tokens and references, not of this function.

    "clean" keeps decimals, takes numbers for enumerators only where a list begins or goes on, puts
    a blank for a slash, and leaves empty sentences out. All keep hyphens and drop other marks.

    >>> clean("1. Nodule of 1.5 cm and/or scar. 2. No right-sided effusion..", "clean")
    'nodule of 1.5 cm and or scar . no right-sided effusion .'
    >>> clean("1. Nodule of 1.5 cm and/or scar. 2. No right-sided effusion..", "r2gen")
    'nodule of 15 cm andor scar . no right-sided effusion .'
    >>> clean("Compared with ____, no\nchange.", "r2gen_mimic")
    'compared with  no change .'
    """
    return _CLEANERS[mode](text)


def _clean_as_r2gen_on_iu_xray(text: str) -> str:
    return _clean_as_r2gen(_halved(text, "..", passes=3))


def _clean_as_r2gen_on_mimic(text: str) -> str:
    text = _halved(text.replace("\n", " "), "__", passes=7)
    return _clean_as_r2gen(_halved(_halved(text, "  ", passes=6), "..", passes=8))


def _halved(text: str, pair: str, passes: int) -> str:
    """Put one character for each pair, a fixed number of times: long runs are not used up."""
    for _ in range(passes):
        text = text.replace(pair, pair[0])
    return text


def _clean_as_r2gen(text: str) -> str:
    text = text.replace("1. ", "")
    for before in (". ", " "):
        for number in "2345":
            text = text.replace(f"{before}{number}. ", ". ")
    sentences = text.strip().lower().split(". ")
    return " . ".join(map(_clean_sentence_as_r2gen, sentences)) + " ."


def _clean_sentence_as_r2gen(sentence: str) -> str:
    for mark in "\"/\\'":
        sentence = sentence.replace(mark, "")
    return _R2GEN_DROPPED.sub("", sentence.strip().lower())


def _clean_without_flaws(text: str) -> str:
    text = _without_enumerators(" ".join(text.lower().split()))
    sentences = []
    for part in _END_OF_SENTENCE.split(text.translate(_DELETED)):
        words = _LONE_MARK.sub(" ", _NOT_TOKEN.sub(" ", part)).split()
        if words:
            sentences.append(" ".join(words))
    return "".join(f"{sentence} . " for sentence in sentences).rstrip()


def _without_enumerators(text: str) -> str:
    """Put a full stop for each number of a list: 1 where one may begin, then 2, 3 … in turn."""
    expected = 1
    kept: list[str] = []
    end = 0
    for match in _ENUMERATOR.finditer(text):
        number = int(match[1])
        begins = number == 1 and _list_may_begin(text, match.start())
        if begins or (number == expected > 1):
            kept += [text[end : match.start()], ". "]
            end = match.end()
            expected = number + 1
    return "".join([*kept, text[end:]])


def _list_may_begin(text: str, place: int) -> bool:
    """Return whether only a bracket and a blank stand between a place and the mark before it."""
    before = text[max(0, place - 3) : place].removesuffix("(").removesuffix(" ")
    return not before or before[-1] in ".!?:;,"


_CLEANERS: Final[Mapping[CleaningMode, Callable[[str], str]]] = {
    "r2gen": _clean_as_r2gen_on_iu_xray,
    "r2gen_mimic": _clean_as_r2gen_on_mimic,
    "promptmrg": _clean_as_r2gen_on_mimic,
    "clean": _clean_without_flaws,
}
