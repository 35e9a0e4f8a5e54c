"""Finding RadGraph's weights, running it offline, and saying what is missing. Glue alone."""

import tarfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from gradtruce.evaluation.adapters.process import AdapterError
from gradtruce.evaluation.adapters.radgraph import RadGraphAnnotator
from gradtruce.evaluation.adapters.radgraph_weights import find_radgraph, require_language_model

Put = Callable[[str], None]
Make = Callable[[Path], Path]


def put_language_model(cache: Path) -> None:
    folder = cache / "huggingface" / "hub" / "models--org--bert" / "snapshots" / "1"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")


def test_a_model_is_found_where_the_newest_package_unpacks_it(
    own_cache: Path, make_model: Make
) -> None:
    make_model(own_cache / "radgraph" / "0.1.9" / "radgraph-xl")
    newest = make_model(own_cache / "radgraph" / "0.1.18" / "radgraph-xl")
    assert find_radgraph("radgraph-xl") == newest


def test_an_empty_folder_of_a_failed_download_is_no_model(
    own_cache: Path, make_model: Make
) -> None:
    empty = own_cache / "radgraph" / "0.1.18" / "radgraph-xl"
    empty.mkdir(parents=True)
    with pytest.raises(
        FileNotFoundError, match=r"0\.1\.18/radgraph-xl lacks config\.json, weights\.th, vocabulary"
    ):
        find_radgraph("radgraph-xl")
    older = make_model(own_cache / "radgraph" / "0.1.9" / "radgraph-xl")
    assert find_radgraph("radgraph-xl") == older


def test_an_archive_is_found_in_either_cache(own_cache: Path) -> None:
    hub = "models--StanfordAIMI--RRG_scorers/snapshots/1/radgraph-xl.tar.gz"
    for folder in (own_cache / "huggingface" / "hub", own_cache / "radgraph" / "0.1.18"):
        archive = folder / hub
        archive.parent.mkdir(parents=True)
        archive.write_bytes(b"")
        assert find_radgraph("radgraph-xl") == archive


def test_missing_weights_are_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match="no weights of radgraph-xl on this machine"):
        find_radgraph("radgraph-xl")
    monkeypatch.setenv("GRADTRUCE_RADGRAPH", "/nowhere")
    with pytest.raises(
        FileNotFoundError, match=r"/nowhere.*fetch it yourself and set GRADTRUCE_RA"
    ):
        RadGraphAnnotator("radgraph-xl")


def test_the_language_model_must_be_there_too(
    own_cache: Path, tmp_path: Path, make_model: Make
) -> None:
    model = make_model(tmp_path / "model")
    with pytest.raises(FileNotFoundError, match="configuration and tokenizer of org/bert"):
        require_language_model(model)
    put_language_model(own_cache)
    assert require_language_model(model) == "org/bert"
    (model / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="names no language model"):
        require_language_model(model)


def test_a_missing_package_is_named_with_the_command(tmp_path: Path, make_model: Make) -> None:
    with pytest.raises(ImportError, match='pip install radgraph "transformers<5"'):
        RadGraphAnnotator("radgraph-xl", weights=make_model(tmp_path / "model"))


def test_a_python_that_is_not_there_is_named(tmp_path: Path, make_model: Make) -> None:
    with pytest.raises(FileNotFoundError, match="GRADTRUCE_RADGRAPH_PYTHON must be the path"):
        RadGraphAnnotator(weights=make_model(tmp_path / "model"), python=tmp_path / "python")


@pytest.mark.parametrize("packed", [False, True])
def test_graphs_come_back_by_key(
    own_cache: Path, tmp_path: Path, make_model: Make, package: Put, packed: bool
) -> None:
    weights = make_model(tmp_path / "model")
    if packed:
        with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
            archive.add(weights, ".")
        weights = tmp_path / "model.tar.gz"
    put_language_model(own_cache)
    package("radgraph")
    annotator = RadGraphAnnotator("radgraph-xl", weights=weights)
    found = annotator.annotate({"s1": "clear lungs", "s2": " ", "s3": "clear lungs"})
    assert [len(found.graphs[study].entities) for study in ("s1", "s2", "s3")] == [1, 0, 1]
    assert found.source.startswith("radgraph 9.9, radgraph-xl (sha256 ")
    assert not list(tmp_path.glob("gradtruce-*"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("network", "ConnectionRefusedError: reports are scored without network"),
        ("die", "ended with status 3"),
        ("skipped", "radgraph gives no graph for 1 of 1 texts, for one 'skipped'"),
    ],
)
def test_a_failure_is_told_in_its_own_words(
    own_cache: Path, tmp_path: Path, make_model: Make, package: Put, text: str, message: str
) -> None:
    put_language_model(own_cache)
    package("radgraph")
    annotator = RadGraphAnnotator(weights=make_model(tmp_path / "model"))
    with pytest.raises(AdapterError, match=message):
        annotator.annotate({"s1": text})


def test_the_tokenizers_here_lack_a_method_that_the_package_calls() -> None:
    """Why the package needs a Python of its own; where this fails, it may not any more."""
    transformers = pytest.importorskip("transformers")
    if int(transformers.__version__.partition(".")[0]) < 5:
        pytest.skip("an older transformers")
    assert not hasattr(transformers.PreTrainedTokenizerBase, "encode_plus")
    if find_spec("radgraph") is not None:
        tokenizers = Path(str(find_spec("radgraph").origin)).parent / "allennlp/data/tokenizers"
        calls = (tokenizers / "pretrained_transformer_tokenizer.py").read_text()
        assert ".encode_plus(" in calls
