import socket

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.labelers.base import read_reports
from gradtruce.evaluation.labelers.chexbert import CheXbertLabeler
from gradtruce.evaluation.labelers.chexbert_model import HEADS
from gradtruce.evaluation.labelers.weights import CheXbertFiles
from tests.evaluation.tiny_chexbert import HIDDEN, LONGEST, tiny_tensors, wrap, write_chexbert

REPORTS = (
    "The heart is enlarged .",
    "",
    "no edema , no mass , lungs clear . the heart is enlarged .",
    "masses",
    "lungs clear .",
    "no edema .",
)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def labeler(tmp_path) -> CheXbertLabeler:
    return CheXbertLabeler(write_chexbert(tmp_path))


def forced(codes: list[int]) -> dict[str, torch.Tensor]:
    """Return tensors whose heads always say these codes."""
    tensors = tiny_tensors()
    for head, code in enumerate(codes):
        tensors[f"linear_heads.{head}.bias"][code] = 1e4
    return tensors


def attended(tensors, ids):
    """Return the [CLS] vector of one report, in plain torch: the reference of the network."""

    def linear(name, x):
        return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    def norm(name, x):
        weights = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
        return torch.nn.functional.layer_norm(x, x.shape[-1:], *weights, eps=1e-12)

    at = "bert.embeddings"
    x = tensors[f"{at}.word_embeddings.weight"][ids]
    x = x + tensors[f"{at}.position_embeddings.weight"][: len(ids)]
    x = norm(f"{at}.LayerNorm", x + tensors[f"{at}.token_type_embeddings.weight"][0])
    for layer in range(2):
        at = f"bert.encoder.layer.{layer}"
        query, key, value = (
            linear(f"{at}.attention.self.{n}", x) for n in ("query", "key", "value")
        )
        mixed = (query @ key.T / HIDDEN**0.5).softmax(dim=-1) @ value
        x = norm(
            f"{at}.attention.output.LayerNorm", x + linear(f"{at}.attention.output.dense", mixed)
        )
        wide = torch.nn.functional.gelu(linear(f"{at}.intermediate.dense", x))
        x = norm(f"{at}.output.LayerNorm", x + linear(f"{at}.output.dense", wide))
    return x[0]


def test_the_network_is_bert_with_the_weights_of_the_file(labeler):
    tensors = tiny_tensors()
    ids = [2, 5, 6, 7, 8, 15, 3]
    vector = attended(tensors, ids)
    np.testing.assert_allclose(labeler.embed([REPORTS[0]])[0], vector, atol=1e-5)
    row = labeler.label([REPORTS[0]])[0]
    for head, name in enumerate(HEADS):
        weights = tensors[f"linear_heads.{head}.weight"], tensors[f"linear_heads.{head}.bias"]
        code = int((weights[0] @ vector + weights[1]).argmax())
        np.testing.assert_equal(row[OBSERVATIONS.index(name)], [np.nan, 1, 0, -1][code])


def test_every_code_becomes_its_state_by_the_name_of_its_head(tmp_path):
    codes = [0, 1, 2, 3, 1, 0, 3, 2, 2, 1, 0, 3, 1, 1]
    labeler = CheXbertLabeler(write_chexbert(tmp_path, wrap(forced(codes))))
    row = dict(zip(OBSERVATIONS, labeler.label(["edema"])[0], strict=True))
    assert np.isnan(row["Enlarged Cardiomediastinum"])
    assert row["Cardiomegaly"] == 1
    assert row["Lung Opacity"] == 0
    assert row["Lung Lesion"] == -1
    assert row["Pleural Effusion"] == 1
    assert row["No Finding"] == 1
    assert read_reports(labeler, ["edema"]).shape == (1, 14)


def test_no_finding_is_never_negative_or_uncertain(tmp_path):
    labeler = CheXbertLabeler(write_chexbert(tmp_path, wrap(forced([0] * 14))))
    assert np.isnan(labeler.label(["edema"])).all()


def test_a_report_does_not_depend_on_its_batch(tmp_path):
    files = write_chexbert(tmp_path)
    together = CheXbertLabeler(files, batch_size=6)
    alone = CheXbertLabeler(files, batch_size=1)
    np.testing.assert_allclose(together.embed(REPORTS), alone.embed(REPORTS), atol=1e-5)
    np.testing.assert_array_equal(together.label(REPORTS), alone.label(REPORTS))
    np.testing.assert_array_equal(together.label(REPORTS[::-1]), together.label(REPORTS)[::-1])


def test_the_same_reports_give_the_same_bits(labeler):
    np.testing.assert_array_equal(labeler.embed(REPORTS), labeler.embed(REPORTS))


def test_an_empty_report_is_read_as_cls_and_sep_and_no_report_as_nothing(labeler):
    vector = attended(tiny_tensors(), [2, 3])
    np.testing.assert_allclose(labeler.embed(["", " \n"]), [vector.numpy()] * 2, atol=1e-5)
    assert labeler.label([]).shape == (0, 14)
    assert labeler.embed([]).shape == (0, HIDDEN)


@pytest.mark.parametrize("preprocess", ["original", "promptmrg"])
def test_a_report_that_is_too_long_loses_its_end_and_is_told(tmp_path, preprocess):
    labeler = CheXbertLabeler(write_chexbert(tmp_path), preprocess=preprocess)
    words = ["edema"] * (LONGEST - 2)
    fits, longer = " ".join(words), " ".join([*words, "mass", "mass"])
    assert labeler.truncated([fits, longer]).tolist() == [False, True]
    np.testing.assert_allclose(*labeler.embed([fits, longer]), atol=1e-5)


def test_at_the_size_of_bert_base_512_tokens_are_read(tmp_path):
    files = write_chexbert(tmp_path, wrap(tiny_tensors(longest=512)))
    labeler = CheXbertLabeler(files)
    reports = [" ".join(["edema"] * count) for count in (510, 511, 40_000)]
    assert labeler.truncated(reports).tolist() == [False, True, True]
    assert np.isfinite(labeler.embed(reports)).all()


def test_the_prefix_is_optional_and_stripped_once_only(tmp_path):
    expected = CheXbertLabeler(write_chexbert(tmp_path)).embed(REPORTS)
    bare = write_chexbert(tmp_path, {"model_state_dict": tiny_tensors()})
    np.testing.assert_array_equal(CheXbertLabeler(bare).embed(REPORTS), expected)
    twice = {f"module.module.{name}": tensor for name, tensor in tiny_tensors().items()}
    with pytest.raises(ValueError, match=r"has module\.bert\.embeddings"):
        CheXbertLabeler(write_chexbert(tmp_path, {"model_state_dict": twice}))


def test_safetensors_and_the_older_format_of_pytorch_read_the_same(tmp_path):
    files = write_chexbert(tmp_path)
    expected = CheXbertLabeler(files).embed(REPORTS)
    converted = CheXbertFiles(tmp_path / "chexbert.safetensors", files.vocabulary)
    save_file(wrap(tiny_tensors())["model_state_dict"], converted.weights)
    np.testing.assert_array_equal(CheXbertLabeler(converted).embed(REPORTS), expected)
    torch.save(wrap(tiny_tensors()), files.weights, _use_new_zipfile_serialization=False)
    np.testing.assert_array_equal(CheXbertLabeler(files).embed(REPORTS), expected)


def test_identity_tells_weights_vocabulary_and_preprocessing_apart(tmp_path):
    files = write_chexbert(tmp_path)
    first = CheXbertLabeler(files).identity
    assert first == CheXbertLabeler(files).identity
    assert first.startswith("chexbert (weights sha256 ")
    others = [CheXbertLabeler(files, preprocess="promptmrg").identity]
    files.vocabulary.write_text(files.vocabulary.read_text().replace("##s", "##x"))
    others.append(CheXbertLabeler(files).identity)
    write_chexbert(tmp_path, wrap(tiny_tensors(seed=1)))
    others.append(CheXbertLabeler(files).identity)
    assert len({first, *others}) == 4


def test_loading_leaves_the_random_state_alone(tmp_path):
    files = write_chexbert(tmp_path)
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    CheXbertLabeler(files)
    assert torch.equal(torch.rand(2), expected)


def test_a_vocabulary_of_another_size_is_named(tmp_path):
    files = write_chexbert(tmp_path)
    with files.vocabulary.open("a") as stream:
        stream.write("more\n")
    with pytest.raises(ValueError, match=r"has 18 tokens and .*chexbert\.pth is for 17"):
        CheXbertLabeler(files)


def test_arguments_out_of_range_are_refused(tmp_path):
    files = write_chexbert(tmp_path)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        CheXbertLabeler(files, batch_size=0)
    with pytest.raises(ValueError, match="no device 'abacus'"):
        CheXbertLabeler(files, device="abacus")
