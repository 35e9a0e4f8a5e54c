"""What one sentence says: the state of every observation that it mentions."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple, final

from gradtruce.data.observations import NEGATIVE, POSITIVE, UNCERTAIN
from gradtruce.evaluation.labelers.rules_phrases import Pattern, Phrases

OTHER: Final = "other"
"""Stands for findings outside the 14 observations that bar No Finding."""

_VERB: Final = re.compile(
    r"\b(?:is|are|was|were|has|have|seen|noted|present|may|remains?|persists?|unchanged|stable"
    r"|improved|increased|decreased)\b"
)
_JOINS_ADJECTIVE: Final = re.compile(
    r"\s*(?:of (?:the )?|the |\w+ly )?(?:(?:heart|cardiac)(?: size| silhouette)? and (?:the )?)?"
)
_JOINS_ALTERNATIVE: Final = re.compile(r",? (?:\w+ ){0,2}?(?:or|versus|vs) (?:[\w-]+ ){0,3}")
_SLASH: Final = re.compile(r"(?<=[a-z]{3})/(?=[a-z]{3})")
_ENUMERATOR: Final = re.compile(r"(?:^|(?<=\s))\(?\d{1,2}[.)]\s+(?=[a-z])")
_NOT_WORDS: Final = re.compile(r"[\s()\[\]\"_]+")
_DASHES_AND_JOINERS: Final = dict.fromkeys(range(0x2010, 0x2016), "-") | dict.fromkeys(
    (0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF)
)
_PIECE: Final = re.compile(r"\S.{0,998}(?!\S)|\S{1,1000}")
_LONGEST: Final = 1000
_STOP: Final = re.compile(r"[!?;]|\.(?!\d)|(?<!\d)\.")


class Statement(NamedTuple):
    """What a sentence says of one observation."""

    observation: str
    state: int


class Mention(NamedTuple):
    """Where an observation is named."""

    observation: str
    start: int
    end: int
    is_organ: bool


def sentences(report: str) -> list[str]:
    """Return the sentences of a report in lower case, without enumerators.

    Decimals are kept whole, `and/or` becomes `or`, and so does a slash between words. What has no
    stop for 1,000 characters is cut at blanks, so that time stays linear in the length of a report.

    >>> sentences("1. Nodule of 1.5 cm. 2. No mass/nodule on the left")
    ['nodule of 1.5 cm', 'no mass or nodule on the left']
    """
    if not report.isascii():
        report = unicodedata.normalize("NFKC", report).translate(_DASHES_AND_JOINERS)
    text = _NOT_WORDS.sub(" ", _ENUMERATOR.sub(" . ", report.lower()))
    text = _SLASH.sub(" or ", text.replace("and/or", "or").replace("vs.", "vs"))
    parts = [part for part in (one.strip(" ,:-") for one in _STOP.split(text)) if part]
    if all(len(part) <= _LONGEST for part in parts):
        return parts
    return [piece for part in parts for piece in _PIECE.findall(part)]


@final
@dataclass(frozen=True, eq=False)
class SentenceReader:
    """Reads sentences by the phrase lists.

    Attributes:
        phrases: The compiled phrase file.

    >>> from gradtruce.evaluation.labelers.rules_phrases import load_phrases
    >>> for statement in SentenceReader(load_phrases()).read("no mass, possible small effusion"):
    ...     print(statement.observation, statement.state)
    Lung Lesion 0
    Pleural Effusion -1
    """

    phrases: Phrases

    def read(self, sentence: str) -> list[Statement]:
        """Return a statement for every mention in a sentence, as `sentences` gives it."""
        statements = []
        for mention, state in self.read_mentions(sentence):
            statements.append(Statement(mention.observation, state))
            if state and self.phrases.heart_failure.match(sentence, mention.start):
                statements.append(Statement("Cardiomegaly", UNCERTAIN))
        return statements

    def read_mentions(self, sentence: str) -> list[tuple[Mention, int]]:
        """Return where each observation is named, with its state; of what is implied, nothing.

        >>> from gradtruce.evaluation.labelers.rules_phrases import load_phrases
        >>> SentenceReader(load_phrases()).read_mentions("small effusion")
        [(Mention(observation='Pleural Effusion', start=6, end=14, is_organ=False), 1)]
        """
        mentions = self._mentions(sentence)
        if not mentions:
            return []
        starts = self._clause_starts(sentence)
        states: list[int | None] = []
        for mention in mentions:
            place = bisect_right(starts, mention.start)
            left = starts[place - 1]
            right = starts[place] if place < len(starts) else len(sentence)
            if mention.is_organ:
                states.append(self._organ(sentence, mention, mentions, left, right))
            else:
                states.append(self._finding(sentence, mention, left, max(right, mention.end)))
        self._doubt_alternatives(sentence, mentions, states)
        read = zip(mentions, states, strict=True)
        return [(mention, state) for mention, state in read if state is not None]

    def _mentions(self, sentence: str) -> list[Mention]:
        """Return all mentions in order; a finding goes before the organ that it is named after."""
        phrases = self.phrases
        mentions = list(_found(OTHER, phrases.others, phrases.not_others, sentence, is_organ=False))
        for is_organ, table in ((False, phrases.mentions), (True, phrases.organs)):
            for observation, pattern in table.items():
                hidden = phrases.unmentions.get(observation)
                found = _found(observation, pattern, hidden, sentence, is_organ)
                mentions += [one for one in found if not _is_within(one, mentions)]
        return sorted(mentions, key=lambda one: (one.start, one.end))

    def _clause_starts(self, sentence: str) -> list[int]:
        scopes = self.phrases.scopes
        starts = {0}
        starts.update(match.start() for match in scopes["boundaries"].finditer(sentence))
        for comma in re.finditer(r",\s*(?:and |or )?", sentence):
            if scopes["begins"].match(sentence, comma.end()):
                starts.add(comma.end())
        return sorted(starts)

    def _finding(self, sentence: str, mention: Mention, left: int, right: int) -> int:
        """Return the state of a finding: early doubt, negation, late doubt, positive, in order."""
        scopes = self.phrases.scopes
        before = sentence[left : mention.start]
        after = sentence[mention.end : right]
        if scopes["doubt_before_negation"].search(before) or self._follows(
            "doubt_after_before_negation", after
        ):
            return UNCERTAIN
        if self._negates(before) or self._follows("negation_after", after):
            return NEGATIVE
        if scopes["doubt"].search(before) or self._follows("doubt_after", after):
            return UNCERTAIN
        is_doubtful = scopes["always_doubt"].match(sentence, mention.start)
        return UNCERTAIN if is_doubtful else POSITIVE

    def _negates(self, before: str) -> bool:
        scopes = self.phrases.scopes
        harmless = [match.span() for match in scopes["not_negation"].finditer(before)]
        return any(
            not any(start <= match.start() < end for start, end in harmless)
            for match in scopes["negation"].finditer(before)
        )

    def _follows(self, name: str, after: str) -> bool:
        """Return whether a trigger follows that speaks of the mention: no verb lies between."""
        trigger = self.phrases.scopes[name].search(after)
        return trigger is not None and not _VERB.search(after[: trigger.start()])

    def _organ(
        self, sentence: str, mention: Mention, mentions: list[Mention], left: int, right: int
    ) -> int | None:
        """Return the state of what may be normal; `None` where nothing is said of it.

        A heart that is only called unchanged is uncertain, as in the original; a mediastinum is not
        mentioned by that, which fits real reports better (none of 79 was read otherwise by either
        of two public label files of IU X-Ray), unless the phrases are those of the original.
        """
        said = self._descriptions(sentence, left, right)
        if mention.observation in self.phrases.doubts_unchanged:
            same = self.phrases.described["unchanged"].finditer(sentence, left, right)
            said = sorted([*said, *((*match.span(), UNCERTAIN) for match in same)])
        for _, end, state in said:
            if end <= mention.start and _JOINS_ADJECTIVE.fullmatch(sentence, end, mention.start):
                return state
        rivals = (one.start for one in mentions if one.is_organ and one.start >= mention.end)
        after = [one for one in said if one[0] >= mention.end]
        for rival in rivals:
            own = [one for one in after if one[0] < rival]
            if own:
                after = own
                break
        decided = [state for _, _, state in after if state != UNCERTAIN]
        return decided[0] if decided else (UNCERTAIN if after else None)

    def _descriptions(self, sentence: str, left: int, right: int) -> list[tuple[int, int, int]]:
        """Return start, end and meaning of each word of description in a clause, in order."""
        described = self.phrases.described
        normal = [match.span() for match in described["normal"].finditer(sentence, left, right)]
        found = [(*span, NEGATIVE) for span in normal]
        unsure = described["unsure"].finditer(sentence, left, right)
        found += [(*match.span(), UNCERTAIN) for match in unsure]
        for match in described["enlarged"].finditer(sentence, left, right):
            if not any(start <= match.start() < end for start, end in normal):
                before = sentence[left : match.start()]
                state = NEGATIVE if self._negates(before) else POSITIVE
                if state == POSITIVE and self.phrases.scopes["doubt"].search(before):
                    state = UNCERTAIN
                found.append((*match.span(), state))
        return sorted(found)

    def _doubt_alternatives(
        self, sentence: str, mentions: list[Mention], states: list[int | None]
    ) -> None:
        """Make both uncertain where one positive finding or another is said to be there."""
        for place, (one, two) in enumerate(pairwise(mentions)):
            if one.is_organ or two.is_organ or OTHER in {one.observation, two.observation}:
                continue
            if one.observation == two.observation or states[place] != POSITIVE:
                continue
            if states[place + 1] == POSITIVE and _JOINS_ALTERNATIVE.fullmatch(
                sentence, one.end, two.start
            ):
                states[place] = states[place + 1] = UNCERTAIN


def _is_within(organ: Mention, mentions: list[Mention]) -> bool:
    """Return whether a finding of the same observation has been found in these very words."""
    return organ.is_organ and any(
        one.observation == organ.observation and one.start <= organ.start < one.end
        for one in mentions
        if not one.is_organ
    )


def _found(
    observation: str, pattern: Pattern, unmention: Pattern | None, sentence: str, is_organ: bool
) -> Iterator[Mention]:
    matches = list(pattern.finditer(sentence))
    if not matches:
        return
    hidden = [match.span() for match in unmention.finditer(sentence)] if unmention else []
    for match in matches:
        if not any(start < match.end() and match.start() < end for start, end in hidden):
            yield Mention(observation, match.start(), match.end(), is_organ)
