"""MeSH strings and the mapping that reads them."""

import tomllib
from importlib import resources
from pathlib import Path

import pytest

from gradtruce.data.phantom.from_report.mapping import Attributes, describe_mapping, load_mapping
from gradtruce.data.phantom.from_report.mesh import MeshTerm
from gradtruce.data.phantom.kinds import KINDS, LUNG_ZONES, SEVERITIES


@pytest.mark.parametrize(
    ("text", "head", "qualifiers"),
    [
        ("Cardiomegaly", "cardiomegaly", ()),
        ("Heart/enlarged/mild", "heart", ("enlarged", "mild")),
        ("Calcinosis/aorta, thoracic", "calcinosis", ("aorta, thoracic",)),
        (" Subcutaneous   Emphysema / neck ", "subcutaneous emphysema", ("neck",)),
        ("Opacity//left/left/", "opacity", ("left",)),
    ],
)
def test_a_string_is_a_head_and_qualifiers(text, head, qualifiers):
    assert MeshTerm.parse(text) == MeshTerm(head, qualifiers)


@pytest.mark.parametrize("text", ["", "  ", "/left"])
def test_a_string_without_head_is_refused(text):
    with pytest.raises(ValueError, match="must start with what is seen"):
        MeshTerm.parse(text)


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("Opacity/lung", Attributes()),
        ("Opacity/lung/base/left/mild", Attributes("left", ("lower",), "mild")),
        ("Opacity/lung/left/right", Attributes("bilateral")),
        ("Opacity/diffuse", Attributes("bilateral")),
        ("Opacity/lingula", Attributes("left", ("middle",))),
        ("Opacity/middle lobe/right", Attributes("right", ("middle",))),
        ("Opacity/middle lobe/left", Attributes("left", ("middle",))),
        ("Nodule/multiple/apex/small", Attributes(None, ("upper",), "mild", is_several=True)),
        ("Cardiomegaly/borderline", Attributes(severity="mild", is_doubtful=True)),
        ("Pleural Effusion/large/right", Attributes("right", (), "severe")),
    ],
)
def test_qualifiers_say_side_zone_and_degree(text, attributes):
    assert load_mapping().attributes(MeshTerm.parse(text)) == attributes


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Cardiac Shadow/enlarged", ["enlarged heart"]),
        ("Cardiac Shadow/obscured", []),
        ("Opacity/lung/round", ["nodule"]),
        ("Opacity/lung/interstitial", ["interstitial opacity"]),
        ("Opacity/ribs", []),
        ("Hydropneumothorax/right", ["pleural effusion", "pneumothorax"]),
        ("Fractures, Bone/clavicle", ["clavicle fracture"]),
        ("Fractures, Bone/humerus", []),
        ("Tube, Inserted/trachea", ["endotracheal tube"]),
        ("Implanted Medical Device/aortic valve", []),
        ("Scoliosis/mild", []),
    ],
)
def test_a_string_draws_the_kinds_of_its_rules(text, kinds):
    rules = load_mapping().rules_for(MeshTerm.parse(text))
    assert [rule.kinds[0].name for rule in rules if rule.kinds] == kinds


def test_the_shipped_file_has_no_unknown_key_and_no_unknown_value():
    text = resources.files("gradtruce.data.phantom.from_report").joinpath("mapping.toml")
    table = tomllib.loads(text.read_text(encoding="utf-8"))
    keys = {"heads", "any_of", "none_of", "kinds", "place_for"}
    assert all(set(entry) <= keys for entry in table["rule"])
    assert all(entry.get("kinds") or entry.get("place_for") for entry in table["rule"])
    assert {*table["sides"].values(), *table["implied_sides"].values()} <= {
        "left",
        "right",
        "bilateral",
    }
    assert set(table["zones"].values()) == set(LUNG_ZONES)
    assert set(table["severities"].values()) == set(SEVERITIES)


def test_heads_and_qualifiers_are_written_as_strings_are_parsed():
    mapping = load_mapping()
    words = {*mapping.nothing, *mapping.automatic, *mapping.zones, *mapping.severities}
    for rule in mapping.rules:
        words |= rule.heads | rule.any_of | rule.none_of
    assert all(word == " ".join(word.lower().split()) for word in words)


def test_every_observation_can_be_drawn_from_a_string():
    drawn = {kind.observation for rule in load_mapping().rules for kind in rule.kinds}
    assert drawn == {kind.observation for kind in KINDS}


def test_the_description_has_every_rule_and_every_qualifier():
    text, mapping = describe_mapping(), load_mapping()
    assert text.count("\n| ") >= len(mapping.rules)
    assert all(word in text for word in (*mapping.zones, *mapping.severities, *mapping.sides))


def test_the_page_in_the_docs_has_the_tables_of_the_shipped_file():
    page = Path(__file__).parents[4] / "docs" / "phantom-real-text.md"
    lines = set(page.read_text(encoding="utf-8").splitlines())
    assert set(describe_mapping().splitlines()) <= lines
