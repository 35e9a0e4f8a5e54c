"""The tables of the docs that are made from the classes: `make docs` writes them, a test compares.

Run `python docs/tables.py` after adding a balancer or changing what its class says.
"""

import inspect
import re
from pathlib import Path
from typing import Final

import gradtruce.balance  # fills the list of known balancers
from gradtruce.gradients.balancer import (
    AfterStep,
    Balancer,
    FeatureReader,
    GradientNoise,
    RowTransform,
    TaskSchedule,
)

DOCS: Final = Path(__file__).parent
INSIDE: Final = "as the balancer inside"
MARK: Final = "<!-- made by docs/tables.py: {} -->"


def balancers() -> list[type[Balancer]]:
    """Return the balancers of the package, by the name of their class."""
    package = f"{gradtruce.balance.__name__}."
    found = [kind for kind in Balancer.known.values() if kind.__module__.startswith(package)]
    return sorted(found, key=lambda kind: kind.__name__.lower())


def first_sentence(kind: type[Balancer]) -> str:
    """Return what the class says it does, without the source in brackets, which has a column."""
    line = (inspect.getdoc(kind) or "").split("\n", 1)[0]
    return re.sub(r" \([^()]*\b(19|20)\d\d[^()]*\)", "", line).rstrip(".")


def defaults(kind: type[Balancer]) -> str:
    """Return the arguments of the constructor and their defaults.

    >>> from gradtruce.balance import CAMEGrad
    >>> defaults(CAMEGrad)
    '`radius=0.5, gain=1.5, fusion=0.2, fold_weights=False, max_gain=10.0`'
    """
    arguments = [
        each.name if each.default is each.empty else f"{each.name}={each.default!r}"
        for each in inspect.signature(kind).parameters.values()
        if each.kind not in {each.VAR_POSITIONAL, each.VAR_KEYWORD}
    ]
    return f"`{', '.join(arguments)}`" if arguments else "none"


def is_wrapper(kind: type[Balancer]) -> bool:
    """Return whether it is made around another balancer."""
    first = next(iter(inspect.signature(kind).parameters), "")
    return first == "balancer"


def passes(kind: type[Balancer]) -> str:
    """Return how many backward passes a step costs, and what else."""
    if is_wrapper(kind):
        return INSIDE
    if issubclass(kind, TaskSchedule):
        return "1 a group, and 2 forward passes"
    if issubclass(kind, AfterStep):
        return "1, and a forward pass more"
    has_rows = kind.needs != "losses" or issubclass(kind, RowTransform | GradientNoise)
    return "K" if has_rows else "1"


def needs(kind: type[Balancer]) -> str:
    """Return what the balancer looks at, and whether `step` alone drives it."""
    if is_wrapper(kind):
        return INSIDE
    looked_at = {"gramian": "G", "blocks": "G by block"}.get(kind.needs, kind.needs)
    if kind.is_fixed:
        looked_at = "nothing"
    if issubclass(kind, RowTransform):
        looked_at = "the rows"
    if issubclass(kind, FeatureReader):
        looked_at = "norms at the features"
    only_step = issubclass(kind, AfterStep | TaskSchedule)
    return f"{looked_at}; `step` only" if only_step else looked_at


def degree(kind: type[Balancer]) -> str:
    """Return the exponent with which coefficients follow the scale of G's square root."""
    return "–" if kind.degree is None else f"{kind.degree:g}".replace("-", "−")


def cell(text: str) -> str:
    """Return a text that does not end its cell."""
    return text.replace("|", "\\|") or "–"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def what_they_do() -> str:
    """Return name, class, task and defaults of every balancer."""
    rows = [
        [f"`{kind.__name__}`", f"`{kind.name}`", cell(first_sentence(kind)), defaults(kind)]
        for kind in balancers()
    ]
    return table(["Class", "Name", "What it does", "Arguments and defaults"], rows)


def what_they_need() -> str:
    """Return cost, source, guarantee, degree and synchronisations of every balancer."""
    rows = [
        [
            f"`{kind.__name__}`",
            passes(kind),
            needs(kind),
            cell(kind.source),
            cell(kind.guarantee),
            degree(kind),
            INSIDE if is_wrapper(kind) else cell(kind.synchronises or "no"),
        ]
        for kind in balancers()
    ]
    head = ["Class", "Backward passes", "Looks at", "Source", "Guarantee", "Degree", "Host waits"]
    return table(head, rows)


def reference() -> str:
    """Return the entries of the API page."""
    entries = [
        f".. autoclass:: {kind.__module__}.{kind.__name__}\n   :members:" for kind in balancers()
    ]
    return "```{eval-rst}\n" + "\n\n".join(entries) + "\n```"


TABLES: Final = {
    "balancers.md": {"what they do": what_they_do, "what they need": what_they_need},
    "api.md": {"balancers": reference},
}


def renewed(page: str) -> str:
    """Return the text of a page with its tables made anew.

    Raises:
        ValueError: If the page lacks the marks between which a table stands.
    """
    text = (DOCS / page).read_text(encoding="utf-8")
    for name, make in TABLES[page].items():
        start, end = MARK.format(name), MARK.format(f"end of {name}")
        if text.count(start) != 1 or text.count(end) != 1:
            raise ValueError(f"{page} must hold {start} and {end}, once each")
        before, rest = text.split(start)
        after = rest.split(end)[1]
        text = f"{before}{start}\n\n{make()}\n\n{end}{after}"
    return text


if __name__ == "__main__":
    for page in TABLES:
        (DOCS / page).write_text(renewed(page), encoding="utf-8")
