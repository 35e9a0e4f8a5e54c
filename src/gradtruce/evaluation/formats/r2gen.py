"""What R2Gen's descendants write at test time.

R2Gen itself (cuhksz-nlp/R2Gen, 5a2e63f) writes scores only, no report. Of the code built on it:

- R2GenCMN (zhjohnchan/R2GenCMN, df4aac9, `modules/tester.py`), and forks of R2Gen and of PromptMRG:
  `res.csv` (generated) and `gts.csv` (references) in the folder of the run. One column, no header,
  no ids: row n of one belongs to row n of the other.
- XProNet (Markin-Wang/XProNet, 1c9279b, `modules/trainer.py`): `caption_data.json`, a list of the
  scores and then an object a study: `img_id`, `pred`, `gt`.
- WCL (zzxslp/WCL, f91afa5, `modules/trainer.py`): `predictions.json`, generated texts by image id,
  without references.
- R2GenGPT (wang-zhanyu/R2GenGPT, `models/R2GenGPT.py`): `test_result.json` and `test_refs.json`,
  each a list of one text by id.

References are decoded token ids there: cut at the longest length trained on, with `<unk>`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gradtruce.evaluation.formats.json_files import read_json, text_field
from gradtruce.evaluation.formats.reports import only_text, read_references
from gradtruce.evaluation.formats.rows import pair_rows
from gradtruce.evaluation.formats.tables import read_column
from gradtruce.evaluation.formats.texts import check_report, require_id, require_once
from gradtruce.evaluation.predictions import Prediction

COLUMNS: Final = ("res.csv", "gts.csv")
CAPTIONS: Final = "caption_data.json"
BY_ID: Final = ("test_result.json", "test_refs.json")
WITHOUT_REFERENCES: Final = "predictions.json"


def files_in(folder: Path) -> list[Path]:
    """Return the files of generated reports in a folder.

    >>> import tempfile
    >>> files_in(Path(tempfile.mkdtemp()))
    []
    """
    names = (COLUMNS[0], CAPTIONS, BY_ID[0], WITHOUT_REFERENCES)
    return [folder / name for name in names if (folder / name).is_file()]


def read_r2gen(path: Path, needs_reference: bool = True) -> list[Prediction]:
    r"""Return the predictions of one of these files.

    Rows without ids get the row's number, from `row-1` on.

    Args:
        path: `res.csv`, a list like `caption_data.json`, or generated texts by id (`.json`).
        needs_reference: Whether the references must be there: `gts.csv` beside `res.csv`,
            `test_refs.json` beside `test_result.json`.

    Raises:
        FileNotFoundError: If the file or its references are not there.
        ValueError: If a file is not laid out so, an id comes twice, ids or numbers of rows differ,
            or texts without ids are to be joined by id.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "res.csv").write_text("clear lungs .\n")
    >>> _ = (folder / "gts.csv").write_text("a mass .\n")
    >>> read_r2gen(folder / "res.csv")
    [Prediction(id='row-1', reference='a mass .', generated='clear lungs .', ...)]
    """
    if path.suffix.lower() == ".csv":
        return _columns(path, needs_reference)
    content = read_json(path)
    if isinstance(content, list):
        return _captions(path, content, needs_reference)
    if not isinstance(content, dict):
        message = f"{path}: expected texts by id or a list of captions, found {content!r:.80}"
        raise ValueError(message)  # noqa: TRY004 # a file's content
    return _by_id(path, content, needs_reference)


def _columns(path: Path, needs_reference: bool) -> list[Prediction]:
    if path.name == COLUMNS[1]:
        raise ValueError(f"{path}: the references; name {COLUMNS[0]} or the folder")
    return pair_rows(path, path.with_name(COLUMNS[1]), read_column, needs_reference)


def _captions(path: Path, content: list[Any], needs_reference: bool) -> list[Prediction]:
    predictions: list[Prediction] = []
    seen: dict[str, str] = {}
    has_scores = bool(content) and isinstance(content[0], dict) and "img_id" not in content[0]
    for number, record in enumerate(content[has_scores:], start=int(has_scores)):
        where = f"{path}, item {number}"
        if not isinstance(record, dict):
            message = f"{where}: expected an object with img_id, pred and gt, found {record!r:.80}"
            raise ValueError(message)  # noqa: TRY004 # a file's content
        record = {"gt": "", **record} if not needs_reference else record
        study = text_field(record, "img_id", where)
        generated, reference = (text_field(record, name, where) for name in ("pred", "gt"))
        predictions.append(_checked(Prediction(study, reference, generated), where))
        require_once(study, where, f"item {number}", seen)
    if not predictions:
        raise ValueError(f"{path}: no report in it")
    return predictions


def _by_id(path: Path, content: Mapping[str, Any], needs_reference: bool) -> list[Prediction]:
    references: Mapping[str, str] = {}
    if needs_reference:
        beside = path.with_name(BY_ID[1])
        if path.name != BY_ID[0] or not beside.is_file():
            raise ValueError(
                f"{path}: texts by id without references; give them by references=FILE"
            )
        references = read_references(beside)
        differing = sorted(content.keys() ^ references.keys())
        if differing:
            raise ValueError(
                f"{path}: {len(differing)} ids stand in only one of it and {beside.name}:"
                f" {', '.join(differing[:5])}"
            )
    predictions = []
    for study, value in content.items():
        where = f"{path}, key {study!r}"
        generated = text_field({"text": only_text(value)}, "text", where)
        prediction = Prediction(study, references.get(study, ""), generated)
        predictions.append(_checked(prediction, where))
    if not predictions:
        raise ValueError(f"{path}: no report in it")
    return predictions


def _checked(prediction: Prediction, where: str) -> Prediction:
    require_id(prediction.id, where)
    for text in (prediction.generated, prediction.reference):
        check_report(text, where, prediction.id)
    return prediction
