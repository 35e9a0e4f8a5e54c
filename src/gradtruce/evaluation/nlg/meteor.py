"""METEOR 1.5 (Denkowski & Lavie 2014), by the authors' own program.

Words are matched by stems, synonyms and paraphrases, whose tables only that program has. It ships
in the wheel of `pycocoevalcap` and runs on Java. We let it align, and put its counts of matches
together ourselves: so the score of a corpus, which METEOR makes from summed counts and not from the
mean of its segments, can be had under any weighting of the reports.
"""

import hashlib
import importlib.util
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final, final

import numpy as np
from jaxtyping import Float

from gradtruce.evaluation.nlg.java import Java, JavaError, find_java, run_program
from gradtruce.evaluation.nlg.text import squeeze

ALPHA: Final = 0.85
"""Weight of recall against precision; of the English configuration, as are those below."""

BETA: Final = 0.2
"""Power of the fragmentation."""

GAMMA: Final = 0.6
"""Largest penalty of fragmentation."""

DELTA: Final = 0.75
"""Weight of content words; function words have 1 − DELTA."""

MATCHER_WEIGHTS: Final = (1.0, 0.6, 0.8, 0.6)
"""Weight of a match by exact word, stem, synonym and paraphrase."""

STATISTICS: Final = 23
"""Numbers a report, in the program's order; see `meteor`."""

BASE_SECONDS: Final = 300.0
SECONDS_A_REPORT: Final = 0.5
"""Time-out; measured on one busy core: 6 s to start, and 4 ms a report of 50 words."""

MEMORY: Final = "2G"
"""Largest heap; the tables take about 1 GB."""

_SEPARATOR: Final = "|||"


class MeteorUnavailable(RuntimeError):  # noqa: N818 # a state, like "file not found"
    """METEOR can't be computed here; the message is the reason that stands in its place."""


@final
class Meteor:
    """METEOR 1.5 on the Java of this machine; one Java process each time that texts are given.

    Args:
        seconds: How long that process may take; by default 300 s and half a second a report.

    Raises:
        ValueError: If `seconds` is not above 0.

    >>> Meteor(seconds=0.0)
    Traceback (most recent call last):
    ValueError: seconds must be above 0, got 0.0
    """

    def __init__(self, *, seconds: float | None = None) -> None:
        if seconds is not None and not seconds > 0:
            raise ValueError(f"seconds must be above 0, got {seconds}")
        self._seconds = seconds

    def statistics(
        self, generated: Sequence[str], references: Sequence[Sequence[str]]
    ) -> Float[np.ndarray, "reports 23"]:
        """Return what each report adds to corpus METEOR; of several references, the best counts.

        Whitespace is squeezed, and "|||", which separates texts for the program, is deleted.

        Raises:
            MeteorUnavailable: If Java or the program is not there, it fails, takes too long, or
                answers what can't be read.
        """
        lines = [_line(text, texts) for text, texts in zip(generated, references, strict=True)]
        asked = list(dict.fromkeys(lines))  # what is asked twice has one answer
        if not asked:
            return np.zeros((0, STATISTICS))
        seconds = self._seconds or BASE_SECONDS + SECONDS_A_REPORT * len(asked)
        arguments = (f"-Xmx{MEMORY}", "-Duser.language=en", "-jar", str(self._jar), "-", "-")
        text = "".join(f"{line}\n" for line in asked)
        try:
            answers = run_program(
                self._java,
                (*arguments, "-stdio", "-l", "en", "-norm"),
                text,
                seconds=seconds,
            )
        except JavaError as error:
            raise MeteorUnavailable(f"METEOR failed: {error}") from error
        if len(answers) != len(asked):
            raise MeteorUnavailable(
                f"METEOR failed: {len(answers)} answers to {len(asked)} reports"
            )
        rows = {line: _numbers(answer) for line, answer in zip(asked, answers, strict=True)}
        return _as_summed(np.array([rows[line] for line in lines], dtype=np.float64))

    @property
    def settings(self) -> Mapping[str, str]:
        """Return what its numbers hang on: versions, the program's hash.

        Raises:
            MeteorUnavailable: If Java or the program is not there.
        """
        digest = hashlib.sha256(self._jar.read_bytes()).hexdigest()
        return {
            "meteor": f"1.5, options -l en -norm, jar sha256 {digest[:16]}",
            "meteor_java": self._java.version,
        }

    @cached_property
    def _java(self) -> Java:
        try:
            return find_java()
        except JavaError as error:
            raise MeteorUnavailable(f"METEOR needs Java: {error}") from error

    @cached_property
    def _jar(self) -> Path:
        return find_jar()


def find_jar() -> Path:
    """Return METEOR's program in the wheel of pycocoevalcap.

    Raises:
        MeteorUnavailable: If the wheel is not installed, or is not whole.
    """
    spec = importlib.util.find_spec("pycocoevalcap")
    if spec is None or not spec.submodule_search_locations:
        raise MeteorUnavailable(
            "METEOR needs the package pycocoevalcap; `pip install 'gradtruce[nlg]'`"
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / "meteor"
    jar = folder / "meteor-1.5.jar"
    for file in (jar, folder / "data" / "paraphrase-en.gz"):
        if not file.is_file():
            raise MeteorUnavailable(
                f"METEOR needs {file}, which is missing;"
                " `pip install --force-reinstall pycocoevalcap`"
            )
    return jar


def meteor(statistics: Float[np.ndarray, "*draws 23"]) -> Float[np.ndarray, "*draws"]:
    """Return METEOR from (summed) statistics: weighted F mean × (1 − penalty of fragmentation).

    A row of one report gives that report's own score. Order of the statistics: tokens of generated
    text and reference; their function words; for each matcher (exact, stem, synonym, paraphrase)
    content words matched in generated text and reference, function words matched in both; chunks, 0
    where all of both is matched in one; words matched in both.

    >>> row = np.zeros(23)
    >>> row[[0, 1, 2, 3]] = 4, 4, 2, 2  # four words, two of them function words,
    >>> row[[4, 5, 6, 7]] = 2, 2, 2, 2  # all matched exactly
    >>> row[[20, 21, 22]] = 2, 4, 4  # in two chunks
    >>> float(meteor(row).round(6))
    0.47767
    """
    lengths, functions = statistics[..., 0:2], statistics[..., 2:4]
    matches = statistics[..., 4:20].reshape(*statistics.shape[:-1], 4, 2, 2)  # matcher, kind, side
    chunks, matched = statistics[..., 20], statistics[..., 21:23]
    kinds = np.array([DELTA, 1 - DELTA])
    weighted = np.einsum("...mks,m,k->...s", matches, np.array(MATCHER_WEIGHTS), kinds)
    total = DELTA * (lengths - functions) + (1 - DELTA) * functions
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = weighted / total
        mean = 1 / ((1 - ALPHA) / shares[..., 0] + ALPHA / shares[..., 1])
        score = mean * (1 - GAMMA * (chunks / matched.mean(axis=-1)) ** BETA)
    scores: Float[np.ndarray, "*draws"] = np.asarray(np.maximum(0.0, np.nan_to_num(score)))
    return scores


def _line(generated: str, references: Sequence[str]) -> str:
    texts = (*references, generated)
    return f" {_SEPARATOR} ".join(
        ("SCORE", *(squeeze(text.replace(_SEPARATOR, "")) for text in texts))
    )


def _as_summed(statistics: Float[np.ndarray, "reports 23"]) -> Float[np.ndarray, "reports 23"]:
    """Return the statistics with no chunk for texts that match as a whole: METEOR sums them so."""
    is_whole = (statistics[:, 21:23] == statistics[:, 0:2]).all(axis=1) & (statistics[:, 20] == 1)
    statistics[is_whole, 20] = 0
    return statistics


def _numbers(answer: str) -> list[float]:
    try:
        numbers = [float(number) for number in answer.split()]
    except ValueError:
        numbers = []
    if len(numbers) != STATISTICS:
        raise MeteorUnavailable(f"METEOR failed: it answered {answer[:200]!r}")
    return numbers
