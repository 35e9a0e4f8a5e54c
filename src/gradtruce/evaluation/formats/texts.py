"""Text files as they come from anywhere, and what a report in one may hold."""

from pathlib import Path
from typing import Final

LONGEST_REPORT: Final = 1_000_000
"""Most characters of one report: 1 MB of plain text, a thousand times a usual one."""

_PACKED: Final = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, without a byte order mark; line ends as they are.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is a folder, empty, packed, not UTF-8, or holds NUL bytes; the message
            says at which byte.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "reports.csv"
    >>> _ = file.write_bytes(b"id,report")
    >>> read_text(file)
    'id,report'
    """
    if path.is_dir():
        raise ValueError(f"{path}: a folder, where a file is expected; name the file in it")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    content = path.read_bytes()
    for mark, packing in _PACKED.items():
        if content.startswith(mark):
            raise ValueError(f"{path}: packed ({packing}); unpack it first")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from None
    if "\0" in text:
        raise ValueError(f"{path}: a NUL byte at byte {content.index(0)}; the file is damaged")
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise ValueError(f"{path}: the file is empty: no report in it")
    return text


def check_report(text: str, where: str, study: str) -> None:
    r"""Refuse a report that no text file can hold, or that is no report by its length.

    Line breaks are fine: they are kept, and count as blanks where texts are scored.

    Args:
        text: The report.
        where: File and line, for the message.
        study: Its id, for the message.

    Raises:
        ValueError: If it has more than `LONGEST_REPORT` characters, a NUL, or half a surrogate
            pair.

    >>> check_report("clear\nlungs .", "p.jsonl, line 1", "s1")
    >>> check_report("\0", "p.jsonl, line 1", "s1")
    Traceback (most recent call last):
    ValueError: p.jsonl, line 1: a text of study 's1' holds a NUL character; the file is damaged
    """
    if len(text) > LONGEST_REPORT:
        raise ValueError(
            f"{where}: a text of study {study!r} has {len(text):,} characters; a report may have"
            f" {LONGEST_REPORT:,}"
        )
    if "\0" in text:
        message = f"{where}: a text of study {study!r} holds a NUL character; the file is damaged"
        raise ValueError(message)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{where}: a text of study {study!r} is not valid Unicode (half a surrogate pair at"
            f" character {error.start}); repair it"
        ) from None


def require_id(study: str, where: str) -> None:
    """Refuse an id that is empty or is no valid text.

    Raises:
        ValueError: If it is; the message says where.

    >>> require_id(" ", "p.csv, line 2")
    Traceback (most recent call last):
    ValueError: p.csv, line 2: field 'id' is empty; every study needs its own id
    """
    if not study.strip():
        raise ValueError(f"{where}: field 'id' is empty; every study needs its own id")
    check_report(study, where, study)


def require_once(study: str, where: str, line: str, seen: dict[str, str]) -> None:
    """Remember where an id stands, and refuse it where it comes again.

    Args:
        study: The id.
        where: File and line, for the message.
        line: Its place in short, such as "line 3".
        seen: Places of the ids so far; this one is added.

    Raises:
        ValueError: If the id has been seen; the message names both places.

    >>> require_once("s1", "p.csv, line 3", "line 3", {"s1": "line 2"})
    Traceback (most recent call last):
    ValueError: p.csv, line 3: id 's1' was already on line 2; every study may come once
    """
    if study in seen:
        raise ValueError(
            f"{where}: id {study!r} was already on {seen[study]}; every study may come once"
        )
    seen[study] = line
