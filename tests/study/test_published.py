"""The paper's tables as data: whole, and without contradictions between them."""

import math
from collections import defaultdict

import pytest

from gradtruce.presets import preset_names
from gradtruce.study.published.paper import (
    PublishedTable,
    model_of,
    published_beside,
    published_tables,
)
from gradtruce.training.presets import balance_preset

ROWS = {
    "1": 16,
    "2": 16,
    "3": 9,
    "4": 10,
    "B.1": 4,
    "D.1": 8,
    "D.2": 16,
    "D.3": 40,
    "E.1": 8,
    "E.2": 16,
    "E.3": 40,
    "F.1": 4,
}


def test_all_twelve_tables_are_there_with_all_their_rows():
    assert {name: len(table.rows) for name, table in published_tables().items()} == ROWS


def test_a_number_that_several_tables_print_is_the_same_in_all():
    found = defaultdict(set)
    for table in published_tables().values():
        for row in table.rows:
            for column, value in table.values(row.model, row.arm).items():
                found[table.data, row.model, row.arm, column].add(value)
    assert [place for place, values in found.items() if len(values) > 1] == []


def test_the_average_is_that_of_precision_recall_and_f1():
    for table in published_tables().values():
        if "CE Avg." in table.columns:
            for row in table.rows:
                values = table.values(row.model, row.arm)
                mean = (values["Prec."] + values["Rec."] + values["F1"]) / 3
                assert values["CE Avg."] == pytest.approx(mean, abs=0.00101), (table.name, row)


@pytest.mark.parametrize(("name", "gain"), [("1", 0.023), ("2", 0.019)])
def test_the_mean_gains_of_the_abstract_follow_from_the_tables(name, gain):
    table = published_tables()[name]
    gains = [
        table.values(model, "came_grad")["CE Avg."] - table.values(model, "linear")["CE Avg."]
        for model in table.models()
    ]
    assert sum(gains) / len(gains) == pytest.approx(gain, abs=0.0005)


def test_stage_1_matters_most_elsewhere_than_appendix_d3_says():
    """The text names PromptMRG and REVTAF; its table has DCL, XProNet, WCL and CAMANet first."""
    table = published_tables()["D.3"]
    loss = {
        model: table.values(model, "came_grad")["F1"] - table.values(model, "without_s1")["F1"]
        for model in table.models()
    }
    order = sorted(loss, key=lambda model: -loss[model])
    assert order[:6] == ["DCL", "XProNet", "WCL", "CAMANet", "PromptMRG", "REVTAF"]


def test_the_whole_is_not_best_everywhere():
    beaten = [
        (name, model, arm)
        for name in ("D.3", "E.3")
        for model in published_tables()[name].models()
        for arm in ("without_s1", "without_s2", "without_s3")
        if published_tables()[name].values(model, arm)["CE Avg."]
        > published_tables()[name].values(model, "came_grad")["CE Avg."]
    ]
    assert beaten == [
        ("D.3", "CAMANet", "without_s3"),
        ("D.3", "TGRG", "without_s1"),
        ("E.3", "DCL", "without_s2"),
        ("E.3", "CAMANet", "without_s2"),
        ("E.3", "DDaTR", "without_s3"),
        ("E.3", "REVTAF", "without_s1"),
    ]


def test_hyper_parameters_are_those_of_our_presets():
    for name, suffix in (("D.1", "mimic"), ("E.1", "iu")):
        for row in published_tables()[name].rows:
            values = published_tables()[name].values(row.model, row.arm)
            preset = f"came_grad-{row.model.lower()}-{suffix}"
            if values:
                options = balance_preset(preset)["options"]
                assert {key: options[key] for key in values} == values
            else:
                assert preset not in preset_names("balance")


def test_the_rows_beside_a_study():
    rows = published_beside("promptmrg", ("linear", "came_grad"))
    assert {(table.name, row.arm) for table, row in rows} == {
        (name, arm) for name in ("D.3", "E.3") for arm in ("linear", "came_grad")
    }
    others = published_beside("r2gen", ("famo",))
    assert [(table.name, row.model) for table, row in others] == [("3", "REVTAF")]
    assert published_beside("r2gen", ("famo",), auxiliary=True) == []
    assert model_of("camanet_tiny") == "CAMANet"


def test_a_table_that_is_no_rectangle_is_refused():
    with pytest.raises(ValueError, match="1 numbers for 2 columns"):
        PublishedTable.model_validate(
            {
                "name": "9",
                "title": "T",
                "data": "D",
                "columns": ["a", "b"],
                "rows": [{"model": "WCL", "arm": "linear", "values": [math.pi]}],
            }
        )
