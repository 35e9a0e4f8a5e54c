import pickle

import datasets
import pytest


def test_rows_are_found_over_all_shards(prepared):
    rows = prepared.split("train").rows
    assert [rows[index]["id"] for index in range(len(rows))] == list(prepared.split("train").ids)
    assert rows[-1]["id"] == rows.value(9, "id") == "train-9"
    for index in (10, -11):
        with pytest.raises(IndexError, match="there are 10"):
            rows[index]


def test_pickled_rows_are_names_of_files(prepared):
    rows = prepared.split("train").rows
    pickled = pickle.dumps(rows)
    assert len(pickled) < 2000
    assert pickle.loads(pickled)[7] == rows[7]


def test_a_shard_is_a_file_that_other_libraries_open(prepared):
    shard = prepared.folder / prepared.manifest.shards[0].file
    assert datasets.Dataset.from_file(str(shard))[2]["id"] == "train-2"
