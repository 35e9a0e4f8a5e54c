"""The paper's claims held against results, by rules that were fixed before."""

import numpy as np
import pytest

from gradtruce.study.claims.judgement import claim_records
from gradtruce.study.claims.records import CLAIMS
from gradtruce.study.results.measures import MEASURES
from gradtruce.study.results.outline import stages
from gradtruce.study.results.record import ArmRecord, NoiseRecord, RunRecord, StudyRecord
from gradtruce.study.results.resampling import CellScores, Resampled
from gradtruce.study.results.statistics import compare_pair

METRIC = MEASURES[0].record.name


def arm(called, **balance):
    return ArmRecord(name=called, label=called, balance=balance, stages=stages(balance))


LINEAR = arm("linear", name="linear")
CAME = arm("came_grad", name="came_grad")


def judged(levels, arms, runs=(), spread=0.005, noise=()):
    """Return the claims by name, for arms of given mean scores."""
    table = {}
    for number, (name, level) in enumerate(levels.items()):
        values = np.random.default_rng(number).normal(level, spread, size=5)
        for seed, value in enumerate(values):
            drawn = np.random.default_rng(seed).normal(value, 0.001, size=40)
            table[name, seed] = Resampled(float(value), drawn)
    names = [METRIC, "nlg.bleu_4", "classification.macro_f1"]
    scores = CellScores(dict.fromkeys(names, table), {}, 40)
    study = StudyRecord(
        title="T", question="Q?", reference="linear", headline=METRIC, seeds=range(5),
        arms=tuple(arms), cells=(), metrics=tuple(each.record for each in MEASURES),
        runs=tuple(runs), noise=tuple(noise), scores=(), comparisons=(), ranks=(), verdicts=(),
        families=(), protocols=(), claims=(), settings={}, machine={},
    )  # fmt: skip

    def contrast(one, other, measure):
        return [compare_pair("cell", one, other, measure, scores)]

    return {each.name: each for each in claim_records(study, MEASURES, contrast)}


def test_a_gain_is_supported_and_its_evidence_has_numbers():
    claims = judged({"linear": 0.5, "came_grad": 0.6}, [LINEAR, CAME])
    assert claims["gain"].status == "supported"
    assert "+0.1" in claims["gain"].evidence
    assert "detectable in a cell" in claims["gain"].evidence


@pytest.mark.parametrize("level", [0.5, 0.4])
def test_no_gain_and_a_loss_are_not_supported(level):
    claims = judged({"linear": 0.5, "came_grad": level}, [LINEAR, CAME])
    assert claims["gain"].status == "not supported"


def test_stable_words_are_a_matter_of_the_margin():
    near = judged({"linear": 0.5, "came_grad": 0.5}, [LINEAR, CAME], spread=0.001)
    assert near["words"].status == "supported"
    below = judged({"linear": 0.5, "came_grad": 0.48}, [LINEAR, CAME], spread=0.001)
    assert below["words"].status == "not supported"


def test_a_stage_is_judged_by_the_arm_that_lacks_it():
    without = arm("no_s3", name="came_grad", options={"fusion": 0.0})
    levels = {"linear": 0.5, "came_grad": 0.6, "no_s3": 0.5}
    claims = judged(levels, [LINEAR, CAME, without])
    assert claims["s3"].status == "supported"
    assert claims["s1"].status == "not measured"
    assert "plan `ablation`" in claims["s1"].evidence


def test_other_weights_must_all_be_beaten():
    other = arm("linear_1", name="linear", weights={"findings": 1.0})
    levels = {"linear": 0.5, "came_grad": 0.6, "linear_1": 0.6}
    claims = judged(levels, [LINEAR, CAME, other])
    assert claims["gain"].status == "supported"
    assert claims["weights"].status == "not supported"


def test_both_readings_and_both_scopes_are_compared():
    folded = arm("folded", name="came_grad", options={"fold_weights": True})
    everywhere = arm("all", name="came_grad", scope="all")
    levels = {"linear": 0.5, "came_grad": 0.6, "folded": 0.5, "all": 0.7}
    claims = judged(levels, [LINEAR, CAME, folded, everywhere])
    assert claims["reading"].status == "supported"
    assert claims["scope"].status == "supported"


def test_the_gain_of_kappa_needs_an_arm_with_gain_one():
    flat = arm("gain_1", name="came_grad", options={"gain": 1.0})
    levels = {"linear": 0.5, "came_grad": 0.6, "gain_1": 0.6}
    claims = judged(levels, [LINEAR, CAME, flat])
    assert claims["kappa"].status == "not supported"
    other = arm("gain_1", name="came_grad", options={"gain": 1.0, "fusion": 0.5})
    assert judged(levels, [LINEAR, CAME, other])["kappa"].status == "not measured"


def test_of_a_grid_the_default_settings_stand_for_came_grad():
    small = arm("small", name="came_grad", options={"radius": 0.1})
    levels = {"linear": 0.5, "small": 0.5, "came_grad": 0.6}
    assert judged(levels, [LINEAR, small, CAME])["gain"].status == "supported"


def run(seed, cosine, across):
    return RunRecord(
        cell="cell", arm="linear", seed=seed, folder="", is_finished=True, conflict_share=0.5,
        cross_task_cosine=cosine, cross_task_share=across, within_task_share=0.2,
    )  # fmt: skip


def test_conflict_is_a_negative_cosine_where_no_noise_is_shared():
    arms, levels = [LINEAR], {"linear": 0.5}
    opposed = judged(levels, arms, [run(seed, -0.2 + 0.01 * seed, 0.8) for seed in range(5)])
    assert opposed["conflict"].status == "supported"
    agreed = judged(levels, arms, [run(seed, 0.2 + 0.01 * seed, 0.3) for seed in range(5)])
    assert agreed["conflict"].status == "not supported"
    assert "null_every" in judged(levels, arms)["conflict"].evidence


def test_an_excess_over_the_null_alone_is_no_conflict():
    independent = [run(seed, 0.01 * (seed - 2), 0.5) for seed in range(5)]
    claim = judged({"linear": 0.5}, [LINEAR], independent)["conflict"]
    assert claim.status == "not supported"
    assert "negative 50%, of one task with itself 20%" in claim.evidence


def noise(seed, update_ratio, gain=1.5):
    return NoiseRecord(
        cell="cell", arm="came_grad", seed=seed, gain=gain,
        update_ratio=update_ratio, joint_ratio=1.0,
    )  # fmt: skip


@pytest.mark.parametrize(("factor", "status"), [(3.0, "supported"), (1.0, "not supported")])
def test_noise_counts_after_division_by_the_square_of_the_gain(factor, status):
    pairs = [noise(seed, 2.25 * (factor + 0.01 * (seed - 2))) for seed in range(5)]
    claim = judged({"linear": 0.5, "came_grad": 0.5}, [LINEAR, CAME], noise=pairs)["trace"]
    assert claim.status == status
    assert f"divided by gain² (1.50²) {factor:.2f}" in claim.evidence


def test_one_analysed_pair_is_too_few():
    arms, levels = [LINEAR, CAME], {"linear": 0.5, "came_grad": 0.5}
    assert judged(levels, arms, noise=[noise(0, 9.0)])["trace"].status == "not measured"


def test_what_needs_credentialed_data_is_not_testable_here():
    claims = judged({"linear": 0.5}, [LINEAR])
    assert {name for name, each in claims.items() if each.status == "not testable here"} == {
        "mimic",
        "zero_shot",
    }


def test_every_claim_has_its_place_rule_and_plan():
    for claim in CLAIMS:
        assert claim.where
        assert claim.rule
        assert bool(claim.plan) != bool(claim.obstacle)
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)
