import json
import re

from gradtruce.data.card_page import CARD_FILES, write_cards
from gradtruce.data.data_card import describe
from gradtruce.data.prepared import PreparedDataset, PreparedWriter
from gradtruce.data.study import SPLITS


def test_the_card_is_written_as_json_markdown_and_page(prepared):
    write_cards(prepared)
    read = {name: (prepared.folder / name).read_text(encoding="utf-8") for name in CARD_FILES}
    assert json.loads(read["data_card.json"]) == json.loads(json.dumps(describe(prepared)))
    assert "| studies | 10 | 3 | 3 |" in read["data_card.md"]
    assert "| Edema | 10 / 0 / 0 / 0 |" in read["data_card.md"]
    assert read["card.html"].count("<article") == 11
    assert 'class="badge">Synthetic' not in read["card.html"]
    assert "as its licence allows" in read["card.html"]


def test_the_page_needs_nothing_else(prepared):
    write_cards(prepared)
    page = (prepared.folder / "card.html").read_text(encoding="utf-8")
    assert set(re.findall(r'(?:src|href)="([a-z]+:)', page)) == {"data:"}
    assert "@import" not in page
    assert "url(" not in page
    assert 'name="viewport"' in page


def test_pictures_and_reports_can_be_left_out(prepared):
    write_cards(prepared, pictures=False)
    page = (prepared.folder / "card.html").read_text(encoding="utf-8")
    assert "<img" not in page
    assert "Study train-0 is clear" not in page


def test_text_of_the_source_is_never_markup(tmp_path, make_study):
    evil = "<script>alert(1)</script>"
    with PreparedWriter(tmp_path / "set", name=evil, source="a | b") as writer:
        for split in SPLITS:
            writer.add(make_study(split, split, report=evil, is_synthetic=True))
    write_cards(PreparedDataset.open(tmp_path / "set"))
    page = (tmp_path / "set" / "card.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert page.count('class="badge">Synthetic') == 4  # the page, and each example
    assert "Copying scores well here" in page


def test_the_same_set_gives_the_same_page(prepared):
    write_cards(prepared)
    first = (prepared.folder / "card.html").read_bytes()
    write_cards(prepared)
    assert (prepared.folder / "card.html").read_bytes() == first


def test_what_a_set_was_made_with_is_told_in_words(tmp_path, make_study):
    made_with = {
        "split": {"by": "hash", "shares": [0.7, 0.3]},
        "labels": None,
        "rows": {"a": {"b": 1}, "c": {"b": 2}},
        "terms": {f"term {n}": 1000 for n in range(14)},
    }
    parameters = {**made_with, "is_whole": True}
    with PreparedWriter(tmp_path / "set", name="a", source="", parameters=parameters) as writer:
        for split in SPLITS:
            writer.add(make_study(split, split))
    write_cards(PreparedDataset.open(tmp_path / "set"))
    told = (tmp_path / "set" / "data_card.md").read_text(encoding="utf-8").splitlines()
    assert "- split: by hash · shares 0.7, 0.3" in told
    assert "- rows: 2 rows in data_card.json" in told
    assert "- is whole: yes" in told
    assert not any(line.startswith("- labels:") for line in told)
    (terms,) = (line for line in told if line.startswith("- terms:"))
    assert terms.endswith(" · term 11 1,000 · 2 more in data_card.json")


def test_views_of_which_burned_in_text_is_not_told_are_counted(prepared):
    write_cards(prepared)
    page = (prepared.folder / "card.html").read_text(encoding="utf-8")
    assert "15 not told" in page
