"""What finished runs left, and their scores under draws of the studies."""

import json

import numpy as np
import pytest

from gradtruce.evaluation.evaluate import evaluate
from gradtruce.evaluation.families.standard import standard_families
from gradtruce.evaluation.significance import draws
from gradtruce.study.results.finished import read_facts, read_results
from gradtruce.study.results.measures import CE_AVERAGE, MEASURES, measures
from gradtruce.study.results.outline import outline, read_outline, stages
from gradtruce.study.results.resampling import families, resample_cell
from gradtruce.training.runlog import RunLog
from tests.study.made_study import LABELER, make_study, plan, reports, write_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("made") / "study", (0, 1), leave_out=[("linear", 1)])


@pytest.fixture(scope="module")
def results(folder):
    return read_results(folder, read_outline(folder))


def test_finished_and_unfinished_runs_are_told_apart(results):
    assert len(results.finished) == 3
    assert [str(place.folder) for place in results.unfinished] == [
        "runs/r2gen/phantom/linear/seed-1"
    ]
    assert results.seeds_of("r2gen/phantom", ["linear", "came_grad"]) == (0,)


def test_the_facts_of_a_log(results):
    facts = results.finished[0].facts
    assert (facts.steps, facts.best_step, facts.seconds_per_step) == (4, 4, 0.1)
    assert (facts.conflict_share, facts.clipped_share) == (1.0, 0.25)
    assert (facts.cross_task_share, facts.within_task_share) == (0.0, 0.5)
    assert (facts.cross_task_cosine, facts.auxiliary_weight) == (0.1, 2.5)


def test_a_log_without_steps_has_no_shares(tmp_path):
    (tmp_path / "log.jsonl").write_text("")
    facts = read_facts(tmp_path / "log.jsonl")
    assert (facts.steps, facts.conflict_share) == (0, None)
    with pytest.raises(FileNotFoundError, match="no log"):
        read_facts(tmp_path / "absent.jsonl")


def test_scores_and_draws_agree_with_a_slow_evaluation(results):
    runs = results.in_cell("r2gen/phantom")
    found = resample_cell(runs, MEASURES, families(MEASURES, LABELER), resamples=3, seed=0)
    predictions = runs["came_grad", 1].predictions()
    counts = np.concatenate(list(draws(len(predictions), 3, 0)))
    for name in ("clinical.micro_13.uncertain_negative.f1", "nlg.bleu_4"):
        table = found.scores[name]["came_grad", 1]
        slow = evaluate(predictions, standard_families(LABELER), resamples=0)
        assert table.observed == pytest.approx(slow[name].value)
        for row in range(3):  # each report as often as it was drawn
            times = counts[row].astype(int)
            again = [each for each, n in zip(predictions, times, strict=True) for _ in range(n)]
            family = next(f for f in standard_families(LABELER) if name.startswith(f.name + "."))
            plan_ = family.plan(again)
            value = plan_.statistic(np.ones((1, len(again))))[name.partition(".")[2]][0]
            assert table.drawn[row] == pytest.approx(value)


def test_the_average_is_of_precision_recall_and_f1(results):
    runs = results.in_cell("r2gen/phantom")
    found = resample_cell(runs, MEASURES, families(MEASURES, LABELER), resamples=2, seed=0)
    scores = {name: table["linear", 0] for name, table in found.scores.items() if table}
    stem = CE_AVERAGE.rpartition(".")[0]
    parts = [scores[f"{stem}.{part}"] for part in ("precision", "recall", "f1")]
    average = scores[CE_AVERAGE]
    assert average.observed == pytest.approx(np.mean([part.observed for part in parts]))
    assert average.drawn == pytest.approx(np.mean([part.drawn for part in parts], axis=0))


def test_meteor_that_was_not_asked_for_says_so(results):
    runs = results.in_cell("r2gen/phantom")
    found = resample_cell(runs, MEASURES, families(MEASURES, LABELER), resamples=2, seed=0)
    assert found.scores["nlg.meteor"] == {}
    assert "METEOR was not asked for" in found.reasons["nlg.meteor"]["linear", 0]


def test_runs_on_other_studies_are_refused(tmp_path):
    made = make_study(tmp_path / "study", (0,), leave_out=[("came_grad", 0)])
    odd = tmp_path / "study" / "runs/r2gen/phantom/came_grad/seed-0"
    write_run(odd, reports(0.1, 0, studies=41))
    results = read_results(made, read_outline(made))
    with pytest.raises(ValueError, match="came_grad/seed-0: the two systems differ in 1 studies"):
        resample_cell(
            results.in_cell("r2gen/phantom"),
            MEASURES,
            families(MEASURES, LABELER),
            resamples=2,
            seed=0,
        )


def test_metrics_of_other_predictions_are_refused(tmp_path):
    made = make_study(tmp_path / "study", (0,))
    path = made / "runs/r2gen/phantom/linear/seed-0/metrics.json"
    content = json.loads(path.read_text())
    content["scores"]["nlg.bleu_1"]["value"] += 0.01
    path.write_text(json.dumps(content))
    results = read_results(made, read_outline(made))
    with pytest.raises(ValueError, match=r"nlg\.bleu_1 is .* in metrics\.json"):
        resample_cell(
            results.in_cell("r2gen/phantom"),
            MEASURES,
            families(MEASURES, LABELER),
            resamples=2,
            seed=0,
        )


def test_a_folder_without_a_plan_is_no_study(tmp_path):
    with pytest.raises(FileNotFoundError, match="not the folder of a study"):
        read_outline(tmp_path)
    (tmp_path / "plan.toml").write_text("title = 'T'")
    with pytest.raises(ValueError, match="question, reference"):
        read_outline(tmp_path)


def test_an_unknown_reference_and_an_unknown_group_are_refused():
    with pytest.raises(ValueError, match="reference must be an arm"):
        outline({**plan([0]), "reference": "famo"})
    with pytest.raises(ValueError, match=r"'nlp.bleu_1' is no score that arms can be judged by"):
        measures(["nlp.bleu_1"])


def test_a_weight_is_not_told_where_the_update_takes_nothing_of_the_first_task(tmp_path):
    with RunLog(tmp_path / "log.jsonl") as log:
        for first in (1.0, 0.0, -0.5):
            log.write("step", step=1, coefficients={"report": first, "findings": 2.0})
    assert read_facts(tmp_path / "log.jsonl").auxiliary_weight is None
    with RunLog(tmp_path / "log.jsonl") as log:
        for _ in range(20):
            log.write("step", step=1, coefficients={"report": 1.0, "findings": 2.0})
    assert read_facts(tmp_path / "log.jsonl").auxiliary_weight == 2.0


def test_an_arm_of_some_methods_is_planned_for_these_alone():
    tables = plan([0], methods={"r2gen": "R2Gen", "wcl": "WCL"})
    tables["arms"]["came_grad"]["methods"] = ["wcl"]
    folders = [str(run.folder) for run in outline(tables).runs]
    assert "runs/r2gen/phantom/came_grad/seed-0" not in folders
    assert len(folders) == 3


@pytest.mark.parametrize(
    ("balance", "left"),
    [
        ({"name": "linear"}, ()),
        ({"name": "came_grad"}, ("s1", "s2", "s3")),
        ({"name": "came_grad", "options": {"fusion": 0.0}}, ("s1", "s2")),
        ({"name": "famo"}, None),
        ({"name": "sgld"}, ("s1", "sgld", "s3")),
        ({"name": "sgld", "options": {"noise": "temperature", "temperature": 0.0}}, ("s1", "s3")),
    ],
)
def test_the_stages_that_are_left_on(balance, left):
    assert stages(balance) == left
