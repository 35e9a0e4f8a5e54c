"""Sources on disk, and what a finished set consists of."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.data.preparing.folder_source import Folder, entry, write_folder


@pytest.fixture
def make_source(tmp_path: Path) -> Callable[..., Folder]:
    """Return a function that writes a source of `count` studies, some of them changed."""

    def make(count: int = 30, **changes: dict[str, Any]) -> Folder:
        entries = [entry(number, **changes.get(f"s{number}", {})) for number in range(count)]
        return write_folder(tmp_path / "source", entries)

    return make


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Return a function that returns every file of a folder by its name."""
    return lambda folder: {path.name: path.read_bytes() for path in folder.iterdir()}
