"""What is drawn for made-up MeSH strings and labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradtruce.data.observations import FINDINGS, OBSERVATIONS
from gradtruce.data.phantom.from_report.findings import plan_findings
from gradtruce.data.phantom.from_report.mapping import load_mapping
from gradtruce.data.phantom.from_report.places import random_streams
from gradtruce.data.phantom.kinds import KINDS

KIND = {kind.name: kind for kind in KINDS}
HEADS = sorted({head for rule in load_mapping().rules for head in rule.heads} | {"scoliosis"})
WORDS = sorted(
    {*load_mapping().sides, *load_mapping().zones, *load_mapping().severities, "multiple", "round"}
    | {word for rule in load_mapping().rules for word in rule.any_of}
)
STRINGS = st.lists(
    st.builds(
        lambda head, words: "/".join([head, *words]),
        st.sampled_from(HEADS),
        st.lists(st.sampled_from(WORDS), max_size=4),
    ),
    max_size=4,
)
LABELS = st.dictionaries(st.sampled_from(OBSERVATIONS), st.sampled_from([1, 0, -1]), max_size=8)


def plan(mesh=(), labels=None, automatic=(), seed=0):
    return plan_findings(mesh, automatic, labels or {}, random_streams(seed), "standard")


def drawn(mesh=(), labels=None, automatic=()):
    return [
        (one.finding.kind, one.finding.side, one.finding.zone, one.finding.certainty)
        for one in plan(mesh, labels, automatic).findings
    ]


@pytest.mark.parametrize(
    ("mesh", "expected"),
    [
        (["normal"], []),
        (["Scoliosis/mild"], []),
        (["Cardiomegaly/mild"], [("enlarged heart", None, None, "definite")]),
        (["Cardiomegaly/borderline"], [("enlarged heart", None, None, "possible")]),
        (
            ["Pleural Effusion/bilateral/small"],
            [("pleural effusion", "bilateral", "lower", "definite")],
        ),
        (
            ["Consolidation/lung/upper lobe/bilateral"],
            [
                ("consolidation", "left", "upper", "definite"),
                ("consolidation", "right", "upper", "definite"),
            ],
        ),
        (["Opacity/lung/base/left"], [("hazy opacity", "left", "lower", "definite")]),
        (
            ["Opacity/lung/base/left", "Opacity/lung"],
            [("hazy opacity", "left", "lower", "definite")],
        ),
        (["Cardiomegaly", "Cardiac Shadow/enlarged"], [("enlarged heart", None, None, "definite")]),
        (["Calcified Granuloma/lung/right"], []),
    ],
)
def test_strings_draw_what_they_name(mesh, expected):
    assert drawn(mesh) == expected


def test_the_most_severe_degree_of_one_thing_counts():
    (one,) = plan(["Cardiomegaly/mild", "Cardiac Shadow/enlarged/severe"]).findings
    assert one.finding.severity == "severe"
    assert one.attributes["severity"] == "known"


def test_a_label_of_zero_goes_before_a_string():
    reading = plan(["Pleural Effusion/left"], {"Pleural Effusion": 0})
    assert not reading.findings
    assert reading.reading.denied == ("pleural effusion",)


def test_no_finding_denies_everything_but_devices():
    mesh = ["Cardiomegaly", "Catheters, Indwelling/right"]
    labels = {"No Finding": 1}
    assert drawn(mesh, labels) == [("central venous catheter", "right", None, "definite")]


def test_an_uncertain_label_makes_a_finding_possible_and_mild_where_no_degree_is_known():
    (one,) = plan(["Pneumonia/right/lower lobe"], {"Pneumonia": -1}).findings
    assert (one.finding.certainty, one.finding.severity) == ("possible", "mild")
    assert one.attributes["severity"] == "fixed"
    (known,) = plan(["Pneumonia/right/severe"], {"Pneumonia": -1}).findings
    assert (known.finding.certainty, known.finding.severity) == ("possible", "severe")


def test_a_positive_label_overrules_a_string_that_hedges():
    assert drawn(["Cardiomegaly/borderline"], {"Cardiomegaly": 1})[0][3] == "definite"


def test_labels_choose_among_the_kinds_of_a_string():
    mesh = ["Airspace Disease/lung/left/base"]
    assert drawn(mesh)[0][0] == "hazy opacity"
    assert drawn(mesh, {"Consolidation": 1})[0][:3] == ("consolidation", "left", "lower")
    assert drawn(mesh, {"Lung Opacity": 0, "Consolidation": 0})[0][0] == "pneumonia"


def test_a_label_without_string_is_drawn_at_random_and_says_so():
    (one,) = plan(labels={"Pneumothorax": 1}).findings
    assert one.origin == "label"
    assert one.attributes == {
        "kind": "drawn",
        "side": "drawn",
        "zone": "fixed",
        "severity": "drawn",
    }


def test_a_label_takes_its_place_from_a_string_that_does_not_draw_alone():
    mesh, labels = ["Costophrenic Angle/blunted/left"], {"Pleural Effusion": 1}
    (one,) = plan(mesh, labels).findings
    assert (one.finding.kind, one.finding.side) == ("pleural effusion", "left")
    assert one.origin == "label, place from MeSH"
    assert plan(mesh).reading.unused == ("costophrenic angle",)


def test_automatic_terms_only_tell_which_device_a_label_means():
    assert drawn(automatic=["Sternotomy"]) == []
    assert drawn(labels={"Support Devices": 1}, automatic=["Sternotomy"])[0][0] == (
        "sternotomy wires"
    )


def test_a_place_where_the_phantom_cannot_draw_is_recorded():
    (one,) = plan(["Pulmonary Atelectasis/upper lobe/left"]).findings
    assert one.finding.zone == "lower"
    assert one.attributes["zone"] == "not as reported"
    (edema,) = plan(["Pulmonary Edema/right"]).findings
    assert edema.attributes["side"] == "not as reported"


def test_several_lesions_are_two_in_other_places():
    (one, other) = plan(["Nodule/lung/multiple/right/apex"]).findings
    assert (one.finding.side, other.finding.side) == ("right", "right")
    assert one.finding.zone == "upper" != other.finding.zone
    (one, other) = plan(["Nodule/lung/multiple"]).findings
    assert {one.finding.side, other.finding.side} == {"left", "right"}


@pytest.mark.parametrize(("word", "low", "high"), [("small", 8, 12), ("large", 20, 30)])
def test_a_degree_sets_the_third_of_a_size(word, low, high):
    for seed in range(20):
        (one,) = plan([f"Nodule/lung/left/{word}"], seed=seed).findings
        assert low <= one.finding.size <= high


def test_what_is_unknown_of_one_thing_does_not_depend_on_what_else_is_there():
    (alone,) = plan(["Pneumonia"]).findings
    beside = plan(["Cardiomegaly/mild", "Pneumonia", "Nodule/left"], {"Fracture": 1}).findings
    (again,) = [one for one in beside if one.finding.kind == "pneumonia"]
    assert (alone.finding.side, alone.finding.zone) == (again.finding.side, again.finding.zone)
    assert alone.finding.severity == again.finding.severity


def test_airspace_findings_whose_places_are_unknown_share_one():
    labels = {"Pneumonia": 1, "Consolidation": 1}
    for seed in range(10):
        places = {
            (one.finding.side, one.finding.zone) for one in plan(labels=labels, seed=seed).findings
        }
        assert len(places) == 1


def test_a_chest_tube_is_drawn_at_random_only_where_there_is_something_to_drain():
    alone, beside = set(), set()
    for seed in range(80):
        alone |= {
            one.finding.kind for one in plan(labels={"Support Devices": 1}, seed=seed).findings
        }
        both = {"Support Devices": 1, "Pneumothorax": 1}
        beside |= {one.finding.kind for one in plan(labels=both, seed=seed).findings}
    assert "chest tube" not in alone
    assert "chest tube" in beside


def test_unknown_attributes_follow_the_distribution_of_the_phantom():
    found = [plan(labels={"Pleural Effusion": 1}, seed=seed).findings[0] for seed in range(400)]
    sides = [one.finding.side for one in found]
    degrees = [one.finding.severity for one in found]
    assert 0.10 < np.mean([side == "bilateral" for side in sides]) < 0.20
    assert 0.36 < np.mean([side == "left" for side in sides]) < 0.49
    assert 0.14 < np.mean([degree == "mild" for degree in degrees]) < 0.26


@given(STRINGS, LABELS)
def test_a_denied_observation_is_never_drawn_and_an_affirmed_one_always(mesh, labels):
    found = {}
    for one in plan(mesh, labels).findings:
        found.setdefault(one.finding.observation, set()).add(one.finding.certainty)
    for name in FINDINGS:
        if labels.get(name) == 0 or (
            labels.get("No Finding") == 1 and name != "Support Devices" and name not in labels
        ):
            assert name not in found
        elif labels.get(name) == 1:
            assert found[name] == {"definite"}
        elif labels.get(name) == -1:
            assert found[name] == {"possible"}


@given(STRINGS, LABELS)
def test_attributes_are_those_that_the_kind_may_have_and_each_has_a_source(mesh, labels):
    findings = plan(mesh, labels).findings
    for one in findings:
        finding, kind = one.finding, KIND[one.finding.kind]
        assert finding.observation == kind.observation
        assert finding.side in (kind.sides or (None,))
        assert finding.zone in (kind.zones or (None,))
        assert finding.severity in (kind.severities or (None,))
        assert (finding.size is None) == (kind.size is None)
        assert finding.change is None
        there = {name for name in ("side", "zone", "severity", "size") if getattr(finding, name)}
        assert set(one.attributes) == there | {"kind"}
    places = [(one.finding.kind, one.finding.side, one.finding.zone) for one in findings]
    assert len(set(places)) == len(places)


@given(STRINGS, LABELS)
def test_every_head_is_drawn_or_accounted_for(mesh, labels):
    result = plan(mesh, labels)
    heads = {text.split("/")[0] for text in mesh}
    reading = result.reading
    accounted = {*reading.unmapped, *reading.denied, *reading.unused}
    assert accounted <= heads
    if not result.findings:
        assert heads == accounted
