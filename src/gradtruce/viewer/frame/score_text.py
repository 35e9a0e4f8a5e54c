"""How scores, differences and intervals are written on a page."""

from gradtruce.evaluation.significance import Score


def score_text(value: float | None) -> str:
    """Return a score with three decimals, without the leading zero.

    >>> score_text(0.6123), score_text(1.0), score_text(None)
    ('.612', '1.000', '–')
    """
    if value is None:
        return "–"
    if abs(value) < 0.0005:
        return ".000"  # never "−.000"
    text = f"{value:.3f}".replace("-", "−")
    return text.replace("0.", ".", 1) if abs(value) < 0.9995 else text


def difference_text(value: float | None) -> str:
    """Return a difference with its sign.

    >>> difference_text(0.0123), difference_text(-0.2), difference_text(0.0)
    ('+.012', '−.200', '.000')
    """
    if value is None:
        return "–"
    return f"+{score_text(value)}" if value >= 0.0005 else score_text(value)


def interval_text(score: Score | None, *, signed: bool = False) -> str:
    """Return the interval in brackets; nothing where there is none.

    >>> interval_text(Score(0.61, 0.58, 0.64))
    '[.580, .640]'
    """
    if score is None or score.low is None or score.high is None:
        return ""
    text = difference_text if signed else score_text
    return f"[{text(score.low)}, {text(score.high)}]"


def percent(share: float | None) -> str:
    r"""Return a share in whole percent, with a space that does not break.

    >>> percent(0.423), percent(None)
    ('42\xa0%', '–')
    """
    return "–" if share is None else f"{100 * share:.0f}\u00a0%"
