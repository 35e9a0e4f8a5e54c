"""Graphs by the `radgraph` package, where it and its weights are on this machine."""

import hashlib
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, final

from gradtruce.evaluation.adapters.process import (
    AdapterError,
    interpreter,
    require_package,
    run_offline,
)
from gradtruce.evaluation.adapters.radgraph_weights import find_radgraph, require_language_model
from gradtruce.evaluation.graphs.annotation import EMPTY, Graph, parse_graph
from gradtruce.evaluation.graphs.files import Annotations

PYTHON_VARIABLE: Final = "GRADTRUCE_RADGRAPH_PYTHON"
"""Environment variable: a Python that has the `radgraph` package."""


@final
class RadGraphAnnotator:
    """Draws graphs of reports by a model of the `radgraph` package, offline.

    The package (0.1.18) needs transformers before version 5, so it runs in the Python that is
    given, or named by $GRADTRUCE_RADGRAPH_PYTHON.

    Args:
        model: "radgraph", "radgraph-xl" or "modern-radgraph-xl".
        weights: Folder or archive of the model; by default where `find_radgraph` finds it.
        python: A Python that has the package; by default the variable's, else this one.
        device: Number of a GPU; -1 for the CPU, `None` for a GPU where there is one.

    Raises:
        ImportError: If that Python has no `radgraph`.
        FileNotFoundError: If there is no such Python, or the weights are not on this machine.
        ValueError: If there is no such model.
    """

    def __init__(
        self,
        model: str = "radgraph-xl",
        *,
        weights: Path | None = None,
        python: Path | None = None,
        device: int | None = None,
    ) -> None:
        self._weights = find_radgraph(model, weights)
        self._python = interpreter(python, PYTHON_VARIABLE)
        self._version = require_package(self._python, "radgraph", PYTHON_VARIABLE)
        self._model = model
        self._device = device

    @property
    def model(self) -> str:
        """Return the name of the model."""
        return self._model

    def annotate(self, texts: Mapping[str, str]) -> Annotations:
        """Return the graph of each text, by the same keys; a text that comes often is read once.

        An empty text has a graph without entities.

        Raises:
            FileNotFoundError: If the language model that RadGraph is built on is not there.
            AdapterError: If the package fails.
        """
        asked = list(dict.fromkeys(text for text in texts.values() if text.strip()))
        with _unpacked(self._weights, self._model) as folder:
            require_language_model(folder / self._model)
            source = f"radgraph {self._version}, {self._model} ({_hash(folder / self._model)})"
            graphs = self._run(asked, folder) if asked else {}
        return Annotations({key: graphs.get(text, EMPTY) for key, text in texts.items()}, source)

    def _run(self, texts: Sequence[str], folder: Path) -> dict[str, Graph]:
        request = {
            "job": "annotate",
            "model": self._model,
            "folder": str(folder),
            "cuda": self._device,
            "texts": texts,
        }
        found = run_offline(self._python, request)["annotations"]
        failed = [row for row in range(len(texts)) if str(row) not in found]
        if failed:
            raise AdapterError(
                f"radgraph gives no graph for {len(failed)} of {len(texts)} texts, for one"
                f" {texts[failed[0]][:60]!r}"
            )
        return {
            text: parse_graph(found[str(row)], f"radgraph, text {text[:60]!r}")
            for row, text in enumerate(texts)
        }


@contextmanager
def _unpacked(weights: Path, model: str) -> Iterator[Path]:
    """Give a folder that holds the model under its name, as the package wants it."""
    with tempfile.TemporaryDirectory(prefix="gradtruce-") as temporary:
        folder = Path(temporary)
        if weights.is_dir():
            (folder / model).symlink_to(weights.resolve(), target_is_directory=True)
        else:
            with tarfile.open(weights) as archive:
                archive.extractall(folder / model, filter="data")
            find_radgraph(model, folder / model)
        yield folder


def _hash(folder: Path) -> str:
    with (folder / "weights.th").open("rb") as file:
        return f"sha256 {hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
