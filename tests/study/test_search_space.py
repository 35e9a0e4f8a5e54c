import pytest

from gradtruce.study.published.settings import published_points
from gradtruce.study.searching.plan import load_search, search_of, table_of
from gradtruce.study.searching.space import Choices, Range, nested


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            'search.space={"balance.options.radus"={low=0.0,high=1.0}}',
            r"space\.'balance\.options\.radus' = 0\.0: .*did you mean 'radius'",
        ),
        (
            'search.space={"training.batchsize"={low=1,high=2}}',
            r"unknown key 'training\.batchsize'; did you mean 'training\.batch_size'",
        ),
        (
            'search.space={"balance.options.radius"={low=-1.0,high=1.0}}',
            r"space\.'balance\.options\.radius' = -1\.0: radius must be at least 0",
        ),
        (
            'search.space={"balance.weights.finding"={low=1.0,high=2.0}}',
            "no task is called 'finding'; did you mean 'findings'",
        ),
        ('search.space={"training.seed"={low=0,high=9}}', "best with one seed is luck"),
        ('search.space={"balance.options.radius"={low=2.0,high=1.0}}', "low must be below high"),
        ('search.space={"balance.options.gain"={lwo=1.0,high=2.0}}', "did you mean 'low'"),
        ("search.trails=3", r"unknown key 'search\.trails'; did you mean 'search\.trials'"),
        ('search.arm="came_gard"', "no arm is called 'came_gard'; did you mean 'came_grad'"),
        ('search.objectives=["test.nlg.bleu_4", "nlg.bleu_1"]', "test split is never searched on"),
        ('search.objectives=["nlg.bleu_4"]', r"search\.objectives"),
        ("seeds=[0, 1]", "exactly one of seeds, got 2"),
    ],
)
def test_what_is_wrong_with_a_plan_is_said_with_the_key_and_the_nearest_known_one(setting, message):
    with pytest.raises(ValueError, match=message):
        load_search("came_grad", [setting])


def test_whole_ends_make_whole_numbers_and_others_do_not():
    assert type(Range(low=1, high=4).distribution()).__name__ == "IntDistribution"
    assert type(Range(low=1, high=4.0).distribution()).__name__ == "FloatDistribution"
    assert Choices(choices=["shared", "all"]).holds("all")


def test_a_plan_reads_back_as_it_was():
    plan = load_search("came_grad", ["search.trials=3"])
    assert search_of(table_of(plan), where="again") == plan


def test_a_trial_differs_from_the_searched_arm_in_its_settings_alone(tmp_path):
    plan = load_search("came_grad")
    run = plan.trial({"balance.options.radius": 0.3, "training.batch_size": 8}, tmp_path)
    base = next(run for run in plan.study.runs(tmp_path) if run.arm == "came_grad")
    assert run.config.balance.options == {"radius": 0.3}
    assert run.config.training.batch_size == 8
    changed = run.config.training.model_copy(update={"batch_size": 16})
    assert changed == base.config.training
    assert run.config.data == base.config.data


def test_points_that_vary_more_than_the_balancer_get_a_method_entry_with_all_arms():
    plan = load_search("came_grad")
    points = {"a": {"balance.options.gain": 1.0}, "b": {"training.batch_size": 8}}
    runs = plan.with_points(points, [7]).runs()
    assert {(run.method, run.arm) for run in runs} == {
        ("r2gen", "linear"),
        ("r2gen", "came_grad"),
        ("r2gen", "a"),
        ("r2gen-b", "linear"),
        ("r2gen-b", "came_grad"),
        ("r2gen-b", "b"),
    }
    assert {run.seed for run in runs} == {7}
    assert nested(points["b"]) == {"training": {"batch_size": 8}}


def test_all_thirteen_published_rows_lie_in_the_preset_and_equal_ones_are_one_point():
    points = published_points(load_search("came_grad").space)
    assert sum(label.count("Table") for label in points) == 13
    assert len(points) == 11
    values = {"balance.options.radius": 0.5, "balance.options.gain": 1.5}
    shared = next(label for label in points if "revtaf" in label)
    assert points[shared] == values | {"balance.options.fusion": 0.2}
    assert shared.count("Table D.1") == 3


def test_published_points_of_a_space_without_them_are_an_error():
    with pytest.raises(ValueError, match="no published row"):
        published_points({"training.batch_size": Range(low=4, high=8)})
