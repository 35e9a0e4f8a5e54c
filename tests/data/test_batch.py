from dataclasses import fields

import pytest
import torch

from gradtruce.data.batch import Batch


def make(*, priors):
    pixels, mask = torch.rand(3, 2, 3, 4, 4), torch.ones(3, 2, dtype=torch.bool)
    ids, labels = torch.arange(15).view(3, 5), torch.rand(3, 14)
    prior = (pixels + 1, ~mask, ids + 1, labels + 1) if priors else ()
    return Batch(("a", "b", "c"), ("A.", "B.", "C."), pixels, mask, ids, labels, *prior)


@pytest.mark.parametrize("priors", [False, True])
def test_halves_are_disjoint_and_whole_in_every_field(priors):
    batch = make(priors=priors)
    even, odd = batch.half(0), batch.half(1)
    assert (even.ids, odd.ids, odd.reports) == (("a", "c"), ("b",), ("B.",))
    for field in fields(Batch):
        whole = getattr(batch, field.name)
        if isinstance(whole, torch.Tensor):
            assert torch.equal(getattr(even, field.name), whole[::2])
            assert torch.equal(getattr(odd, field.name), whole[1::2])
        elif whole is None:
            assert getattr(even, field.name) is None


@pytest.mark.parametrize("priors", [False, True])
def test_every_tensor_moves(priors):
    moved = make(priors=priors).to("meta")
    tensors = [v for v in vars(moved).values() if isinstance(v, torch.Tensor)]
    assert len(tensors) == (8 if priors else 4)
    assert all(tensor.is_meta for tensor in tensors)
    assert moved.has_priors is priors
