"""Killed or out of space: the set that comes in the end is the one that would have come."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradtruce.data.preparing.pipeline import prepare
from gradtruce.data.sources.base import Settings
from tests.data.preparing.folder_source import Folder, entry, write_folder


def start(source: Folder, target: Path, workers: int, largest_file: int = 0) -> subprocess.Popen:
    module = "tests.data.preparing.prepare_once"
    arguments = [str(source.root), str(target), str(workers), str(largest_file)]
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=os.environ | {"PYTHONPATH": ":".join(path for path in sys.path if path)},
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """200 studies, 400 images, some of them damaged."""
    entries = [entry(number) for number in range(200)]
    source = write_folder(tmp_path_factory.mktemp("source"), entries, side=96)
    for number in (17, 101, 160):
        image = source.root / f"{number}-0.png"
        image.write_bytes(image.read_bytes()[:500])
    return source


@pytest.fixture(scope="module")
def whole(source: Folder, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the files of a set that was made without interruption."""
    folder = tmp_path_factory.mktemp("whole") / "set"
    prepare(source, folder, settings=Settings(48), shard_rows=8, on_error="skip")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def kill_once(source: Folder, target: Path, workers: int, seconds: float) -> bool:
    """Start, kill the whole process group after a while; return whether it was still running."""
    process = start(source, target, workers)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def check_killed(source: Folder, whole: dict[str, bytes], targets: Iterator[Path], count: int):
    """Kill at `count` random points, spread over few sets; each becomes the uninterrupted one."""
    random_times = random.Random(5)
    began = time.monotonic()
    assert not kill_once(source, next(targets), 2, 120)  # how long it takes here and now
    longest = time.monotonic() - began
    killed = 0
    while killed < count:
        target = next(targets)
        for _ in range(3):  # most of it comes after the start of the processes
            killed += kill_once(source, target, 2, random_times.uniform(0.3, 1.0) * longest)
        process = start(source, target, 1 + killed % 2)
        assert process.wait(120) == 0, process.communicate()
        process.communicate()
        assert {path.name: path.read_bytes() for path in target.iterdir()} == whole
        assert not target.with_name(f".{target.name}.preparing").exists()


def test_a_set_survives_kills_at_random_points(source, whole, tmp_path):
    check_killed(source, whole, (tmp_path / str(n) for n in range(1000)), 3)


@pytest.mark.slow
def test_a_set_survives_twenty_kills_at_random_points(source, whole, tmp_path):
    check_killed(source, whole, (tmp_path / str(n) for n in range(1000)), 20)


def test_workers_end_when_the_parent_alone_is_killed(source, tmp_path):
    process = start(source, tmp_path / "set", 2)
    time.sleep(2.0)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("a worker outlived its parent")


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_disk_that_takes_no_more_loses_nothing(source, whole, tmp_path, workers):
    first = start(source, tmp_path / "set", workers, largest_file=max(map(len, whole.values())) - 1)
    _, message = first.communicate()
    assert first.returncode == 2, message
    assert message.startswith(f"could not write the prepared set {tmp_path / 'set'}: ")
    assert "finished shards are kept in" in message
    assert message.count("\n") == 1
    assert start(source, tmp_path / "set", workers).communicate()[1] == ""
    assert {p.name: p.read_bytes() for p in (tmp_path / "set").iterdir()} == whole


def test_a_disk_that_takes_nothing_leaves_nothing(source, tmp_path):
    process = start(source, tmp_path / "set", 1, largest_file=3000)
    assert "free some space" in process.communicate()[1]
    assert not list(tmp_path.iterdir())


def test_the_damaged_images_are_listed(whole):
    assert whole["problems.csv"].decode().count(",damaged image,") == 3
