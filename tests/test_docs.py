"""The docs say what the classes say."""

import pytest

from docs.tables import DOCS, TABLES, renewed


@pytest.mark.parametrize("page", TABLES)
def test_the_tables_are_those_of_the_classes(page: str) -> None:
    written = (DOCS / page).read_text(encoding="utf-8")
    assert renewed(page) == written, f"docs/{page} is out of date: run python docs/tables.py"
