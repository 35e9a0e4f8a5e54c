"""Runs that were trained otherwise do not get into a study unseen."""

import pytest
import tomli_w

from gradtruce.study.plans.plan import load_plan
from gradtruce.study.results.alike import require_alike
from gradtruce.study.results.finished import read_results
from gradtruce.study.results.outline import read_outline
from gradtruce.study.running.folder import open_study
from gradtruce.study.running.training_process import _follow_files
from gradtruce.training.config import RunConfig
from gradtruce.training.config_difference import differences, told
from gradtruce.training.config_file import load_config, merge, write_config
from tests.study.made_study import make_study


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a study of two arms and two seeds with the configurations of its runs."""
    folder = make_study(tmp_path_factory.mktemp("made") / "study", (0, 1))
    for run in read_outline(folder).runs:
        configure(folder, run.arm, run.seed)
    return folder


def configure(folder, arm, seed, **changes):
    table = {
        "data": {"path": "/anywhere/phantom"},
        "training": {"seed": seed, "steps": 4},
        "balance": {"name": arm},
    }
    place = folder / "runs/r2gen/phantom" / arm / f"seed-{seed}"
    (place / "config.toml").write_text(tomli_w.dumps(merge(table, changes)))


def check(folder):
    require_alike(read_results(folder, read_outline(folder)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"training": {"steps": 8}},
            r"came_grad/seed-1: .*linear/seed-0: here training.steps is 8, not 4",
        ),
        ({"data": {"image_size": 64}}, "data.image_size is 64, not"),
        ({"data": {"path": "/anywhere/easy"}}, r"data.path is \['easy'\], not \['phantom'\]"),
        ({"training": {"seed": 0}}, "came_grad/seed-1: was trained with seed 0"),
        (
            {"balance": {"options": {"gain": 2.0}}},
            "with .*came_grad/seed-0: here balance.options.gain is 2.0",
        ),
    ],
)
def test_a_run_that_was_trained_otherwise_is_refused(made, changes, message):
    check(made)
    configure(made, "came_grad", 1, **changes)
    try:
        with pytest.raises(ValueError, match=message):
            check(made)
    finally:
        configure(made, "came_grad", 1)


def test_the_odd_one_is_named_though_it_comes_first(made):
    configure(made, "linear", 0, training={"steps": 8})
    with pytest.raises(ValueError, match=r"linear/seed-0: .* here training.steps is 8, not 4"):
        check(made)
    configure(made, "linear", 0)


def test_data_may_lie_elsewhere(made):
    configure(made, "came_grad", 1, data={"path": "/copied/from/another/phantom"})
    check(made)
    configure(made, "came_grad", 1)


def test_a_finished_run_of_another_plan_is_refused(tmp_path):
    study = open_study(tmp_path, load_plan("demo"))
    run = study.runs[1]
    folder = study.run_folder(run)
    folder.mkdir(parents=True)
    write_config(run.config, folder / "config.toml")
    (folder / "metrics.json").touch()
    study.require_planned()
    longer = run.config.training.model_copy(update={"steps": 5})
    write_config(run.config.model_copy(update={"training": longer}), folder / "config.toml")
    with pytest.raises(
        ValueError, match=r"not trained as the plan says \(training.steps is 5, not"
    ):
        study.require_planned()
    (folder / "metrics.json").unlink()
    study.require_planned()  # what is not finished is checked when it goes on


@pytest.mark.parametrize(
    "moved",
    [
        {"data": {"path": "/new/set", "retrieval": "/new/bank.safetensors"}},
        {"method": {"start_from": ["/new/prototypes.safetensors"]}},
    ],
)
def test_an_unfinished_run_follows_files_that_were_moved(tmp_path, moved):
    before = {"data": {"path": "/old/set", "retrieval": "/old/bank.safetensors"}}
    before["method"] = {"start_from": ["/old/prototypes.safetensors"]}
    write_config(RunConfig.model_validate(before), tmp_path / "config.toml")
    config = RunConfig.model_validate(merge(before, moved))
    _follow_files(config, tmp_path)
    assert load_config(tmp_path / "config.toml") == config


def test_an_unfinished_run_does_not_follow_other_settings(tmp_path):
    former = RunConfig.model_validate({"data": {"path": "/old/set"}})
    write_config(former, tmp_path / "config.toml")
    other = {"data": {"path": "/new/set"}, "training": {"steps": 3}}
    _follow_files(RunConfig.model_validate(other), tmp_path)
    assert load_config(tmp_path / "config.toml") == former


def test_two_checkpoints_of_one_name_are_two():
    one, other = ({"method": {"start_from": [f"runs/{at}/checkpoints/best"]}} for at in "ab")
    assert differences(one, one) == {}
    assert len(differences(one, other)) == 1


def test_a_setting_that_one_lacks_is_a_difference():
    found = differences({"training": {"steps": 4}}, {})
    assert told(found) == "training.steps is 4, not unset"
