"""From TOML files and `key=value` overrides to a checked configuration, and back."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import tomli_w
from pydantic import BaseModel, ValidationError

from gradtruce.files import write_whole
from gradtruce.naming import suggestion
from gradtruce.training.config import RunConfig
from gradtruce.training.presets import preset_path

Model = TypeVar("Model", bound=BaseModel)
Table = dict[str, Any]

PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "data": ("path", "vocabulary", "clusters", "retrieval"),
    "method": ("backbone_weights", "bert_weights", "start_from"),
}
"""Settings that name files or folders, by table."""

_NAMED: Final = ("method", "balance")
"""Tables whose options belong to a name: another name drops the options inherited."""


def load_config(
    source: str | Path,
    overrides: Sequence[str] = (),
    *,
    model: type[Model] = RunConfig,  # type: ignore[assignment] # mypy has no default for a TypeVar
    kind: str = "training",
) -> Model:
    """Return the configuration that a file or a preset describes.

    Args:
        source: Path of a TOML file, or name of a preset.
        overrides: Settings such as "training.epochs=3", applied last, values as TOML has them;
            what TOML cannot read is taken as text.
        model: What the file describes.
        kind: Folder of presets that a bare name is looked up in.

    Raises:
        FileNotFoundError: If there is no such file or preset.
        ValueError: If the file is no TOML, `extends` itself, has an unknown key or a bad value.

    >>> load_config("r2gen-iu-xray", ["data.path=runs/iu/data"]).training.clip.kind
    'value'
    """
    table = read_table(source, kind=kind)
    for override in overrides:
        table = merge(table, parse_override(override))
    return check(table, model, where=str(source))


def read_table(source: str | Path, *, kind: str = "training") -> Table:
    """Return the table of a file or preset, laid over those that it extends.

    >>> read_table("r2gen-iu-xray")["training"]["batch_size"]
    16
    """
    return _read_chain(source, kind, Path.cwd(), ())


def _read_chain(source: str | Path, kind: str, beside: Path, seen: tuple[str, ...]) -> Table:
    path = _locate(source, kind, beside)
    if str(path) in seen:
        chain = " → ".join(Path(entry).name for entry in (*seen, str(path)))
        raise ValueError(f"{path}: extends itself ({chain}); take one `extends` away")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not readable as TOML: {error}") from error
    parent = table.pop("extends", None)
    if parent is None:
        return table
    if not isinstance(parent, str):
        raise TypeError(f"{path}: extends must be a preset or a path, got {parent!r}")
    return merge(_read_chain(parent, kind, path.parent, (*seen, str(path))), table)


def _locate(source: str | Path, kind: str, beside: Path) -> Path:
    text = str(source)
    if text.endswith(".toml") or "/" in text:
        path = (beside / text).resolve()
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such configuration file")
        return path
    return preset_path(kind, text)


def merge(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> Table:
    """Return `lower` with the values of `upper` laid over it, table by table.

    >>> merge({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
    {'a': {'b': 1, 'c': 3}}
    >>> merge({"balance": {"name": "came_grad", "options": {"radius": 0.5}}},
    ...       {"balance": {"name": "linear"}})
    {'balance': {'name': 'linear'}}
    """
    merged: Table = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        if not (isinstance(below, Mapping) and isinstance(value, Mapping)):
            merged[key] = value
            continue
        if key in _NAMED and "name" in value and value["name"] != below.get("name"):
            below = {name: kept for name, kept in below.items() if name != "options"}
        merged[key] = merge(below, value)
    return merged


def parse_override(text: str) -> Table:
    """Return the table that "a.b=c" stands for, c as TOML reads it, or else as text.

    Raises:
        ValueError: If there is no "=" or no key before it.

    >>> parse_override("training.epochs=3")
    {'training': {'epochs': 3}}
    >>> parse_override("balance.name=linear")
    {'balance': {'name': 'linear'}}
    """
    key, equals, value = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not equals or not all(parts):
        raise ValueError(f"a setting is written key=value, such as training.epochs=3, got {text!r}")
    table: Table = {parts[-1]: _typed(value.strip())}
    for part in reversed(parts[:-1]):
        table = {part: table}
    return table


def _typed(text: str) -> Any:  # whatever a TOML value can be
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def check(table: Mapping[str, Any], model: type[Model], *, where: str) -> Model:
    """Return the model of a table.

    Raises:
        ValueError: With one line for the first thing that is wrong; an unknown key comes with the
            nearest known one.

    >>> check({"data": {"path": "x", "image_sise": 96}}, RunConfig, where="my.toml")
    Traceback (most recent call last):
    ValueError: my.toml: unknown key 'data.image_sise'; did you mean 'data.image_size'? known: ...
    """
    try:
        return model.model_validate(dict(table))
    except ValidationError as error:
        first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        within = place.rpartition(".")[0]
        every = tuple(_keys(model))
        known = tuple(key for key in every if key.rpartition(".")[0] == within)
        raise ValueError(f"{where}: unknown key {place!r}{suggestion(place, known, among=every)}")
    if first["type"] == "missing":
        raise ValueError(f"{where}: {place} must be given, for example --set {place}=…")
    found = "" if isinstance(first["input"], dict) else f", got {first['input']!r}"
    message = first["msg"].removeprefix("Value error, ")
    named = f"{where}: {place}" if place else where
    raise ValueError(f"{named}: {message[0].lower()}{message[1:]}{found}")


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, entry in model.model_fields.items():
        yield prefix + name
        if isinstance(entry.annotation, type) and issubclass(entry.annotation, BaseModel):
            yield from _keys(entry.annotation, f"{prefix}{name}.")


def with_absolute_paths(config: RunConfig) -> RunConfig:
    """Return a configuration that means the same wherever a command is run.

    Its paths were relative to the folder that this process works in.

    >>> config = RunConfig(data={"path": "set"}, method={"start_from": ["runs/one"]})
    >>> found = with_absolute_paths(config)
    >>> found.data.path == str(Path("set").absolute()), found.data.retrieval
    (True, None)
    """

    def absolute(table: BaseModel, kind: str) -> BaseModel:
        given = {name: getattr(table, name) for name in PATHS[kind]}
        found = {name: _absolute(value) for name, value in given.items() if value}
        return table.model_copy(update=found)

    return config.model_copy(
        update={
            "data": absolute(config.data, "data"),
            "method": absolute(config.method, "method"),
        }
    )


def _absolute(value: str | tuple[str, ...]) -> str | tuple[str, ...]:
    if isinstance(value, str):
        return str(Path(value).absolute())
    return tuple(str(Path(path).absolute()) for path in value)


def write_config(config: BaseModel, path: Path) -> None:
    """Write a resolved configuration as TOML; what is not set is left out.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "config.toml"
    ...     write_config(RunConfig(data={"path": "x"}), path)
    ...     load_config(path).data.path
    'x'
    """
    table = config.model_dump(mode="json", exclude_none=True)
    write_whole(path, tomli_w.dumps(table))
