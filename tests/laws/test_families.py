"""What every family of scores must obey: two systems planned together score as they do apart."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.families.classification import Classification
from gradtruce.evaluation.families.clinical import Clinical, ClinicalText, LabelerCheck
from gradtruce.evaluation.families.degenerate import DegenerateOutput
from gradtruce.evaluation.families.error_card import ErrorCard
from gradtruce.evaluation.families.graph_overlap import GraphOverlap
from gradtruce.evaluation.families.lexical import Lexical
from gradtruce.evaluation.families.vectors import CheXbertVectors
from gradtruce.evaluation.family import Family, Plan
from gradtruce.evaluation.graphs.annotation import Entity, Graph
from gradtruce.evaluation.graphs.files import Annotations
from gradtruce.evaluation.labelers.chexbert import CheXbertLabeler
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.evaluation.nlg.java import JavaError, find_java
from gradtruce.evaluation.nlg.meteor import Meteor, MeteorUnavailable, find_jar
from gradtruce.evaluation.predictions import Prediction
from gradtruce.evaluation.training_texts import TrainingTexts
from tests.evaluation.tiny_chexbert import write_chexbert

STUDIES = 12
SENTENCES = (
    "no small effusion .",
    "large left effusion .",
    "the heart is enlarged .",
    "the heart is unchanged .",
    "possible nodule in the right lung .",
    "consolidation , no edema .",
    "no pneumothorax .",
    "endotracheal tube .",
)
System = list[Prediction]
Build = Callable[[pytest.FixtureRequest, Sequence[System]], Family]


def text(random: np.random.Generator) -> str:
    return " ".join(random.choice(SENTENCES, int(random.integers(0, 5))))


def chances(random: np.random.Generator, unknown: Sequence[int]) -> dict[str, float]:
    """Return probabilities of some of the observations, never of those unknown to the system."""
    known = [name for column, name in enumerate(OBSERVATIONS) if column not in unknown]
    return {name: float(random.random()) for name in known if random.random() < 0.7}


def two_systems(unknown: tuple[Sequence[int], Sequence[int]] = ((0, 3), (5,))) -> list[System]:
    """Return two systems on the same studies; each knows nothing of other observations."""
    random = np.random.default_rng(0)
    studies = [
        Prediction(
            f"s{number}",
            f"the {text(random)} .",
            "",
            labels={
                name: int(random.integers(-1, 2)) for name in OBSERVATIONS if random.random() < 0.6
            },
        )
        for number in range(STUDIES)
    ]
    return [
        [replace(one, generated=text(random), findings=chances(random, these)) for one in studies]
        for these in unknown
    ]


def graphs(texts: Mapping[str, str]) -> Annotations:
    drawn = {
        study: Graph(
            {
                str(place): Entity(word, "OBS-DP", (("modify", "0"),) if place else ())
                for place, word in enumerate(words.split())
            },
            words,
        )
        for study, words in texts.items()
    }
    return Annotations(drawn, "by hand")


def radgraph(_: pytest.FixtureRequest, systems: Sequence[System]) -> Family:
    return GraphOverlap(
        [graphs({one.id: one.generated for one in system}) for system in systems],
        graphs({one.id: one.reference for one in systems[0]}),
        model="radgraph",
    )


def vectors(request: pytest.FixtureRequest, _: Sequence[System]) -> Family:
    folder: Path = request.getfixturevalue("tmp_path")
    return CheXbertVectors(CheXbertLabeler(write_chexbert(folder)))


def degenerate(_: pytest.FixtureRequest, __: Sequence[System]) -> Family:
    written = [one.generated for system in two_systems() for one in system[:3]]
    return DegenerateOutput(TrainingTexts(tuple(written), "by hand"))


def meteor(_: pytest.FixtureRequest, __: Sequence[System]) -> Family:
    try:
        find_java()
        find_jar()
    except (JavaError, MeteorUnavailable) as error:
        pytest.skip(str(error))
    return Lexical(meteor=Meteor())


FAMILIES: dict[str, Build] = {
    "nlg": lambda *_: Lexical(),
    "clinical": lambda *_: Clinical(RulesLabeler()),
    "clinical_text": lambda *_: ClinicalText(RulesLabeler()),
    "labeler": lambda *_: LabelerCheck(RulesLabeler()),
    "classification": lambda *_: Classification(RulesLabeler()),
    "errors": lambda *_: ErrorCard(),
    "degenerate": degenerate,
    "radgraph": radgraph,
    "vectors": vectors,
}
every_family = pytest.mark.parametrize("build", FAMILIES.values(), ids=FAMILIES)


def values(plan: Plan, weights: np.ndarray) -> dict[str, np.ndarray]:
    assert plan.statistic is not None, plan.reason
    return dict(plan.statistic(weights))


def together_is_apart(request: pytest.FixtureRequest, build: Build) -> None:
    systems = two_systems()
    together = build(request, systems).plan([*systems[0], *systems[1]])
    times = np.random.default_rng(1).integers(0, 3, (5, STUDIES)).astype(float)
    times[0] = 1
    for place, system in enumerate(systems):
        alone = values(build(request, [system]).plan(system), times)
        padded = np.zeros((len(times), 2 * STUDIES))
        padded[:, place * STUDIES : (place + 1) * STUDIES] = times
        found = values(together, padded)
        assert found.keys() == alone.keys()
        for key, expected in alone.items():
            np.testing.assert_allclose(found[key], expected, rtol=1e-6, atol=1e-12, err_msg=key)


@every_family
def test_two_systems_planned_together_score_as_apart(
    request: pytest.FixtureRequest, build: Build
) -> None:
    together_is_apart(request, build)


@pytest.mark.slow
def test_meteor_of_two_systems_planned_together_is_as_apart(request: pytest.FixtureRequest) -> None:
    together_is_apart(request, meteor)


@every_family
def test_what_is_known_of_each_report_is_one_json_value_a_report(
    request: pytest.FixtureRequest, build: Build
) -> None:
    (system, _) = two_systems()
    plan = build(request, [system]).plan(system)
    for key, known in plan.per_report.items():
        assert len(known) == STUDIES, key
        assert json.loads(json.dumps(list(known), allow_nan=False)) == list(known), key


@every_family
@pytest.mark.parametrize("kind", ["one report", "nothing written", "all the same"])
def test_scores_are_defined_or_say_why(
    request: pytest.FixtureRequest, build: Build, kind: str
) -> None:
    system, _ = two_systems()
    if kind == "one report":
        system = system[:1]
    else:
        written = "" if kind == "nothing written" else "no effusion ."
        system = [replace(one, generated=written) for one in system]
    plan = build(request, [system]).plan(system)
    for key, found in values(plan, np.ones((1, len(system)))).items():
        assert np.isfinite(found[0]) or plan.undefined.get(key), key
