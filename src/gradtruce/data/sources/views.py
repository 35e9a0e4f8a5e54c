"""Read the images of a record: what can't be read is told, and the others are kept."""

from pathlib import Path, PurePath

from gradtruce.data.images.film import Film
from gradtruce.data.images.read import read_film
from gradtruce.data.images.sniff import ending_says
from gradtruce.data.sources.base import Problem, Record, Settings, ViewFile
from gradtruce.data.study import View


def read_views(
    record: Record, root: Path, settings: Settings
) -> tuple[tuple[View, ...], tuple[Problem, ...]]:
    """Return the views of a record that can be read, and a problem for each of the others.

    A position that the source gives is taken before the one in the file. A file whose name ends
    like another kind is read as what it holds, and noted.

    Args:
        record: Its `views` are paths below `root`.
        root: A path that leaves it, by `..` or a link, is a problem.
        settings: Short side of the views.

    >>> views, problems = read_views(
    ...     Record("s", "p", "val", (ViewFile("no.png"),)), Path("/nowhere"), Settings())
    >>> views, problems[0].kind, problems[0].file, problems[0].action
    ((), 'missing image', 'no.png', 'view skipped')
    """
    views: list[View] = []
    problems: list[Problem] = []
    for file in record.views:
        path = root / file.path
        try:
            film = read_film(path, settings.short_side, root=root)
        except (OSError, ValueError) as error:
            problems.append(_problem(record, file, path, error))
            continue
        problems += _wrong_extension(record, file, film)
        position = file.position or film.position
        views.append(View(film.pixels, position, film.burned_in, is_lossy=film.lossy))
    return tuple(views), tuple(problems)


def _wrong_extension(record: Record, file: ViewFile, film: Film) -> list[Problem]:
    named = ending_says(PurePath(file.path))
    if named in (film.kind, None):
        return []
    reason = f"the file is named {named} but holds {film.kind}; it is read as {film.kind}"
    return [Problem(record.id, file.path, "wrong extension", reason, "noted")]


def _problem(record: Record, file: ViewFile, path: Path, error: OSError | ValueError) -> Problem:
    if isinstance(error, FileNotFoundError):
        kind = "missing image"
    else:
        kind = "unreadable image" if isinstance(error, OSError) else "damaged image"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    reason = " ".join(text.split()).removeprefix(f"{path}: ")
    return Problem(record.id, file.path, kind, reason, "view skipped")
