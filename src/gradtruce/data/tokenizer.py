"""A word-level tokenizer built on the training reports, saved as transformers saves it."""

from collections import Counter
from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

PAD, BOS, EOS, UNKNOWN = "<pad>", "<bos>", "<eos>", "<unk>"
SPECIAL = (PAD, BOS, EOS, UNKNOWN)
"""Ids 0, 1, 2, 3. R2Gen uses id 0 for pad, bos and eos alike; ours are distinct."""


def build_tokenizer(texts: Iterable[str], min_frequency: int = 3) -> PreTrainedTokenizerFast:
    """Return a tokenizer whose words are those of `texts`, in alphabetical order after the special.

    Args:
        texts: Cleaned training reports; words are what stands between white space.
        min_frequency: Rarer words become unknown; R2Gen takes 3 on IU X-Ray, 10 on MIMIC-CXR.

    Raises:
        ValueError: If no word is that frequent.

    >>> tokenizer = build_tokenizer(["the lungs are clear .", "the heart is normal ."], 2)
    >>> tokenizer.get_vocab() == {"<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3, ".": 4, "the": 5}
    True
    """
    counts = Counter(word for text in texts for word in text.split())
    words = sorted(w for w, n in counts.items() if n >= min_frequency and w not in SPECIAL)
    if not words:
        raise ValueError(
            f"no word occurs {min_frequency} times in the training reports; lower min_frequency"
        )
    vocabulary = {word: place for place, word in enumerate((*SPECIAL, *words))}
    model = Tokenizer(WordLevel(vocabulary, unk_token=UNKNOWN))
    model.pre_tokenizer = WhitespaceSplit()
    model.post_processor = TemplateProcessing(
        single=f"{BOS} $A {EOS}", special_tokens=[(BOS, 1), (EOS, 2)]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call] # transformers has none
        tokenizer_object=model,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
    )


def encode(tokenizer: PreTrainedTokenizerFast, text: str, max_tokens: int) -> list[int]:
    """Return bos, the words, eos, cut at `max_tokens`.

    A text that is cut has no eos, as in R2Gen: it did not end there.

    >>> tokenizer = build_tokenizer(["clear lungs ."], 1)
    >>> encode(tokenizer, "clear heart .", 60), encode(tokenizer, "clear lungs .", 3)
    ([1, 5, 3, 4, 2], [1, 5, 6])
    """
    ids: list[int] = tokenizer.encode(text)
    return ids[:max_tokens]


def decode(tokenizer: PreTrainedTokenizerFast, ids: Sequence[int]) -> str:
    """Return the words up to the first eos, special tokens left out.

    >>> tokenizer = build_tokenizer(["clear lungs ."], 1)
    >>> decode(tokenizer, [1, 5, 6, 3, 4, 2, 6, 0])
    'clear lungs .'
    """
    words = list(ids)
    if tokenizer.eos_token_id in words:
        words = words[: words.index(tokenizer.eos_token_id)]
    return str(tokenizer.decode(words, skip_special_tokens=True))
