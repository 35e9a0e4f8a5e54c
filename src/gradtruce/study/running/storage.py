"""A storage of Optuna in which two workers never claim one trial.

On SQLite, Optuna looks at a trial and then claims it in two steps, between which another worker may
do the same: of 100 trials offered to 4 processes at once, 99 were claimed twice or more often. Here
every transaction locks the file for writing before it reads. Servers lock the row by themselves.
"""

import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

try:
    import optuna
    import sqlalchemy
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage
    from optuna.trial import TrialState
except ImportError as missing:
    raise ImportError(
        "the queue of a study needs Optuna; run: pip install 'gradtruce[search]'"
    ) from missing

__all__ = ["StorageInternalError", "TrialState", "open_storage", "optuna", "quiet", "sqlite_url"]

BUSY: Final = 120
"""Seconds that SQLite waits for another worker's transaction."""


def sqlite_url(path: Path) -> str:
    """Return the URL of a SQLite file.

    >>> sqlite_url(Path("/studies/first/study.db"))
    'sqlite:////studies/first/study.db'
    """
    return f"sqlite:///{path}"


def open_storage(url: str, *, beat: int, grace: int) -> RDBStorage:
    """Return a storage in which two workers never claim one trial.

    Args:
        url: As SQLAlchemy has it; a SQLite file is made where absent.
        beat: Seconds between two heartbeats of a trial.
        grace: Seconds without one after which its worker is taken for dead.

    Raises:
        ImportError: If the driver of the database is not installed.
        ConnectionError: If the database can't be reached.
        ValueError: If the URL is none.
    """
    try:
        parsed = sqlalchemy.engine.make_url(url)
    except sqlalchemy.exc.ArgumentError as error:
        raise ValueError(
            f"{url!r} is no URL of a database; write for example postgresql://user@host/name"
        ) from error
    options: dict[str, Any] = {"pool_pre_ping": True}  # keyword arguments of the engine
    is_sqlite = parsed.get_backend_name() == "sqlite"
    shown = parsed.render_as_string(hide_password=True)
    if is_sqlite:
        _write_ahead(Path(parsed.database or ":memory:"))
        options = {"connect_args": {"timeout": BUSY, "isolation_level": None}}
    try:
        storage = RDBStorage(
            url, engine_kwargs=options, heartbeat_interval=beat, grace_period=grace
        )
    except ImportError as error:
        raise ImportError(f"{error} (storage {shown})") from error
    except sqlalchemy.exc.OperationalError as error:
        reason = " ".join(str(error.orig).split())
        raise ConnectionError(f"{shown}: {reason}") from error
    if is_sqlite:
        sqlalchemy.event.listen(storage.engine, "begin", _lock_first)
    return storage


def _write_ahead(path: Path) -> None:
    """Let readers of a SQLite file go on while another worker writes."""
    connection = sqlite3.connect(path, timeout=BUSY)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


def _lock_first(connection: Any) -> None:  # of SQLAlchemy
    """Begin a transaction with the lock for writing, so that what it reads stays true."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's log and its notes on experimental features to itself."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
