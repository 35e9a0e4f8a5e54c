import pytest

from gradtruce.data.preparing.plan import make_plan
from gradtruce.data.sources.base import Problem, Record
from gradtruce.data.study import SPLITS


def records(train: int = 1) -> list[Record]:
    return [
        *(Record(f"t{number}", f"t{number}", "train") for number in range(train)),
        Record("v", "v", "val"),
        Record("e", "e", "test"),
    ]


def of_split(name: str) -> Record:
    record = Record("x", "x", "train")
    object.__setattr__(record, "split", name)
    return record


def ids(plan) -> list[list[str]]:
    return [[record.id for record in shard.records] for shard in plan.shards]


def test_shards_are_cut_in_the_order_of_the_source():
    plan = make_plan(records(5), shard_rows=2)
    assert ids(plan) == [["t0", "t1"], ["t2", "t3"], ["t4"], ["v"], ["e"]]
    assert [shard.file for shard in plan.shards][2:4] == ["train-00002.arrow", "val-00000.arrow"]
    assert plan.studies == 7


def test_the_studies_of_a_patient_are_in_one_shard():
    mine = [Record(f"m{number}", "mine", "train") for number in range(3)]
    plan = make_plan([mine[0], *records(2), *mine[1:]], shard_rows=2)
    assert ids(plan)[:2] == [["m0", "m1", "m2"], ["t0", "t1"]]


@pytest.mark.parametrize(("studies", "shards"), [(60, 1), (2000, 32), (30_000, 255)])
def test_there_are_enough_shards_to_share_out_and_few_enough_to_open(studies, shards):
    plan = make_plan(records(studies))
    assert len(plan.shards) == shards + 2


def test_a_leak_is_an_error_even_when_problems_are_skipped():
    leaking = [*records(), Record("x", "v", "test")]
    with pytest.raises(ValueError, match="study 'x': patient 'v' is in 'test', but in 'val' with"):
        make_plan(leaking, on_error="skip")


@pytest.mark.parametrize("spelling", ["V", " v", "v "])
def test_a_patient_spelt_otherwise_is_a_leak_too(spelling):
    with pytest.raises(ValueError, match=f"patient '{spelling}' is in 'test', but in 'val' with"):
        make_plan([*records(), Record("x", spelling, "test")], on_error="skip")


def test_an_empty_split_is_an_error_that_says_what_was_left_out():
    listed = [Record("t", "t", "train"), Problem("v", "v.png", "missing image", "is not there")]
    with pytest.raises(ValueError, match=r"split 'val' has no study; .* \(1 left out: missing im"):
        make_plan(listed, on_error="skip")


@pytest.mark.parametrize(
    ("extra", "kind", "message"),
    [
        (Record("v", "other", "val"), "duplicate id", "study 'v': the id occurs twice"),
        (of_split("dev"), "unknown split", "study 'x': its split is 'dev'; it must be"),
        (Record("x", "x", "val", prior="t0"), "prior study", "study 'x': its prior 't0' is no"),
        (Record("x", "x", "val", prior="x"), "prior study", "study 'x': its prior 'x' is no oth"),
        (Problem("x", "a", "damaged", "it is"), "damaged", "study 'x': a: it is"),
    ],
)
def test_a_problem_stops_or_is_listed(extra, kind, message):
    with pytest.raises(ValueError, match=message):
        make_plan([*records(), extra])
    plan = make_plan([*records(), extra], on_error="skip")
    assert [problem.kind for problem in plan.problems] == [kind]
    assert all(record.prior is None for shard in plan.shards for record in shard.records)


def test_what_is_only_noted_never_stops():
    noted = Problem("x", "", "no findings", "its report has no findings", "noted")
    assert make_plan([*records(), noted]).problems == (noted,)


def test_every_change_of_a_record_changes_the_hash():
    changed = [
        make_plan(records(2)),
        make_plan(records(3)),
        make_plan(records(2), shard_rows=1),
        make_plan([Record("t0", "t0", "train", report="other"), *records(2)[1:]]),
        make_plan([Record("t0", "t0", "train", labels=(1,)), *records(2)[1:]]),
    ]
    assert len({plan.sha256 for plan in changed}) == len(changed)
    assert make_plan(records(2)).sha256 == changed[0].sha256


def test_text_that_is_not_unicode_is_planned_and_written():
    assert make_plan([Record("\udcff", "p", "train"), *records()]).studies == 4
    assert Problem("\udcff", "a\udc80.png", "k", "two\nlines").file == "a\\udc80.png"
    assert set(SPLITS) == {shard.split for shard in make_plan(records()).shards}
