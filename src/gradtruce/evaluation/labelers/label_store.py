"""Labels on disk: what a labeler has read once, it need not read in another run."""

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, final

import numpy as np
from jaxtyping import Float

from gradtruce.data.observations import MISSING, NEGATIVE, OBSERVATIONS, POSITIVE, UNCERTAIN

_APPLICATION: Final = 0x67744C62
_SCHEMA: Final = 1
_PATIENCE: Final = 60.0
_AT_ONCE: Final = 500
_STATES: Final = {"+": POSITIVE, "-": NEGATIVE, "?": UNCERTAIN, ".": MISSING}


@final
class LabelStore:
    """An SQLite file of the states that one labeler has read.

    Reports are patient data: the file holds no text, only SHA-256 of labeler and text together.
    Who has a text can still find out whether it was read, and how, so keep the file where the
    reports may lie. Several processes may use one file; what is written is there whole or not.

    Args:
        path: The file, made if it is not there; in a folder, its file labels.sqlite.
        identity: The labeler's: with another one, nothing is found.

    Raises:
        OSError: If the file can't be opened, read or written.
        ValueError: If the file is damaged, or no file of labels.

    >>> import tempfile
    >>> store = LabelStore(Path(tempfile.mkdtemp()), "rules 1")
    >>> store.write({"no edema .": np.zeros(14)})
    >>> list(store.read(["no edema .", "edema ."]))
    ['no edema .']
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path / "labels.sqlite" if path.is_dir() else path
        self._identity = identity
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._connection() as connection:
            connection.execute("BEGIN")  # one look, while another process may make the file
            is_ours = self._is_ours(connection)
            connection.execute("COMMIT")
            if not is_ours:
                connection.execute("BEGIN IMMEDIATE")
                if not self._is_ours(connection):  # another process may have been first
                    connection.execute(
                        "CREATE TABLE labels (key BLOB PRIMARY KEY, states TEXT) WITHOUT ROWID"
                    )
                    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                    connection.execute(f"PRAGMA user_version = {_SCHEMA}")
                connection.execute("COMMIT")

    def read(self, reports: Sequence[str]) -> dict[str, Float[np.ndarray, " observations"]]:
        """Return the states of those reports that have been read before."""
        texts = {self._key(report): report for report in reports}
        keys = list(texts)
        found: dict[str, Float[np.ndarray, " observations"]] = {}
        with self._connection() as connection:
            for start in range(0, len(keys), _AT_ONCE):
                chunk = keys[start : start + _AT_ONCE]
                marks = ",".join("?" * len(chunk))
                rows = connection.execute(
                    f"SELECT key, states FROM labels WHERE key IN ({marks})", chunk
                )
                found |= {texts[key]: self._decode(states) for key, states in rows}
        return found

    def write(self, states: Mapping[str, Float[np.ndarray, " observations"]]) -> None:
        """Keep the states of these reports; a report that is there already stays as it is."""
        rows = [(self._key(report), _encode(row)) for report, row in states.items()]
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR IGNORE INTO labels VALUES (?, ?)", rows)
            connection.execute("COMMIT")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(
                sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
            ) as connection:
                yield connection
        except sqlite3.OperationalError as error:
            raise OSError(
                f"{self.path}: the labels kept on disk can't be used ({error}); see to its folder,"
                " or name another file"
            ) from None
        except sqlite3.DatabaseError as error:
            raise ValueError(self._damage(str(error))) from None

    def _is_ours(self, connection: sqlite3.Connection) -> bool:
        """Return whether this is a file of labels; `False` for an empty one."""
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if (application, version) == (_APPLICATION, _SCHEMA):
            return True
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise ValueError(self._damage(f"a database of another kind or version {version}"))
        return False

    def _key(self, report: str) -> bytes:
        text = f"{self._identity}\0{report}".encode("utf-8", "surrogatepass")
        return hashlib.sha256(text).digest()

    def _decode(self, states: object) -> Float[np.ndarray, " observations"]:
        if not isinstance(states, str) or len(states) != len(OBSERVATIONS):
            raise ValueError(self._damage("a row that is not 14 states"))
        if set(states) - set(_STATES):
            raise ValueError(self._damage(f"the states {states!r}"))
        return np.array([_STATES[one] for one in states], dtype=np.float64)

    def _damage(self, found: str) -> str:
        return (
            f"{self.path}: must be a file of labels kept on disk, found {found}. Name another file;"
            " or delete this one if it is your label cache: the reports are then labelled again"
        )


def _encode(row: Float[np.ndarray, " observations"]) -> str:
    return "".join(_sign(float(state)) for state in row)


def _sign(state: float) -> str:
    return "." if np.isnan(state) else {POSITIVE: "+", NEGATIVE: "-", UNCERTAIN: "?"}[int(state)]
