"""Known errors, put into correct reports one at a time."""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple, final

import numpy as np

from gradtruce.evaluation.errors.compare import ErrorClass

_ENDS: Final = re.compile(r"(?<=[.!?])\s+")
_WORD: Final = re.compile(r"[a-z]+(?:-[a-z]+)*")
_THERE_IS: Final = re.compile(r"\bthere (is|are) (?:an? )?(?!no\b|not\b)", re.IGNORECASE)
_IS_SEEN: Final = re.compile(r"\b(is|are) (present|seen|noted|identified)(?=\W*$)")
_DENIAL: Final = re.compile(r"^(?:there (?:is|are) )?no (?:evidence of )?", re.IGNORECASE)
_LIST: Final = re.compile(r",| or | and ")


@final
@dataclass(frozen=True)
class Injection:
    """A report with one known error.

    Attributes:
        operation: What was done, one of `OPERATIONS`.
        kind: Class of the error that it makes.
        observation: Finding that is wrong now; "" where it is none.
        text: The report with the error.
    """

    operation: str
    kind: ErrorClass
    observation: str
    text: str


class _Place(NamedTuple):
    """A sentence that alone speaks of an observation, and affirms it or denies it."""

    number: int
    observation: str
    is_denied: bool


def inject(report: str, rng: np.random.Generator) -> list[Injection]:
    """Return copies of a report, one for each operation that applies to it.

    An operation applies where the sentence is the only one with words for its finding, so that
    the error is known for certain. What the report says is found by a few nouns alone, not by the
    reader that is tested.

    >>> injections = inject("There is a small left effusion.", np.random.default_rng(0))
    >>> {one.operation: one.text for one in injections}["side_swap"]
    'There is a small right effusion.'
    """
    sentences = [part for part in _ENDS.split(report.strip()) if part]
    found = []
    for name, operation in OPERATIONS.items():
        made = list(operation(sentences, rng))
        if made:
            kind, observation, text = made[int(rng.integers(len(made)))]
            found.append(Injection(name, kind, observation, text))
    return found


_Made = tuple[ErrorClass, str, str]


@cache
def _tables() -> dict[str, Any]:  # TOML values of several kinds
    data = files("gradtruce.evaluation.errors").joinpath("injections.toml")
    return tomllib.loads(data.read_text(encoding="utf-8"))


def _words(sentence: str) -> list[str]:
    return _WORD.findall(sentence.lower())


def _has_mark(sentence: str, mark: str) -> bool:
    return not set(_tables()["marks"][mark]).isdisjoint(_words(sentence))


def _places(sentences: Sequence[str]) -> Iterator[_Place]:
    """Yield the sentences that speak of one observation only, and alone of it."""
    speaks: dict[int, list[str]] = {}
    for number, sentence in enumerate(sentences):
        words = set(_words(sentence))
        named = [name for name, nouns in _tables()["nouns"].items() if words & set(nouns)]
        speaks[number] = named
    for number, named in speaks.items():
        others = {name for other, those in speaks.items() if other != number for name in those}
        if len(named) == 1 and named[0] not in others:
            yield _Place(number, named[0], _has_mark(sentences[number], "denial"))


def _replaced(sentences: Sequence[str], number: int, sentence: str) -> str:
    text = [*sentences[:number], sentence, *sentences[number + 1 :]]
    return " ".join(part for part in text if part)


def _swap(table: str, kind: ErrorClass) -> Callable[..., Iterator[_Made]]:
    def swap(sentences: Sequence[str], rng: np.random.Generator) -> Iterator[_Made]:
        choices: Mapping[str, Sequence[str]] = _tables()["swaps"][table]
        for number, name, is_denied in _places(sentences):
            matches = [
                one
                for one in re.finditer(r"[\w-]+", sentences[number])
                if one[0].lower() in choices
            ]
            if is_denied or len(matches) != 1:
                continue
            word = str(rng.choice(choices[matches[0][0].lower()]))
            word = word.capitalize() if matches[0][0][0].isupper() else word
            start, end = matches[0].span()
            changed = f"{sentences[number][:start]}{word}{sentences[number][end:]}"
            yield kind, name, _replaced(sentences, number, changed)

    return swap


def _deny(sentences: Sequence[str], _: np.random.Generator) -> Iterator[_Made]:
    for number, name, is_denied in _places(sentences):
        sentence = sentences[number]
        if is_denied or _has_mark(sentence, "comparison"):
            continue
        if _THERE_IS.search(sentence):
            changed = _THERE_IS.sub(lambda one: f"{one[0].split()[0]} {one[1]} no ", sentence, 1)
        elif _IS_SEEN.search(sentence):
            changed = _IS_SEEN.sub(r"\1 not \2", sentence)
        else:
            continue
        yield "missing", name, _replaced(sentences, number, changed)


def _affirm(sentences: Sequence[str], _: np.random.Generator) -> Iterator[_Made]:
    for number, name, is_denied in _places(sentences):
        sentence = sentences[number]
        rest = _DENIAL.sub("", sentence)
        is_plain = not (_LIST.search(rest) or _has_mark(rest, "denial"))
        if is_denied and rest != sentence and is_plain and not _has_mark(rest, "comparison"):
            yield "false", name, _replaced(sentences, number, f"There is {rest}")


def _drop(sentences: Sequence[str], _: np.random.Generator) -> Iterator[_Made]:
    for number, name, is_denied in _places(sentences):
        if not is_denied:
            yield "missing", name, _replaced(sentences, number, "")


def _insert(sentences: Sequence[str], rng: np.random.Generator) -> Iterator[_Made]:
    tables = _tables()
    words = {
        word
        for sentence in sentences
        if not _has_mark(sentence, "denial")
        for word in _words(sentence)
    }
    for name, choices in tables["false"].items():
        if words.isdisjoint(tables["nouns"][name]):
            text = [*sentences]
            text.insert(int(rng.integers(len(text) + 1)), str(rng.choice(choices)))
            yield "false", name, " ".join(text)


def _compare(sentences: Sequence[str], rng: np.random.Generator) -> Iterator[_Made]:
    if any(_has_mark(sentence, "comparison") for sentence in sentences):
        return
    tables = _tables()["comparisons"]
    whole = str(rng.choice(tables["whole"]))
    yield "unfounded_comparison", "", " ".join([*sentences, whole])
    for number, name, is_denied in _places(sentences):
        sentence = sentences[number]
        if is_denied:
            continue
        before, after = (str(rng.choice(tables[where])) for where in ("before", "after"))
        lower = f"{before} {sentence[0].lower()}{sentence[1:]}"
        yield "unfounded_comparison", name, _replaced(sentences, number, lower)
        later = f"{sentence.rstrip(' .')}, {after}."
        yield "unfounded_comparison", name, _replaced(sentences, number, later)


OPERATIONS: Final[Mapping[str, Callable[..., Iterator[_Made]]]] = {
    "denied_finding": _deny,
    "affirmed_absence": _affirm,
    "dropped_sentence": _drop,
    "inserted_finding": _insert,
    "side_swap": _swap("side", "wrong_side"),
    "location_shift": _swap("location", "wrong_location"),
    "severity_shift": _swap("severity", "wrong_severity"),
    "inserted_comparison": _compare,
}
"""What is done to a report, by name."""
