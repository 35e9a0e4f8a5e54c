import pytest
import torch

from gradtruce.gradients import TaskGradients
from gradtruce.gradients.blocks import blocks_of
from tests.gradients.toys import WEIGHTS, EqualLayers, EqualNorms, TwoHeads, batch, gradients_of

LAYERS = {"trunk.0": 0, "trunk.3": 1}


def test_each_block_has_its_own_gramian_and_coefficients() -> None:
    model, data = TwoHeads().double(), batch().double()
    losses = model(data)
    rows = gradients_of(model, list(losses.values()))
    record = TaskGradients(model, EqualLayers(), weights=WEIGHTS).backward(model(data))
    assert record.block_gramians.shape == (2, 2, 2)
    for (name, parameter), *column in zip(model.named_parameters(), *rows, strict=True):
        layer = LAYERS.get(name.rpartition(".")[0])
        if layer is None:
            continue
        places = [p for p, (n, _) in enumerate(model.named_parameters()) if n[:7] == name[:7]]
        blocks = [torch.cat([row[p].flatten() for p in places]) for row in rows]
        wanted = sum(
            w * g / block.norm()
            for w, g, block in zip(WEIGHTS.values(), column, blocks, strict=True)
        )
        torch.testing.assert_close(parameter.grad, wanted)


def test_the_record_tells_of_all_blocks_together() -> None:
    model, data = TwoHeads().double(), batch().double()
    plain = TaskGradients(model, EqualNorms(), weights=WEIGHTS).backward(model(data))
    model.zero_grad()
    record = TaskGradients(model, EqualLayers(), weights=WEIGHTS).backward(model(data))
    torch.testing.assert_close(record.gramian, plain.gramian)
    update = torch.cat([p.grad.flatten() for p in model.trunk.parameters()])
    torch.testing.assert_close(record.update_norm, update.norm())
    rows = gradients_of(model, list(model(data).values()))
    inside = [torch.cat([g.flatten() for g in row[:4]]) for row in rows]
    slopes = torch.stack([row @ update for row in inside])
    torch.testing.assert_close(record.slopes, slopes)
    cosines = slopes / (record.norms * update.norm())
    torch.testing.assert_close(record.validity, cosines.min())
    assert record.coefficients.shape == (2,)
    assert record.to_dict()["coefficients"].keys() == WEIGHTS.keys()


def test_blocks_before_the_scope_is_known_ask_nothing_of_the_balancer() -> None:
    model = TwoHeads()
    torch.nn.init.zeros_(model.report.weight)  # no gradient of the report reaches the trunk yet
    torch.nn.init.zeros_(model.findings.weight)
    record = TaskGradients(model, EqualLayers(), weights=WEIGHTS).backward(model(batch()))
    assert record.block_gramians is None
    assert record.coefficients.tolist() == list(WEIGHTS.values())


@pytest.mark.parametrize("found", [[0], [0, 2], [1, 1], [0, -1]])
def test_blocks_must_be_numbered_without_a_gap(found: list[int]) -> None:
    class Odd:
        def blocks(self, names: list[str]) -> list[int]:
            return found

    with pytest.raises(ValueError, match="a number from 0 on, without a gap"):
        blocks_of(Odd(), ["a", "b"])
