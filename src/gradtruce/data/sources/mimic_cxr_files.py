"""Where MIMIC-CXR has its files, as PhysioNet ships it: paths are computed, folders not listed."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, get_args

ImageFormat = Literal["jpg", "dcm", "png"]
Table = Literal["metadata", "split", "chexpert", "negbio"]

SUBJECT: Final = re.compile(r"1\d{7}", re.ASCII)
STUDY: Final = re.compile(r"5\d{7}", re.ASCII)
DICOM: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{8}){4}", re.ASCII)

_GROUPS: Final = tuple(f"p{number}" for number in range(10, 20))
_DEPTH: Final = 4  # group, patient, study, file
_MOST_LOOKED_AT: Final = 10_000


def image_path(subject: str, study: str, image: str, ending: str) -> str:
    """Return where an image lies below the folder that has `p10` to `p19`.

    >>> image_path("12345678", "51234567", "0a-1b", "jpg")
    'p12/p12345678/s51234567/0a-1b.jpg'
    """
    return f"p{subject[:2]}/p{subject}/s{study}/{image}.{ending}"


def report_path(subject: str, study: str) -> str:
    """Return where a report lies below the folder that has `p10` to `p19`.

    >>> report_path("12345678", "51234567")
    'p12/p12345678/s51234567.txt'
    """
    return f"p{subject[:2]}/p{subject}/s{study}.txt"


def prefix_of(root: Path) -> str:
    """Return what paths below a root begin with: "files/", or "" if the root has `p10` itself.

    Raises:
        FileNotFoundError: If there is no such folder, or none of the ten is in it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "files" / "p13").mkdir(parents=True)
    ...     prefix_of(Path(folder)), prefix_of(Path(folder) / "files")
    ('files/', '')
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: there is no such folder; name the one that has files/p10")
    for prefix in ("files/", ""):
        if any((root / prefix / group).is_dir() for group in _GROUPS):
            return prefix
    raise FileNotFoundError(
        f"{root}: has neither files/p10 … files/p19 nor p10 … p19; name the folder of your copy of "
        "MIMIC-CXR that has them"
    )


def find_format(root: Path) -> ImageFormat:
    """Return how the images below a folder with `p10` to `p19` end, by the first that is met.

    One branch of the tree is looked at, not all of it.

    Raises:
        FileNotFoundError: If there is no image in the first 10,000 entries.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     study = Path(folder) / "p10" / "p10000999" / "s50000999"
    ...     study.mkdir(parents=True)
    ...     (study / "a.dcm").touch()
    ...     find_format(Path(folder))
    'dcm'
    """
    entries = _entries(root, _DEPTH)
    for name, _ in zip(entries, range(_MOST_LOOKED_AT), strict=False):
        for known in get_args(ImageFormat):
            if name.endswith(f".{known}"):
                return known  # type: ignore[no-any-return]  # get_args is untyped
    raise FileNotFoundError(
        f"{root}: no .jpg, .dcm or .png image was met in it; name the folder that has them, or say "
        "how they end"
    )


def find_table(images: Path, table: Table) -> Path:
    """Return a table that lies where PhysioNet has it: at the root, beside `files`.

    Args:
        images: The root, or its `files`.
        table: Which.

    Raises:
        FileNotFoundError: If it is not there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "mimic-cxr-2.0.0-split.csv.gz").touch()
    ...     find_table(Path(folder) / "files", "split").name
    'mimic-cxr-2.0.0-split.csv.gz'
    """
    name = f"mimic-cxr-2.0.0-{table}.csv"
    for folder in (images, images.parent):
        for ending in (".gz", ""):
            path = folder / f"{name}{ending}"
            if path.is_file():
                return path
    raise FileNotFoundError(
        f"{images / name}.gz: there is no such file; name it, it is at the root of MIMIC-CXR-JPG "
        "on PhysioNet (the one with DICOM images, MIMIC-CXR, does not have it)"
    )


def _entries(folder: Path, depth: int) -> Iterator[str]:
    """Yield the files of a folder, one branch after the other; links are not followed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield entry.name
            elif depth > 1 and entry.name[:1] in ("p", "s"):
                yield from _entries(Path(entry.path), depth - 1)
