"""The data card as files: JSON for programs, Markdown for a repository, one page for the eyes."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final, final

import jinja2
from PIL import Image

from gradtruce.data.card_chart import prevalence_chart
from gradtruce.data.data_card import DataCard, describe
from gradtruce.data.images.shrink import shrunk
from gradtruce.data.images.view_bytes import encode_view
from gradtruce.data.observations import POSITIVE, UNCERTAIN
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.preparing.disk import write_whole
from gradtruce.data.preparing.problems import read_problems
from gradtruce.data.sources.base import Problem
from gradtruce.data.study import SPLITS, Study, View

CARD_FILES: Final = ("data_card.json", "data_card.md", "card.html")
"""What `write_cards` writes."""

_EXAMPLES: Final = {"train": 6, "val": 2, "test": 4}
_SIDE = 200
_QUALITY = 80
_PROBLEMS_SHOWN = 20


@final
@dataclass(frozen=True)
class Example:
    """One study as the page shows it.

    Attributes:
        id: Of the study.
        split: Its split.
        pictures: Position and image (data URI) of its first two views.
        report: Its report.
        labels: What is positive, or uncertain with a question mark.
        is_synthetic: Whether it was drawn.
    """

    id: str
    split: str
    pictures: tuple[tuple[str, str], ...]
    report: str
    labels: tuple[str, ...]
    is_synthetic: bool


def write_cards(dataset: PreparedDataset, *, pictures: bool = True) -> None:
    """Write the data card of a set into its folder: JSON, Markdown and one HTML page.

    Args:
        dataset: The set.
        pictures: Whether the page shows example studies; without them no image and no report of
            the set is on it.

    Raises:
        OSError: If they can't be written.
    """
    card, folder = describe(dataset), dataset.folder
    problems = read_problems(folder)
    examples = _examples(dataset) if pictures else ()
    write_whole(folder / "data_card.json", json.dumps(card, indent=2, ensure_ascii=False) + "\n")
    write_whole(folder / "data_card.md", _render("card.md.j2", card, problems, ()))
    write_whole(folder / "card.html", _render("card.html.j2", card, problems, examples))


def _examples(dataset: PreparedDataset) -> tuple[Example, ...]:
    """Return studies at even distances, so that no one chose them."""
    chosen: list[Example] = []
    for name in SPLITS:
        split = dataset.split(name)
        count = min(_EXAMPLES[name], len(split))
        places = [place * len(split) // count for place in range(count)]
        chosen += [_example(split[place]) for place in places]
    return tuple(chosen)


def _example(study: Study) -> Example:
    signs = {POSITIVE: "", UNCERTAIN: " ?"}
    labels = tuple(name + signs[state] for name, state in study.labels.items() if state in signs)
    pictures = tuple((view.position, _data_uri(view)) for view in study.views[:2])
    return Example(study.id, study.split, pictures, study.report, labels, study.is_synthetic)


def _data_uri(view: View) -> str:
    small = shrunk(Image.fromarray(view.pixels), _SIDE)
    return f"data:image/jpeg;base64,{b64encode(encode_view(small, jpeg=_QUALITY)).decode()}"


def _render(
    template: str, card: DataCard, problems: Sequence[Problem], examples: Sequence[Example]
) -> str:
    return (
        _environment()
        .get_template(template)
        .render(
            card=card,
            splits=card["splits"],
            totals=_totals(card),
            settings=_settings_text(card),
            facts=_facts(card),
            prevalence=prevalence_chart(card["splits"]) if card["label_source"] else "",
            problems=problems[:_PROBLEMS_SHOWN],
            problem_count=len(problems),
            examples=examples,
        )
    )


def _totals(card: DataCard) -> Mapping[str, int]:
    splits = card["splits"].values()
    return {
        "studies": sum(split["studies"] for split in splits),
        "patients": sum(split["patients"] for split in splits),
        "views": sum(
            count * len(positions.split(" + "))
            for split in splits
            for positions, count in split["views"].items()
        ),
    }


def _settings_text(card: DataCard) -> str:
    low, high = card["short_side"]
    sides = f"{low}" if low == high else f"{low} to {high}"
    jpeg = card["settings"].get("jpeg")
    kept = f"JPEG of quality {jpeg}" if jpeg else "lossless"
    return f"8-bit grey, short side {sides} pixels, {kept}"


def _facts(card: DataCard) -> Mapping[str, str]:
    """Return what the set was made with and what is worth knowing, as text by name."""
    told: dict[str, Any] = {**card["parameters"], **card["notes"]}
    return {
        name.replace("_", " "): value if isinstance(value, str) else json.dumps(value)
        for name, value in told.items()
    }


@cache
def _environment() -> jinja2.Environment:
    folder = resources.files("gradtruce.data") / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["count"] = lambda number: f"{number:,}"
    environment.filters["share"] = _share
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|")
    return environment


def _share(count: int, of: int) -> str:
    """Return a share in per cent, coarse enough to be read."""
    return f"{100 * count / of:.1f} %" if of else "–"
