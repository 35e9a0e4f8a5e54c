import pytest

from gradtruce.gradients.balancer import Balancer
from gradtruce.presets import preset_names
from gradtruce.study.plans.plan import StudyPlan, load_plan
from gradtruce.study.plans.task_weights import task_weights
from gradtruce.training.assembly import build_balancer
from gradtruce.training.config import MethodConfig
from gradtruce.training.config_file import load_config, write_config

PLAN = """
title = "A test"
question = "Does it work?"
reference = "linear"
seeds = [0, 1]

[run]
extends = "demo"
training = {{ steps = 2, clip = {{ kind = "norm", limit = 2.0 }} }}

[data.one]
label = "One"
run = {{ data = {{ path = "one" }} }}

[data.two]
label = "Two"
phantom = {{ level = "easy", studies = 60, size = 32 }}

[methods.r2gen]
label = "R2Gen"

[methods.camanet]
label = "CAMANet"
run = {{ extends = "camanet-demo" }}
arms = {{ came_grad = {{ balance = {{ options = {{ fusion = 0.9 }} }} }} }}

[arms.linear]
label = "Linear"

[arms.came_grad]
label = "CAME-Grad"
balance = {{ name = "came_grad", options = {{ radius = 0.4 }} }}

[arms.half]
label = "Linear, auxiliary tasks at half"
auxiliary_scale = 0.5
methods = ["camanet"]
{}
"""


@pytest.fixture
def written(tmp_path):
    def write(more=""):
        path = tmp_path / "plan.toml"
        path.write_text(PLAN.format(more), encoding="utf-8")
        return path

    return write


def named(plan, folder=None):
    runs = plan.runs() if folder is None else plan.runs(folder)
    return {run.name: run.config for run in runs}


@pytest.mark.parametrize("name", preset_names("study"))
def test_every_study_preset_expands_to_balancers_that_can_be_built(name):
    plan = load_plan(name)
    for run in plan.runs():
        if run.seed == plan.seeds[0]:
            build_balancer(run.config.balance)
            tasks = task_weights(run.config.method)
            assert set(run.config.balance.weights) <= set(tasks)


@pytest.mark.parametrize("name", preset_names("study"))
def test_runs_of_one_method_data_set_and_seed_differ_in_balance_only(name):
    shared = {}
    for run in load_plan(name).runs():
        rest = run.config.model_dump(exclude={"balance"})
        assert shared.setdefault((run.method, run.data, run.seed), rest) == rest


def test_the_demo_is_what_was_fixed_before_any_result():
    plan = load_plan("demo")
    linear, came = (run.config for run in plan.runs())
    assert (linear.balance.name, came.balance.name) == ("linear", "came_grad")
    assert linear.balance.weights == came.balance.weights == {"report": 1.0, "findings": 4.0}
    assert linear.balance.scope == came.balance.scope == "shared"
    assert linear.balance.diagnostics
    assert came.balance.options == {"radius": 0.5, "gain": 1.5, "fusion": 0.2}
    training = linear.training
    assert (training.clip.kind, training.clip.limit) == ("norm", 5.0)
    assert (training.optimizer, training.batch_size) == ("adamw", 16)
    assert (training.schedule.name, training.steps, training.seed) == ("cosine", 1000, 0)
    assert (linear.data.image_size, linear.data.views) == (96, 2)
    assert plan.data["phantom"].phantom.level == "standard"


def test_the_study_of_optimizers_has_every_balancer():
    plan = load_plan("optimizers")
    runs = [run for run in plan.runs() if run.seed == 0]
    assert {run.config.balance.name for run in runs} == set(Balancer.known)
    assert len(plan.seeds) >= 5
    weights = {run.arm: run.config.balance.weights for run in runs}
    assert weights.pop("linear_findings_1") == {"report": 1.0, "findings": 1.0}
    assert weights.pop("linear_findings_2") == {"report": 1.0, "findings": 2.0}
    assert all(each == {"report": 1.0, "findings": 4.0} for each in weights.values())


def test_seeds_are_outermost_and_arms_innermost(written):
    runs = load_plan(written()).runs()
    assert [run.seed for run in runs] == [0] * 10 + [1] * 10
    assert [run.name for run in runs[:3]] == [
        "r2gen/one/linear/seed-0",
        "r2gen/one/came_grad/seed-0",
        "r2gen/two/linear/seed-0",
    ]
    assert str(runs[0].folder) == "runs/r2gen/one/linear/seed-0"
    assert all(run.config.training.seed == run.seed for run in runs)


def test_a_method_that_extends_a_preset_keeps_what_the_runs_share(written):
    configs = named(load_plan(written()))
    camanet = configs["camanet/one/linear/seed-0"]
    assert camanet.method.name == "camanet"
    assert camanet.training.clip.limit == 2.0
    assert camanet.balance.weights == {"report": 1.0, "findings": 4.0, "attention": 0.15}
    assert configs["r2gen/one/linear/seed-0"].method.name == "r2gen"


def test_an_arm_can_be_another_for_one_method(written):
    configs = named(load_plan(written()))
    assert configs["camanet/one/came_grad/seed-0"].balance.options == {"radius": 0.4, "fusion": 0.9}
    assert configs["r2gen/one/came_grad/seed-0"].balance.options == {"radius": 0.4}


def test_the_scale_of_auxiliary_tasks_leaves_the_report_alone(written):
    configs = named(load_plan(written()))
    weights = configs["camanet/one/half/seed-0"].balance.weights
    assert weights == {"report": 1.0, "findings": 2.0, "attention": 0.075}
    assert "r2gen/one/half/seed-0" not in configs


def test_tasks_whose_weight_is_the_methods_own_are_scaled_too():
    plan = load_plan("demo", ["run.extends=xpronet-demo", "arms.linear.auxiliary_scale=0.5"])
    weights = plan.runs()[0].config.balance.weights
    assert weights == {
        "report": 1.0,
        "image_contrast": 0.5,
        "text_contrast": 0.05,
        "findings": 2.0,
    }
    assert task_weights(MethodConfig(preset="xpronet-tiny"))["image_contrast"] == 1.0


def test_a_phantom_lies_in_the_folder_of_the_study(written, tmp_path):
    configs = named(load_plan(written()), tmp_path)
    assert configs["r2gen/two/linear/seed-0"].data.path == str(tmp_path / "data" / "two")
    assert configs["r2gen/one/linear/seed-0"].data.path == "one"


def test_a_setting_reaches_all_runs_also_over_what_a_method_extends(written):
    plan = load_plan(written(), ["run.training.steps=7", "run.balance.scope=all", "seeds=[3]"])
    configs = named(plan)
    assert {config.training.steps for config in configs.values()} == {7}
    assert {config.balance.scope for config in configs.values()} == {"all"}
    assert {config.training.seed for config in configs.values()} == {3}


def test_a_plan_that_is_written_and_read_again_is_the_same(written, tmp_path):
    plan = load_plan(written())
    write_config(plan, tmp_path / "again.toml")
    again = load_plan(tmp_path / "again.toml")
    assert again == plan
    assert again.runs() == plan.runs()
    assert load_config(tmp_path / "again.toml", model=StudyPlan, kind="study") == plan


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("titel=x", "unknown key 'titel'; did you mean 'title'"),
        ("arms.linear.lable=x", "arms.linear: unknown key 'lable'; did you mean 'label'"),
        ("data.two.phantom.sise=3", "two.phantom: unknown key 'sise'; did you mean 'size'"),
        (
            "data.two.phantom.follow_ups=[0.5]",
            "two.phantom: follow_ups: follow-ups must be",
        ),
        ("methods.r2gen.rum.x=3", "methods.r2gen: unknown key 'rum'; did you mean 'run'"),
        ("arms.linear.balance.scop=all", "arm 'linear': unknown key 'balance.scop'; did you mean"),
        ("run.training.stepps=3", "unknown key 'training.stepps'; did you mean 'training.steps'"),
        ("reference=liner", "reference must be an arm, got 'liner'; did you mean 'linear'"),
        ("seeds=[1, 1]", "seeds must differ"),
        ("seeds=[]", "seeds: tuple should have at least 1 item"),
        ("seeds=[-1]", "greater than or equal to 0"),
        ("arms.half.methods=['r2gn']", "no method is called 'r2gn'; did you mean 'r2gen'"),
        ("methods.r2gen.arms.liner.balance.scope=all", "no arm is called 'liner'; did you mean"),
        ("run.training.seed=1", r"run.training.seed: the plan's seeds say it"),
        ("arms.half.auxiliary_scale=0", "auxiliary_scale: input should be greater than 0"),
        ("run.extends=dmo", "no training preset is called 'dmo'; did you mean 'demo'"),
        ("arms.'a b'.label=x", "arms.'a b'"),
        ("methods=3", "methods"),
        ("data.one.run.data.path=3", "data set 'one', arm 'linear': data.path"),
    ],
)
def test_what_is_wrong_is_named(written, override, message):
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        load_plan(written(), [override])
    assert message in str(caught.value)
