import pytest
from transformers import BertTokenizer

from gradtruce.evaluation.labelers.chexbert_text import ReportTokenizer, clean
from tests.evaluation.tiny_chexbert import VOCABULARY

REPORTS = (
    "The HEART is enlarged.No edema,no masses .",
    "",
    "lungs\n\n clear\tzebra",
    "Élargi lüngs 胸 3.5cm [SEP] ##s",
    "a" * 150 + " mass\x00\ufffd.",
)


@pytest.fixture
def vocabulary(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("report", REPORTS)
def test_the_tokens_are_those_of_transformers_bert_tokenizer(vocabulary, report):
    expected = BertTokenizer(vocab=str(vocabulary))(clean(report, "original"))["input_ids"]
    tokenizer = ReportTokenizer(vocabulary, longest=512)
    assert tokenizer.encode(report) == (expected, False)
    assert tokenizer.size == 17


def test_words_are_split_into_pieces_and_unknown_ones_marked(vocabulary):
    ids = ReportTokenizer(vocabulary, longest=512).encode("Masss edemas zebra").ids
    pieces = [VOCABULARY[one] for one in ids]
    assert pieces == ["[CLS]", "mass", "##s", "edema", "##s", "[UNK]", "[SEP]"]


def test_the_two_ways_to_clean_part_at_a_form_feed_only(vocabulary):
    ways = [
        ReportTokenizer(vocabulary, longest=512, preprocess=way)
        for way in ("original", "promptmrg")
    ]
    plain, fed = "  no\n\nedema  . \t mass ", "no\fedema"
    assert ways[0].encode(plain) == ways[1].encode(plain)
    assert [VOCABULARY[one] for one in ways[0].encode(fed).ids[1:-1]] == ["no", "edema"]
    assert [VOCABULARY[one] for one in ways[1].encode(fed).ids[1:-1]] == ["[UNK]"]


def test_a_report_of_exactly_the_length_is_whole(vocabulary):
    tokenizer = ReportTokenizer(vocabulary, longest=5)
    assert tokenizer.encode("no edema .") == ([2, 9, 10, 15, 3], False)
    assert tokenizer.encode("no edema . mass") == ([2, 9, 10, 15, 3], True)


def test_half_a_character_does_not_break_the_tokenizer(vocabulary):
    assert ReportTokenizer(vocabulary, longest=9).encode("no \ud800 edema").ids == [2, 9, 1, 10, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"the\nheart\n", r"lacks \[PAD\], \[UNK\], \[CLS\], \[SEP\]"),
        (b"[PAD]\n[UNK]\n[CLS]\n[SEP]\nno\nno\n", "names a token twice"),
        (b"\xff\xfe\x00", "not UTF-8 text"),
        (b'{"model": {}}', r"must be the vocab\.txt of bert-base-uncased"),
    ],
)
def test_a_file_that_is_no_vocabulary_is_named(tmp_path, content, message):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        ReportTokenizer(path, longest=9)
