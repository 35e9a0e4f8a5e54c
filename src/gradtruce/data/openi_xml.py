"""One report of Indiana University as Open-i ships it: an XML file of `NLMCXR_reports`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Never, final
from xml.parsers import expat

from gradtruce.data.text_file import REPORT_LIMIT, decode_utf8, read_text

_ROOT: Final = "eCitation"
_UID: Final = re.compile(r"CXR(\d{1,9})", re.ASCII)
_LARGEST_DEPTH: Final = 100


@final
@dataclass(frozen=True)
class OpenIReport:
    """What a report file says.

    Attributes:
        uid: Number of the study, as in `CXR54`.
        sections: Text of each labelled section that is not blank, by its label in lower case:
            "comparison", "indication", "findings", "impression". The token XXXX stands for what
            was removed to protect the patient.
        mesh_major: Terms given by hand, with attributes after slashes, such as
            "Cardiomegaly/borderline".
        mesh_automatic: Terms given by a program.
        images: For every image its name without ending, such as "CXR54_IM-2145-1001", to its
            caption, "" where there is none.
    """

    uid: int
    sections: Mapping[str, str]
    mesh_major: tuple[str, ...]
    mesh_automatic: tuple[str, ...]
    images: Mapping[str, str]

    @classmethod
    def read(cls, path: str | Path, *, root: str | Path | None = None) -> "OpenIReport":
        """Return the report in a file.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: As `parse`, and if the file is too long or outside `root`.
        """
        return cls.parse(read_text(path, root=root), str(path))

    @classmethod
    def parse(cls, content: str | bytes, name: str) -> "OpenIReport":
        """Return the report in a text; the name stands in messages.

        A section that is missing or blank is left out; two with one label are joined. A document
        type is refused, and with it every entity, internal or external, that could read another
        file or grow without bound: no Open-i report has one.

        Raises:
            ValueError: If the text is not UTF-8, too long, no well-formed XML, declares a document
                type or entities, is nested too deep, or is no Open-i report with an id.

        >>> report = OpenIReport.parse('''<eCitation><uId id="CXR7"/>
        ...     <AbstractText Label="FINDINGS">Clear &amp; dry.</AbstractText>
        ...     <AbstractText Label="IMPRESSION"/>
        ...     <MeSH><major>normal</major></MeSH>
        ...     <parentImage id="CXR7_IM-1-1001"><caption>PA</caption></parentImage>
        ...     </eCitation>''', "7.xml")
        >>> report.uid, dict(report.sections), report.mesh_major, dict(report.images)
        (7, {'findings': 'Clear & dry.'}, ('normal',), {'CXR7_IM-1-1001': 'PA'})
        """
        text = decode_utf8(content, name) if isinstance(content, bytes) else content
        if len(text) >= REPORT_LIMIT:
            raise ValueError(f"{name}: a report must be shorter than {REPORT_LIMIT:,} characters")
        reader = _Reader(name)
        reader.read(text)
        found = _UID.fullmatch(reader.uid)
        if not found:
            raise ValueError(f"{name}: must have a uId such as CXR54, has {reader.uid[:40]!r}")
        return cls(
            int(found[1]),
            MappingProxyType({key: " ".join(texts) for key, texts in reader.sections.items()}),
            tuple(reader.terms["major"]),
            tuple(reader.terms["automatic"]),
            MappingProxyType(reader.images),
        )


@final
class _Reader:
    """Gathers the parts of a report while expat walks through it."""

    def __init__(self, name: str) -> None:
        self.uid = ""
        self.sections: dict[str, list[str]] = {}
        self.terms: dict[str, list[str]] = {"major": [], "automatic": []}
        self.images: dict[str, str] = {}
        self._name = name
        self._open: list[str] = []
        self._label = self._image = ""
        self._text: list[str] = []

    def read(self, text: str) -> None:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_document_type
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        try:
            parser.Parse(text, True)
        except expat.ExpatError as error:
            raise ValueError(f"{self._name}: not readable as XML ({error})") from None
        except UnicodeEncodeError:
            raise ValueError(f"{self._name}: not readable as XML (half a character)") from None

    def _refuse_document_type(
        self, root: str, system: str | None, public: str | None, has_subset: int
    ) -> Never:
        what = "an internal one" if has_subset else "without entities"
        if system or public:
            what = f"an external one, {(system or public or '')[:80]!r}"
        raise ValueError(
            f"{self._name}: declares a document type ({root[:40]!r}, {what}); refused, because "
            "its entities could read other files or grow without bound, and no Open-i report has it"
        )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self._open and tag != _ROOT:
            raise ValueError(f"{self._name}: must be an {_ROOT}, is {tag[:40]!r}; no Open-i report")
        self._open.append(tag)
        if len(self._open) > _LARGEST_DEPTH:
            raise ValueError(f"{self._name}: nested too deep for a report")
        if tag == "uId":
            self.uid = attributes.get("id", "").strip()
        elif tag == "parentImage":
            self._image = attributes.get("id", "").strip()
            if self._image:
                self.images.setdefault(self._image, "")
        elif tag == "AbstractText":
            self._label = attributes.get("Label", "").strip().lower()
        if tag in _WITH_TEXT:
            self._text.clear()

    def _end(self, tag: str) -> None:
        self._open.pop()
        if tag not in _WITH_TEXT:
            return
        text = "".join(self._text).strip()
        self._text.clear()
        if tag == "AbstractText" and self._label and text:
            self.sections.setdefault(self._label, []).append(text)
        elif tag == "caption" and self._image in self.images:
            self.images[self._image] = text
        elif tag in self.terms and text and self._open[-1:] == ["MeSH"]:
            self.terms[tag].append(text)


_WITH_TEXT: Final = frozenset({"AbstractText", "caption", "major", "automatic"})
