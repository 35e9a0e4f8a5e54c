"""`gradtruce list`: the names that configurations and options take."""

from typing import Annotated

import typer

from gradtruce.cli.catalogue import CATALOGUE
from gradtruce.presets import preset_names

PRESET_KINDS = ("balance", "methods", "training", "study", "search")


def list_names(
    kind: Annotated[
        str | None, typer.Argument(help="Only this kind, such as balancers or presets.")
    ] = None,
) -> None:
    """List balancers, methods, data sets, labelers and presets."""
    known = [*CATALOGUE, "presets"]
    if kind is not None and kind not in known:
        raise typer.BadParameter(f"no kind is called '{kind}'; known: {', '.join(known)}")
    for title, names in CATALOGUE.items():
        if kind in (None, title):
            _print_table(title, names)
    if kind in (None, "presets"):
        found = [f"{kind}/{name}" for kind in PRESET_KINDS for name in preset_names(kind)]
        _print_table("presets", dict.fromkeys(sorted(found), ""))
        print("each balance preset also as NAME-shared, on shared parameters alone")


def _print_table(title: str, names: dict[str, str]) -> None:
    print(title)
    width = max((len(name) for name in names), default=0)
    for name, description in names.items():
        print(f"  {name:<{width}}  {description}".rstrip())
    print()
