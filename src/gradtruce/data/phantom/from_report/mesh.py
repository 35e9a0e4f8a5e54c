"""One MeSH string of an Open-i report: what is seen, and its qualifiers."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class MeshTerm:
    """A head and its qualifiers, in small letters.

    Attributes:
        head: What is seen, such as "pleural effusion".
        qualifiers: Where and how, in the order of the string, each once.
    """

    head: str
    qualifiers: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "MeshTerm":
        """Return the term that a string names.

        Parts are separated by `/`; spaces around and within them are evened out. A comma belongs
        to its part: "aorta, thoracic" is one qualifier.

        Raises:
            ValueError: If the string has no head.

        >>> MeshTerm.parse("Pleural Effusion/left/small")
        MeshTerm(head='pleural effusion', qualifiers=('left', 'small'))
        """
        head, *qualifiers = (" ".join(part.split()).lower() for part in text.split("/"))
        if not head:
            raise ValueError(f"a MeSH string must start with what is seen, got {text!r}")
        return cls(head, tuple(dict.fromkeys(part for part in qualifiers if part)))
