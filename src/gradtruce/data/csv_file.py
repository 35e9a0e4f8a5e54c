"""Read a CSV file row by row, plain or gzipped, with columns found by name."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, final

from gradtruce.data.text_file import regular_file

_LONGEST_LINE: Final = 1_000_000
_GZIP_START: Final = b"\x1f\x8b"

Row = dict[str, str]


def read_csv(path: Path, columns: Sequence[str]) -> list[tuple[str, Row]]:
    r"""Return every row of a CSV file as text by column, with a name of its place for messages.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no CSV in UTF-8, lacks a column, or a row lacks a cell.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.csv"
    ...     _ = path.write_text("id,side\n7,left\n")
    ...     [row for _, row in read_csv(path, ("id",))]
    [{'id': '7', 'side': 'left'}]
    """
    with open_csv(path) as table:
        table.require(columns)
        return [
            (f"{path}, line {line}", dict(zip(table.columns, cells, strict=True)))
            for line, cells in table.rows()
        ]


@final
class CsvTable:
    r"""An open CSV file: its columns and, once, its rows.

    Attributes:
        columns: Names in line 1, blanks around them removed; none for an empty file.

    >>> list(CsvTable(Path("a.csv"), io.StringIO("side, id\nleft,7\n")).cells(("id",)))
    [(2, ['7'])]
    """

    def __init__(self, path: Path, stream: io.TextIOBase) -> None:
        self._path = path
        self._reader = csv.reader(_lines(path, stream), strict=True)
        self.columns: tuple[str, ...] = ()
        for _, cells in self._read():
            self.columns = tuple(cell.strip() for cell in cells)
            break

    def require(self, names: Sequence[str]) -> None:
        """Check that all named columns are there, each once.

        Raises:
            ValueError: If one is missing or occurs twice.
        """
        missing = [name for name in names if name not in self.columns]
        if missing:
            raise ValueError(
                f"{self._path}: lacks the columns {', '.join(missing)}; name them in line 1"
            )
        twice = [name for name in names if self.columns.count(name) > 1]
        if twice:
            raise ValueError(f"{self._path}: has the columns {', '.join(twice)} twice; keep one")

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield line number and cells of every row; blank lines are passed over.

        Raises:
            ValueError: If a row has too many or too few cells, or the file is damaged.
        """
        for line, cells in self._read():
            if len(cells) != len(self.columns):
                raise ValueError(
                    f"{self._path}, line {line}: too many or too few cells for its columns "
                    f"({len(cells)} for {len(self.columns)})"
                )
            yield line, cells

    def cells(self, names: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
        """Yield line number and the named cells of every row.

        Raises:
            ValueError: If a column is missing, or as `rows` does.
        """
        self.require(names)
        places = [self.columns.index(name) for name in names]
        for line, cells in self.rows():
            yield line, [cells[place] for place in places]

    def _read(self) -> Iterator[tuple[int, list[str]]]:
        try:
            for cells in self._reader:
                if cells:
                    yield self._reader.line_num, cells
        except UnicodeDecodeError:
            raise ValueError(
                f"{self._path}: not UTF-8 text after line {self._reader.line_num}; "
                "save it as CSV in UTF-8"
            ) from None
        except csv.Error as error:
            raise ValueError(
                f"{self._path}: not a CSV file (line {self._reader.line_num}: {error})"
            ) from None
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(
                f"{self._path}: a damaged gzip file ({error}); download it again"
            ) from None


@contextmanager
def open_csv(path: str | Path) -> Iterator[CsvTable]:
    r"""Open a CSV file, gunzipping it if it is gzipped, whatever its name is.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no regular file or its first line is no CSV.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.csv.gz"
    ...     _ = path.write_bytes(gzip.compress(b"side,id\nleft,7\n"))
    ...     with open_csv(path) as table:
    ...         list(table.cells(("id",)))
    [(2, ['7'])]
    """
    path = Path(path)
    real = regular_file(path)
    with real.open("rb") as raw:
        is_gzipped = raw.read(2) == _GZIP_START
        raw.seek(0)
        content = gzip.GzipFile(fileobj=raw) if is_gzipped else raw
        with io.TextIOWrapper(io.BufferedReader(content), "utf-8-sig", newline="") as stream:
            yield CsvTable(path, stream)


def _lines(path: Path, stream: io.TextIOBase) -> Iterator[str]:
    """Yield the lines of a file, none so long that it fills the memory."""
    while line := stream.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise ValueError(f"{path}: not a CSV file (a line of {_LONGEST_LINE:,} characters)")
        yield line
