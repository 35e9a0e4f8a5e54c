import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gradtruce.balance import CAMEGrad
from gradtruce.gradients import StepRecord, TaskGradients
from tests.gradients.toys import WEIGHTS, TwoHeads, batch


class Checkpointed(TwoHeads):
    """Recomputes the trunk in each backward pass."""

    def __init__(self, *, reentrant: bool) -> None:
        super().__init__(dropout=0.3)
        self.reentrant = reentrant

    def forward(self, batch: Tensor) -> dict[str, Tensor]:
        features = checkpoint(self.trunk, batch, use_reentrant=self.reentrant)
        return {
            "report": self.report(features).square().mean(),
            "findings": self.findings(features).sub(1.0).pow(4).mean(),
        }


def three_steps(model: nn.Module) -> tuple[list[StepRecord], str, list[Tensor | None]]:
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    records = []
    for seed in range(3):
        torch.manual_seed(seed)
        optimizer.zero_grad()
        data = batch(seed=seed).requires_grad_()  # the re-entrant kind needs an input with a graph
        records.append(engine.backward(model(data)))
        optimizer.step()
    return records, engine.describe(), [p.grad for p in model.parameters()]


@pytest.mark.parametrize("reentrant", [True, False])
def test_activation_checkpointing_changes_neither_scope_nor_update(reentrant: bool) -> None:
    plain = TwoHeads(dropout=0.3)
    recomputed = Checkpointed(reentrant=reentrant)
    recomputed.load_state_dict(plain.state_dict())
    wanted, found = three_steps(plain), three_steps(recomputed)
    assert found[1] == wanted[1]
    for mine, theirs in zip(found[0], wanted[0], strict=True):
        torch.testing.assert_close(mine.coefficients, theirs.coefficients)
    for mine, theirs in zip(found[2], wanted[2], strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            torch.testing.assert_close(mine, theirs)
