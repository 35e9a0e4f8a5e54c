"""Rules about the shape of the repository that no linter knows."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "gradtruce"
FILES = sorted(SOURCE.rglob("*.py"))
VAGUE_NAMES = {"utils", "helpers", "misc", "common", "util", "helper"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_a_source_file_holds_one_idea(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 400
    assert file.stem.strip("_") not in VAGUE_NAMES


def tree_of_readme() -> dict[str, str]:
    """Return folder → comment of the tree that the README prints."""
    block = re.search(r"```text\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block, "the README must print the tree in a ```text block"
    folders: dict[str, str] = {}
    parents: list[str] = []
    for line in block.group(1).splitlines():
        name, _, comment = line.strip().partition(" ")
        if not name.endswith("/"):
            continue
        depth = (len(line) - len(line.lstrip())) // 2
        parents = [*parents[:depth], name]
        folders["".join(parents)] = comment.strip()
    return folders


def test_the_tree_in_the_readme_is_true() -> None:
    tree = tree_of_readme()
    packages = {
        f"src/gradtruce/{folder.relative_to(SOURCE)}/"
        for folder in SOURCE.rglob("*/")
        if folder.is_dir() and "__pycache__" not in folder.parts and folder.parent == SOURCE
    }
    assert packages <= set(tree), f"the README's tree lacks {sorted(packages - set(tree))}"
    absent = [path for path in tree if not (ROOT / path).is_dir()]
    assert not absent, f"the README's tree names folders that are not there: {absent}"
    silent = [path for path, comment in tree.items() if not comment]
    assert not silent, f"every folder of the tree has a word about it, not {silent}"


def modules_of(package: str) -> list[str]:
    folder = importlib.import_module(package).__path__
    return [module.name for module in pkgutil.iter_modules(folder)]


def test_every_balancer_is_exported_tested_and_documented() -> None:
    balance = importlib.import_module("gradtruce.balance")
    balancer = importlib.import_module("gradtruce.gradients.balancer")
    docs = (ROOT / "docs" / "balancers.md").read_text()
    for name, kind in balancer.Balancer.known.items():
        if not kind.__module__.startswith("gradtruce.balance."):
            continue  # a toy of the tests
        module = kind.__module__.rsplit(".", 1)[1]
        assert module == name, f"{kind.__name__} is called {name} but lives in {module}.py"
        assert kind.__name__ in balance.__all__
        assert (ROOT / "tests" / "balance" / f"test_{module}.py").is_file()
        assert f"`{kind.__name__}`" in docs, (
            f"docs/balancers.md lacks {kind.__name__}: run docs/tables.py"
        )


def test_every_method_is_registered_tested_and_documented() -> None:
    registry = importlib.import_module("gradtruce.methods.registry")
    docs = (ROOT / "docs" / "methods.md").read_text()
    not_methods = {"base", "blocks", "registry", "weights"}
    modules = [name for name in modules_of("gradtruce.methods") if name not in not_methods]
    assert sorted(modules) == sorted(registry.METHODS)
    for name in modules:
        assert (ROOT / "tests" / "methods" / f"test_{name}.py").is_file()
        assert f"`{name}`" in docs, f"docs/methods.md does not name {name}"


def test_layers_that_must_stay_independent_are_all_listed() -> None:
    configuration = (ROOT / "pyproject.toml").read_text()
    for name in modules_of("gradtruce.balance"):
        if name != "presets":
            assert f'"gradtruce.balance.{name}"' in configuration


def test_no_path_of_a_machine_is_committed() -> None:
    pattern = re.compile(r"(?<![\w.])/(work|home|root|Users)/")
    texts = [*FILES, *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("tests/**/*.py")]
    found = [
        str(file) for file in texts if file != Path(__file__) and pattern.search(file.read_text())
    ]
    assert not found
