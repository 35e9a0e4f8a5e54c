"""TorchJD's weightings in our engine, and our balancers in theirs."""

import sys

import pytest
import torch
from torch import Tensor, nn

import gradtruce as gt
import gradtruce.balance  # fills the list of known balancers
from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.integrations.torchjd import from_torchjd, to_torchjd
from tests.gradients.toys import SignMask, TwoHeads, batch
from tests.laws.gramians import bank

GRAMIAN = torch.tensor([[1.0, -0.5, 0.2], [-0.5, 4.0, 0.1], [0.2, 0.1, 2.0]], dtype=torch.float64)


with_torchjd = pytest.mark.usefixtures("aggregation")


@pytest.fixture
def aggregation() -> object:
    return pytest.importorskip("torchjd.aggregation")


def test_without_torchjd_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchjd", None)
    monkeypatch.setitem(sys.modules, "torchjd.aggregation", None)
    with pytest.raises(ImportError, match=r"gradtruce\[bench\]"):
        from_torchjd(nn.Identity())


def test_the_adapter_is_in_no_list_of_balancers() -> None:
    assert "torchjd" not in Balancer.known


def test_a_weighting_gives_its_own_coefficients(aggregation: object) -> None:
    for weighting in (aggregation.MGDAWeighting(), aggregation.AlignedMTL()):
        balancer = from_torchjd(weighting)
        gramian = getattr(weighting, "gramian_weighting", weighting)(GRAMIAN)
        torch.testing.assert_close(balancer.coefficients(TaskStatistics(GRAMIAN)), gramian)


def test_static_weights_are_folded_into_the_rows(aggregation: object) -> None:
    weights = torch.tensor([1.0, 4.0, 0.5], dtype=torch.float64)
    weighting = aggregation.AlignedMTLWeighting()
    a = from_torchjd(weighting).coefficients(TaskStatistics(GRAMIAN, weights=weights))
    torch.testing.assert_close(a, weights * weighting(GRAMIAN * weights.outer(weights)))


def test_an_inactive_task_changes_nothing_for_the_others(aggregation: object) -> None:
    active = torch.tensor([True, False, True])
    G = GRAMIAN * active.outer(active)
    weights = torch.tensor([1.0, 7.0, 1.0], dtype=torch.float64)
    balancer = from_torchjd(aggregation.AlignedMTLWeighting())
    a = balancer.coefficients(TaskStatistics(G, weights=weights, active=active))
    two = aggregation.AlignedMTLWeighting()(GRAMIAN[::2, ::2])
    torch.testing.assert_close(a, torch.stack([two[0], weights[1], two[1]]))


def test_blocks_are_asked_one_by_one(aggregation: object) -> None:
    blocks = torch.stack([GRAMIAN, 2 * GRAMIAN.flip(0, 1)])
    balancer = from_torchjd(aggregation.AlignedMTLWeighting())
    a = balancer.coefficients(TaskStatistics(blocks))
    assert a.shape == (2, 3)
    torch.testing.assert_close(a[1], balancer.coefficients(TaskStatistics(blocks[1])))


def test_the_engine_gives_the_update_of_torchjd(aggregation: object) -> None:
    autojac = pytest.importorskip("torchjd.autojac")
    model, theirs = TwoHeads().double(), TwoHeads().double()
    theirs.load_state_dict(model.state_dict())
    engine = gt.TaskGradients(model, from_torchjd(aggregation.MGDA()), tasks=("report", "findings"))
    engine.backward(model(batch().double()))
    features = theirs.trunk(batch().double())
    losses = [
        theirs.report(features).square().mean(),
        theirs.findings(features).sub(1.0).pow(4).mean(),
    ]
    autojac.mtl_backward(losses, features=features)
    autojac.jac_to_grad(theirs.trunk.parameters(), aggregation.MGDA())
    for (name, one), other in zip(model.named_parameters(), theirs.parameters(), strict=True):
        if not name.startswith("unused"):
            torch.testing.assert_close(one.grad, other.grad)


@pytest.mark.parametrize("strange", ["a matrix aggregator", "no weighting"])
def test_what_is_no_weighting_is_refused(aggregation: object, strange: str) -> None:
    with pytest.raises(TypeError, match="weighting must be"):
        from_torchjd(aggregation.ConFIG() if strange == "a matrix aggregator" else nn.Identity())


def test_our_balancer_is_a_weighting_of_theirs(aggregation: object) -> None:
    for _, J in bank(3, 20, seed=5):
        weighting = to_torchjd(gt.CAMEGrad(), weights=[1.0, 4.0, 1.0])
        assert isinstance(weighting, aggregation.Weighting)
        weights = torch.tensor([1.0, 4.0, 1.0], dtype=torch.float64)
        wanted = gt.CAMEGrad().coefficients(TaskStatistics(J @ J.T, weights=weights))
        update = aggregation.GramianWeightedAggregator(weighting)(J)
        torch.testing.assert_close(update, wanted @ J)


@with_torchjd
def test_both_directions_give_the_balancer_back() -> None:
    there = to_torchjd(gt.CAMEGrad(), weights=[1.0, 1.0, 1.0])
    found = from_torchjd(there).coefficients(TaskStatistics(GRAMIAN))
    torch.testing.assert_close(found, gt.CAMEGrad().coefficients(TaskStatistics(GRAMIAN)))


@with_torchjd
def test_their_engine_takes_our_balancer() -> None:
    autogram = pytest.importorskip("torchjd.autogram")
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    engine = autogram.Engine(model, batch_dim=None)
    losses = model(torch.randn(5, 4)).square().mean(0)
    weights = to_torchjd(gt.CAMEGrad(), weights=[1.0, 1.0])(engine.compute_gramian(losses))
    losses.backward(weights)
    assert weights.dtype == torch.float32
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@with_torchjd
def test_a_row_of_zeros_gets_its_static_weight() -> None:
    G: Tensor = torch.diag(torch.tensor([1.0, 0.0]))
    assert to_torchjd(gt.CAMEGrad(), weights=[1.0, 3.0])(G)[1] == 3.0


@with_torchjd
def test_what_a_gramian_cannot_tell_is_refused() -> None:
    with pytest.raises(TypeError, match="not a function of the Gramian alone"):
        to_torchjd(gt.Linear(), weights=[1.0])
    with pytest.raises(TypeError, match="not a function of the Gramian alone"):
        to_torchjd(SignMask(), weights=[1.0, 1.0])
    for reader in (gt.GradNorm(), gt.MGDA(normalise="loss"), gt.RotoGrad()):
        with pytest.raises(TypeError, match="not a function of the Gramian alone"):
            to_torchjd(reader, weights=[1.0, 1.0])
    with pytest.raises(ValueError, match="at least 0"):
        to_torchjd(gt.CAMEGrad(), weights=[1.0, -1.0])
    with pytest.raises(ValueError, match="of the 2 tasks"):
        to_torchjd(gt.CAMEGrad(), weights=[1.0, 1.0])(GRAMIAN)


@with_torchjd
def test_the_state_of_the_weighting_makes_a_round_trip() -> None:
    first = to_torchjd(gt.CAMEGrad(), weights=[1.0, 1.0, 1.0], seed=3)
    first(GRAMIAN)
    second = to_torchjd(gt.CAMEGrad(), weights=[1.0, 1.0, 1.0], seed=4)
    second.load_state_dict(first.state_dict())
    assert second.steps == 1
    assert torch.equal(second.generator.get_state(), first.generator.get_state())


@with_torchjd
@pytest.mark.parametrize("name", sorted(gradtruce.balance.__all__))
def test_every_balancer_is_either_a_weighting_or_refused(name: str) -> None:
    kind = getattr(gradtruce.balance, name)
    balancer = kind("cagrad") if name == "EMA" else kind()
    if name in {"CAGrad", "CAMEGrad", "MGDA", "PCGrad", "UPGrad", "NashMTL", "EMA"}:
        weighting = to_torchjd(balancer, weights=[1.0, 2.0, 1.0], seed=0)
        assert weighting(GRAMIAN).isfinite().all()
    elif balancer.needs in {"losses", "blocks"}:
        with pytest.raises(TypeError, match="Gramian alone"):
            to_torchjd(balancer, weights=[1.0, 2.0, 1.0], seed=0)
