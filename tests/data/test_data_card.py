import json

from gradtruce.data.data_card import describe
from gradtruce.data.prepared import PreparedDataset, PreparedWriter


def test_the_card_counts_what_is_there(prepared):
    card = describe(prepared)
    train = card["splits"]["train"]
    assert train["studies"] == 10
    assert train["views"] == {"frontal": 5, "frontal + lateral": 5}
    assert train["labels"]["Edema"] == {"positive": 10, "negative": 0, "uncertain": 0, "missing": 0}
    assert train["labels"]["Pneumonia"]["uncertain"] == 10
    assert train["labels"]["Lung Lesion"]["missing"] == 10
    assert (train["words_mean"], train["words_longest"]) == (8.0, 8)
    assert (train["unique_reports"], train["commonest_report"]) == (10, 1)


def test_the_card_counts_test_reports_that_stand_in_train(tmp_path, make_study):
    with PreparedWriter(tmp_path / "set", name="x", source="") as writer:
        writer.add(make_study("a", report="Clear lungs."))
        writer.add(make_study("b", report="Clear  lungs. "))
        writer.add(make_study("c", "val", report="Small effusion."))
        writer.add(make_study("d", "test", report="Clear lungs."))
    splits = describe(PreparedDataset.open(tmp_path / "set"))["splits"]
    assert [splits[name]["reports_in_train"] for name in ("train", "val", "test")] == [2, 0, 1]
    assert (splits["train"]["unique_reports"], splits["train"]["commonest_report"]) == (1, 2)


def test_the_card_is_json(prepared):
    card = describe(prepared)
    assert json.loads(json.dumps(card))["splits"] == card["splits"]
