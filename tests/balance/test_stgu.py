import numpy as np
import pytest
import torch
from sklearn.cluster import AffinityPropagation
from torch import Tensor, nn

from gradtruce.balance.stgu import STGU
from gradtruce.gradients import TaskGradients
from gradtruce.gradients.counter import Draws
from tests.reference.stgu import affinities

NAMES = ("a", "b", "c", "d")


def bound(tasks: int = 4, **options: float) -> STGU:
    balancer = STGU(**options)
    balancer.bind(NAMES[:tasks])
    return balancer


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_affinities_are_those_of_the_paper() -> None:
    generator = np.random.default_rng(0)
    balancer, B = bound(rate=0.3), np.zeros((4, 4))
    for _ in range(60):
        group = sorted(generator.choice(4, size=generator.integers(1, 5), replace=False).tolist())
        before = generator.uniform(0.5, 2.0, size=4)
        before[generator.random(4) < 0.2] = 0.0
        if not before[group].any():
            continue
        after = before * generator.uniform(0.8, 1.1, size=4)
        balancer.before_update(group, torch.from_numpy(before))
        balancer.after_step(torch.from_numpy(after))
        B = affinities(B, group, before, after, 0.3)
        np.testing.assert_allclose(balancer.affinity.numpy(), B, rtol=1e-12, atol=1e-15)


def test_one_update_by_hand() -> None:
    balancer = bound(3, rate=1.0)
    balancer.before_update([0, 1], vector(1.0, 2.0, 4.0))
    balancer.after_step(vector(0.5, 2.2, 3.0))  # v = 0.25, −0.05, 0.125
    wanted = [[0.25, -0.25, 0.125], [-0.25, 0.0, 0.125], [0.0, 0.0, 0.0]]
    torch.testing.assert_close(balancer.affinity, torch.tensor(wanted, dtype=torch.float64))


def test_losses_not_above_zero_or_not_finite_measure_nothing() -> None:
    balancer = bound(3, rate=1.0)
    for before, after in (
        (vector(0.0, -1.0, torch.nan), vector(1.0, 1.0, 1.0)),
        (vector(1.0, 1.0, 1.0), vector(torch.nan, torch.inf, -torch.inf)),
    ):
        balancer.before_update([0, 1, 2], before)
        balancer.after_step(after)
    assert not balancer.affinity.any()
    assert not balancer.seen.any()


def test_tasks_warm_up_one_by_one_in_random_order() -> None:
    balancer = bound(warm_up=50)
    orders = {tuple(map(tuple, balancer.groups(Draws(0, step)))) for step in range(50)}
    assert len(orders) > 10
    assert all(sorted(order) == [(0,), (1,), (2,), (3,)] for order in orders)


def helped(*pairs: tuple[int, int]) -> STGU:
    """Return a balancer that has seen the tasks of each pair help each other and hinder others."""
    balancer = bound(rate=1.0, warm_up=0)
    balancer.affinity = torch.full((4, 4), -0.5, dtype=torch.float64)
    for s, t in pairs:
        balancer.affinity[s, t] = balancer.affinity[t, s] = 0.9
    # not on ties, which a group of two always is
    balancer.affinity += 1e-3 * torch.arange(16).view(4, 4).sqrt().double()
    balancer.affinity.fill_diagonal_(1.0)
    balancer.seen.fill_(True)
    return balancer


def test_tasks_that_help_each_other_are_updated_together() -> None:
    balancer = helped((0, 2), (1, 3))
    assert sorted(balancer.groups(Draws(0, 0))) == [[0, 2], [1, 3]]
    X = (balancer.affinity / balancer.affinity.diagonal()).numpy()
    model = AffinityPropagation(affinity="precomputed", convergence_iter=50, random_state=0)
    labels = model.fit_predict((X + X.T) / 2)
    assert labels[0] == labels[2] != labels[1] == labels[3]


def test_a_single_group_is_updated_twice() -> None:
    balancer = bound(2, warm_up=0)
    balancer.affinity = torch.ones(2, 2, dtype=torch.float64)
    balancer.seen.fill_(True)
    assert balancer.groups(Draws(0, 0)) == [[0, 1], [0, 1]]


def test_a_task_that_was_never_there_changes_no_group() -> None:
    with_ghost, without = bound(4, warm_up=0), bound(3, warm_up=0)
    affinity = torch.tensor(
        [[1.0, 0.9, -0.3], [0.8, 1.0, -0.4], [-0.2, -0.5, 1.0]], dtype=torch.float64
    )
    others = torch.tensor([0, 2, 3])
    with_ghost.affinity[others[:, None], others] = affinity
    with_ghost.seen[others] = True
    without.affinity, without.seen = affinity, torch.ones(3, dtype=torch.bool)
    found = sorted(with_ghost.groups(Draws(0, 0)))
    wanted = sorted(without.groups(Draws(0, 0)))
    assert found == sorted([[int(others[t]) for t in group] for group in wanted] + [[1]])


def test_affinities_of_zero_group_without_a_nan() -> None:
    balancer = bound(warm_up=0)
    balancer.seen.fill_(True)
    assert balancer.groups(Draws(0, 0)) == [[0, 1, 2, 3], [0, 1, 2, 3]]


@pytest.mark.parametrize("rate", [0.0, -1.0, 1.5, float("nan")])
def test_a_rate_out_of_range_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="rate must be above 0"):
        STGU(rate=rate)


def test_a_negative_warm_up_is_refused() -> None:
    with pytest.raises(ValueError, match="warm_up must be at least 0"):
        STGU(warm_up=-1)


class Pulls(nn.Module):
    """Tasks a and b pull one number the same way, c and d pull another, and dropout is there."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = nn.Parameter(torch.tensor([4.0, 3.0, 2.0]).double())
        self.dropout = nn.Dropout(0.3)

    def forward(self) -> dict[str, Tensor]:
        noisy = self.dropout(self.numbers.expand(64, 3))
        x, y, z = noisy.unbind(1)
        return {
            "a": ((x - 1).square() + z.square()).mean(),
            "b": ((x - 2).square() + 1).mean(),
            "c": ((y - 1).square() + z.square()).mean(),
            "d": ((y - 2).square() + 1).mean(),
        }


def engine(model: nn.Module, *, seed: int = 0, **options: float) -> TaskGradients:
    weights = {"a": 1.0, "b": 2.0, "c": 1.0, "d": 1.0}
    return TaskGradients(model, STGU(**options), weights=weights, seed=seed)


def sgd(model: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=0.01)


def test_a_batch_is_one_step_of_sgd_for_each_group() -> None:
    driven, by_hand = Pulls().eval(), Pulls().eval()
    gradients, optimizer = engine(driven), sgd(by_hand)
    for batch in range(3):
        order = Draws(0, 4 * batch).order(4)
        gradients.step(driven, sgd(driven))
        for task in order:
            optimizer.zero_grad()
            (gradients.weights[task] * by_hand()[NAMES[task]]).backward()
            optimizer.step()
    torch.testing.assert_close(driven.numbers, by_hand.numbers)


def test_the_change_is_credited_to_the_group_that_made_it() -> None:
    model = Pulls()
    gradients = engine(model, rate=1.0)
    balancer = gradients._balancer
    gradients.step(model, sgd(model))
    affinity = balancer.affinity
    assert affinity[0, 1] > 0
    assert affinity[3, 2] > 0
    # b moves x alone, d moves y alone; with other dropout in the second look these would not be 0
    assert affinity[1, 2] == affinity[1, 3] == affinity[3, 0] == affinity[3, 1] == 0
    assert (affinity.diagonal() > 0).all()


def test_the_groups_are_those_that_pull_alike() -> None:
    model = Pulls().eval()
    gradients = engine(model, rate=0.5, warm_up=5)
    steps = []
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    for _ in range(8):
        before = gradients.state_dict()["steps"]
        gradients.step(model, optimizer)
        steps.append(gradients.state_dict()["steps"] - before)
    assert steps[:5] == [4] * 5
    assert gradients._balancer.clusters.tolist() == [0, 0, 2, 2]
    assert steps[-1] == 2


def test_a_task_that_is_absent_leaves_its_entries_alone() -> None:
    model = Pulls().eval()
    gradients = engine(model, rate=1.0)
    for _ in range(2):
        gradients.step(lambda: {n: loss for n, loss in model().items() if n != "c"}, sgd(model))
    affinity = gradients._balancer.affinity
    assert not affinity[2].any()
    assert not affinity[:, 2].any()
    assert gradients._balancer.clusters.tolist() == [0, 1, 2, 3]


def test_a_run_is_decided_by_its_seed_and_goes_on_from_its_state() -> None:
    def trained(seed: int, *, stops: bool = False) -> Tensor:
        torch.manual_seed(1)
        model = Pulls()
        gradients = engine(model, seed=seed, warm_up=3, rate=0.5)
        for batch in range(6):
            if stops and batch in (2, 4):
                state, gradients = gradients.state_dict(), engine(model, warm_up=3, rate=0.5)
                gradients.load_state_dict(state)
            gradients.step(model, sgd(model))
        return model.numbers.detach()

    assert torch.equal(trained(1), trained(1))
    assert torch.equal(trained(1), trained(1, stops=True))
    assert not torch.equal(trained(1), trained(2))
