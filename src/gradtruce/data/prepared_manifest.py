"""What a prepared data set says of itself: `manifest.json`, schema 1."""

import json
import platform
from pathlib import Path
from typing import Any, Final, Literal, final

import PIL
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

import gradtruce
from gradtruce.data.study import Split

MANIFEST: Final = "manifest.json"


@final
class ShardRecord(BaseModel):
    """One shard file: where it is, whose rows it holds, and how to know that it is whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    split: Split
    rows: int = Field(ge=1)
    bytes: int = Field(ge=1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


def current_versions() -> dict[str, str]:
    """Return the versions of what writes a prepared set.

    >>> sorted(current_versions())
    ['gradtruce', 'pillow', 'pyarrow', 'python']
    """
    return {
        "gradtruce": gradtruce.__version__,
        "pillow": PIL.__version__,
        "pyarrow": pa.__version__,
        "python": platform.python_version(),
    }


@final
class Manifest(BaseModel):
    """The manifest of a prepared data set.

    Attributes:
        schema_version: 1; called `schema` in the file.
        name: What the set is called in tables and pages.
        source: Where the studies come from, in words.
        is_synthetic: True if any study is.
        label_source: Where the labels come from; "" without labels.
        splits: Number of studies of each split.
        short_side: Smallest and largest short side of the views in pixels.
        shards: The Arrow files.
        parameters: With what the set was made, such as seed and size.
        notes: What is worth knowing, such as how many images were missing.
        licence: What may be done with the set, in the source's words; "" where it is not known.
        settings: How the views were kept: `short_side` and `jpeg`; empty for a set made by hand.
        fingerprint: Hash of the source's files and arguments; "" for a set made by hand.
        plan_sha256: Hash of all studies that the source listed; "" for a set made by hand.
        problems: How many problems of each kind were met; each is listed in `problems.csv`.
        tables: SHA-256 of the other files, by name.
        versions: Versions of what wrote the set.

    >>> Manifest.model_validate({"schema": 1, "name": "tiny", "source": "", "is_synthetic": True,
    ...     "label_source": "", "splits": {}, "short_side": [64, 64], "shards": []}).name
    'tiny'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = Field(alias="schema")
    name: str
    source: str
    is_synthetic: bool
    label_source: str
    splits: dict[Split, int]
    short_side: tuple[int, int]
    shards: tuple[ShardRecord, ...]
    parameters: dict[str, Any] = Field(default_factory=dict)  # any JSON value
    notes: dict[str, Any] = Field(default_factory=dict)  # any JSON value
    licence: str = ""
    settings: dict[str, int | None] = Field(default_factory=dict)
    fingerprint: str = ""
    plan_sha256: str = ""
    problems: dict[str, int] = Field(default_factory=dict)
    tables: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=current_versions)

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Return the manifest of a prepared data set.

        Raises:
            FileNotFoundError: If the folder has no manifest.
            ValueError: If the manifest is damaged or of another schema.
        """
        path = folder / MANIFEST
        if not path.is_file():
            raise FileNotFoundError(
                f"{folder} is no prepared data set (it has no {MANIFEST}); "
                "make one with: gradtruce prepare"
            )
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: not valid JSON ({error}); prepare the set again") from None
        found = content.get("schema") if isinstance(content, dict) else None
        if found != 1:
            raise ValueError(f"{path}: schema must be 1, found {found!r}; prepare the set again")
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise ValueError(f"{path}: {first_problem(error)}; prepare the set again") from None

    def write(self, folder: Path) -> None:
        """Write the manifest into the folder."""
        content = self.model_dump(mode="json", by_alias=True)
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (folder / MANIFEST).write_text(text, encoding="utf-8")


def first_problem(error: ValidationError) -> str:
    """Return the first problem that pydantic found, in one line: field and what is wrong.

    >>> try:
    ...     ShardRecord.model_validate({"file": "a.arrow"})
    ... except ValidationError as error:
    ...     print(first_problem(error))
    field 'split': Field required
    """
    problem = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"field {where!r}: {problem['msg']}"
