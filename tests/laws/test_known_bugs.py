"""Bugs of public codes of these methods, as tests that ours do not have them.

Each test names the code and what it does there; none of that code is run here.
"""

from collections.abc import Iterator
from itertools import permutations, product

import pytest
import torch
from torch import Tensor, nn

from gradtruce.balance import EMA
from gradtruce.gradients import TaskGradients
from gradtruce.gradients.balancer import (
    AfterStep,
    Balancer,
    FeatureReader,
    Flagging,
    GradientNoise,
    ParameterBlocks,
    RowTransform,
    TaskSchedule,
    TaskStatistics,
)
from tests.gradients.toys import WEIGHTS, TwoHeads
from tests.gradients.toys import batch as images
from tests.laws.balancers import ROTATED, Trial, balancers, every_balancer, make, ones, update
from tests.laws.gramians import bank

INTERFACES = (
    AfterStep,
    FeatureReader,
    Flagging,
    GradientNoise,
    ParameterBlocks,
    RowTransform,
    TaskSchedule,
)
UNEVEN = torch.tensor([[4.0, 1.0, 0.0], [-1.0, 1.0, 1.0], [0.0, -2.0, 0.5]], dtype=torch.float64)


def named(name: str) -> type[Balancer]:
    return Balancer.known[name]


@pytest.mark.parametrize("name", ["cagrad", "came_grad"])
def test_small_gradients_are_solved_as_large_ones_are(name: str) -> None:
    """SLSQP on the unscaled Gramian stops at its uniform start once ‖g‖ is near 1e-3 (CAGrad)."""
    at_one = Trial(named(name), 3)(ones(UNEVEN))[0]
    small = 1e-4 * UNEVEN / UNEVEN.norm(dim=1).amax()
    found = Trial(named(name), 3)(ones(small))[0]
    torch.testing.assert_close(found, at_one)
    assert (at_one - at_one.mean()).abs().max() > 1e-2  # far from the uniform start


@every_balancer
@pytest.mark.parametrize("length", [9e-3, 1e-6, 1e-10])
def test_training_does_not_stop_when_gradients_are_small(
    kind: type[Balancer], length: float
) -> None:
    """TorchJD normalizes with an absolute 1e-4, so that ‖J‖ below 1e-2 gives weights of zero."""
    J = length * UNEVEN / UNEVEN.norm()
    assert update(kind, ones(J)).norm() > 1e-3 * length


@balancers(lambda kind: kind.needs == "losses")
def test_clipping_comes_after_the_backward_pass(kind: type[Balancer]) -> None:
    """FAMO's weight_methods.py clips before `backward`, when there is nothing to clip yet."""
    model = TwoHeads()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    norms: list[float] = []
    optimizer.register_step_pre_hook(
        lambda *_: norms.append(float(nn.utils.get_total_norm(gradients_in(model))))
    )
    engine = TaskGradients(model, make(kind), weights=WEIGHTS, seed=0, clip_norm=1e-3)
    engine.epoch = 0
    engine.step(lambda: model(images()), optimizer)
    assert norms == pytest.approx([1e-3] * len(norms), rel=1e-3)


def gradients_in(model: nn.Module) -> list[Tensor]:
    return [p.grad for p in model.parameters() if p.grad is not None]


def projected(J: Tensor, orders: tuple[tuple[int, ...], ...], *, onto_itself: bool) -> Tensor:
    """Return PCGrad's sum of rows, each projected onto the others in a given order."""
    total = torch.zeros(J.shape[1], dtype=J.dtype)
    for row, order in enumerate(orders):
        changed = J[row].clone()
        for other in order:
            if other != row or onto_itself:
                changed -= (
                    J[other] * min(float(changed @ J[other]), 0.0) / float(J[other] @ J[other])
                )
        total += changed
    return total


def outcomes(J: Tensor, *, onto_itself: bool) -> Iterator[Tensor]:
    for orders in product(permutations(range(len(J))), repeat=len(J)):
        yield projected(J, orders, onto_itself=onto_itself)


def test_pcgrad_projects_no_gradient_onto_itself() -> None:
    """FAMO, nash-mtl and LibMTL project row i also on g_i, turned against g_i by others."""
    J = torch.tensor([[1.0, 0.2], [-1.0, 0.3], [-0.5, -1.0]], dtype=torch.float64)
    right = torch.stack(list(outcomes(J, onto_itself=False)))
    wrong = torch.stack(list(outcomes(J, onto_itself=True)))
    only_wrong = [each for each in wrong if (right - each).norm(dim=1).min() > 1e-6]
    assert only_wrong, "these gradients cannot tell the two apart"
    for seed in range(60):
        found = update(named("pcgrad"), ones(J), seed=seed)
        assert (right - found).norm(dim=1).min() < 1e-9


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["mgda", "mmpareto"])
def test_the_search_for_the_shortest_vector_ends(name: str) -> None:
    """`iter_count` is never raised in isl-org's and MMPareto's loop: K ≥ 3 may run for ever."""
    for tasks in (3, 4, 8, 16):
        for _, J in bank(tasks, 20, seed=tasks):
            assert Trial(named(name), tasks)(ones(J))[0].isfinite().all()


def test_mgda_reaches_a_corner_exactly() -> None:
    """isl-org's solver, LibMTL's and MMPareto's clamp the step to 0.999, short of the corner."""
    J = torch.tensor([[1.0, 0.0], [5.0, 1.0]], dtype=torch.float64)
    a = Trial(named("mgda"), 2)(ones(J))[0]
    assert a[1] == 0
    assert a[0] > 0


def test_famo_divides_by_the_normaliser() -> None:
    """FAMO's mtrl version multiplies by c = Σ z/D where it must divide (issue 14): Σ a is not 1."""
    given = ones(torch.eye(2, dtype=torch.float64))._replace(
        losses=torch.tensor([4.0, 0.5]).double()
    )
    a = Trial(named("famo"), 2)(given)[0]
    wanted = torch.tensor([1 / 4.0, 1 / 0.5], dtype=torch.float64)
    torch.testing.assert_close(a, wanted / wanted.sum(), rtol=1e-6, atol=1e-8)


@balancers(lambda kind: not issubclass(kind, FeatureReader))
def test_the_last_backward_pass_frees_the_graph(kind: type[Balancer]) -> None:
    """CAGrad's and FAMO's `if i < n_tasks` is always true, so that the graph is never freed."""
    kept: list[dict[str, Tensor]] = []
    model = TwoHeads()

    def compute_losses() -> dict[str, Tensor]:
        kept.append(model(images()))
        return kept[-1]

    gradients = TaskGradients(model, make(kind), weights=WEIGHTS, seed=0)
    gradients.epoch = 0
    gradients.step(compute_losses, torch.optim.SGD(model.parameters(), lr=1e-3))
    with pytest.raises(RuntimeError, match="second time"):
        sum(kept[0].values()).backward()


@balancers(lambda kind: kind.name not in ROTATED)
def test_parallel_gradients_do_not_break_a_solver(kind: type[Balancer]) -> None:
    """IMTL-G's code inverts a matrix that is singular for parallel gradients."""
    line = torch.tensor([[1.0, 2.0, -1.0]], dtype=torch.float64)
    J = torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64) * line
    found = update(kind, ones(J))
    assert torch.cosine_similarity(found, line[0], dim=0) > 1 - 1e-6


def test_a_number_that_is_zero_in_all_tasks_stays_zero_under_graddrop() -> None:
    """TorchJD's GradDrop divides 0 by 0 where the gradients of all tasks are zero."""
    J = torch.tensor([[1.0, 0.0, -2.0], [-3.0, 0.0, 1.0]], dtype=torch.float64)
    for seed in range(5):
        found = update(named("graddrop"), ones(J), seed=seed)
        assert found.isfinite().all()
        assert found[1] == 0


def test_uncertainty_is_not_drawn_to_zero_by_the_decay_of_the_model() -> None:
    """Log variances in the model's AdamW decay with its weights; ours are no parameter of it."""
    balancer = make(named("uncertainty_weighting"))
    balancer.bind(["a", "b"])
    model = nn.Linear(2, 1)
    TaskGradients(model, balancer, tasks=("a", "b"))
    assert {id(p) for p in balancer.parameters()}.isdisjoint(id(p) for p in model.parameters())


def test_nash_is_bounded_where_no_direction_helps_all() -> None:
    """At a Pareto-stationary point G a = 1/a has no solution; ECOS fails inside a bare except."""
    J = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    a = make(named("nash_mtl")).coefficients(TaskStatistics(J @ J.T))
    assert a.isfinite().all()


def test_stgu_credits_a_change_to_the_group_that_made_it() -> None:
    """Its code compares the losses before two updates: the next group gets what this one did."""
    balancer = make(named("stgu"))
    balancer.bind(["a", "b"])
    before, between, after = torch.tensor([[2.0, 4.0], [1.0, 4.0], [1.0, 3.0]]).double()
    balancer.before_update([0], before)
    balancer.after_step(between)  # task 0 halved its own loss, and did nothing to the other
    balancer.before_update([1], between)
    balancer.after_step(after)  # task 1 took a quarter off its own
    shares = balancer.affinity / balancer.rate
    torch.testing.assert_close(shares, torch.tensor([[0.5, 0.0], [0.0, 0.25]]).double())


@every_balancer
def test_an_average_shows_every_interface_of_what_it_averages(kind: type[Balancer]) -> None:
    """A wrapper that hides one makes the engine train as if there were none, without a word."""
    inner = make(kind)
    outer = EMA(inner)
    for interface in INTERFACES:
        if isinstance(inner, interface):
            assert isinstance(outer, interface), interface.__name__
