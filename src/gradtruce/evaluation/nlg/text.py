"""What becomes of a text before any lexical score sees it."""


def squeeze(text: str) -> str:
    r"""Return the text with all whitespace, line breaks too, as single blanks and none at the ends.

    >>> squeeze(" clear   lungs\n.")
    'clear lungs .'
    """
    return " ".join(text.split())
