"""One study of one's own, as a CSV or a folder names it, before its report is read."""

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

from gradtruce.data.observations import LabelState
from gradtruce.data.sources.base import ViewFile
from gradtruce.data.study import Split

IMAGE_ENDINGS: Final = (".png", ".jpg", ".jpeg", ".dcm", ".dicom")


@final
@dataclass(frozen=True, slots=True)
class OwnStudy:
    """A study with what is said of it; "" and `None` where nothing is.

    Attributes:
        id: Unique.
        views: Its images, below the root.
        patient: The id where it is not known.
        split: To be made by a hash where it is not known.
        report: Its text.
        report_file: Or the file of its text, below the root.
        sections: Sections that are kept apart from the text.
        labels: In the order of `OBSERVATIONS`; () without labels.
        prior: Id of the patient's previous study.
    """

    id: str
    views: tuple[ViewFile, ...]
    patient: str
    split: Split | None = None
    report: str = ""
    report_file: str = ""
    sections: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[LabelState | None, ...] = ()
    prior: str | None = None


def place_fault(root: Path, file: str) -> str:
    """Return a few words if a path leads out of a folder, or nowhere for its links; else "".

    >>> place_fault(Path("/usr/lib"), "../../etc")
    'path leaves the root'
    """
    try:
        real = Path(os.path.realpath(root / file, strict=True))
    except OSError as error:
        return "symbolic link loop" if error.errno == errno.ELOOP else ""
    except ValueError:
        return "impossible path"
    return "" if real.is_relative_to(os.path.realpath(root)) else "path leaves the root"
