"""Four states of findings, their head, and the task with adaptive logit adjustment."""

import math

import pytest
import torch
from torch import Tensor

from gradtruce.methods.blocks.decoder import Written
from gradtruce.methods.blocks.objectives import Outputs, Targets
from gradtruce.methods.blocks.state_head import StateHead, positive_log_odds, states_of
from gradtruce.methods.blocks.states_objective import StatesObjective, StateTokens
from tests.reference import promptmrg as reference

NAN = torch.nan
LABELS = torch.tensor(
    [[1.0, 0.0, NAN], [-1.0, 1.0, NAN], [1.0, NAN, 0.0], [NAN, -1.0, 0.0]], dtype=torch.float64
)


def make_objective(prior: list[float] | None = None) -> StatesObjective:
    objective = StatesObjective(4.0, observations=3, reach=frozenset({"visual.head"})).double()
    if prior is not None:
        objective.prior.copy_(torch.tensor(prior))
    return objective


def loss_of(objective: StatesObjective, states: Tensor, labels: Tensor, count: int = 0) -> Tensor:
    targets = Targets(torch.ones(len(labels), 2, dtype=torch.long), labels)
    given = torch.tensor(count) if count else objective.count(targets)
    loss: Tensor = objective(Outputs(StateTokens(states=states), Written()), targets, given)
    return loss


def random_states(studies: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(studies, 3, 4, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("wrong", [2.0, 3.0, 0.5, torch.inf])
def test_a_label_that_is_no_state_is_refused_by_name(wrong: float) -> None:
    with pytest.raises(ValueError, match=rf"a label must be 1 .* got {wrong:g};"):
        states_of(torch.tensor([[1.0, wrong, NAN]]))


def test_an_objective_refuses_such_labels_wherever_it_meets_them() -> None:
    objective, wrong = make_objective(), LABELS.nan_to_num(3.0)
    for meet in (
        lambda: loss_of(objective, random_states(), wrong),
        lambda: objective.start(wrong),
        lambda: objective.update(torch.zeros_like(wrong), wrong),
    ):
        with pytest.raises(ValueError, match="got 3"):
            meet()


def test_a_head_starts_near_zero_and_without_bias() -> None:
    head = StateHead(features=400, observations=14)
    assert float(head.weight.detach().std()) == pytest.approx(0.001, rel=0.05)
    assert not head.bias.any()
    assert head.weight.shape == (56, 400)


def test_scores_are_those_of_the_published_order_of_rows() -> None:
    head, features = StateHead(5, observations=3).double(), torch.randn(2, 5, dtype=torch.float64)
    weights = {f"head.{key}": value for key, value in head.state_dict().items()}
    expected = [reference.state_scores(weights, "head", row, classes=3) for row in features]
    torch.testing.assert_close(head(features), torch.tensor(expected, dtype=torch.float64))


def test_log_odds_are_those_of_the_softmax() -> None:
    states = random_states()
    probability = states.softmax(dim=-1)[..., 1]
    torch.testing.assert_close(positive_log_odds(states).sigmoid(), probability)


def test_positive_weights_are_the_gradient_of_the_log_odds() -> None:
    head = StateHead(5, observations=3).double()
    torch.nn.init.normal_(head.weight)
    features = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    states = head(features)
    found = head.positive_weights(states, first=2)
    for place in range(3):
        odds = positive_log_odds(states)[:, place].sum()
        (expected,) = torch.autograd.grad(odds, features, retain_graph=True)
        torch.testing.assert_close(found[:, place], expected[:, :2])


def test_the_loss_worked_by_hand() -> None:
    # One cell, positive, all scores 0, π = 1/2: softmax of (0, log 1/2, 0, 0) gives 1/7.
    objective = make_objective([0.5, 1.0, 1.0])
    labels = torch.tensor([[1.0, NAN, NAN]], dtype=torch.float64)
    states = torch.zeros(1, 3, 4, dtype=torch.float64)
    expected = (math.log(7.0) + 2 * math.log(4.0)) / 3
    assert float(loss_of(objective, states, labels)) == pytest.approx(expected, abs=1e-12)
    unadjusted = math.log(4.0)
    assert float(loss_of(objective.eval(), states, labels)) == pytest.approx(unadjusted, abs=1e-12)


def test_the_loss_equals_the_paper_written_out() -> None:
    prior = [0.2, 1.0, 0.03]
    objective, states = make_objective(prior), random_states()
    expected = reference.classification_loss(states.tolist(), LABELS.tolist(), prior)
    assert float(loss_of(objective, states, LABELS)) == pytest.approx(expected, abs=1e-7)


def test_a_study_without_any_label_does_not_count() -> None:
    objective, states = make_objective(), random_states()
    some = LABELS.clone()
    some[2] = NAN
    kept = [0, 1, 3]
    torch.testing.assert_close(
        loss_of(objective, states, some), loss_of(objective, states[kept], LABELS[kept])
    )


def test_unequal_parts_give_the_loss_of_the_whole() -> None:
    objective, states = make_objective([0.2, 1.0, 0.03]), random_states()
    parts = [loss_of(objective, states[p], LABELS[p], count=12) for p in (slice(1), slice(1, 4))]
    torch.testing.assert_close(sum(parts), loss_of(objective, states, LABELS))


def test_the_prior_starts_from_the_training_frequency() -> None:
    objective = make_objective()
    objective.start(LABELS)  # positive: 2, 1 and 0 of four
    assert objective.prior.tolist() == pytest.approx([1.0, 0.5, 0.001])


def test_the_prior_after_an_epoch_is_the_mean_probability_of_the_positive_studies() -> None:
    prior = [0.3, 0.2, 0.7]
    objective, found = make_objective(prior), random_states()[..., 0].sigmoid()
    objective.update(found, LABELS)
    expected = reference.next_prior(found.tolist(), LABELS.tolist(), prior)
    assert objective.prior.tolist() == pytest.approx(expected, abs=1e-7)
    assert float(objective.prior[2]) == pytest.approx(0.7)  # no study has it


def test_no_positive_study_at_all_changes_nothing() -> None:
    objective = make_objective([0.3, 0.2, 0.7])
    none = torch.zeros_like(LABELS)
    objective.start(none)
    objective.update(torch.full_like(LABELS, 0.5), none)
    assert objective.prior.tolist() == pytest.approx([0.3, 0.2, 0.7])


def test_a_prior_never_makes_the_loss_infinite() -> None:
    objective = make_objective()
    found = torch.full_like(LABELS, 0.5)
    found[:, 1] = 0.0
    objective.update(found, LABELS)
    assert objective.prior.tolist() == pytest.approx([1.0, 0.001, 1.0])
    assert loss_of(objective, random_states(), LABELS).isfinite()


def test_the_prior_is_in_the_state_dict() -> None:
    objective, other = make_objective([0.3, 0.2, 0.7]), make_objective()
    other.load_state_dict(objective.state_dict())
    torch.testing.assert_close(other.prior, objective.prior)
