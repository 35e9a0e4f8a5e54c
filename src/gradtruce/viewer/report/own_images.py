"""What `predict` leaves of a user's own images: report, findings, overlays, and a page of them."""

import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from gradtruce.data.study import Study, View
from gradtruce.evaluation.predictions import Prediction, write_predictions
from gradtruce.viewer.report.films import Film, films, heat_uris, view_names
from gradtruce.viewer.report.page import render
from gradtruce.viewer.report.pictures import overlay_png
from gradtruce.viewer.report.sentence_attention import Look, Reader

BELIEVED: Final = 0.5
"""Probability from which the place of a finding is shown."""


@final
@dataclass(frozen=True)
class OwnSentence:
    """One sentence of the report, with its heat map a view and the share of attention each gets."""

    text: str
    heats: tuple[str, ...]
    shares: tuple[float, ...]


@final
@dataclass(frozen=True)
class OwnFinding:
    """One finding with its probability, and a heat map a view where it is believed."""

    name: str
    probability: float
    heats: tuple[str, ...] = ()


@final
@dataclass(frozen=True)
class OwnStudy:
    """One study as the page shows it; `folder` is where its files lie beside the page."""

    name: str
    folder: str
    films: tuple[Film, ...]
    sentences: tuple[OwnSentence, ...]
    findings: tuple[OwnFinding, ...]


@final
@dataclass(frozen=True)
class OwnPrior:
    """The prior study that the study is compared with: its images and its report."""

    films: tuple[Film, ...]
    report: str


@final
@dataclass(frozen=True)
class OwnPage:
    """The page of all studies; `told` is what reports were generated from besides the images."""

    title: str
    studies: tuple[OwnStudy, ...]
    told: str = ""
    prior: OwnPrior | None = None


def write_own_images(
    folder: Path,
    reader: Reader,
    studies: Sequence[Study],
    predictions: Sequence[Prediction],
    prior: Study | None = None,
) -> Path:
    """Write a folder of results; return its page. The folder is there whole or not at all.

    It holds `index.html`, `predictions.jsonl`, and for each study a folder with `report.txt`,
    `findings.json`, an overlay a sentence and view (`sentence-1-frontal.png`), and one for each
    finding that is believed (`finding-edema-frontal.png`).

    Args:
        folder: Must not exist.
        reader: The method that wrote the reports.
        studies: The user's images.
        predictions: Their reports, in the same order.
        prior: What the one study was compared with.

    Raises:
        FileExistsError: If the folder is there.
        ValueError: If studies and predictions do not belong together.
    """
    refuse_existing(folder)
    if [study.id for study in studies] != [prediction.id for prediction in predictions]:
        raise ValueError("each study must have its prediction, in the same order")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        partial.chmod(0o755)
        shown = _write_studies(partial, reader, studies, predictions)
        write_predictions(partial / "predictions.jsonl", predictions)
        told = ", ".join(sorted({prediction.told for prediction in predictions} - {""}))
        before = None if prior is None else OwnPrior(films(prior, reader), prior.report)
        own = OwnPage("Reports of your images", shown, told, before)
        page = render("own_images.html.j2", page=own)
        (partial / "index.html").write_text(page, encoding="utf-8")
        partial.rename(folder)
    except BaseException:  # an interrupt must not leave a half either
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return folder / "index.html"


def refuse_existing(folder: Path) -> None:
    """Refuse an output folder that is there, before any work is done.

    Raises:
        FileExistsError: If it is.

    >>> refuse_existing(Path("runs/nowhere"))
    """
    if folder.exists():
        raise FileExistsError(f"{folder} is there already; name another output folder or remove it")


def _write_studies(
    folder: Path, reader: Reader, studies: Sequence[Study], predictions: Sequence[Prediction]
) -> tuple[OwnStudy, ...]:
    looks = reader.looks(studies, [prediction.generated for prediction in predictions])
    maps = reader.finding_looks(studies)
    shown: list[OwnStudy] = []
    for study, prediction, found, seen in zip(studies, predictions, looks, maps, strict=True):
        place = folder / _folder_name(study.id, {own.folder for own in shown})
        place.mkdir()
        (place / "report.txt").write_text(prediction.generated + "\n", encoding="utf-8")
        findings = dict(prediction.findings or {})
        text = json.dumps({"schema": 1, "findings": findings}, indent=1) + "\n"
        (place / "findings.json").write_text(text, encoding="utf-8")
        views = reader.views(study)
        for number, look in enumerate(found, start=1):
            _write_overlays(place, f"sentence-{number}", look, views, reader)
        sentences = tuple(
            OwnSentence(look.text, heat_uris(look, views), tuple(look.shares)) for look in found
        )
        ranked = _write_findings(place, findings, seen, views, reader)
        shown.append(OwnStudy(study.id, place.name, films(study, reader), sentences, ranked))
    return tuple(shown)


def _write_findings(
    folder: Path,
    findings: Mapping[str, float],
    seen: Mapping[str, Look],
    views: Sequence[View],
    reader: Reader,
) -> tuple[OwnFinding, ...]:
    """Write the overlays of the findings that are believed; return all, the likeliest first."""
    shown = []
    for name, probability in sorted(findings.items(), key=lambda entry: -entry[1]):
        is_shown = probability >= BELIEVED and name in seen
        heats = heat_uris(seen[name], views) if is_shown else ()
        shown.append(OwnFinding(name, probability, heats))
        if is_shown:
            stem = f"finding-{name.lower().replace(' ', '-')}"
            _write_overlays(folder, stem, seen[name], views, reader)
    return tuple(shown)


def _write_overlays(
    folder: Path, stem: str, look: Look, views: Sequence[View], reader: Reader
) -> None:
    names = [name.replace(" ", "-") for name in view_names(views)]
    for place, (view, film) in enumerate(zip(views, names, strict=True)):
        pixels = reader.crop(view.pixels)
        heat = look.heat(pixels.shape).numpy()[place]
        (folder / f"{stem}-{film}.png").write_bytes(overlay_png(pixels, heat))


def _folder_name(study_id: str, taken: set[str]) -> str:
    """Return a name for a folder, of letters that every file system takes, not yet taken."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", study_id).strip("-") or "study"
    name, number = plain, 2
    while name in taken:
        name, number = f"{plain}-{number}", number + 1
    return name
