import pytest
from transformers import AutoTokenizer

from gradtruce.data.tokenizer import build_tokenizer, decode, encode

TEXTS = ["the lungs are clear .", "the heart is xxxx ."] * 3 + ["rare-word here ."]


@pytest.fixture
def tokenizer():
    return build_tokenizer(TEXTS, 3)


def test_special_tokens_have_their_ids(tokenizer):
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id) == (0, 1)
    assert (tokenizer.eos_token_id, tokenizer.unk_token_id) == (2, 3)


def test_words_are_alphabetical_whatever_the_order_of_texts(tokenizer):
    assert build_tokenizer(TEXTS[::-1], 3).get_vocab() == tokenizer.get_vocab()
    words = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)[4:]
    assert words == [".", "are", "clear", "heart", "is", "lungs", "the", "xxxx"]


def test_rare_words_are_unknown(tokenizer):
    assert encode(tokenizer, "rare-word clear .", 60) == [1, 3, 6, 4, 2]


def test_known_text_survives_the_way_there_and_back(tokenizer):
    for text in TEXTS[:2]:
        assert decode(tokenizer, encode(tokenizer, text, 60)) == text


def test_a_cut_text_has_no_end(tokenizer):
    assert encode(tokenizer, "the lungs are clear .", 4) == [1, 10, 9, 5]
    assert encode(tokenizer, "the lungs are clear .", 7)[-1] == 2
    assert encode(tokenizer, "the lungs are clear .", 6)[-1] != 2


def test_decoding_stops_at_the_first_end(tokenizer):
    assert decode(tokenizer, [1, 10, 2, 9, 2, 0, 0]) == "the"
    assert decode(tokenizer, [1, 2]) == ""
    assert decode(tokenizer, []) == ""


def test_the_text_of_special_tokens_is_no_word():
    tokenizer = build_tokenizer(["a <eos> a <pad> <eos> <pad>"], 2)
    assert len(tokenizer) == 5


def test_an_empty_text_is_begin_and_end(tokenizer):
    assert encode(tokenizer, "", 60) == [1, 2]


def test_a_saved_tokenizer_is_read_by_transformers(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    read = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    assert read.get_vocab() == tokenizer.get_vocab()
    assert encode(read, TEXTS[0], 60) == encode(tokenizer, TEXTS[0], 60)
    assert decode(read, [1, 3, 6, 4, 2, 0]) == "clear ."


def test_no_frequent_word_is_an_error():
    with pytest.raises(ValueError, match=r"no word occurs 3 times .* lower min_frequency"):
        build_tokenizer(["each word once"], 3)
