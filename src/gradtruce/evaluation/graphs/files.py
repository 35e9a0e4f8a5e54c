"""Files of annotations, in the forms that RadGraph and its users write, joined to predictions."""

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, final

from gradtruce.evaluation.graphs.annotation import EMPTY, Graph, parse_graph
from gradtruce.evaluation.predictions import Prediction
from gradtruce.files import write_whole

BY_ID: Final = "study id"
BY_ROW: Final = "row order"
BY_ROW_OF_PAIRS: Final = "row order of the reports that have both texts"


@final
@dataclass(frozen=True, eq=False)
class Annotations:
    """Graphs of one side of a set of predictions.

    Attributes:
        graphs: Graph of each study, by its id.
        source: File and hash, or the model that drew them.
        joined_by: What told which graph belongs to which study.
    """

    graphs: Mapping[str, Graph]
    source: str
    joined_by: str = BY_ID


def read_annotations(path: Path, predictions: Sequence[Prediction]) -> Annotations:
    """Return the graphs of a file, one for each of the predictions.

    The file is JSON or JSON Lines in UTF-8. Read are: an object of graphs by study id (as in the
    files on PhysioNet) or by row "0", "1" … (what `RadGraph()` returns); a list of graphs (what
    `F1RadGraph()` returns for each side), of graphs with an `id`, or of `{"0": graph}`; and the
    same one a line. `F1RadGraph` leaves out studies where either text is empty: a list that is
    shorter by just these is joined so, and they get a graph without entities. Graphs of other
    studies, in a file by study id, are left aside.

    Args:
        path: The file.
        predictions: In the order of their file, where graphs are joined by row.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not UTF-8 or JSON, a key comes twice, a study has no graph, rows and
            predictions differ in number, or a graph is not RadGraph's (see `parse_graph`).

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "generated.json"
    >>> _ = file.write_text('{"s1": {"text": "clear lungs", "entities": {}}}')
    >>> found = read_annotations(file, [Prediction("s1", "no mass", "clear lungs")])
    >>> found.graphs["s1"].text, found.joined_by
    ('clear lungs', 'study id')
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"no annotation file {path}; see docs/radgraph.md for how RadGraph makes one"
        )
    content = path.read_bytes()
    keyed, rows = _entries(_parse(content, path), path)
    source = f"{path.name} (sha256 {hashlib.sha256(content).hexdigest()[:16]})"
    if keyed is None:
        return _by_row(rows, predictions, path, source)
    ids = [prediction.id for prediction in predictions]
    if set(ids) <= set(keyed):
        graphs = {study: parse_graph(keyed[study], f"{path}, study {study!r}") for study in ids}
        return Annotations(graphs, source)
    if set(keyed) == {str(row) for row in range(len(keyed))}:
        in_order = [keyed[str(row)] for row in range(len(keyed))]
        return _by_row(in_order, predictions, path, source)
    raise _missing(ids, keyed, path)


def write_annotations(path: Path, annotations: Annotations) -> None:
    """Write graphs by study id, as `read_annotations` reads them; whole or not at all.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "generated.json"
    >>> write_annotations(file, Annotations({"s1": Graph({}, "clear lungs")}, "by hand"))
    >>> print(file.read_text())
    {"s1": {"text": "clear lungs", "entities": {}}}
    """
    fields = {
        study: {"text": graph.text, "entities": {n: asdict(e) for n, e in graph.entities.items()}}
        for study, graph in annotations.graphs.items()
    }
    write_whole(path, json.dumps(fields, ensure_ascii=False))


def _by_row(
    rows: Sequence[object], predictions: Sequence[Prediction], path: Path, source: str
) -> Annotations:
    ids = [prediction.id for prediction in predictions]
    pairs = [each.id for each in predictions if each.generated and each.reference]
    if len(rows) == len(ids):
        named, joined_by = ids, BY_ROW
    elif len(rows) == len(pairs):
        named, joined_by = pairs, BY_ROW_OF_PAIRS
    else:
        raise ValueError(
            f"{path}: {len(rows)} graphs in row order for {len(ids)} predictions, of which"
            f" {len(pairs)} have both texts; give one graph for each prediction, in the order of"
            " their file, or an object by study id"
        )
    found = {
        study: parse_graph(row, f"{path}, row {number} (study {study!r})")
        for number, (study, row) in enumerate(zip(named, rows, strict=True))
    }
    return Annotations({study: found.get(study, EMPTY) for study in ids}, source, joined_by)


def _missing(ids: Sequence[str], keyed: Mapping[str, object], path: Path) -> ValueError:
    absent = [study for study in ids if study not in keyed]
    holding = [key for key in keyed if absent[0] in key]  # a path that ends in the study's id
    near = holding or difflib.get_close_matches(absent[0], list(keyed)[:10_000], n=1)
    hint = f"is it {near[0]!r}?" if near else f"its keys begin with {list(keyed)[:3]}."
    return ValueError(
        f"{path}: no graph for study {absent[0]!r}, nor for {len(absent) - 1} more of {len(ids)};"
        f" {hint} Every prediction needs one; RadGraph leaves out a report that it fails on"
    )


def _parse(content: bytes, path: Path) -> Any:  # any JSON value
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except _TwiceError as error:
        raise ValueError(f"{path}: key {error.key!r} comes twice in one object") from None
    except (json.JSONDecodeError, RecursionError):
        lines = enumerate(text.split("\n"), start=1)
        return [_parse_line(line, f"{path}, line {n}") for n, line in lines if line.strip()]


def _parse_line(line: str, where: str) -> Any:  # any JSON value
    try:
        return json.loads(line, object_pairs_hook=_unique)
    except _TwiceError as error:
        raise ValueError(f"{where}: key {error.key!r} comes twice in one object") from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(
            f"{where}: not JSON ({error}); expected JSON or one object a line"
        ) from None


class _TwiceError(Exception):
    """A key comes twice in an object, of which `json` would keep the last alone."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise _TwiceError(key)
        found[key] = value
    return found


def _entries(parsed: object, path: Path) -> tuple[dict[str, object] | None, list[object]]:
    """Return graphs by key, or else in row order."""
    if isinstance(parsed, dict) and "entities" not in parsed:
        return parsed, []
    elements = parsed if isinstance(parsed, list) else [parsed]
    keys, graphs = zip(*(_keyed(each) for each in elements), strict=True) if elements else ((), ())
    if all(key in (None, "0") for key in keys):
        return None, list(graphs)
    found: dict[str, object] = {}
    for number, (key, graph) in enumerate(zip(keys, graphs, strict=True)):
        if key is None:
            raise ValueError(f"{path}, row {number}: no 'id', while other rows have one")
        if key in found:
            raise ValueError(f"{path}, row {number}: id {key!r} comes twice")
        found[key] = graph
    return found, []


def _keyed(element: object) -> tuple[str | None, object]:
    """Return the key that an element of a list carries, if any, and its graph."""
    if not isinstance(element, dict):
        return None, element
    if "entities" not in element and len(element) == 1:
        ((key, graph),) = element.items()
        return key, graph
    study = element.get("id")
    return (None if study is None else str(study)), element
