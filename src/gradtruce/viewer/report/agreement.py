"""Which words of a report state which finding, and whether another report or the truth agrees.

Works with any labeler: the words that carry an observation are the shortest part of the sentence
that the labeler still reads the same way.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from gradtruce.analysis.attention import sentence_spans
from gradtruce.data.observations import FINDINGS, NEGATIVE, OBSERVATIONS, POSITIVE, UNCERTAIN
from gradtruce.evaluation.labelers.base import Labeler, read_reports

Verdict = Literal["found", "invented", "missed", "partly", "unsure"]
"""found: both state it; invented: only the generated report does; missed: only the truth does, or
the generated report denies it; partly: some of the compared reports have it; unsure: one side is
uncertain."""

States = Mapping[str, int]
"""1, 0 or -1 by observation; a name left out is not mentioned."""

_STOP_AFTER_WORD = re.compile(r"(?<=[^\s.])\.(?=\s|$)")


@final
@dataclass(frozen=True)
class Mark:
    """What some words state, and how that compares.

    Attributes:
        observation: One of the 13 findings.
        state: 1 stated, 0 denied, -1 hedged.
        verdict: How it compares.
        by: For a reference, the name of every compared report with whether it has the finding.
    """

    observation: str
    state: int
    verdict: Verdict
    by: tuple[tuple[str, bool], ...] = ()


@final
@dataclass(frozen=True)
class Piece:
    """Some words in a row, and what they state; no mark for most."""

    text: str
    marks: tuple[Mark, ...] = ()

    @property
    def verdict(self) -> Verdict | None:
        """The most telling verdict of the marks."""
        order: tuple[Verdict, ...] = ("invented", "missed", "partly", "unsure", "found")
        present = {mark.verdict for mark in self.marks}
        return next((verdict for verdict in order if verdict in present), None)


Sentence = tuple[Piece, ...]
_Marker = Callable[[str, int], Mark | None]


def sentences(text: str) -> list[list[str]]:
    """Return the words of each sentence, its full stop as a word of its own.

    >>> sentences("Heart is 1.5 times enlarged. no effusion .")
    [['Heart', 'is', '1.5', 'times', 'enlarged', '.'], ['no', 'effusion', '.']]
    """
    words = _STOP_AFTER_WORD.sub(" .", text).split()
    return [[words[place] for place in span] for span in sentence_spans(words)]


def read(labeler: Labeler, reports: Sequence[str]) -> list[States]:
    """Return what the labeler reads in each report, by observation; nothing where no word is."""
    worded = [report for report in reports if any(sign.isalnum() for sign in report)]
    rows = read_reports(labeler, worded) if worded else ()
    readings: dict[str, States] = {
        report: {
            name: int(state)
            for name, state in zip(OBSERVATIONS, row, strict=True)
            if np.isfinite(state)
        }
        for report, row in zip(worded, rows, strict=True)
    }
    return [readings.get(report, {}) for report in reports]


def evidence(labeler: Labeler, words: Sequence[str], observation: str, state: int) -> range:
    """Return the shortest part of a sentence that is still read the same way.

    Words are dropped from the left for as long as the reading stays, then from the right.

    Args:
        labeler: Reads the parts.
        words: The sentence.
        observation: What the labeler reads in it.
        state: As what it reads it: 1, 0 or -1.

    >>> from gradtruce.evaluation.labelers.rules import RulesLabeler
    >>> words = "there is no left pleural effusion today .".split()
    >>> [words[place] for place in evidence(RulesLabeler(), words, "Pleural Effusion", 0)]
    ['no', 'left', 'pleural', 'effusion']
    """
    start = _kept(labeler, [words[place:] for place in range(len(words))], observation, state)
    rest = words[start:]
    parts = [rest[: len(rest) - place] for place in range(len(rest))]
    return range(start, len(words) - _kept(labeler, parts, observation, state))


def _kept(labeler: Labeler, parts: Sequence[Sequence[str]], observation: str, state: int) -> int:
    """Return the place of the last part before the first that is read otherwise."""
    readings = read(labeler, [" ".join(part) for part in parts])
    other = [place for place, found in enumerate(readings) if found.get(observation) != state]
    return max((other[0] if other else len(parts)) - 1, 0)


def mark_generated(labeler: Labeler, text: str, truth: States) -> list[Sentence]:
    """Return the sentences of a generated report with its findings compared with the truth.

    A finding that is neither stated, hedged nor wrongly denied leaves its words unmarked.

    Args:
        labeler: Reads each sentence.
        text: The generated report.
        truth: Labels of the study, or the reading of the reference.

    >>> from gradtruce.evaluation.labelers.rules import RulesLabeler
    >>> (sentence,) = mark_generated(RulesLabeler(), "a small effusion .", {"Pleural Effusion": 1})
    >>> [(piece.text, piece.verdict) for piece in sentence]
    [('a small', None), ('effusion', 'found'), ('.', None)]
    """

    def mark(observation: str, state: int) -> Mark | None:
        verdict = compare(state, truth.get(observation))
        return None if verdict is None else Mark(observation, state, verdict)

    return _marked(labeler, text, mark)


def mark_reference(labeler: Labeler, text: str, generated: Mapping[str, States]) -> list[Sentence]:
    """Return the sentences of a reference with each finding it states, found or missed.

    Args:
        labeler: Reads each sentence.
        text: The reference report.
        generated: Readings of the whole generated reports, by the name of their writer.

    >>> from gradtruce.evaluation.labelers.rules import RulesLabeler
    >>> (sentence,) = mark_reference(RulesLabeler(), "a small effusion .", {"some run": {}})
    >>> [(piece.text, piece.verdict) for piece in sentence]
    [('a small', None), ('effusion', 'missed'), ('.', None)]
    """

    def mark(observation: str, state: int) -> Mark | None:
        if state == NEGATIVE:
            return None
        by = tuple(
            (name, reading.get(observation) == POSITIVE) for name, reading in generated.items()
        )
        return Mark(observation, state, _verdict_on_reference(state, [has for _, has in by]), by)

    return _marked(labeler, text, mark)


def compare(state: int | None, truth: int | None) -> Verdict | None:
    """Return how a statement compares with the truth; nothing where both lack the finding.

    >>> compare(1, 1), compare(1, 0), compare(0, 1), compare(-1, 1), compare(0, None)
    ('found', 'invented', 'missed', 'unsure', None)
    """
    if state == UNCERTAIN or (state == POSITIVE and truth == UNCERTAIN):
        return "unsure"
    if state == POSITIVE:
        return "found" if truth == POSITIVE else "invented"
    return "missed" if truth == POSITIVE else None


def _verdict_on_reference(state: int, has: Sequence[bool]) -> Verdict:
    if state == UNCERTAIN:
        return "unsure"
    if all(has):
        return "found"
    return "partly" if any(has) else "missed"


def _marked(labeler: Labeler, text: str, mark: _Marker) -> list[Sentence]:
    lists = sentences(text)
    readings = read(labeler, [" ".join(words) for words in lists])
    return [
        _pieces(labeler, words, reading, mark)
        for words, reading in zip(lists, readings, strict=True)
    ]


def _pieces(labeler: Labeler, words: Sequence[str], reading: States, mark: _Marker) -> Sentence:
    at: list[list[Mark]] = [[] for _ in words]
    for observation, state in reading.items():
        found = mark(observation, state) if observation in FINDINGS else None
        if found is not None:
            for place in evidence(labeler, words, observation, state):
                at[place].append(found)
    pieces: list[Piece] = []
    for word, marks in zip(words, at, strict=True):
        if pieces and pieces[-1].marks == tuple(marks):
            pieces[-1] = Piece(f"{pieces[-1].text} {word}", tuple(marks))
        else:
            pieces.append(Piece(word, tuple(marks)))
    return tuple(pieces)
