"""Label smoothing of the report's loss."""

import pytest
import torch
from torch import nn

from gradtruce.methods.blocks.decoder import Written
from gradtruce.methods.blocks.losses import token_nll
from gradtruce.methods.blocks.objectives import Outputs, ReportObjective, Targets
from gradtruce.methods.blocks.visual import VisualTokens

PAD = 0


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_smoothing_is_that_of_torch_in_the_mean_over_real_tokens(smoothing: float) -> None:
    logits = torch.randn(3, 5, 11, dtype=torch.float64)
    targets = torch.randint(1, 11, (3, 5))
    targets[1, 3:] = PAD
    expected = nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=PAD, label_smoothing=smoothing
    )
    count = (targets != PAD).sum()
    torch.testing.assert_close(token_nll(logits, targets, PAD, count, smoothing), expected)
    log_chances, real = logits.log_softmax(-1), targets != PAD
    right = log_chances.gather(-1, targets[..., None]).squeeze(-1)
    by_hand = -((1 - smoothing) * right + smoothing * log_chances.mean(-1))[real].mean()
    torch.testing.assert_close(expected, by_hand)


def test_the_report_of_a_method_is_smoothed_as_asked() -> None:
    ids = torch.tensor([[1, 4, 5, 2, PAD], [1, 6, 2, PAD, PAD]])
    logits = torch.randn(2, 4, 8)
    outputs, targets = Outputs(VisualTokens(), Written(logits)), Targets(ids)
    for smoothing in (0.0, 0.1):
        objective = ReportObjective(1.0, PAD, frozenset(), smoothing=smoothing)
        expected = token_nll(logits, ids[:, 1:], PAD, torch.tensor(5), smoothing)
        torch.testing.assert_close(objective(outputs, targets, objective.count(targets)), expected)
