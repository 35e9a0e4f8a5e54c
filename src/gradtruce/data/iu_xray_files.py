"""Find the radiographs of IU X-Ray studies in a folder, whatever the download calls them."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from gradtruce.data.label_file import read_csv
from gradtruce.data.study import ViewPosition

_SUFFIXES = (".png", ".jpg", ".jpeg")
_OPEN_I = re.compile(
    r"(?:CXR)?(\d{1,9})(?:_\d+)?_(IM-\d+(?:-\d+)*)(?:\.dcm)?(?:\.(?:png|jpe?g))?",
    re.ASCII | re.IGNORECASE,
)
_PROJECTIONS: Mapping[str, ViewPosition] = {"frontal": "frontal", "lateral": "lateral"}

ImageKey = tuple[int, str]
"""Number of the study and name of the image, such as (54, "IM-2145-1001")."""


def image_key(name: str) -> ImageKey | None:
    """Return what an Open-i, Kaggle or NLM file name, or a study's id, says; `None` for others.

    >>> image_key("CXR54_IM-2145-1001.png"), image_key("1_IM-0001-4001.dcm.png")
    ((54, 'IM-2145-1001'), (1, 'IM-0001-4001'))
    >>> image_key("CXR1_1_IM-0001-3001.png"), image_key("film.png")
    ((1, 'IM-0001-3001'), None)
    """
    found = _OPEN_I.fullmatch(name)
    return (int(found[1]), found[2].upper()) if found else None


@final
@dataclass(frozen=True)
class ImageFiles:
    """The image files of a folder and its subfolders.

    Attributes:
        in_folders: R2Gen's form: "<folder>/<file>" to path.
        of_study: Open-i's form: number of the study to its images, in the order of their names.
    """

    in_folders: Mapping[str, Path] = field(default_factory=dict)
    of_study: Mapping[int, Mapping[str, Path]] = field(default_factory=dict)

    @classmethod
    def find(cls, root: str | Path) -> "ImageFiles":
        """Return all image files below a folder; links to folders are not followed.

        Raises:
            FileNotFoundError: If there is no such folder.
            ValueError: If two files claim to be the same image.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     (Path(folder) / "CXR54_IM-2145-1001.png").touch()
        ...     sorted(ImageFiles.find(folder).of_study[54])
        ['IM-2145-1001']
        """
        root = Path(root)
        if not root.is_dir():
            raise FileNotFoundError(f"{root}: there is no such folder of images")
        in_folders: dict[str, Path] = {}
        of_study: dict[int, dict[str, Path]] = {}
        for path in _image_paths(root):
            key = image_key(path.name)
            if key is None:
                _enter(in_folders, f"{path.parent.name}/{path.name}", path)
            else:
                _enter(of_study.setdefault(key[0], {}), key[1], path)
        return cls(in_folders, of_study)


def read_projections(path: str | Path) -> Mapping[ImageKey, ViewPosition]:
    r"""Return from which side each image was taken, by the list that comes with the Kaggle copy.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it lacks the columns `filename` and `projection`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "indiana_projections.csv"
    ...     _ = path.write_text("uid,filename,projection\n1,1_IM-0001-4001.dcm.png,Frontal\n")
    ...     read_projections(path)
    {(1, 'IM-0001-4001'): 'frontal'}
    """
    positions: dict[ImageKey, ViewPosition] = {}
    for where, row in read_csv(Path(path), ("filename", "projection")):
        key = image_key(row["filename"])
        position = _PROJECTIONS.get(row["projection"].strip().lower())
        if key is None or position is None:
            raise ValueError(
                f"{where}: needs an Open-i file name and Frontal or Lateral, found "
                f"{row['filename']!r} and {row['projection']!r}"
            )
        positions[key] = position
    return positions


def _image_paths(root: Path) -> list[Path]:
    return sorted(
        Path(folder, name)
        for folder, _, names in os.walk(root, onerror=_raise)
        for name in names
        if name.lower().endswith(_SUFFIXES)
    )


def _raise(error: OSError) -> None:
    raise error


def _enter(found: dict[str, Path], name: str, path: Path) -> None:
    if name in found:
        raise ValueError(f"{found[name]} and {path} are the same image; leave one of them out")
    found[name] = path
