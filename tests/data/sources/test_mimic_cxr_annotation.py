"""Annotation files in the forms of R2Gen, PromptMRG and DDaTR, all made up."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.preparing.pipeline import prepare
from gradtruce.data.sources import mimic_cxr_json
from gradtruce.data.sources.base import Problem, Record
from gradtruce.data.sources.mimic_cxr_annotation import MimicCxrAnnotation
from gradtruce.data.sources.mimic_cxr_json import checked_item, read_items
from tests.data.sources.mimic_tree import STUDIES, write_tree

SPLITS = {"train": "train", "validate": "val", "test": "test"}
STATES = [0, 1, 2, 3] + [0] * 9 + [1]


def item_of(study, place=0, **changes):
    """Return an item as R2Gen's file has it."""
    return {
        "id": study.image(place),
        "study_id": int(study.study),
        "subject_id": int(study.subject),
        "report": "The invented lungs are clear.\n Nothing else.",
        "image_path": [study.image_path(place).removeprefix("files/")],
        "split": SPLITS[study.split],
    } | changes


def annotation_of(path, items):
    lists = {"train": [], "val": [], "test": []}
    for item in items:
        lists[item["split"]].append(item)
    path.write_text(json.dumps(lists))
    return path


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path / "mimic-cxr-jpg")


def listed(source):
    entries = list(source.records())
    records = {entry.id: entry for entry in entries if isinstance(entry, Record)}
    return records, [entry for entry in entries if isinstance(entry, Problem)]


def test_r2gen_s_file_becomes_a_set_with_its_splits_and_reports(tmp_path, tree):
    path = annotation_of(tmp_path / "annotation.json", [item_of(study) for study in STUDIES])
    source = MimicCxrAnnotation(path, tree.root, metadata=tree.metadata)
    manifest = prepare(source, tmp_path / "set", pictures=False)
    assert manifest.splits == {"train": 4, "val": 2, "test": 1}
    (study,) = PreparedDataset.open(tmp_path / "set").split("test")
    assert study.report == "The invented lungs are clear.\n Nothing else."
    assert (study.views[0].position, study.labels, study.prior) == ("frontal", {}, None)


def test_images_may_lie_below_files_or_not(tmp_path, tree):
    path = annotation_of(tmp_path / "a.json", [item_of(study) for study in STUDIES])
    for root, expected in ((tree.root, "files/p10"), (tree.root / "files", "p10")):
        records, _ = listed(MimicCxrAnnotation(path, root))
        view = records[STUDIES[0].image(0)].views[0]
        assert view.path.startswith(expected)
        assert view.position is None


@pytest.mark.parametrize("further", [[], [0, 1, 2, 3]])
def test_states_0_to_3_are_blank_positive_negative_uncertain(tmp_path, tree, further):
    items = [item_of(study, labels=STATES + further, clip_indices=[5]) for study in STUDIES]
    path = annotation_of(tmp_path / "mimic_annotation_promptmrg.json", items)
    source = MimicCxrAnnotation(path, tree.root)
    record = next(iter(listed(source)[0].values()))
    assert record.label_states() == {
        "Cardiomegaly": 1,
        "Lung Opacity": 0,
        "Lung Lesion": -1,
        "No Finding": 1,
    }
    assert record.label_source.startswith("mimic_annotation_promptmrg.json (sha256 ")
    assert source.notes()["items with labels"] == 7


def test_the_context_image_of_ddatr_is_the_prior(tmp_path, tree):
    first, second, third, *others = STUDIES
    context = {"context_report": "Before.", "context_label": [0] * 14}
    items = [
        item_of(first, has_progress=False, context_image=[], **context),
        item_of(second, has_progress=True, context_image=item_of(first)["image_path"], **context),
        item_of(third, has_progress=True, context_image=["p10/p10999901/s5/none.jpg"], **context),
        *(item_of(study) for study in others),
    ]
    source = MimicCxrAnnotation(annotation_of(tmp_path / "a.json", items), tree.root)
    records, problems = listed(source)
    assert [records[s.image(0)].prior for s in (first, second, third)] == [
        None,
        first.image(0),
        None,
    ]
    assert [(p.id, p.kind, p.action) for p in problems] == [
        (third.image(0), "prior study", "prior link removed")
    ]
    assert source.notes()["with prior"] == {"train": 1, "val": 0, "test": 0}


def test_an_item_without_ids_takes_them_from_its_path():
    item = item_of(STUDIES[0])
    for name in ("id", "study_id", "subject_id"):
        del item[name]
    checked = checked_item("train", item)
    assert (checked.id, checked.patient) == (STUDIES[0].image(0), STUDIES[0].subject)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"report": ""}, "report must be a text that is not blank, is ''"),
        ({"report": None}, "report must be a text"),
        ({"image_path": []}, "image_path must name an image"),
        ({"image_path": [3]}, "image_path must be a list of paths"),
        ({"labels": [0] * 13}, "labels must be a list of 14 or 18 states"),
        ({"labels": [4] + [0] * 13}, "labels must be 0 blank, 1 positive"),
        ({"labels": [True] + [0] * 13}, "labels must be 0 blank, 1 positive"),
        ({"subject_id": 7}, "subject_id must be 1 and 7 digits"),
        ({"subject_id": 19999999}, "but its image is of patient 10999901"),
        ({"id": ["a"]}, "id must be a text or a whole number"),
        ({"has_progress": True, "context_image": {"a": 1}}, "context_image must be a list"),
    ],
)
def test_an_item_of_another_form_is_skipped_and_told(tmp_path, tree, changes, reason):
    bad, *good = STUDIES
    items = [item_of(bad, **changes), *(item_of(study) for study in good)]
    source = MimicCxrAnnotation(annotation_of(tmp_path / "a.json", items), tree.root)
    records, (problem,) = listed(source)
    assert len(records) == len(good)
    assert (problem.kind, problem.file, problem.action) == (
        "unfit item",
        "train, item 0",
        "study skipped",
    )
    assert reason in problem.reason


def test_a_path_that_leaves_the_folder_is_no_image(tmp_path, tree):
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    items = [item_of(study) for study in STUDIES]
    items[0]["image_path"] = ["../secret.jpg"]
    source = MimicCxrAnnotation(annotation_of(tmp_path / "a.json", items), tree.root / "files")
    manifest = prepare(source, tmp_path / "set", on_error="skip", pictures=False)
    assert manifest.problems["no images"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be an object of the lists train, val and test, found 'its end'"),
        ("[]", r"must be an object of the lists .*, found '\['"),
        ('{"train": []}', "lacks the lists val, test"),
        ('{"train": [], "train": []}', "each once; found 'train'"),
        ('{"dev": []}', "found 'dev'"),
        ('{"train": {}}', "must be a list called train"),
        ('{"train": [3], "val": [], "test": []}', "train, item 0 must be an object"),
        ('{"train": [{} {}]}', "must be JSON with a comma between values"),
        ('{"train": [{"id": "a"', "not JSON, or cut off"),
        ('{"train": [' + "[" * 100_000, "nested too deep|not JSON"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, text, message):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        list(read_items(path))


def test_text_that_is_not_utf_8_is_refused(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b'{"train": [{"report": "\xff"}]}')
    with pytest.raises(ValueError, match="not UTF-8 text"):
        list(read_items(path))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
ITEMS = st.lists(st.dictionaries(st.text(), JSON, max_size=4), max_size=6)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(train=ITEMS, test=ITEMS, chunk=st.integers(1, 50), indent=st.sampled_from([None, 2]))
def test_reading_item_by_item_is_reading_the_whole(
    tmp_path, monkeypatch, train, test, chunk, indent
):
    monkeypatch.setattr(mimic_cxr_json, "_CHUNK", chunk)
    path = tmp_path / "a.json"
    lists = {"train": train, "val": [], "test": test}
    path.write_text(json.dumps(lists, ensure_ascii=False, indent=indent), encoding="utf-8")
    found = [(split, item) for split, _, item in read_items(path)]
    assert found == [(split, item) for split, items in lists.items() for item in items]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | JSON.map(lambda v: json.dumps({"train": v}).encode()))
def test_any_file_is_read_or_refused_in_one_line(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    try:
        for split, _, item in read_items(path):
            checked_item(split, item)
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017 # it may also be read
