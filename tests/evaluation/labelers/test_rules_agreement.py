"""The rules labeler against synthetic truth and against two public label files of real reports."""

import time

import pytest

from benchmarks.labeler import (
    CAMANET,
    XPRONET,
    frequent_in_both,
    label_files,
    open_i_labels,
    phantom_agreement,
    phantom_studies,
)
from gradtruce.evaluation.labelers.agreement import compare_labels
from gradtruce.evaluation.labelers.rules import RulesLabeler

WHOLE = ("findings", "impression")
IMPRESSION = ("impression",)


@pytest.mark.parametrize("uncertain", ["positive", "negative"])
def test_every_observation_of_a_synthetic_report_is_read_as_it_is(uncertain):
    agreement = phantom_agreement(400, "standard", 3, uncertain=uncertain)
    assert len(agreement.frequent(10)) == 14
    for one in agreement.classes:
        assert min(one.precision, one.recall) >= 0.98, one


def test_a_core_reads_more_than_twenty_thousand_distinct_reports_a_minute():
    reports = [study.report for study in phantom_studies(400, "standard", 9)]
    labeler = RulesLabeler()
    start = time.process_time()
    labeler.label(reports)
    assert len(set(reports)) == 400
    assert 400 / (time.process_time() - start) > 20_000 / 60


# XProNet's file was made from the impression alone; CAMANet's passes over most devices and old
# fractures that only the findings name. On the impression we agree with each of them better than
# they do with each other; on findings + impression our share of their mutual F1 is the last column.
SHARES = [
    (IMPRESSION, XPRONET, 1.2),
    (IMPRESSION, CAMANET, 0.95),
    (WHOLE, XPRONET, 1.0),
    (WHOLE, CAMANET, 0.91),  # the goal was 0.95: docs/labeler.md says why it is not met
]


@pytest.mark.parametrize("split", ["train", None])
@pytest.mark.parametrize(("sections", "name", "share"), SHARES)
def test_real_reports_are_read_as_published_labels_have_them(
    local_data, sections, name, share, split
):
    folder = local_data / "iu_xray"
    files = label_files(folder, split)
    chosen = frequent_in_both(files)
    mutual = compare_labels(files[CAMANET], files[XPRONET]).macro(chosen).f1
    ours = open_i_labels(folder, list(files[name]), RulesLabeler(), sections)
    assert len(ours) == {"train": 2069, None: 2365}[split]
    assert len(chosen) >= 13
    assert compare_labels(ours, files[name]).macro(chosen).f1 >= share * mutual
