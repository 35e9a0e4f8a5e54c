from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gradtruce.balance.rotograd import RotoGrad
from gradtruce.gradients import TaskGradients
from gradtruce.gradients.balancer import TaskStatistics
from gradtruce.gradients.rotations import Rotations, rotation
from tests.reference.rotograd import at_features, rotation_loss, scaled, target

TASKS = ("a", "b", "c")
WIDTH = 4


class Rotated(nn.Module):
    """A trunk, rotations, and a head for each of three tasks; three samples of two places."""

    def __init__(self, rot_dim: int | None = None, by: str = "exponential") -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(4)
        self.trunk = nn.Linear(6, WIDTH)
        self.rotations = Rotations(TASKS, WIDTH, rot_dim=rot_dim, by=by)
        self.heads = nn.ModuleDict({task: nn.Linear(WIDTH, 2) for task in TASKS})
        self.double()
        for parameter in self.parameters():
            nn.init.normal_(parameter, generator=generator)
        self.inputs = torch.randn(6, 2, 6, generator=generator).double()

    def forward(self, part: slice = slice(None)) -> dict[str, Tensor]:
        features = self.trunk(self.inputs[part])
        self.features = features
        self.views = self.rotations(features)
        return {
            task: (self.heads[task](view) - place).pow(2).sum() / len(self.inputs)
            for place, (task, view) in enumerate(self.views.items())
        }


def turn(model: Rotated) -> None:
    generator = torch.Generator().manual_seed(7)
    angles = torch.randn(model.rotations.angles.shape, generator=generator)
    model.rotations.turn(angles.double())


def at_views(model: Rotated) -> np.ndarray:
    """Return G_k of every task and sample, by autograd."""
    losses = model()
    found = [torch.autograd.grad(losses[t], model.views[t], retain_graph=True)[0] for t in TASKS]
    return torch.stack(found).flatten(1, 2).numpy()


def engine(model: nn.Module, weights: Sequence[float] = (1, 1, 1), **options: object):
    by_task = dict(zip(TASKS, map(float, weights), strict=True))
    return TaskGradients(model, RotoGrad(**options), weights=by_task)


def test_the_trunk_gets_the_gradient_of_the_paper() -> None:
    model = Rotated()
    turn(model)
    R = model.rotations.matrices.clone().numpy()
    g = at_features(R, at_views(model))
    gradients = engine(model)
    gradients.backward(model())
    first = np.sqrt((g**2).sum((1, 2)))
    wanted = torch.from_numpy(scaled(g, first)).view(6, 2, WIDTH)
    model.features = model.trunk(model.inputs)
    expected = torch.autograd.grad(model.features, model.trunk.weight, wanted)[0]
    torch.testing.assert_close(model.trunk.weight.grad, expected)


def test_later_steps_weigh_by_what_has_become_of_the_first_norms() -> None:
    model = Rotated()
    gradients = engine(model, learning_rate=1e-2)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    first = None
    for _ in range(4):
        R = model.rotations.matrices.clone().numpy()
        g = at_features(R, at_views(model))
        norms = np.sqrt((g**2).sum((1, 2)))
        first = norms if first is None else first
        record = gradients.step(model, optimizer)
        U = np.linalg.norm(scaled(g[:1], first[:1]))  # of one task alone U is its norm
        assert np.isclose(U, norms[0])
        alphas = norms / first / (norms / first).sum()
        np.testing.assert_allclose(record.coefficients.numpy(), (alphas @ norms) / norms)


@pytest.mark.parametrize("by", ["exponential", "cayley"])
def test_the_first_turn_is_that_of_adam_on_the_loss_of_the_paper(by: str) -> None:
    model = Rotated(by=by)
    turn(model)
    angles = model.rotations.angles.clone()
    R, G = model.rotations.matrices.clone().numpy(), at_views(model)
    v = target(at_features(R, G))
    slopes = torch.zeros_like(angles)
    for k in range(len(TASKS)):
        for pair in range(angles.shape[1]):
            ends = []
            for sign in (1, -1):
                near = angles[k : k + 1].clone()
                near[0, pair] += sign * 1e-6
                ends.append(rotation_loss(rotation(near, WIDTH, by)[0].numpy(), v, G[k]))
            slopes[k, pair] = (ends[0] - ends[1]) / 2e-6
    engine(model, learning_rate=1e-2, decay=1.0).backward(model())
    torch.testing.assert_close(model.rotations.angles - angles, -1e-2 * slopes.sign())


def test_rotations_make_the_task_gradients_point_alike() -> None:
    model = Rotated()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    gradients = engine(model, learning_rate=3e-3)

    def loss() -> float:
        R, G = model.rotations.matrices.numpy().copy(), at_views(model)
        g = at_features(R, G)
        v = g / np.sqrt((g**2).sum((1, 2), keepdims=True))
        return float(-(v.sum(0) ** 2).sum())

    before = loss()
    for _ in range(100):
        gradients.step(model, optimizer)
    assert loss() < before - 0.1
    R = model.rotations.matrices
    torch.testing.assert_close(R @ R.mT, torch.eye(WIDTH).double().expand_as(R))


def test_partial_rotation_turns_the_first_features_alone() -> None:
    model = Rotated(rot_dim=2)
    gradients = engine(model, learning_rate=1e-2)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    for _ in range(3):
        gradients.step(model, optimizer)
    model()
    assert torch.equal(model.views["a"][..., 2:], model.features[..., 2:])
    assert not torch.allclose(model.views["a"][..., :2], model.features[..., :2])


def test_micro_batches_turn_and_scale_as_the_whole_batch() -> None:
    whole, parts = Rotated(), Rotated()
    for model in (whole, parts):
        turn(model)
        gradients = engine(model, learning_rate=1e-2)
        if model is whole:
            record = gradients.backward(model())
        else:
            gradients.backward(model(slice(0, 2)), last=False)
            again = gradients.backward(model(slice(2, None)))
    torch.testing.assert_close(again.coefficients, record.coefficients)
    torch.testing.assert_close(parts.rotations.angles, whole.rotations.angles)
    torch.testing.assert_close(parts.trunk.weight.grad, whole.trunk.weight.grad)


def shares(part: slice, ranks: int, sums: Sequence[Tensor] = ()) -> list[Tensor]:
    """Return what a rank with a part of the batch gives to be summed, knowing the first sums."""
    model, balancer, given = Rotated(), RotoGrad(), []
    turn(model)
    balancer.bind(TASKS)
    balancer.attach(model)
    sum(ranks * loss for loss in model(part).values()).backward()  # so that the mean is the whole

    def total(tensor: Tensor) -> Tensor:
        given.append(tensor)
        return sums[len(given) - 1] if len(given) <= len(sums) else tensor

    balancer.observe(1 / ranks, total)
    return given


def test_shares_of_ranks_add_up_to_the_whole_batch() -> None:
    parts = (slice(0, 2), slice(2, None))
    whole = shares(slice(None), ranks=1)
    products = torch.stack([shares(part, ranks=2)[0] for part in parts]).sum(0)
    torch.testing.assert_close(products / 4, whole[0])
    moments = torch.stack([shares(part, 2, [products])[1] for part in parts]).sum(0)
    torch.testing.assert_close(moments, whole[1])


def test_a_scaler_changes_nothing() -> None:
    found = []
    for scale in (1.0, 1024.0):
        model, balancer = Rotated(), RotoGrad()
        turn(model)
        balancer.bind(TASKS)
        balancer.attach(model)
        sum(scale * loss for loss in model().values()).backward()
        found.append((balancer.observe(1 / scale, lambda t: t), model.rotations.angles))
    torch.testing.assert_close(found[0], found[1])


def test_an_absent_task_turns_nothing_and_counts_for_nothing() -> None:
    model, other = Rotated(), Rotated()
    gradients = engine(model)
    for _ in range(2):
        gradients.backward({t: loss for t, loss in model().items() if t != "b"})
        model.zero_grad()
    without = TaskGradients(other, RotoGrad(), tasks=TASKS)
    without.backward({t: loss for t, loss in other().items() if t != "b"})
    assert torch.equal(model.rotations.matrices[1], torch.eye(WIDTH).double())
    state = gradients.state_dict()["balancer"]
    assert state["first"][1] == 0
    assert state["seen"].tolist() == [2, 0, 2]
    assert not state["adam.mean"].view(3, -1)[1].any()


def test_static_weights_come_after_the_scaling() -> None:
    records = []
    for weights in ((1, 1, 1), (1, 2, 0.5)):
        model = Rotated()
        records.append(engine(model, weights).backward(model()))
    weights = torch.tensor([1, 2, 0.5], dtype=torch.float64)
    torch.testing.assert_close(records[1].coefficients, weights * records[0].coefficients)


def test_first_norms_are_taken_anew_after_the_burn_in() -> None:
    balancer = RotoGrad(burn_in=2)
    balancer.bind(("a", "b"))
    kept = []
    for step in range(4):
        squares = torch.tensor([1.0, 4.0], dtype=torch.float64) * (step + 1) ** 2
        balancer.coefficients(TaskStatistics(torch.diag(squares)))
        kept.append(balancer.first.tolist())
    assert kept == [[1, 2], [1, 2], [3, 6], [3, 6]]


def test_without_scaling_the_coefficients_are_the_static_weights() -> None:
    model = Rotated()
    record = engine(model, (1, 2, 4), scale=False).backward(model())
    assert record.coefficients.tolist() == [1, 2, 4]
    assert model.rotations.angles.any()


def test_a_gradient_that_is_not_finite_turns_nothing() -> None:
    model, balancer = Rotated(), RotoGrad()
    balancer.bind(TASKS)
    balancer.attach(model)
    losses = model()
    (losses["a"] * torch.nan + losses["b"] + losses["c"]).backward()
    balancer.observe(1.0, lambda tensor: tensor)
    assert not model.rotations.angles.any()
    assert not balancer.adam.steps.any()


def test_a_run_goes_on_from_its_state() -> None:
    def trained(*, stops: bool) -> tuple[Tensor, Tensor]:
        model = Rotated()
        gradients = engine(model, learning_rate=1e-2, burn_in=3)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
        for step in range(5):
            if stops and step == 2:
                state, weights = gradients.state_dict(), model.state_dict()
                model = Rotated()
                model.load_state_dict(weights)
                optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
                gradients = engine(model, learning_rate=1e-2, burn_in=3)
                gradients.load_state_dict(state)
            gradients.step(model, optimizer)
        return model.trunk.weight.detach(), model.rotations.matrices

    for found, wanted in zip(trained(stops=True), trained(stops=False), strict=True):
        assert torch.equal(found, wanted)


# dynamo looks at .grad of the views where the graph breaks
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("way", ["compiled", "checkpointed"])
def test_compiled_and_checkpointed_models_turn_alike(way: str) -> None:
    def trained(change: Callable[[Rotated], Callable[[], dict[str, Tensor]]]) -> tuple[Tensor, ...]:
        model = Rotated()
        gradients = engine(model, learning_rate=1e-2)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        losses = change(model)
        for _ in range(2):
            gradients.step(losses, optimizer)
        return model.trunk.weight.detach(), model.rotations.matrices

    changed = trained(
        {
            "compiled": lambda model: torch.compile(model, backend="aot_eager"),
            "checkpointed": lambda model: lambda: checkpoint(model, use_reentrant=False),
        }[way]
    )
    torch.testing.assert_close(changed, trained(lambda model: model))


def test_a_model_without_rotations_or_with_two_is_refused() -> None:
    with pytest.raises(ValueError, match=r"needs one Rotations module .* found 0"):
        engine(nn.Linear(2, 2))
    two = nn.ModuleList([nn.Linear(2, 2), Rotations(TASKS, 2), Rotations(TASKS, 2)])
    with pytest.raises(ValueError, match="found 2"):
        engine(two)


def test_rotations_for_an_unknown_task_are_refused() -> None:
    with pytest.raises(ValueError, match="Rotations has a task 'd'; known: a, b, c"):
        engine(nn.ModuleList([nn.Linear(2, 2), Rotations(("a", "d"), 2)]))


def test_losses_that_do_not_see_the_views_are_an_error() -> None:
    model = Rotated()
    gradients = engine(model)
    features = model.trunk(model.inputs)
    losses = {task: head(features).square().mean() for task, head in model.heads.items()}
    with pytest.raises(ValueError, match="no loss was computed from what Rotations returned"):
        gradients.backward(losses)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"decay": 0.0}, "decay must be above 0"),
        ({"decay": 1.1}, "decay must be above 0 and at most 1"),
        ({"burn_in": -1}, "burn_in must be at least 0"),
    ],
)
def test_bad_arguments_are_refused(option: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RotoGrad(**option)
