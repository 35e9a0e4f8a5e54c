"""WordPiece: pieces of a file or of the reports, and text that comes back as it was."""

import json
from pathlib import Path

import pytest
from tokenizers import BertWordPieceTokenizer, Tokenizer, models, normalizers, pre_tokenizers
from tokenizers.trainers import WordPieceTrainer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from gradtruce.data.text import clean
from gradtruce.data.tokenizer import decode, encode
from gradtruce.data.wordpiece import SPECIAL, read_wordpiece, train_wordpiece

STEMS = ("clear", "lung", "heart", "effusion", "pleural", "opacity", "basilar", "stable", "small")
ENDS = ("", "s", "ly", "al", "ized", "ed", "ing")
TEXTS = [
    f"{first}{end} {second} is {third}{end} . no {third}-sided of 1.5 cm ."
    for end in ENDS
    for first, second, third in zip(STEMS, STEMS[1:], STEMS[2:], strict=False)
]
FILE = [
    "[PAD]",
    "[unused0]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "right",
    "-",
    "sided",
    ".",
    "ef",
    "1",
    "5",
]
FILE += ["##fusion", "##s"]


def write(folder: Path, tokens: list[str]) -> Path:
    path = folder / "vocab.txt"
    path.write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
    return path


def test_a_file_keeps_its_numbers_and_gets_a_beginning(tmp_path: Path) -> None:
    tokenizer = read_wordpiece(write(tmp_path, FILE))
    assert tokenizer.get_vocab() == {token: number for number, token in enumerate([*FILE, "[DEC]"])}
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id) == (0, len(FILE))
    assert (tokenizer.eos_token_id, tokenizer.unk_token_id) == (4, 2)


def test_pieces_are_those_of_bert(tmp_path: Path) -> None:
    path = write(tmp_path, FILE)
    bert = BertWordPieceTokenizer(str(path), lowercase=True)
    for text in ("Right-sided effusions . 1.5", "right x sided", "éf fusion", ""):
        inner = bert.encode(text).ids[1:-1]
        assert read_wordpiece(path).encode(text) == [len(FILE), *inner, 4]


def test_tokens_that_are_no_words_are_not_written(tmp_path: Path) -> None:
    tokenizer = read_wordpiece(write(tmp_path, FILE))
    assert decode(tokenizer, [len(FILE), 3, 6, 5, 2, 9, 4, 6, 0]) == "right ."


def test_a_report_that_begins_inside_a_word_is_written_without_the_mark(tmp_path: Path) -> None:
    tokenizer = read_wordpiece(write(tmp_path, FILE))
    assert decode(tokenizer, [len(FILE), 13, 14, 13, 9, 4]) == "fusionsfusion ."


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["[PAD]", "[UNK]", "lung"], r"lacks \[SEP\]"),
        (["[PAD]", "[UNK]", "[SEP]", "lung", "lung"], "names a token twice"),
        (["[UNK]", "[PAD]", "[SEP]"], r"has \[PAD\] in line 2, not in the first"),
    ],
)
def test_what_is_no_vocabulary_is_refused(tmp_path: Path, tokens: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=f"vocab.txt: {message}; it must be"):
        read_wordpiece(write(tmp_path, tokens))


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such vocabulary"):
        read_wordpiece(tmp_path / "vocab.txt")
    (tmp_path / "vocab.txt").write_bytes(b"\xff\xfe[PAD]")
    with pytest.raises(ValueError, match="not UTF-8"):
        read_wordpiece(tmp_path / "vocab.txt")


def test_training_gives_the_same_pieces_again_whatever_the_order_of_texts() -> None:
    first = train_wordpiece(TEXTS, 90, 2).get_vocab()
    assert all(train_wordpiece(texts, 90, 2).get_vocab() == first for texts in [TEXTS[::-1]] * 5)
    assert len(first) <= 90
    assert [first[token] for token in SPECIAL] == [0, 1, 2, 3]


def test_the_plain_trainer_gives_other_numbers_from_time_to_time() -> None:
    found = set()
    for _ in range(8):
        plain = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        plain.normalizer = normalizers.BertNormalizer()
        plain.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = WordPieceTrainer(
            vocab_size=90, min_frequency=2, special_tokens=list(SPECIAL), show_progress=False
        )
        plain.train_from_iterator(TEXTS, trainer)
        found.add(json.dumps(plain.get_vocab(), sort_keys=True))
    assert len(found) > 1


@pytest.mark.parametrize("size", [60, 4096])
def test_text_of_known_letters_survives_the_way_there_and_back(size: int) -> None:
    tokenizer = train_wordpiece(TEXTS, size, 2)
    for text in [*TEXTS, "non-small effusion of 1.5 cm . stable .", "11.5 . clear"]:
        assert decode(tokenizer, encode(tokenizer, text, 200)) == text


def test_letters_never_seen_make_a_word_unknown() -> None:
    tokenizer = train_wordpiece(TEXTS, 100, 2)
    ids = encode(tokenizer, "clear ω .", 60)
    assert ids.count(tokenizer.unk_token_id) == 1
    assert decode(tokenizer, ids) == "clear ."


def test_too_few_pieces_or_no_text_are_refused() -> None:
    with pytest.raises(ValueError, match=r"has at least \d+ pieces, .* got 50"):
        train_wordpiece(TEXTS, 50)
    with pytest.raises(ValueError, match="there are no words"):
        train_wordpiece([" "], 50)


def test_a_saved_folder_gives_the_same_tokenizer(tmp_path: Path) -> None:
    tokenizer = train_wordpiece(TEXTS, 90, 2)
    tokenizer.save_pretrained(tmp_path)
    for loaded in (
        PreTrainedTokenizerFast.from_pretrained(tmp_path),
        AutoTokenizer.from_pretrained(tmp_path),
    ):
        assert loaded.get_vocab() == tokenizer.get_vocab()
        ids = [encode(loaded, text, 60) for text in TEXTS]
        assert ids == [encode(tokenizer, text, 60) for text in TEXTS]
        assert loaded.batch_decode(ids, skip_special_tokens=True) == TEXTS
        assert (loaded.pad_token_id, loaded.bos_token_id, loaded.eos_token_id) == (0, 1, 2)


@pytest.mark.parametrize("mode", ["clean", "r2gen", "promptmrg"])
def test_real_reports_come_back_word_for_word(shared: Path, mode: str) -> None:
    path = shared / "iu_xray" / "annotation.json"
    if not path.is_file():
        pytest.skip("the real reports are not beside the repository")
    splits = json.loads(path.read_text(encoding="utf-8"))
    train, test = (
        [clean(one["report"], mode) for one in splits[name]] for name in ("train", "test")
    )
    tokenizer = train_wordpiece(train, 4096, 3)
    ids = tokenizer(train + test)["input_ids"]
    written = tokenizer.batch_decode(ids, skip_special_tokens=True)
    wrong = sum(
        " ".join(text.split()) != found for text, found in zip(train + test, written, strict=True)
    )
    assert wrong == 0
