"""Each layout, from files laid out as the systems write them."""

import csv
import json
from pathlib import Path

import pytest

from gradtruce.evaluation.formats.layouts import read_any, sniff
from gradtruce.evaluation.predictions import Prediction

GENERATED = ["no mass , no nodule .", "", 'a "small" effusion .']
REFERENCES = ["clear lungs .", "a mass .", "no effusion .\nno mass ."]
ROWS = [
    Prediction(f"row-{n}", reference, generated)
    for n, (reference, generated) in enumerate(zip(REFERENCES, GENERATED, strict=True), start=1)
]


def write_column(file: Path, texts: list[str]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([text] for text in texts)
    return file


@pytest.mark.parametrize("layout", ["auto", "r2gen", "promptmrg"])
@pytest.mark.parametrize("name", ["", "res.csv"])
def test_columns_without_header_get_row_numbers(tmp_path: Path, layout: str, name: str) -> None:
    write_column(tmp_path / "res.csv", GENERATED)
    write_column(tmp_path / "gts.csv", REFERENCES)
    assert read_any(tmp_path / name, layout=layout) == ROWS


def test_columns_must_have_the_same_rows_and_references(tmp_path: Path) -> None:
    write_column(tmp_path / "res.csv", GENERATED)
    with pytest.raises(FileNotFoundError, match=r"gts\.csv: the references of res\.csv"):
        read_any(tmp_path)
    write_column(tmp_path / "gts.csv", REFERENCES[:2])
    with pytest.raises(ValueError, match=r"has 3 rows, .* has 2; rows have no ids"):
        read_any(tmp_path)
    with pytest.raises(ValueError, match=r"the references; name res\.csv"):
        read_any(tmp_path / "gts.csv")
    (tmp_path / "res.csv").write_text("no mass, no nodule .\n")
    with pytest.raises(ValueError, match="line 1: 2 cells; expected one column"):
        read_any(tmp_path / "res.csv", layout="r2gen")


def test_rows_without_ids_cannot_be_joined(tmp_path: Path) -> None:
    write_column(tmp_path / "res.csv", GENERATED)
    references = tmp_path / "references.csv"
    references.write_text("id,report\nrow-1,clear\n")
    with pytest.raises(ValueError, match="its rows have no ids"):
        read_any(tmp_path, references=references)


def test_lines_of_text_are_promptmrg(tmp_path: Path) -> None:
    (tmp_path / "test_res.txt").write_text("\n".join(GENERATED) + "\n")
    (tmp_path / "test_gts.txt").write_bytes(b"clear .\r\na mass .\r\nclear .\r\n")
    predictions = read_any(tmp_path)
    assert [prediction.generated for prediction in predictions] == GENERATED
    assert [prediction.reference for prediction in predictions] == [
        "clear .",
        "a mass .",
        "clear .",
    ]
    assert read_any(tmp_path / "test_res.txt") == predictions
    with pytest.raises(ValueError, match="the references; name the generated"):
        read_any(tmp_path / "test_gts.txt")


def test_a_folder_with_several_predictions_is_ambiguous(tmp_path: Path) -> None:
    write_column(tmp_path / "res.csv", GENERATED)
    (tmp_path / "test_res.txt").write_text("clear .\n")
    with pytest.raises(ValueError, match=r"several predictions, res\.csv, test_res\.txt"):
        read_any(tmp_path)


def test_captions_of_xpronet(tmp_path: Path) -> None:
    records = [{"img_id": p.id, "pred": p.generated, "gt": p.reference} for p in ROWS]
    file = tmp_path / "caption_data.json"
    file.write_text(json.dumps([{"test_BLEU_1": 0.5}, *records]))
    assert read_any(file) == read_any(tmp_path) == ROWS
    file.write_text(json.dumps([{"test_BLEU_1": 0.5}, records[0], records[0]]))
    with pytest.raises(ValueError, match="item 2: id 'row-1' was already on item 1"):
        read_any(file)
    file.write_text(json.dumps([{"test_BLEU_1": 0.5}, {"img_id": "a", "pred": "b"}]))
    with pytest.raises(ValueError, match="item 1: field 'gt' is missing"):
        read_any(file)
    file.write_text(json.dumps([{"test_BLEU_1": 0.5}]))
    with pytest.raises(ValueError, match="no report in it"):
        read_any(file, layout="r2gen")


def test_texts_by_id_of_wcl_need_references(tmp_path: Path) -> None:
    file = tmp_path / "predictions.json"
    file.write_text(json.dumps({p.id: p.generated for p in ROWS}))
    with pytest.raises(ValueError, match="without references; give them by references=FILE"):
        read_any(file)
    annotation = tmp_path / "annotation.json"
    test = [{"id": p.id, "report": p.reference, "image_path": []} for p in ROWS]
    annotation.write_text(json.dumps({"train": [], "val": [], "test": test}))
    assert read_any(file, references=annotation) == ROWS
    file.write_text('{"s1": "clear .", "s1": "a mass ."}')
    with pytest.raises(ValueError, match="key 's1' comes twice"):
        read_any(file, references=annotation)


def test_two_files_by_id_of_r2gengpt(tmp_path: Path) -> None:
    (tmp_path / "test_result.json").write_text(json.dumps({p.id: [p.generated] for p in ROWS}))
    references = tmp_path / "test_refs.json"
    references.write_text(json.dumps({p.id: [p.reference] for p in reversed(ROWS)}))
    assert read_any(tmp_path) == ROWS
    references.write_text(json.dumps({"row-1": ["clear ."]}))
    with pytest.raises(ValueError, match=r"2 ids stand in only one of it and test_refs\.json"):
        read_any(tmp_path)
    references.write_text(json.dumps({p.id: [p.reference, "b"] for p in ROWS}))
    with pytest.raises(ValueError, match="must be text in quotes"):
        read_any(tmp_path)


def test_a_submission_of_rexrank(tmp_path: Path) -> None:
    file = tmp_path / "submission.json"
    studies = {
        "1": {"section_findings": "Clear.", "section_impression": "Normal.", "dicom_id": ["a"]},
        "2": {"findings": "A mass.", "impression": None},
        "3": {"section_findings": float("nan"), "reports": "Findings: None"},
    }
    file.write_text(
        json.dumps({k: v | {"model_prediction": "Normal."} for k, v in studies.items()})
    )
    references = [prediction.reference for prediction in read_any(file)]
    assert references == [
        "Findings: Clear. Impression: Normal.",
        "Findings: A mass.",
        "Findings: None",
    ]
    file.write_text(json.dumps({"1": {"model_prediction": "a"}}))
    with pytest.raises(ValueError, match="study '1': no reference"):
        read_any(file)
    file.write_text(json.dumps({"1": {"model_prediction": "a"}, "2": {"findings": "a"}}))
    with pytest.raises(ValueError, match="study '1'"):
        read_any(file)
    with pytest.raises(ValueError, match="study '2': field 'model_prediction' is missing"):
        read_any(file, references=tmp_path / "none.csv")
    file.write_text(json.dumps({"1": {"model_prediction": 3, "findings": "a"}}))
    with pytest.raises(ValueError, match="field 'model_prediction' must be text"):
        read_any(file)


def test_the_two_tables_of_rexrank(tmp_path: Path) -> None:
    predicted, right = tmp_path / "predicted_reports.csv", tmp_path / "gt_reports.csv"
    predicted.write_text('study_id,report\n1,Normal.\n2,"A mass,\nleft."\n')
    right.write_text("study_id,report\n2,Findings: A mass.\n1,Findings: Clear.\n")
    with pytest.raises(ValueError, match="generated reports only"):
        read_any(predicted)
    assert read_any(predicted, references=right) == [
        Prediction("1", "Findings: Clear.", "Normal."),
        Prediction("2", "Findings: A mass.", "A mass,\nleft."),
    ]


def test_a_table_that_could_be_two_layouts_is_ambiguous(tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_text("id,study_id,report,reference,generated\n1,1,a,b,c\n")
    with pytest.raises(ValueError, match=r"could be csv or rexrank .*layout='csv'"):
        read_any(file)
    assert read_any(file, layout="csv") == [Prediction("1", "b", "c")]


def test_one_line_and_many_lines_are_both_json_lines(tmp_path: Path) -> None:
    file = tmp_path / "predictions.jsonl"
    line = '{"id": "s1", "reference": "a", "generated": "b", "labels": {"Edema": 1}}'
    file.write_text(line)
    assert sniff(file) == "jsonl"
    file.write_text(line + "\n" + line.replace("s1", "s2"))
    assert [prediction.labels for prediction in read_any(tmp_path)] == [{"Edema": 1}] * 2


@pytest.mark.parametrize("name", ["references.jsonl", "references.csv", "references.json"])
def test_references_are_joined_by_id_and_replace_those_that_are_there(
    tmp_path: Path, name: str
) -> None:
    file, references = tmp_path / "p.csv", tmp_path / name
    file.write_text("id,generated,reference\ns1,a,old\ns2,b,old\n")
    references.write_text(
        {
            ".jsonl": '{"id": "s2", "reference": "two"}\n{"id": "s1", "reference": "one"}',
            ".csv": "id,report\ns2,two\ns1,one",
            ".json": '{"s1": "one", "s2": ["two"]}',
        }[references.suffix]
    )
    assert read_any(file, references=references) == [
        Prediction("s1", "one", "a"),
        Prediction("s2", "two", "b"),
    ]


def test_ids_on_one_side_only_are_counted_and_named(tmp_path: Path) -> None:
    file, references = tmp_path / "p.jsonl", tmp_path / "r.csv"
    ids = [f"s{n}" for n in range(7)]
    file.write_text("\n".join(json.dumps({"id": study, "generated": ""}) for study in ids))
    references.write_text("id,report\ns0,a\nx1,b\n")
    with pytest.raises(
        ValueError, match=r"has 6 \('s1', 's2', 's3', 's4', 's5', …\) that .* 1 \('x1'\)"
    ):
        read_any(file, references=references)
    references.write_text("id,report\ns0,a\ns0,b\n")
    with pytest.raises(ValueError, match="line 3: id 's0' was already on line 2"):
        read_any(file, references=references)


@pytest.mark.parametrize(
    ("layout", "text", "message"),
    [
        ("r2gen", "3", "expected texts by id or a list of captions"),
        ("r2gen", "[3]", "item 0: expected an object with img_id"),
        ("r2gen", "{}", "without references"),
        ("rexrank", "[]", "expected an object by study id"),
        ("rexrank", '{"1": "a mass ."}', "study '1': expected an object with model_prediction"),
    ],
)
def test_a_layout_that_is_forced_on_another_file_is_an_error(
    tmp_path: Path, layout: str, text: str, message: str
) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_any(tmp_path / "p.json", layout=layout)


def test_no_texts_by_id_and_a_folder_for_references_are_errors(tmp_path: Path) -> None:
    file, references = tmp_path / "p.json", tmp_path / "r.csv"
    file.write_text("{}")
    references.write_text("id,report\ns1,a\n")
    with pytest.raises(ValueError, match="no report in it"):
        read_any(file, layout="r2gen", references=references)
    file.write_text('{"s1": "a"}')
    with pytest.raises(ValueError, match="a folder, where a file is expected"):
        read_any(file, references=tmp_path)
