"""The prior study that a user gives beside their own images: what the new one is compared with."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gradtruce.data.study import Study
from gradtruce.data.text import clean
from gradtruce.training.config import DataConfig
from gradtruce.viewer.report.own_studies import studies_of


def own_prior(
    images: Sequence[Path], report: Path | None, data: DataConfig | None, *, each: bool
) -> Study | None:
    """Return the prior study, its report cleaned as in training; `None` where none is given.

    Args:
        images: Its views.
        report: Text file of its report.
        data: Of the run; `None` where it is not known.
        each: Whether each of the user's images is a study of its own.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If images or report are missing or can't be read, or the run compares no
            studies, or there are several to compare with one prior.

    >>> own_prior([], None, None, each=False) is None
    True
    >>> own_prior([Path("before.png")], None, None, each=False)
    Traceback (most recent call last):
    ValueError: a prior study is images and the report of them: give --prior and --prior-report
    """
    if not images and report is None:
        return None
    if not images or report is None:
        raise ValueError(
            "a prior study is images and the report of them: give --prior and --prior-report"
        )
    if each:
        raise ValueError("a prior study belongs to one study; leave --each or --prior out")
    if data is None or not data.priors:
        raise ValueError(
            "this method was not trained to compare studies (data.priors); leave --prior out, or "
            "give the run folder of one that was"
        )
    if not report.is_file():
        raise FileNotFoundError(f"{report}: there is no such file; --prior-report is a text file")
    try:
        text = clean(report.read_text(encoding="utf-8"), data.cleaning)
    except UnicodeDecodeError as error:
        raise ValueError(f"{report}: must be text in UTF-8 ({error})") from None
    if not text.strip():
        raise ValueError(f"{report}: says nothing; give the report of the prior study")
    (study,) = studies_of(images, each=False, max_views=data.views)
    return replace(study, report=text)
