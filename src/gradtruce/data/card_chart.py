"""How common each observation is, as bars in one SVG."""

from collections.abc import Mapping
from typing import Final

from markupsafe import Markup

from gradtruce.data.data_card import LabelCounts, SplitCard
from gradtruce.data.observations import OBSERVATIONS

_ROW, _BAR, _TOP = 34.0, 8.0, 22.0
_LEFT, _PLOT, _RIGHT = 214, 320, 86
_TICKS: Final = 4


def prevalence_chart(splits: Mapping[str, SplitCard]) -> Markup:
    """Return the share of positive (full) and uncertain (pale) studies, a bar a split.

    Shares are of all studies of the split, those without the label too.

    >>> "<svg" in prevalence_chart({})
    True
    """
    ceiling = _ceiling(splits)
    height = _TOP + _ROW * len(OBSERVATIONS) + 6
    width = _LEFT + _PLOT + _RIGHT
    parts = [
        Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}" class="prevalence">').format(
            width, height, "Share of studies in which each observation is positive"
        )
    ]
    parts += [_tick(ceiling * place / _TICKS, ceiling, height) for place in range(_TICKS + 1)]
    for row, name in enumerate(OBSERVATIONS):
        parts.append(_observation(name, row, splits, ceiling))
    return Markup("").join([*parts, Markup("</svg>")])


def _observation(name: str, row: int, splits: Mapping[str, SplitCard], ceiling: float) -> Markup:
    top = _TOP + row * _ROW
    middle = top + _ROW / 2
    parts = [
        Markup('<text x="{}" y="{}" class="name">{}</text>').format(_LEFT - 8, middle + 4, name)
    ]
    positive: list[str] = []
    for place, (split, card) in enumerate(splits.items()):
        counts, studies = card["labels"][name], card["studies"]
        parts.append(_bar(split, counts, studies, top + 4 + place * (_BAR + 1), ceiling))
        positive.append(f"{counts['positive']:,}")
    parts.append(
        Markup('<text x="{}" y="{}" class="count">{}</text>').format(
            _LEFT + _PLOT + _RIGHT, middle + 4, " / ".join(positive)
        )
    )
    return Markup("").join(parts)


def _bar(split: str, counts: LabelCounts, studies: int, top: float, ceiling: float) -> Markup:
    sure = _PLOT * counts["positive"] / studies / ceiling
    unsure = _PLOT * counts["uncertain"] / studies / ceiling
    title = (
        f"{split}: {counts['positive']:,} positive, {counts['uncertain']:,} uncertain, "
        f"{counts['negative']:,} negative, {counts['missing']:,} missing"
    )
    return Markup(
        '<g class="{}"><title>{}</title>'
        '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{}"/>'
        '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{}" class="unsure"/></g>'
    ).format(split, title, _LEFT, top, sure, _BAR, _LEFT + sure, top, unsure, _BAR)


def _tick(share: float, ceiling: float, height: float) -> Markup:
    across = _LEFT + _PLOT * share / ceiling
    return Markup(
        '<line x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}" class="tick"/>'
        '<text x="{0:.1f}" y="{3}" class="axis">{4}</text>'
    ).format(across, _TOP, height, _TOP - 8, f"{100 * share:.3g} %")


def _ceiling(splits: Mapping[str, SplitCard]) -> float:
    """Return where the axis ends: the largest share, rounded up to a tenth."""
    shares = [
        (counts["positive"] + counts["uncertain"]) / card["studies"]
        for card in splits.values()
        for counts in card["labels"].values()
    ]
    return max(1, -(-round(max(shares, default=0) * 1000) // 100)) / 10
