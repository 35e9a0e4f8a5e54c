"""What the descendants of PromptMRG write at test time.

PromptMRG itself (jhb86253817/PromptMRG, e453cfe, `modules/tester.py`), DDaTR (xmed-lab/DDaTR,
45e2d90) and CAME-Grad (vpsg-research/CAME-Grad, 79059e3) keep the texts in two lists, `test_res`
and `test_gts`, and write no report. Written to files, these are

- `test_res.txt` and `test_gts.txt`, one report a line: REVTAF (banbooliang/REVTAF-RRG, 298af2b) has
  the lines that do it, commented out;
- `res.csv` and `gts.csv`, as forks of PromptMRG write them: the layout of `formats.r2gen`.

Neither has ids. References are the cleaned captions, cut at 100 words.
"""

from pathlib import Path
from typing import Final

from gradtruce.evaluation.formats.rows import pair_rows
from gradtruce.evaluation.formats.tables import read_column
from gradtruce.evaluation.formats.texts import read_text
from gradtruce.evaluation.predictions import Prediction

LINES: Final = ("test_res.txt", "test_gts.txt")
COLUMNS: Final = ("res.csv", "gts.csv")


def files_in(folder: Path) -> list[Path]:
    """Return the files of generated reports in a folder.

    >>> import tempfile
    >>> files_in(Path(tempfile.mkdtemp()))
    []
    """
    return [folder / name for name in (LINES[0], COLUMNS[0]) if (folder / name).is_file()]


def read_promptmrg(path: Path, needs_reference: bool = True) -> list[Prediction]:
    r"""Return the predictions of `test_res.txt` or `res.csv` with the references beside it.

    Rows get their number as id, from `row-1` on.

    Raises:
        FileNotFoundError: If the file or its references are not there.
        ValueError: If the two differ in rows (a line break inside a report does that to
            `test_res.txt`), or references are to be joined by id.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "test_res.txt").write_text("clear lungs .\n\n")
    >>> _ = (folder / "test_gts.txt").write_text("a mass .\nclear lungs .\n")
    >>> [prediction.generated for prediction in read_promptmrg(folder / "test_res.txt")]
    ['clear lungs .', '']
    """
    if path.name in (LINES[1], COLUMNS[1]):
        raise ValueError(f"{path}: the references; name the generated reports or the folder")
    if path.suffix.lower() == ".csv":
        return pair_rows(path, path.with_name(COLUMNS[1]), read_column, needs_reference)
    return pair_rows(path, path.with_name(LINES[1]), _lines, needs_reference)


def _lines(path: Path) -> list[str]:
    lines = read_text(path).removesuffix("\n").split("\n")
    return [line.removesuffix("\r") for line in lines]
