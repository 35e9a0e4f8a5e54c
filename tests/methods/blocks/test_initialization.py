"""Weights start as published."""

import math
from pathlib import Path

import torch

from tests.methods.studies import make_method


def test_transformer_matrices_are_xavier_uniform() -> None:
    model = make_method("r2gen", width=64)
    for matrix in (
        model.decoder.embedding.weight,
        model.decoder.memory.memory_gates.weight,
        model.decoder.layers[0].norms[1].scale_change[0].weight,
        model.visual.encoder.layers[0].attention.query.weight,
    ):
        bound = math.sqrt(6 / sum(matrix.shape))
        assert 0.9 * bound < matrix.abs().max() <= bound


def test_scores_projection_and_findings_start_as_torch_has_it() -> None:
    model = make_method("r2gen", width=64)
    for layer in (model.decoder.scores, model.visual.projection[0], model.visual.findings.scores):
        bound = 1 / math.sqrt(layer.in_features)
        assert 0.9 * bound < layer.weight.abs().max() <= bound
        assert layer.bias.abs().max() <= bound


def test_the_biases_of_mcln_are_a_tenth_and_its_scale_one() -> None:
    for layer in make_method("r2gen").float().decoder.layers:
        for norm in layer.norms:
            assert all(part.bias.unique() == torch.tensor(0.1) for part in norm.scale_change[::2])
            assert all(part.bias.unique() == torch.tensor(0.1) for part in norm.shift_change[::2])
            assert (norm.scale == 1).all()
            assert (norm.shift == 0).all()


def test_the_same_seed_gives_the_same_weights() -> None:
    torch.manual_seed(5)
    first = make_method("r2gen").state_dict()
    torch.manual_seed(5)
    second = make_method("r2gen").state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_weights_missing_in_a_file_start_anew_and_the_others_are_kept(tmp_path: Path) -> None:
    saved = make_method("r2gen").float()
    state = {key: value + 1 for key, value in saved.state_dict().items() if "findings" not in key}
    saved.save_pretrained(tmp_path, state_dict=state)
    loaded = type(saved).from_pretrained(tmp_path)
    assert all(torch.equal(value, loaded.state_dict()[key]) for key, value in state.items())
    head = loaded.visual.findings.scores
    assert head.weight.abs().max() <= 1 / math.sqrt(head.in_features)
    assert head.weight.any()
