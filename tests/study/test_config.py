import pytest

from gradtruce.presets import preset_names
from gradtruce.study.config import StudyConfig, load_study


@pytest.mark.parametrize("name", preset_names("study"))
def test_every_study_preset_is_valid(name):
    assert len(load_study(name).arms) == 2


def test_the_demo_is_what_was_fixed_before_any_result():
    study = load_study("demo")
    linear, came = study.arm("linear"), study.arm("came_grad")
    assert (linear.balance.name, came.balance.name) == ("linear", "came_grad")
    assert linear.balance.weights == came.balance.weights == {"report": 1.0, "findings": 4.0}
    assert linear.balance.scope == came.balance.scope == "shared"
    assert linear.balance.diagnostics
    assert came.balance.options == {"radius": 0.5, "gain": 1.5, "fusion": 0.2}
    training = study.run.training
    assert (training.clip.kind, training.clip.limit) == ("norm", 5.0)
    assert (training.optimizer, training.batch_size) == ("adamw", 16)
    assert training.schedule.name == "cosine"
    assert 96 <= study.run.data.image_size <= 128
    assert study.run.data.views == 2
    assert study.phantom is not None
    assert study.phantom.level == "standard"


def test_the_arms_differ_in_the_balancer_alone():
    study = load_study("demo")
    first, second = (study.arm(name).model_dump() for name in study.arms)
    assert {key for key in first if first[key] != second[key]} == {"balance"}
    differing = {key for key in first["balance"] if first["balance"][key] != second["balance"][key]}
    assert differing == {"name", "options"}


def test_a_setting_reaches_both_arms():
    study = load_study("demo", ["run.training.steps=7", "run.balance.scope=all"])
    assert {study.arm(name).training.steps for name in study.arms} == {7}
    assert {study.arm(name).balance.scope for name in study.arms} == {"all"}


def test_a_comparison_has_two_arms():
    with pytest.raises(ValueError, match="has two arms, got 1"):
        StudyConfig(run={"data": {"path": "x"}}, arms={"linear": {"label": "Linear"}})


def test_an_unknown_key_of_an_arm_is_named():
    with pytest.raises(ValueError, match=r"arms\.linear\.balance\.scop"):
        load_study("demo", ["arms.linear.balance.scop=all"])
