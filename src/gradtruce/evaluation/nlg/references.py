"""What published codes do to texts before scoring them: options that the protocol names.

The default does nothing: a reference that is cut loses what is hard to say, and scores rise. All of
them take text that is cleaned already, and act on lexical scores only: labels are read in the text
as it is, for a finding in word 101 is a finding. (PromptMRG's code labels references cut at 100
words, and generated text before it is post-processed.)
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, final

from gradtruce.naming import suggestion

R2GEN_IDS: Final = {"iu_xray": 60, "mimic_cxr": 100}
"""R2Gen's max_seq_length by data set (Chen et al. 2020)."""

PROMPTMRG_WORDS: Final = 100
"""Words that PromptMRG keeps of each reference (Jin et al. 2024)."""

UNKNOWN: Final = "<unk>"


@final
@dataclass(frozen=True)
class ReferenceHandling:
    """What is done to references and to generated texts.

    Attributes:
        name: Short name.
        max_words: Words kept of each reference; `None` for all.
        vocabulary: Words that stay in references, the others become "<unk>"; `None` for all.
        joins_hyphens: Whether generated text gets a blank before each full stop that a blank
            follows or that ends it, and " - " in it becomes "-", as in PromptMRG's code.

    >>> FULL.reference("clear lungs .")
    'clear lungs .'
    """

    name: str
    max_words: int | None = None
    vocabulary: frozenset[str] | None = None
    joins_hyphens: bool = False

    @property
    def identity(self) -> str:
        """Return all that decides what is done, in words, for a protocol.

        >>> FULL.identity
        'full: as in the predictions, not cut'
        """
        done = []
        if self.max_words is not None:
            done.append(f"references cut at {self.max_words} words")
        if self.vocabulary is not None:
            text = "\n".join(sorted(self.vocabulary))
            digest = hashlib.sha256(text.encode()).hexdigest()[:16]
            done.append(
                f"reference words outside a vocabulary of {len(self.vocabulary)}"
                f" (sha256 {digest}) become {UNKNOWN}"
            )
        if self.joins_hyphens:
            done.append("in generated text '. ' becomes ' . ' and ' - ' becomes '-'")
        return f"{self.name}: {'; '.join(done) or 'as in the predictions, not cut'}"

    def reference(self, text: str) -> str:
        """Return what is scored of a reference.

        >>> r2gen(max_ids=4, vocabulary=["clear", "lungs"]).reference("clear both lungs .")
        'clear <unk> lungs'
        """
        if self.max_words is None and self.vocabulary is None:
            return text
        words = text.split()[: self.max_words]
        if self.vocabulary is not None:
            words = [word if word in self.vocabulary else UNKNOWN for word in words]
        return " ".join(words)

    def generated(self, text: str) -> str:
        """Return what is scored of a generated text.

        >>> PROMPTMRG.generated("right - sided effusion. no mass.")
        'right-sided effusion . no mass .'
        """
        if not self.joins_hyphens:
            return text
        return f"{text} ".replace(". ", " . ").replace(" - ", "-").strip()


def r2gen(max_ids: int, vocabulary: Iterable[str] | None = None) -> ReferenceHandling:
    """Return what R2Gen's code does: its references are decoded from ids cut at `max_ids`.

    The first id begins the text and is no word, so `max_ids` − 1 words are left. R2GenCMN, WCL,
    XProNet and CAMANet do the same.

    Args:
        max_ids: Its max_seq_length: 60 on IU X-Ray, 100 on MIMIC-CXR.
        vocabulary: Words frequent enough in the training reports; without it, rare words stay,
            which R2Gen's code would have as "<unk>".

    Raises:
        ValueError: If not one word would be left.

    >>> r2gen(60).identity
    'r2gen_60: references cut at 59 words'
    """
    if max_ids < 2:
        raise ValueError(f"max_ids must be at least 2, one for the beginning, got {max_ids}")
    words = None if vocabulary is None else frozenset(vocabulary)
    return ReferenceHandling(f"r2gen_{max_ids}", max_words=max_ids - 1, vocabulary=words)


FULL: Final = ReferenceHandling("full")
"""Texts as they are."""

PROMPTMRG: Final = ReferenceHandling("promptmrg", max_words=PROMPTMRG_WORDS, joins_hyphens=True)
"""As PromptMRG's code, and those of DDaTR, REVTAF and CAME-Grad after it."""

HANDLINGS: Final[Mapping[str, ReferenceHandling]] = {
    handling.name: handling for handling in (FULL, *map(r2gen, R2GEN_IDS.values()), PROMPTMRG)
}
"""What can be asked for by name."""


def handling_of(name: str) -> ReferenceHandling:
    """Return what can be asked for by name.

    Raises:
        ValueError: If there is none of that name.

    >>> handling_of("promptmrg").max_words
    100
    """
    if name not in HANDLINGS:
        near = suggestion(name, tuple(HANDLINGS))
        raise ValueError(f"no reference handling is called {name!r}{near}")
    return HANDLINGS[name]
