"""How a template becomes a page: one file, style and script inside, every text in it escaped."""

from functools import cache
from importlib import resources

import jinja2
from markupsafe import Markup

from gradtruce.viewer.frame.chart import line_chart, swatch
from gradtruce.viewer.frame.forest import difference_axis, difference_bar
from gradtruce.viewer.frame.histogram import histogram
from gradtruce.viewer.frame.intervals import interval_bar, range_bar
from gradtruce.viewer.frame.score_text import (
    difference_text,
    interval_text,
    percent,
    score_text,
)

_FRAME = "gradtruce.viewer.frame"


def render(packages: tuple[str, ...], template: str, **values: object) -> str:
    """Return the HTML of a template, in the frame that all pages share.

    Args:
        packages: Whose folders `templates` hold the template and its parts, such as
            "gradtruce.viewer.report".
        template: Name of the file.
        values: What it is given.

    >>> from gradtruce.viewer.report.own_images import OwnPage
    >>> "<title>own" in render(
    ...     ("gradtruce.viewer.report",), "own_images.html.j2", page=OwnPage("own", ())
    ... )
    True
    """
    return _environment(packages).get_template(template).render(**values)


@cache
def _environment(packages: tuple[str, ...]) -> jinja2.Environment:
    frame = resources.files(_FRAME) / "templates"
    folders = [resources.files(name) / "templates" for name in (*packages, _FRAME)]

    def load(name: str) -> str | None:
        files = [folder / name for folder in folders]
        return next((file.read_text(encoding="utf-8") for file in files if file.is_file()), None)

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(load),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        css=Markup((frame / "style.css").read_text(encoding="utf-8")),  # our own file
        script=Markup((frame / "page.js").read_text(encoding="utf-8")),  # our own file
        line_chart=line_chart,
        histogram=histogram,
        swatch=swatch,
        interval_bar=interval_bar,
        difference_bar=difference_bar,
        difference_axis=difference_axis,
        range_bar=range_bar,
        score_text=score_text,
        difference_text=difference_text,
        interval_text=interval_text,
        percent=percent,
    )
    return environment
