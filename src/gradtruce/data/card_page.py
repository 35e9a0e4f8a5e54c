"""The data card as files: JSON for programs, Markdown for a repository, one page for the eyes."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, final

import jinja2
from PIL import Image

from gradtruce.data.card_chart import prevalence_chart
from gradtruce.data.data_card import DataCard, describe
from gradtruce.data.images.shrink import shrunk
from gradtruce.data.images.view_bytes import encode_view
from gradtruce.data.observations import POSITIVE, UNCERTAIN
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.preparing.problems import read_problems
from gradtruce.data.sources.base import Problem
from gradtruce.data.study import SPLITS, Study, View
from gradtruce.files import write_whole

CARD_FILES: Final = ("data_card.json", "data_card.md", "card.html")
"""What `write_cards` writes."""

_EXAMPLES: Final = {"train": 6, "val": 2, "test": 4}
_SIDE = 200
_QUALITY = 80
_PROBLEMS_SHOWN = 20
_MOST_COUNTS = 12


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


def has_examples(folder: Path) -> bool:
    """Return whether the page of a set shows example studies; `False` without a page.

    >>> has_examples(Path("no/such/folder"))
    False
    """
    page = folder / "card.html"
    return page.is_file() and "<article" in page.read_text(encoding="utf-8")


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
            caution=_caution(card),
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


def _caution(card: DataCard) -> str:
    if card["is_synthetic"]:  # its reports may be real
        return "Pass this page on as the licence above allows."
    return (
        "This page holds images and reports of the source: pass it on only as its licence allows."
    )


def _facts(card: DataCard) -> Mapping[str, str]:
    """Return what the set was made with and what is worth knowing, as text by name.

    Values that are empty say nothing and tables are not for reading; the JSON has all.
    """
    told: dict[str, Any] = {**card["parameters"], **card["notes"]}
    facts = {name.replace("_", " "): _fact(value) for name, value in told.items()}
    return {name: text for name, text in facts.items() if text}


def _fact(value: Any) -> str:  # any JSON value
    """Return a value in words.

    >>> _fact({"nodule": 1200, "mass": 12}), _fact({"a": {"b": 1}}), _fact(None)
    ('nodule 1,200 · mass 12', '1 row in data_card.json', '')
    """
    if value is None or value in ({}, [], ""):
        return ""
    if isinstance(value, Mapping):
        if all(isinstance(inner, Mapping) for inner in value.values()):
            return f"{len(value)} {'row' if len(value) == 1 else 'rows'} in data_card.json"
        shown = [f"{name} {_fact(inner)}" for name, inner in list(value.items())[:_MOST_COUNTS]]
        further = len(value) - len(shown)
        return " · ".join([*shown, *([f"{further} more in data_card.json"] if further else [])])
    if isinstance(value, list):
        return ", ".join(map(_fact, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


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
