"""Find the radiographs of IU X-Ray studies in a folder, whatever the download calls them."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

from gradtruce.data.csv_file import read_csv
from gradtruce.data.sources.base import Problem, ViewFile
from gradtruce.data.study import ViewPosition

_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".dcm")
_OPEN_I: Final = re.compile(
    r"(?:CXR)?(\d{1,9})(?:_\d+)?_(IM-\d+(?:-\d+)*)(?:\.dcm)?(?:\.(?:png|jpe?g))?",
    re.ASCII | re.IGNORECASE,
)
_PROJECTIONS: Final[Mapping[str, ViewPosition]] = {"frontal": "frontal", "lateral": "lateral"}

ImageKey = tuple[int, str]
"""Number of the study and name of the image, such as (54, "IM-2145-1001")."""

Positions = Mapping[ImageKey, ViewPosition]


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
    """The image files of a folder and its subfolders, by their paths below it.

    Attributes:
        in_folders: R2Gen's form: name of a folder to its files by name, in their order.
        of_study: Open-i's form: number of the study to its images, in the order of their names.
        problems: Two files that are one image, links to folders.
    """

    in_folders: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    of_study: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @classmethod
    def find(cls, root: str | Path) -> "ImageFiles":
        """Return all image files below a folder; links to folders are not followed.

        Raises:
            FileNotFoundError: If there is no such folder.
            OSError: If a folder can't be read.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     (Path(folder) / "CXR54_IM-2145-1001.png").touch()
        ...     ImageFiles.find(folder).of_study[54]
        {'IM-2145-1001': 'CXR54_IM-2145-1001.png'}
        """
        root = Path(root)
        if not root.is_dir():
            raise FileNotFoundError(f"{root}: there is no such folder of images")
        in_folders: dict[str, dict[str, str]] = {}
        of_study: dict[int, dict[str, str]] = {}
        problems = list(_links_to_folders(root))
        for path in sorted(_image_paths(root)):
            key = image_key(path.name)
            if key is None:
                found, name = in_folders.setdefault(path.parent.name, {}), path.name
            else:
                found, name = of_study.setdefault(key[0], {}), key[1]
            text = path.relative_to(root).as_posix()
            if name in found:
                problems.append(_twice(key, found[name], text))
            else:
                found[name] = text
        return cls(in_folders, of_study, tuple(problems))

    def views(self, uid: int, listed: Sequence[str], positions: Positions) -> tuple[ViewFile, ...]:
        """Return the images of a study that are there, the frontal ones first.

        Files of R2Gen's form that are listed come before those of Open-i's form, and these before
        an R2Gen folder of the study's number that no annotation file lists.

        Args:
            uid: Number of the study.
            listed: "<folder>/<file>" as R2Gen's annotation file has it.
            positions: From which side images of Open-i's form were taken.

        >>> files = ImageFiles(of_study={54: {"IM-2-1": "a.png", "IM-2-2": "b.png"}})
        >>> files.views(54, (), {(54, "IM-2-2"): "frontal"})[0]
        ViewFile(path='b.png', position='frontal')
        """
        places = [name.rpartition("/") for name in listed]
        paths = [
            path
            for folder, _, file in places
            if (path := self.in_folders.get(folder, {}).get(file))
        ]
        if paths:
            return tuple(map(ViewFile, paths))
        files = [
            ViewFile(path, positions.get((uid, name)))
            for name, path in self.of_study.get(uid, {}).items()
        ]
        if files:
            return tuple(sorted(files, key=lambda file: file.position != "frontal"))
        if listed:
            return ()
        return tuple(
            ViewFile(path)
            for folder, files_of in self.in_folders.items()
            if (key := image_key(folder)) and key[0] == uid
            for path in files_of.values()
        )


def read_projections(path: str | Path) -> Positions:
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


def _twice(key: ImageKey | None, first: str, second: str) -> Problem:
    study = f"CXR{key[0]}" if key else ""
    reason = f"the same image as {first} by its name; that one is taken, leave one of them out"
    return Problem(study, second, "duplicate image", reason, "view skipped")


def _image_paths(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root, onerror=_raise):
        for name in names:
            if name.lower().endswith(_SUFFIXES):
                yield Path(folder, name)


def _links_to_folders(root: Path) -> Iterator[Problem]:
    for folder, below, _ in os.walk(root, onerror=_raise):
        for name in sorted(below):
            path = Path(folder, name)
            if path.is_symlink():
                reason = "a link to a folder is not followed; put the images themselves there"
                file = path.relative_to(root).as_posix()
                yield Problem("", file, "link to a folder", reason, "noted")


def _raise(error: OSError) -> None:
    raise error
