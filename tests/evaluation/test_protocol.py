import json

import pytest

import gradtruce
from gradtruce.evaluation.protocol import Protocol


def test_a_protocol_survives_json() -> None:
    protocol = Protocol(
        "a against b", 3, classes=("Edema",), without_auc={"Edema": "one value"}, threshold=0.5
    )
    assert Protocol.from_json(json.loads(json.dumps(protocol.to_json()))) == protocol


def test_fields_without_a_meaning_are_left_out_but_zero_is_kept() -> None:
    fields = Protocol("a against b", reports=3).to_json()
    assert set(fields) == {"compares", "reports", "empty_generated", "intervals", "versions"}
    assert fields["empty_generated"] == 0
    assert fields["versions"]["gradtruce"] == gradtruce.__version__


def test_an_unknown_field_is_an_error() -> None:
    with pytest.raises(TypeError, match="mood"):
        Protocol.from_json({"compares": "a", "reports": 1, "mood": "good"})
