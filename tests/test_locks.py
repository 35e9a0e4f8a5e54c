"""A lock is one holder's, and goes when the holder does."""

import os
import signal
import subprocess
import sys
import time

from gradtruce.locks import Lock, holder, locked

FORKING = """
import os, sys, time
from pathlib import Path
from gradtruce.locks import Lock
lock = Lock.take(Path(sys.argv[1]))
if os.fork() == 0:
    print(os.getpid(), flush=True)
    time.sleep(60)
time.sleep(60)
"""


def test_a_lock_is_one_holders_until_it_is_released(tmp_path):
    path = tmp_path / "deep" / "lock"
    lock = Lock.take(path)
    assert lock is not None
    assert Lock.take(path) is None
    lock.release()
    lock.release()  # twice is once
    with locked(path):
        assert Lock.take(path) is None
    free = Lock.take(path)
    assert free is not None
    free.release()


def test_a_lock_on_a_file_that_was_removed_is_none(tmp_path):
    path = tmp_path / "lock"
    first = Lock.take(path)
    path.unlink()
    second = Lock.take(path)
    assert second is not None
    first.release()
    assert Lock.take(path) is None
    second.release()


def test_who_waits_for_a_lock_whose_file_is_removed_gets_the_new_one(tmp_path):
    path = tmp_path / "lock"
    first = Lock.take(path)
    waiting = "from gradtruce.locks import *; import sys; lock = Lock.take(Path(sys.argv[1]), "
    code = f"{waiting}wait=True); lock.sign(); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE) as process:
        time.sleep(0.5)
        path.unlink()
        first.release()
        until = time.monotonic() + 30
        while not holder(path).startswith(f"process {process.pid} on "):
            assert time.monotonic() < until
            time.sleep(0.01)
        assert Lock.take(path) is None


def test_a_fork_of_a_killed_holder_holds_nothing(tmp_path):
    path = tmp_path / "lock"
    command = [sys.executable, "-c", FORKING, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        fork = int(process.stdout.readline())
        assert Lock.take(path) is None
        process.kill()
        process.wait()
        free = Lock.take(path)
        os.kill(fork, signal.SIGKILL)
    assert free is not None
    free.release()


def test_a_child_that_is_given_the_lock_holds_it_when_its_starter_has_none(tmp_path):
    path = tmp_path / "lock"
    lock = Lock.take(path)
    command = [sys.executable, "-c", "input()"]
    given = (lock.descriptor,)
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=given) as process:
        lock.release()
        assert Lock.take(path) is None
        process.communicate(b"\n")
    free = Lock.take(path)
    assert free is not None
    free.release()
