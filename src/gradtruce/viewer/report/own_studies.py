"""A user's own image files as studies."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from gradtruce.data.images.read import read_grey
from gradtruce.data.study import Study, View


def studies_of(images: Sequence[Path], *, each: bool, max_views: int) -> list[Study]:
    """Return the images as one study, or as one study each, named by their files.

    Raises:
        FileNotFoundError: If there is no such image.
        ValueError: If there is no image, one cannot be read, one comes twice, or one study has more
            views than the method reads.

    >>> studies_of([], each=True, max_views=2)
    Traceback (most recent call last):
    ValueError: no image was given; name at least one PNG or JPEG file
    """
    if not images:
        raise ValueError("no image was given; name at least one PNG or JPEG file")
    twice = [
        path for path, count in Counter(path.resolve() for path in images).items() if count > 1
    ]
    if twice:
        raise ValueError(f"{twice[0]}: this image was given twice; give each once")
    if not each and len(images) > max_views:
        raise ValueError(
            f"one study may have at most {max_views} view{'s' * (max_views > 1)} for this method, "
            f"got {len(images)} images; give fewer, or --each for one study an image"
        )
    groups = [[path] for path in images] if each else [list(images)]
    stems = Counter(group[0].stem for group in groups)
    return [
        _study(group[0].stem if stems[group[0].stem] == 1 else str(group[0]), group)
        for group in groups
    ]


def _study(name: str, images: Sequence[Path]) -> Study:
    views = tuple(View(read_grey(path), "unknown") for path in images)
    return Study(id=name, patient=name, split="test", views=views, report="")
