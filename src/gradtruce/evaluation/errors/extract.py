"""From the text of a report to its findings as tuples."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple, cast, final

from gradtruce.data.observations import NEGATIVE, UNCERTAIN
from gradtruce.evaluation.errors.lexicon import Lexicon, load_lexicon
from gradtruce.evaluation.errors.merge import merged
from gradtruce.evaluation.errors.statement import Change, Findings, Statement
from gradtruce.evaluation.errors.territory import Territory, territories
from gradtruce.evaluation.labelers.rules_phrases import load_phrases
from gradtruce.evaluation.labelers.rules_sentence import (
    OTHER,
    Mention,
    SentenceReader,
    sentences,
)

_CACHED: Final = 200_000
_DEVICES: Final = "Support Devices"
_INCREASED: Final = re.compile(r"\bincreased\b")
_EARLIER: Final = re.compile(r"\b(?:since|compar\w+|interval|prior|previous)\b")


class _Sentence(NamedTuple):
    statements: tuple[Statement, ...]
    comparisons: tuple[Change, ...]


@final
class Extractor:
    """Reads findings with their attributes, on top of the mentions of the rules labeler.

    An attribute belongs to the finding in whose words it stands. A finding that is named twice is
    one statement, unless the two disagree in side, zone, degree or kind of device.

    >>> said = Extractor().read("Unchanged small left effusion. No pneumothorax.")
    >>> said.present[0].to_json()["severities"], said.present[0].change
    ([1], 'unchanged')
    >>> said.absent[0].observation
    'Pneumothorax'
    """

    def __init__(self) -> None:
        self.lexicon: Final[Lexicon] = load_lexicon()
        self._phrases = load_phrases()
        self._reader = SentenceReader(self._phrases)
        self._sentences: dict[str, _Sentence] = {}

    @property
    def identity(self) -> str:
        """Return versions and hashes of both word files."""
        phrases = self._phrases
        return f"{self.lexicon.identity}, rules {phrases.version} (sha256 {phrases.sha256})"

    def read(self, report: str) -> Findings:
        """Return what a report says; an empty one says nothing."""
        statements: list[Statement] = []
        comparisons: list[Change] = []
        for place, sentence in enumerate(sentences(report)):
            said = self._read(sentence)
            statements += [one._replace(sentence=place) for one in said.statements]
            comparisons += said.comparisons
        return Findings(
            present=merged([one for one in statements if one.is_present]),
            absent=merged([one for one in statements if not one.is_present]),
            comparisons=tuple(comparisons),
        )

    def _read(self, sentence: str) -> _Sentence:
        said = self._sentences.get(sentence)
        if said is None:
            said = self._read_new(sentence)
            if len(self._sentences) >= _CACHED:
                self._sentences.clear()
            self._sentences[sentence] = said
        return said

    def _read_new(self, sentence: str) -> _Sentence:
        read = self._named(sentence)
        if not read:
            change = self.lexicon.changes.first(sentence)
            return _Sentence((), (cast(Change, change),) if change else ())
        mentions = [mention for mention, _ in read]
        around = territories(sentence, mentions, self.lexicon)
        statements: list[Statement] = []
        comparisons: list[Change] = []
        for place, (mention, state) in enumerate(read):
            change = self._change(around[place], mention, sentence)
            if mention.observation == OTHER or self._is_only_same(mention, state, around[place]):
                comparisons += [change] if change else []
            else:
                statements.append(self._statement(mention, state, around, place, change))
        return _Sentence(tuple(statements), tuple(comparisons))

    def _named(self, sentence: str) -> list[tuple[Mention, int]]:
        """Return the mentions without those of other things that are part of a finding's name.

        "Thickening" is part of "pleural thickening", "prominent" of "prominent airspace opacity".
        """
        read = self._reader.read_mentions(sentence)
        findings = [mention for mention, _ in read if mention.observation != OTHER]
        return [
            (mention, state)
            for mention, state in read
            if mention.observation != OTHER
            or not any(self._is_one_name(mention, finding, sentence) for finding in findings)
        ]

    def _is_one_name(self, one: Mention, two: Mention, sentence: str) -> bool:
        between = sentence[min(one.end, two.end) : max(one.start, two.start)]
        scopes = self.lexicon.scopes
        return "," not in between and not any(
            scopes[name].search(between) for name in ("joins", "places", "clauses")
        )

    def _statement(
        self,
        mention: Mention,
        state: int,
        around: Sequence[Territory],
        place: int,
        change: Change | None,
    ) -> Statement:
        here = around[place]
        is_denied = state == NEGATIVE or bool(self.lexicon.scopes["no_new"].search(here.before))
        name = mention.observation
        if is_denied:
            return Statement(name, is_present=False, device=self._device(name, here), change=change)
        sides, zones = self._sides(name, here.text), self._zones(name, here.text)
        if here.is_joined and not sides and not zones:
            shared = around[place + 1].after
            sides, zones = self._sides(name, shared), self._zones(name, shared)
        return Statement(
            name,
            is_certain=state != UNCERTAIN,
            sides=sides,
            zones=zones,
            severities=self.lexicon.severities(here.text) if self._has(name, "severities") else (),
            device=self._device(name, here),
            change=change,
        )

    def _has(self, observation: str, attribute: str) -> bool:
        return observation in self.lexicon.attributes[attribute]

    def _sides(self, observation: str, text: str) -> tuple[str, ...]:
        if not self._has(observation, "sides"):
            return ()
        return tuple(self.lexicon.sides.meanings(text) or self.lexicon.implied_sides.meanings(text))

    def _zones(self, observation: str, text: str) -> tuple[str, ...]:
        found = self.lexicon.zones.meanings(text) if self._has(observation, "zones") else ()
        return tuple(found)

    def _device(self, observation: str, here: Territory) -> str | None:
        if observation != _DEVICES:
            return None
        near = self.lexicon.devices.first(f"{here.before}{here.named}")
        return near or self.lexicon.devices.first(here.text)

    def _change(self, here: Territory, mention: Mention, sentence: str) -> Change | None:
        """Return the change that is stated; an increased heart size alone is a degree."""
        text = here.text
        if mention.is_organ and not _EARLIER.search(sentence):
            text = _INCREASED.sub(" ", text)
        return cast(Change | None, self.lexicon.changes.first(text))

    def _is_only_same(self, mention: Mention, state: int, here: Territory) -> bool:
        """Return whether an organ is only called unchanged, which says nothing of its size."""
        described = self._phrases.described
        return (
            mention.is_organ
            and state == UNCERTAIN
            and bool(described["unchanged"].search(here.text))
            and not described["unsure"].search(here.text)
            and not described["enlarged"].search(here.text)
        )
