"""CSV files of reports: long cells, line breaks in quotes, with or without a header."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gradtruce.evaluation.formats.texts import LONGEST_REPORT, read_text


@dataclass(frozen=True)
class Table:
    """A CSV file with a header.

    Attributes:
        columns: Names of the columns, in the order of the file.
        rows: Text by column, after a name of its place for messages.
    """

    columns: tuple[str, ...]
    rows: list[tuple[str, dict[str, str]]]


def read_table(path: Path) -> Table:
    r"""Return a CSV file by its header; commas separate, double quotes enclose.

    `data.csv_file.read_csv` is for cells of a few characters: Python's reader stops at 131,072.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no text or no CSV, a column comes twice, or a row has more or
            fewer cells than the header.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "reports.csv"
    >>> _ = file.write_text('id,report\ns1,"clear\nlungs"')
    >>> read_table(file).rows[0][1]
    {'id': 's1', 'report': 'clear\nlungs'}
    """
    lines = [(number, cells) for number, cells in _cells(path) if cells]
    columns = tuple(name.strip() for name in lines[0][1])
    for name in columns:
        if columns.count(name) > 1:
            raise ValueError(f"{path}: column {name!r} comes twice; rename one")
    rows = []
    for number, cells in lines[1:]:
        where = f"{path}, line {number}"
        if len(cells) != len(columns):
            raise ValueError(
                f"{where}: {len(cells)} cells for {len(columns)} columns; put a text that holds"
                " commas in double quotes"
            )
        rows.append((where, dict(zip(columns, cells, strict=True))))
    return Table(columns, rows)


def read_column(path: Path) -> list[str]:
    r"""Return the texts of a CSV file of one column without a header, as pandas writes it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no text or no CSV, a row has several cells, or a line within is
            blank: whether that is an empty text or none, the order of the rows hangs on.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "res.csv"
    >>> _ = file.write_text('clear lungs .\n""\n"no mass , no nodule ."\n')
    >>> read_column(file)
    ['clear lungs .', '', 'no mass , no nodule .']
    """
    lines = _cells(path)
    while not lines[-1][1]:
        lines.pop()
    for number, cells in lines:
        if not cells:
            raise ValueError(
                f'{path}, line {number}: blank; an empty text must be written as "", or rows could'
                " be paired wrongly"
            )
        if len(cells) != 1:
            raise ValueError(
                f"{path}, line {number}: {len(cells)} cells; expected one column of texts without"
                " a header, a text that holds commas in double quotes"
            )
    return [cells[0] for _, cells in lines]


def header(path: Path) -> tuple[str, ...]:
    r"""Return the cells of the first line of a CSV file, empty where that is no CSV.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no text.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "reports.csv"
    >>> _ = file.write_text("id, report\ns1,clear")
    >>> header(file)
    ('id', 'report')
    """
    first = read_text(path).lstrip("\r\n").split("\n", 1)[0]
    try:
        with _long_cells():
            return tuple(name.strip() for name in next(csv.reader([first], strict=True), []))
    except csv.Error:
        return ()


def _cells(path: Path) -> list[tuple[int, list[str]]]:
    """Return the cells of each row with the line it ends on; a blank line has none."""
    with _long_cells():
        reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
        try:
            return [(reader.line_num, cells) for cells in reader]
        except csv.Error as error:
            raise ValueError(
                f"{path}, line {reader.line_num}: not CSV ({error}); double a quote inside quotes"
            ) from None


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let cells be a little longer than reports may be; the limit is the process's own."""
    before = csv.field_size_limit(4 * LONGEST_REPORT)
    try:
        yield
    finally:
        csv.field_size_limit(before)
