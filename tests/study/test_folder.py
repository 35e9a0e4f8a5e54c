import shutil

import pytest

from gradtruce.data.cluster_file import ClusterFile
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.study import SPLITS
from gradtruce.study.plans.plan import StudyPlan, load_plan
from gradtruce.study.running.data_sets import make_data, needed_files
from gradtruce.study.running.folder import open_study, read_plan

SETTINGS = ["run.training.steps=3", "seeds=[0, 1]", "data.phantom.phantom.studies=60"]


def plan(*more):
    return load_plan("demo", [*SETTINGS, *more])


def test_a_study_is_begun_and_opened_again(tmp_path):
    first = open_study(tmp_path / "study", plan())
    again = open_study(tmp_path / "study")
    assert again.plan == first.plan == plan()
    assert again.runs == first.runs
    assert again.identity == first.identity
    assert first.identity.startswith("study-")


def test_two_studies_of_one_name_are_two_in_a_shared_database(tmp_path):
    one = open_study(tmp_path / "a" / "study", plan())
    two = open_study(tmp_path / "b" / "study", plan())
    assert one.identity != two.identity


def test_seeds_and_arms_may_be_added(tmp_path):
    before = open_study(tmp_path, plan())
    more = 'arms.more={label = "More", balance = {name = "mgda"}}'
    after = open_study(tmp_path, plan("seeds=[0, 1, 2]", more))
    assert len(after.runs) == 9
    old = {run.name: run.config for run in before.runs}
    assert {run.name: run.config for run in after.runs if run.name in old} == old
    assert read_plan(tmp_path) == after.plan
    assert after.identity == before.identity


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("run.training.steps=4", r"run\.training\.steps \(3 there, 4 given\)"),
        ("run.training.epochs=4", r"run\.training\.epochs \(None there, 4 given\)"),
        ("seeds=[0]", r"has seeds \[1\], which the plan given lacks"),
        ("arms.linear.balance.name=mgda", r"arms\.linear\.balance\.name \('linear' there"),
        ("data.phantom.phantom.studies=70", r"data\.phantom\.phantom\.studies"),
        ("run.extends=camanet-demo", r"base\.method\.preset"),
    ],
)
def test_what_the_runs_share_may_not_change(tmp_path, change, message):
    open_study(tmp_path, plan())
    with pytest.raises(ValueError, match=message) as caught:
        open_study(tmp_path, plan(change))
    assert "another folder" in str(caught.value)
    assert read_plan(tmp_path) == plan()


def test_an_arm_that_is_taken_away_is_named(tmp_path):
    more = 'arms.more={label = "More"}'
    open_study(tmp_path, plan(more))
    with pytest.raises(ValueError, match="has arms more, which the plan given lacks"):
        open_study(tmp_path, plan())


def test_a_folder_without_a_plan_is_no_study(tmp_path):
    with pytest.raises(FileNotFoundError, match="gradtruce study run PLAN"):
        open_study(tmp_path)


def test_a_phantom_is_made_once(tmp_path):
    study = open_study(tmp_path, plan("data.phantom.phantom={ studies = 8, size = 32 }"))
    make_data(study)
    manifest = tmp_path / "data" / "phantom" / "manifest.json"
    written = manifest.stat().st_mtime_ns
    make_data(study)
    assert manifest.stat().st_mtime_ns == written
    shutil.rmtree(manifest.parent)
    make_data(study)
    assert manifest.is_file()


def test_how_many_patients_of_a_phantom_come_again_is_said_by_the_plan(tmp_path):
    small = ["data.phantom.phantom.size=32", "data.phantom.phantom.follow_ups=[0.0, 1.0]"]
    study = open_study(tmp_path, plan(*small))
    make_data(study)
    made = PreparedDataset.open(tmp_path / "data" / "phantom")
    patients = [patient for split in SPLITS for patient in made.split(split).patients]
    assert len(patients) == 60
    assert len(set(patients)) == 30  # each comes twice
    with pytest.raises(ValueError, match=r"phantom\.follow_ups \(\[0\.0, 1\.0\] there, None given"):
        open_study(tmp_path, plan(small[0]))


def test_a_plan_that_says_nothing_of_it_is_as_it_was(tmp_path):
    study = open_study(tmp_path, plan())
    entry = study.plan.data["phantom"].phantom
    assert entry.model_dump(exclude_none=True).keys() == {"level", "studies", "size", "seed"}
    assert "follow_ups" not in (tmp_path / "plan.toml").read_text(encoding="utf-8")


def test_what_a_method_needs_is_made_from_the_data_set_and_named_in_its_runs(phantom, tmp_path):
    builds = "methods.r2gen.builds={ clusters = { count = 3 } }"
    path = f"data.phantom.run.data.path={str(phantom)!r}"
    study = open_study(tmp_path, plan(builds, path))
    ((method, data, kind, made),) = needed_files(study)
    assert (method, data, kind) == ("r2gen", "phantom", "clusters")
    assert {run.config.data.clusters for run in study.runs} == {str(made)}
    make_data(study)
    assert len(set(ClusterFile.read(made).clusters.values())) == 3
    written = made.stat().st_mtime_ns
    make_data(study)
    assert made.stat().st_mtime_ns == written
    assert not list(made.parent.glob(".partial*"))


def test_a_data_set_that_is_not_there_is_named(tmp_path):
    given = ["data.phantom.run.data.path='nowhere'", "methods.r2gen.builds={ clusters = {} }"]
    table = load_plan("demo", given).model_dump(exclude_none=True)
    del table["data"]["phantom"]["phantom"]
    study = open_study(tmp_path, StudyPlan.model_validate(table))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        make_data(study)
