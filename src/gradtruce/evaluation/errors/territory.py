"""Which words of a sentence speak of which finding in it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, final

from gradtruce.evaluation.errors.lexicon import Lexicon, Pattern
from gradtruce.evaluation.labelers.rules_sentence import Mention

_PLACE: Final = r"(?:left|right|upper|middle|mid|lower)"
_BEFORE: Final = re.compile(rf"\b{_PLACE}\s*$")
_AFTER: Final = re.compile(rf"\s*(?:the )?{_PLACE}\b")
_COMMA: Final = re.compile(r"[,:]")
_JOINED: Final = re.compile(r",?\s*(?:and|or)?\s*")


@final
@dataclass(frozen=True)
class Territory:
    """The words around one mention.

    Attributes:
        before: From the last mention's words, or the start of the clause.
        named: The mention itself.
        after: Up to the next mention's words, or the end of the clause.
        is_joined: Whether nothing but "and" or "or" parts it from the next mention's words.
    """

    before: str
    named: str
    after: str
    is_joined: bool = False

    @property
    def text(self) -> str:
        """Return all its words."""
        return f"{self.before}{self.named}{self.after}"


def territories(sentence: str, mentions: Sequence[Mention], lexicon: Lexicon) -> list[Territory]:
    """Return the words of each mention, in order.

    What lies between two mentions is parted at the last word that joins, but not inside "right
    middle and lower lobe".

    >>> from gradtruce.evaluation.errors.lexicon import load_lexicon
    >>> sentence = "small effusion on the left and right basal atelectasis"
    >>> named = [Mention("Pleural Effusion", 6, 14, False), Mention("Atelectasis", 43, 54, False)]
    >>> [one.text for one in territories(sentence, named, load_lexicon())]
    ['small effusion on the left ', 'and right basal atelectasis']
    """
    clauses = lexicon.scopes["clauses"]
    starts, ends, joined = [_start(sentence, mentions[0].start, clauses)], [], []
    for one, two in pairwise(mentions):
        gap = sentence[one.end : two.start] if one.end < two.start else ""
        cut = _cut(gap, lexicon)
        joined.append(not gap[:cut].strip(" ,") and bool(_JOINED.match(gap, cut)))
        ends.append(one.end + cut)
        starts.append(min(one.end + cut, two.start))
    ends.append(_end(sentence, mentions[-1].end, clauses))
    joined.append(False)
    for place in range(len(mentions) - 1, 0, -1):
        if mentions[place].start < mentions[place - 1].end:  # two findings in the same words
            ends[place - 1], joined[place - 1] = ends[place], joined[place]
    for place in range(1, len(mentions)):
        if mentions[place].start < mentions[place - 1].end:
            starts[place] = starts[place - 1]
    return [
        Territory(sentence[a : one.start], sentence[one.start : one.end], sentence[one.end : b], j)
        for one, a, b, j in zip(mentions, starts, ends, joined, strict=True)
    ]


def _start(sentence: str, before: int, clauses: Pattern) -> int:
    return max((one.end() for one in clauses.finditer(sentence, 0, before)), default=0)


def _end(sentence: str, after: int, clauses: Pattern) -> int:
    found = clauses.search(sentence, after)
    return found.start() if found else len(sentence)


def _cut(gap: str, lexicon: Lexicon) -> int:
    """Return where in the words between two mentions the second one's begin."""
    joins = [one.start() for one in lexicon.scopes["joins"].finditer(gap)]
    joins += [one.start() for one in _COMMA.finditer(gap)]
    free = [place for place in joins if not _is_list_of_places(gap, place)]
    if joins:
        return max(free or joins)
    return len(gap) if lexicon.scopes["places"].match(gap.lstrip()) else 0


def _is_list_of_places(gap: str, join: int) -> bool:
    rest = re.sub(r"^(?:and|or|,)\s*(?:and )?", "", gap[join:])
    return bool(_BEFORE.search(gap[:join])) and bool(_AFTER.match(rest))
