"""The paper's claims held against results, by rules that were fixed before."""

import numpy as np
import pytest

from gradtruce.study.claims.judgement import claim_records
from gradtruce.study.claims.records import CLAIMS, PUBLISHED_OPTIMIZERS
from gradtruce.study.results.measures import MEASURES, measures
from gradtruce.study.results.outline import stages
from gradtruce.study.results.record import ArmRecord, NoiseRecord, RunRecord, StudyRecord
from gradtruce.study.results.resampling import CellScores, Resampled
from gradtruce.study.results.statistics import compare_pair

METRIC = MEASURES[0].record.name


def arm(called, **balance):
    return ArmRecord(name=called, label=called, balance=balance, stages=stages(balance))


LINEAR = arm("linear", name="linear")
CAME = arm("came_grad", name="came_grad")


def planned(arms, runs, cells):
    """Return a finished run of every arm and seed in every cell, or the one given in its place."""
    given = {(run.cell, run.arm, run.seed): run for run in runs}
    empty = {"folder": "", "is_finished": True}
    return tuple(
        given.get((cell, each.name, seed))
        or RunRecord(cell=cell, arm=each.name, seed=seed, **empty)
        for cell in cells
        for each in arms
        for seed in range(5)
    )


def judged(
    levels,
    arms,
    runs=(),
    spread=0.005,
    noise=(),
    cells=("cell",),
    reference="linear",
    headline=METRIC,
):
    """Return the claims by name, for arms of given mean scores in the first of some cells."""
    table = {}
    for number, (name, level) in enumerate(levels.items()):
        values = np.random.default_rng(number).normal(level, spread, size=5)
        for seed, value in enumerate(values):
            drawn = np.random.default_rng(seed).normal(value, 0.001, size=40)
            table[name, seed] = Resampled(float(value), drawn)
    names = [headline, "nlg.bleu_4", "classification.macro_f1"]
    scores = {cells[0]: CellScores(dict.fromkeys(names, table), {}, 40)}
    every = measures([headline])
    study = StudyRecord(
        title="T", question="Q?", reference=reference, headline=headline, selection=METRIC,
        seeds=range(5), arms=tuple(arms), cells=(), metrics=tuple(each.record for each in every),
        runs=planned(arms, runs, cells), noise=tuple(noise), scores=(), comparisons=(),
        ranks=(), verdicts=(), families=(), protocols=(), claims=(), settings={}, machine={},
    )  # fmt: skip

    def contrast(one, other, measure):
        return [
            compare_pair(cell, one, other, measure, scores.get(cell, CellScores()))
            for cell in cells
        ]

    return {each.name: each for each in claim_records(study, every, contrast)}


def test_a_gain_is_supported_and_its_evidence_has_numbers():
    claims = judged({"linear": 0.5, "came_grad": 0.6}, [LINEAR, CAME])
    assert claims["gain"].status == "supported"
    assert "+0.1" in claims["gain"].evidence
    assert "detectable in a cell" in claims["gain"].evidence


@pytest.mark.parametrize("level", [0.5, 0.4])
def test_no_gain_and_a_loss_are_not_supported(level):
    claims = judged({"linear": 0.5, "came_grad": level}, [LINEAR, CAME])
    assert claims["gain"].status == "not supported"


def test_a_gain_on_every_method_needs_every_method():
    levels, arms = {"linear": 0.5, "came_grad": 0.6}, [LINEAR, CAME]
    claims = judged(levels, arms, cells=("r2gen/phantom", "wcl/phantom"))
    assert claims["gain"].status == "not measured"
    assert "in 1 of 2 cells" in claims["gain"].evidence
    assert "(1 of 2 cells)" in claims["words"].evidence


def test_fewer_errors_are_a_gain():
    levels, arms = {"linear": 0.5, "came_grad": 0.4}, [LINEAR, CAME]
    claims = judged(levels, arms, headline="errors.critical_omission")
    assert claims["gain"].status == "supported"
    more = judged({"linear": 0.4, "came_grad": 0.5}, arms, headline="errors.critical_omission")
    assert more["gain"].status == "not supported"


def test_the_best_of_all_optimizers_must_beat_all_of_them_and_linear_scalarization():
    others = [arm(name, name=name) for name in PUBLISHED_OPTIMIZERS]
    levels = {"linear": 0.5, "came_grad": 0.6} | dict.fromkeys(PUBLISHED_OPTIMIZERS, 0.5)
    claims = judged(levels, [LINEAR, CAME, *others])
    assert claims["best"].status == "supported"
    assert judged(levels | {"linear": 0.7}, [LINEAR, CAME, *others])["best"].status == (
        "not supported"
    )
    fewer = judged(levels, [LINEAR, CAME, *others[1:]])["best"]
    assert fewer.status == "not measured"
    assert f"lacks {PUBLISHED_OPTIMIZERS[0]}" in fewer.evidence


def test_noise_in_place_of_stage_2_is_held_against_nothing_in_its_place():
    silent = arm("a", name="sgld", options={"noise": "temperature", "temperature": 0.0})
    noisy = arm("b", name="sgld")
    levels = {"linear": 0.5, "came_grad": 0.6, "a": 0.5, "b": 0.4}
    claims = judged(levels, [LINEAR, CAME, silent, noisy])
    assert claims["noise"].status == "supported"
    assert judged(levels, [LINEAR, CAME, noisy])["noise"].status == "not measured"


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


def run(seed, cosine, across, arm="linear"):
    return RunRecord(
        cell="cell", arm=arm, seed=seed, folder="", is_finished=True, conflict_share=0.5,
        cross_task_cosine=cosine, cross_task_share=across, within_task_share=0.2,
    )  # fmt: skip


def test_conflict_is_a_negative_cosine_where_no_noise_is_shared():
    arms, levels = [LINEAR], {"linear": 0.5}
    opposed = judged(levels, arms, [run(seed, -0.2 + 0.01 * seed, 0.8) for seed in range(5)])
    assert opposed["conflict"].status == "supported"
    agreed = judged(levels, arms, [run(seed, 0.2 + 0.01 * seed, 0.3) for seed in range(5)])
    assert agreed["conflict"].status == "not supported"
    assert "null_every" in judged(levels, arms)["conflict"].evidence


def test_conflict_is_that_of_linear_scalarization_whatever_arm_is_the_reference():
    runs = [run(seed, -0.2 + 0.01 * seed, 0.8) for seed in range(5)]
    runs += [run(seed, 0.2 + 0.01 * seed, 0.3, arm="came_grad") for seed in range(5)]
    levels = {"linear": 0.5, "came_grad": 0.5}
    claims = judged(levels, [CAME, LINEAR], runs, reference="came_grad")
    assert claims["conflict"].status == "supported"
    assert "no linear scalarization" in judged({"came_grad": 0.5}, [CAME])["conflict"].evidence


def test_an_excess_over_the_null_alone_is_no_conflict():
    independent = [run(seed, 0.01 * (seed - 2), 0.5) for seed in range(5)]
    claim = judged({"linear": 0.5}, [LINEAR], independent)["conflict"]
    assert claim.status == "not supported"
    assert "negative 50%, of one task with itself 20%" in claim.evidence


def noise(seed, update_ratio, gain=1.5):
    return NoiseRecord(
        cell="cell", arm="came_grad", beside="linear", seed=seed, gain=gain,
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
