from pathlib import Path

import pytest

from gradtruce.evaluation.labelers.weights import cached_in_hub, hub_cache, locate_chexbert

VARIABLES = (
    "GRADTRUCE_CHEXBERT",
    "GRADTRUCE_BERT_BASE",
    "HF_HOME",
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "XDG_CACHE_HOME",
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home folder with nothing in it, and an environment that names no place."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def put(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def put_snapshot(hub: Path, repository: str, name: str, revision: str = "abc") -> Path:
    return put(hub / f"models--{repository}" / "snapshots" / revision / name)


def test_a_path_goes_before_the_variable_that_before_the_caches(tmp_path, home, monkeypatch):
    put(tmp_path / "bert" / "vocab.txt")
    monkeypatch.setenv("GRADTRUCE_BERT_BASE", str(tmp_path / "bert"))
    hub = put_snapshot(home / ".cache/huggingface/hub", "StanfordAIMI--RRG_scorers", "chexbert.pth")
    assert locate_chexbert().weights == hub
    own = put(home / ".cache" / "chexbert" / "chexbert.pth")
    assert locate_chexbert().weights == own
    monkeypatch.setenv("GRADTRUCE_CHEXBERT", str(put(tmp_path / "set.pth")))
    assert locate_chexbert().weights == tmp_path / "set.pth"
    asked = put(tmp_path / "asked.pth")
    assert locate_chexbert(asked).weights == asked


def test_nothing_anywhere_names_every_place_the_home_and_the_alternative(home):
    with pytest.raises(FileNotFoundError) as caught:
        locate_chexbert()
    for part in (
        "$GRADTRUCE_CHEXBERT (not set)",
        str(home / ".cache" / "chexbert" / "chexbert.pth"),
        str(home / ".cache/huggingface/hub/models--StanfordAIMI--RRG_scorers"),
        "StanfordAIMI/RRG_scorers on the Hugging Face hub",
        "`rules`",
    ):
        assert part in str(caught.value)


def test_a_named_place_without_the_file_is_not_passed_over(tmp_path, home, monkeypatch):
    put(home / ".cache" / "chexbert" / "chexbert.pth")
    with pytest.raises(FileNotFoundError, match=r"no CheXbert checkpoint at .*absent"):
        locate_chexbert(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="path of a file is due"):
        locate_chexbert(tmp_path)
    monkeypatch.setenv("GRADTRUCE_CHEXBERT", str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError, match=r"GRADTRUCE_CHEXBERT is set to .*absent"):
        locate_chexbert()


def test_the_vocabulary_lies_in_the_named_folder_beside_the_weights_or_in_the_hub(tmp_path, home):
    weights = put(tmp_path / "one" / "chexbert.pth")
    with pytest.raises(
        FileNotFoundError, match=r"vocabulary .*GRADTRUCE_BERT_BASE.*one/vocab\.txt"
    ):
        locate_chexbert(weights)
    hub = put_snapshot(
        home / ".cache/huggingface/hub", "google-bert--bert-base-uncased", "vocab.txt"
    )
    assert locate_chexbert(weights).vocabulary == hub
    assert locate_chexbert(weights).config is None
    beside = put(tmp_path / "one" / "vocab.txt")
    assert locate_chexbert(weights).vocabulary == beside
    named = put(tmp_path / "bert" / "vocab.txt")
    config = put(tmp_path / "bert" / "config.json")
    found = locate_chexbert(weights, tmp_path / "bert")
    assert (found.vocabulary, found.config) == (named, config)
    with pytest.raises(FileNotFoundError, match=r"no vocab\.txt in"):
        locate_chexbert(weights, tmp_path)


def test_the_hub_cache_follows_the_hubs_own_variables(tmp_path, home, monkeypatch):
    assert hub_cache() == home / ".cache" / "huggingface" / "hub"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert hub_cache() == tmp_path / "xdg" / "huggingface" / "hub"
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    assert hub_cache() == tmp_path / "hf" / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    assert hub_cache() == tmp_path / "cache"


def test_the_main_revision_goes_first_and_a_snapshot_without_the_file_is_passed_over(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    first = put_snapshot(tmp_path, "a--b", "w.pth", "111")
    second = put_snapshot(tmp_path, "a--b", "w.pth", "222")
    assert cached_in_hub("a/b", "w.pth") == first
    put(tmp_path / "models--a--b" / "refs" / "main", "222\n")
    assert cached_in_hub("a/b", "w.pth") == second
    second.unlink()
    assert cached_in_hub("a/b", "w.pth") == first
