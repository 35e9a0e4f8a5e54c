"""Read one radiograph from a file of any supported kind, safely."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from gradtruce.data.images.dicom.read import read_dicom
from gradtruce.data.images.film import SHORT_SIDE, Film, UnfitImageError
from gradtruce.data.images.place import read_regular
from gradtruce.data.images.raster import read_raster
from gradtruce.data.images.sniff import describe_foreign, ending_says, kind_of


def read_film(path: str | Path, short_side: int = SHORT_SIDE, *, root: Path | None = None) -> Film:
    """Return the radiograph in a PNG, JPEG or DICOM file as 8-bit grey, shrunk and upright.

    The content decides the kind; a name that ends otherwise is noted in `Film.notes`. The aspect
    is kept, pixels become square, and nothing is ever enlarged. What is done to each kind of file
    is told in the documentation, under Images.

    Args:
        path: The file; symbolic links are followed.
        short_side: Short side in pixels after shrinking, at least 1.
        root: Folder that the file must lie in, links followed; `None` for anywhere.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not one, is outside `root`, of another kind, damaged, too large,
            or must not be taken; the message names file, problem and remedy, and holds nothing
            that the file says.
        ImportError: If it is a DICOM file and pydicom is not installed.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "film.png"
    ...     Image.new("L", (600, 500), 128).save(path)
    ...     read_film(path).pixels.shape
    (256, 307)
    """
    if short_side < 1:
        raise ValueError(f"short_side must be at least 1 pixel, got {short_side}")
    path = Path(path)
    content = read_regular(path, root)
    kind = kind_of(content)
    if kind is None:
        raise ValueError(
            f"{path}: not a PNG, JPEG or DICOM image but {describe_foreign(content)}; "
            "convert or replace it, or leave it out"
        )
    expected = ending_says(path)
    notes = () if expected in {kind, None} else (f"{kind} content in a file named {expected}",)
    problem = ""
    try:
        if kind == "dicom":
            return read_dicom(content, short_side, notes)
        return read_raster(content, kind, short_side, notes)
    except UnfitImageError as error:
        problem = str(error)
    raise ValueError(f"{path}: {problem}")  # outside: no chained error may quote the header


def read_grey(path: str | Path, short_side: int = SHORT_SIDE) -> UInt8[np.ndarray, "height width"]:
    """Return the pixels of `read_film` alone.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: As `read_film` does.
        ImportError: If it is a DICOM file and pydicom is not installed.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (3, 2), 128).save(Path(folder) / "film.png")
    ...     read_grey(Path(folder) / "film.png")[0, 0]
    np.uint8(128)
    """
    return read_film(path, short_side).pixels
