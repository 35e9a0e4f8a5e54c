"""Studies of one's own in a folder: images beside texts of the same name, or a folder a study."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, final

from gradtruce.data.sources.base import Problem, ViewFile
from gradtruce.data.sources.folder_study import IMAGE_ENDINGS, OwnStudy
from gradtruce.data.study import SPLITS, ViewPosition

_SEPARATOR: Final = re.compile(r"[-_. ]")
_POSITIONS: Final[Mapping[str, ViewPosition]] = {
    **dict.fromkeys(("frontal", "pa", "ap"), "frontal"),
    **dict.fromkeys(("lateral", "lat", "ll"), "lateral"),
}


def walk_tree(root: Path) -> Iterator[OwnStudy | Problem]:
    r"""Yield the studies below a folder, and what is wrong with them, in the order of the names.

    Where a text has the name of an image ("s1.txt" and "s1.png", "s1_lateral.png"), each text is a
    study with the images whose names begin with its own. Any other subfolder with images is one
    study; it must hold one text. The id is the path without ending. A first folder named train,
    val or test gives the split. A name that ends in frontal, PA, AP, lateral or LL gives the
    position.

    Raises:
        FileNotFoundError: If there is no such folder.
        OSError: If a folder can't be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("s1.txt", "s1_frontal.png", "s2.png"):
    ...         (Path(folder) / name).touch()
    ...     problem, study = walk_tree(Path(folder))
    >>> study.id, study.views, problem.id, problem.kind
    ('s1', (ViewFile(path='s1_frontal.png', position='frontal'),), 's2', 'missing report')
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: there is no such folder")
    for parent, below, names in os.walk(root, onerror=_raise):
        below.sort()
        place = PurePosixPath(Path(parent).relative_to(root).as_posix())
        for name in below:
            if Path(parent, name).is_symlink():
                reason = "a link to a folder is not followed; put the files themselves there"
                yield Problem("", str(place / name), "link to a folder", reason)
        images = sorted(name for name in names if name.lower().endswith(IMAGE_ENDINGS))
        texts = sorted(name for name in names if name.lower().endswith(".txt"))
        tables = sorted(name for name in names if name.lower().endswith(".csv"))
        if images or texts:
            yield from _Group(place, images, texts, tables).studies()


@final
@dataclass(frozen=True)
class _Group:
    """The images and texts of one folder.

    Attributes:
        place: The folder below the root.
        images: Names.
        texts: Names.
        tables: Names; they are not read, but the user may have meant one.
    """

    place: PurePosixPath
    images: Sequence[str]
    texts: Sequence[str]
    tables: Sequence[str]

    def studies(self) -> Iterator[OwnStudy | Problem]:
        stems = {_stem(text): text for text in self.texts}
        owners = {image: _owner(_stem(image), stems) for image in self.images}
        if self.place == PurePosixPath() or any(owners.values()) or not self.images:
            yield from self._by_name(stems, owners)
        elif len(self.texts) == 1:
            yield self._study(str(self.place), self.images, self.texts[0])
        elif self.texts:
            reason = f"the folder holds {len(self.texts)} texts; keep one, or name them like images"
            yield Problem(str(self.place), str(self.place), "several reports", reason)
        else:
            reason = "the folder holds no .txt file; add the report or leave the folder out"
            yield Problem(str(self.place), str(self.place), "missing report", reason)

    def _by_name(
        self, stems: Mapping[str, str], owners: Mapping[str, str | None]
    ) -> Iterator[OwnStudy | Problem]:
        views: dict[str, list[str]] = {stem: [] for stem in stems}
        for image, owner in owners.items():
            if owner is None:
                reason = "no .txt file has its name; add the report or leave the image out"
                if self.tables:
                    table = self.tables[0]
                    reason += f"; or give {table} in place of the folder, if that lists the studies"
                yield self._problem(_stem(image), image, "missing report", reason)
            else:
                views[owner].append(image)
        for stem, images in views.items():
            if images:
                yield self._study(str(self.place / stem), images, stems[stem])
            else:
                reason = "no image has its name; add the image or leave the report out"
                yield self._problem(stem, stems[stem], "missing image", reason)

    def _study(self, study: str, images: Sequence[str], text: str) -> OwnStudy:
        views = tuple(ViewFile(str(self.place / name), _position(name)) for name in images)
        first = self.place.parts[:1]
        return OwnStudy(
            id=study,
            views=tuple(sorted(views, key=lambda view: view.position != "frontal")),
            patient=study,
            split=next((split for split in SPLITS if first == (split,)), None),
            report_file=str(self.place / text),
        )

    def _problem(self, stem: str, name: str, kind: str, reason: str) -> Problem:
        return Problem(str(self.place / stem), str(self.place / name), kind, reason)


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _owner(stem: str, texts: Mapping[str, str]) -> str | None:
    """Return the longest name of a text that an image's name is, or begins with as whole words."""
    ends = [found.start() for found in _SEPARATOR.finditer(stem)]
    names = [stem, *(stem[:end] for end in reversed(ends))]
    return next((name for name in names if name in texts), None)


def _position(name: str) -> ViewPosition | None:
    return _POSITIONS.get(_SEPARATOR.split(_stem(name).lower())[-1])


def _raise(error: OSError) -> None:
    raise error
