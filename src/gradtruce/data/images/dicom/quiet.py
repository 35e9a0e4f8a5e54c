"""Call pydicom on bytes that may be hostile, without a word of the header getting out."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from gradtruce.data.images.film import UnfitImageError

Result = TypeVar("Result")


def guarded(call: Callable[[], Result], problem: str) -> Result:
    """Return what `call` returns; whatever a foreign parser raises becomes `problem`.

    The parser's own message is dropped, since pydicom and its plug-ins quote header values.

    Raises:
        UnfitImageError: With the text `problem`, and no chained error.

    >>> guarded(lambda: int("7"), "no number")
    7
    """
    with silence():
        try:
            return call()
        except UnfitImageError:
            raise
        except Exception:  # parsers and codecs of others raise any kind
            pass
    raise UnfitImageError(problem)  # outside, so that no chained error quotes the header


@contextmanager
def silence() -> Iterator[None]:
    """Keep warnings and log records of pydicom and its plug-ins from being shown.

    >>> with silence():
    ...     logging.getLogger("pydicom").warning("a name")
    """
    loggers = [logging.getLogger(name) for name in ("pydicom", "pylibjpeg")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
