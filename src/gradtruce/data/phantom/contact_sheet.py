"""Pages of phantom films to look at: a page an observation, one of masks, one at random.

`python -m gradtruce.data.phantom.contact_sheet FOLDER` writes all of them.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw
from scipy import ndimage

from gradtruce.data.observations import FINDINGS
from gradtruce.data.phantom.anatomy import Anatomy, Pose
from gradtruce.data.phantom.generate import generate
from gradtruce.data.phantom.kinds import KINDS, Kind
from gradtruce.data.phantom.level import LEVELS, LevelName
from gradtruce.data.phantom.render import render_study
from gradtruce.data.study import Finding, Study, View

Film = UInt8[np.ndarray, "height width"]
Row = tuple[str, Sequence[Film]]
"""Films side by side and the words above them."""

_GAP = 2
_TITLE = 14
_MOST = 30
"""Films on one page, so that its file stays small."""


def draw_finding(kind: Kind, rng: np.random.Generator) -> Finding:
    """Return a finding of a kind with random attributes.

    >>> draw_finding(KINDS[4], np.random.default_rng(0)).kind
    'nodule'
    """
    return Finding(
        kind.observation,
        kind.name,
        severity=str(rng.choice(kind.severities)) if kind.severities else None,
        side=str(rng.choice(kind.sides)) if kind.sides else None,
        zone=str(rng.choice(kind.zones)) if kind.zones else None,
        size=float(rng.uniform(*kind.size)) if kind.size else None,
    )


def draw_example(
    kind: Kind, level: LevelName, size: int, seed: Sequence[int]
) -> tuple[tuple[View, ...], Finding]:
    """Return the films of a random patient with one finding of `kind`, and the finding.

    >>> views, finding = draw_example(KINDS[0], "standard", 64, seed=[0])
    >>> len(views), finding.kind
    (2, 'widened mediastinum')
    """
    rng = np.random.default_rng(list(seed))
    anatomy, pose = Anatomy.draw(rng), Pose.draw(rng, LEVELS[level])
    finding = draw_finding(kind, rng)
    views, drawn = render_study(anatomy, pose, [finding], LEVELS[level], size, rng)
    return views, drawn[0]


def outline(view: View, finding: Finding, index: int = 0) -> Film:
    """Return a film with the outline of a finding's mask drawn white.

    >>> views, finding = draw_example(KINDS[5], "easy", 64, seed=[0])
    >>> bool((outline(views[0], finding) >= views[0].pixels).all())
    True
    """
    film = view.pixels.copy()
    for region in finding.regions:
        if region.view == index:
            film[region.mask & ~ndimage.binary_erosion(region.mask)] = 255
    return film


def page(rows: Sequence[Row]) -> Image.Image:
    """Return rows of equal films, each under its title, on white.

    >>> page([("one", [np.zeros((40, 40), np.uint8)] * 3)]).size
    (124, 54)
    """
    side = len(rows[0][1][0])
    wide = max(len(films) for _, films in rows)
    size = (wide * (side + _GAP) - _GAP, len(rows) * (side + _TITLE))
    sheet = Image.new("L", size, 255)
    pen = ImageDraw.Draw(sheet)
    for down, (title, films) in enumerate(rows):
        top = down * (side + _TITLE)
        pen.text((2, top + 1), title, fill=0)
        for across, film in enumerate(films):
            quiet = (film // 4) * 4
            sheet.paste(Image.fromarray(quiet), (across * (side + _GAP), top + _TITLE))
    return sheet


def observation_page(
    observation: str, level: LevelName = "standard", size: int = 192
) -> Image.Image:
    """Return a page of one observation: a row a kind, frontal and lateral film of each patient.

    >>> observation_page("Edema", size=32).size[1]
    46
    """
    kinds = [kind for kind in KINDS if kind.observation == observation]
    patients = min(_MOST // (2 * len(kinds)), 5)
    rows: list[Row] = []
    for kind in kinds:
        films = [
            view.pixels
            for number in range(patients)
            for view in draw_example(kind, level, size, seed=[3, number])[0]
        ]
        rows.append((kind.name, films))
    return page(rows)


def mask_page(level: LevelName = "standard", size: int = 192, across: int = 6) -> Image.Image:
    """Return a page of all kinds, the mask of each outlined in the frontal film.

    >>> mask_page(size=32, across=12).size
    (406, 92)
    """
    films: list[Film] = []
    for kind in KINDS:
        views, finding = draw_example(kind, level, size, seed=[4, len(films)])
        films.append(outline(views[0], finding))
    starts = range(0, len(films), across)
    titles = [", ".join(kind.name for kind in KINDS[start : start + across]) for start in starts]
    rows = [films[start : start + across] for start in starts]
    return page(list(zip(titles, rows, strict=True)))


def random_page(level: LevelName = "standard", size: int = 192, studies: int = 15) -> Image.Image:
    """Return a page of studies as they come, five in a row; an absent lateral view stays black.

    >>> random_page(size=32, studies=5).size
    (338, 46)
    """
    drawn = list(generate(level, studies, size=size, seed=2))
    rows: list[Row] = []
    for start in range(0, studies, 5):
        some = drawn[start : start + 5]
        title = " / ".join(_words(study) for study in some)
        rows.append((title, [film for study in some for film in _pair(study)]))
    return page(rows)


def _words(study: Study) -> str:
    names = [name for name in FINDINGS if study.labels[name]]
    return ", ".join(names) or "No Finding"


def _pair(study: Study) -> list[Film]:
    films = [view.pixels for view in study.views]
    return films if len(films) == 2 else [films[0], np.zeros_like(films[0])]


def write_sheets(folder: Path) -> list[Path]:
    """Write all pages as PNG files into an existing folder and return their paths."""
    pages = {name.lower().replace(" ", "_"): observation_page(name) for name in FINDINGS}
    pages |= {"masks": mask_page(), "random": random_page()}
    pages |= {f"random_{level}": random_page(level, studies=5) for level in ("easy", "hard")}
    paths = []
    for name, sheet in pages.items():
        path = folder / f"phantom_{name}.png"
        sheet.save(path, optimize=True)
        paths.append(path)
    return paths


if __name__ == "__main__":
    write_sheets(Path(sys.argv[1]))
