"""The agreement of two graphs: worked by hand, by its laws, and beside other code."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradtruce.evaluation.graphs.annotation import RELATIONS, V1_LABELS, XL_LABELS, parse_graph
from gradtruce.evaluation.graphs.overlap import LEVELS, elements, overlap
from tests.reference import radgraph_f1

WORDS = ("effusion", "Effusion", "left", "LEFT", "small", "lung bases", "tube")


def entity(tokens: str, label: str, *relations: tuple[str, str]) -> dict[str, Any]:
    return {"tokens": tokens, "label": label, "relations": [list(each) for each in relations]}


def graph(*entities: dict[str, Any]) -> dict[str, Any]:
    return {"entities": {str(number): each for number, each in enumerate(entities, start=1)}}


@st.composite
def graphs(draw: st.DrawFn, labels: tuple[str, ...] = V1_LABELS) -> dict[str, Any]:
    number = draw(st.integers(0, 6))
    targets = st.tuples(st.sampled_from(RELATIONS), st.integers(1, max(number, 1)).map(str))
    relations = st.lists(targets, max_size=3)
    return graph(
        *(
            entity(draw(st.sampled_from(WORDS)), draw(st.sampled_from(labels)), *draw(relations))
            for _ in range(number)
        )
    )


def scores(generated: dict[str, Any], reference: dict[str, Any]) -> dict[str, float]:
    matches = overlap(parse_graph(generated, "generated"), parse_graph(reference, "reference"))
    return {level: match.f1 for level, match in matches.items()}


def test_a_pair_worked_by_hand() -> None:
    generated = graph(
        entity("small", "OBS-DP", ("modify", "2")),
        entity("effusion", "OBS-DP", ("located_at", "3")),
        entity("left", "ANAT-DP"),
        entity("tube", "OBS-DP"),
    )
    reference = graph(
        entity("effusion", "OBS-DP", ("located_at", "2")),
        entity("left", "ANAT-DP"),
        entity("small", "OBS-DP"),
    )
    matches = overlap(parse_graph(generated, "generated"), parse_graph(reference, "reference"))
    # entities: small, effusion, left of 4 and of 3
    assert (matches["simple"].precision, matches["simple"].recall) == (3 / 4, 1.0)
    # small has a relation on one side only
    assert (matches["partial"].precision, matches["partial"].recall) == (2 / 4, 2 / 3)
    # effusion at left, and left alone, of {small→effusion, effusion→left, left, tube} and of 3
    assert (matches["complete"].precision, matches["complete"].recall) == (2 / 4, 2 / 3)
    assert matches["complete"].f1 == pytest.approx(4 / 7)
    # effusion at left of two relations and of one
    assert (matches["relation"].precision, matches["relation"].recall) == (1 / 2, 1.0)


def test_a_relation_to_other_words_is_no_match_of_complete_alone() -> None:
    left = graph(entity("effusion", "OBS-DP", ("located_at", "2")), entity("left", "ANAT-DP"))
    right = graph(entity("effusion", "OBS-DP", ("located_at", "2")), entity("right", "ANAT-DP"))
    assert scores(left, right) == {"simple": 0.5, "partial": 0.5, "complete": 0.0, "relation": 0.0}


def test_the_same_words_with_another_label_do_not_match() -> None:
    assert set(scores(graph(entity("a", "OBS-DP")), graph(entity("a", "OBS-DA"))).values()) == {0}


def test_what_comes_twice_counts_once() -> None:
    twice = graph(entity("left", "ANAT-DP"), entity("left", "ANAT-DP"))
    assert scores(twice, graph(entity("left", "ANAT-DP")))["simple"] == 1.0


def test_capitals_count_but_in_relations_of_complete() -> None:
    small = graph(entity("effusion", "OBS-DP", ("located_at", "2")), entity("left", "ANAT-DP"))
    capital = graph(entity("Effusion", "OBS-DP", ("located_at", "2")), entity("Left", "ANAT-DP"))
    assert scores(small, capital) == {
        "simple": 0.0,
        "partial": 0.0,
        "complete": 0.5,  # the relation matches, the entity without one does not
        "relation": 0.0,
    }


def test_partial_can_exceed_simple() -> None:
    both = (entity("a", "OBS-DP", ("modify", "1")), entity("a", "OBS-DP"))
    generated, reference = graph(*both, entity("b", "OBS-DP")), graph(*both, entity("c", "OBS-DP"))
    found = scores(generated, reference)
    assert found["simple"] == 0.5
    assert found["partial"] == pytest.approx(2 / 3)


def test_two_empty_graphs_score_zero() -> None:
    assert set(scores(graph(), graph()).values()) == {0.0}


def test_two_equal_graphs_without_relations_have_a_relation_score_of_zero() -> None:
    same = graph(entity("clear", "OBS-DP"))
    assert scores(same, same) == {"simple": 1, "partial": 1, "complete": 1, "relation": 0}


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="no level is called 'full'; known: simple"):
        elements(parse_graph(graph(), "graph"), "full")


@given(graphs())
def test_a_graph_agrees_wholly_with_itself(one: dict[str, Any]) -> None:
    found = scores(one, one)
    has_relations = any(each["relations"] for each in one["entities"].values())
    expected = 1.0 if one["entities"] else 0.0
    assert [found[level] for level in ("simple", "partial", "complete")] == [expected] * 3
    assert found["relation"] == float(has_relations)


@given(graphs(), graphs())
def test_f1_is_symmetric_and_precision_and_recall_change_places(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    first, second = parse_graph(one, "one"), parse_graph(other, "other")
    there, back = overlap(first, second), overlap(second, first)
    for level in LEVELS:
        assert there[level].f1 == pytest.approx(back[level].f1, abs=1e-15)
        assert there[level].precision == back[level].recall
        assert 0.0 <= there[level].f1 <= 1.0


@given(graphs(XL_LABELS), graphs(XL_LABELS))
def test_it_agrees_with_the_definition_by_plain_loops(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    for level, value in scores(one, other).items():
        assert value == pytest.approx(radgraph_f1.f1(one, other, level), abs=1e-15)


@pytest.mark.filterwarnings("ignore")
def test_it_agrees_with_the_radgraph_package() -> None:
    rewards = pytest.importorskip("radgraph.rewards", exc_type=ImportError)

    @settings(database=None)
    @given(graphs(), graphs())
    def agree(one: dict[str, Any], other: dict[str, Any]) -> None:
        found = scores(one, other)
        theirs = rewards.compute_reward(one, other, "all")
        assert [found[level] for level in LEVELS[:3]] == pytest.approx(theirs, abs=1e-15)

    agree()
