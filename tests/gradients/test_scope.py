import pytest
import torch
from torch import Tensor, nn

from gradtruce.balance import CAMEGrad, Linear
from gradtruce.gradients import TaskGradients
from gradtruce.gradients.scope import Scope, is_read_after
from tests.gradients.toys import WEIGHTS, TwoHeads, batch

NAMES = ["a", "b", "c"]
TRUNK = {"trunk.0.weight", "trunk.0.bias", "trunk.3.weight", "trunk.3.bias"}


def scope(**options: object) -> Scope:
    return Scope(NAMES, ("x", "y"), **{"rule": "shared", **options})


def rows(*reached: str) -> list[list[Tensor | None]]:
    """Return rows from words such as "1.0": non-zero, absent, zeros."""
    kinds = {"1": torch.ones(1), ".": None, "0": torch.zeros(1)}
    return [[kinds[letter] for letter in word] for word in reached]


def found(model: nn.Module, engine: TaskGradients) -> set[str]:
    members = engine.state_dict()["scope"]["members"].tolist()
    names = [name for name, _ in model.named_parameters()]
    return {name for name, inside in zip(names, members, strict=True) if inside}


def watch(watched: Scope, rows: list[list[Tensor | None]]) -> None:
    for task, row in enumerate(rows):
        watched.watch(task, row)


def test_shared_is_what_two_tasks_reach() -> None:
    model = TwoHeads()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS)
    engine.backward(model(batch()))
    assert found(model, engine) == TRUNK
    assert "4 of 10 parameters" in engine.describe()
    assert "report 6, findings 6" in engine.describe()


def test_rows_of_zeros_reach_nothing() -> None:
    watched = scope()
    watch(watched, rows("110", "101"))
    watched.admit([0, 1], step=1)
    assert watched.members == [True, False, False]


def test_reads_come_at_doubling_steps_and_then_every_thousand() -> None:
    steps = [step for step in range(1, 4001) if is_read_after(step)]
    assert steps == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2000, 3000, 4000]


def test_a_parameter_reached_later_widens_the_scope_after_the_next_read() -> None:
    watched = scope()
    watch(watched, rows("11.", "10."))
    watched.admit([0, 1], step=1)
    watch(watched, rows("11.", "11."))
    watch(watched, rows("11.", "10."))  # once is enough
    assert watched.admit([0, 1], step=3) == []
    assert watched.members == [True, False, False]
    assert watched.read(4) == ["scope widened by b"]
    assert watched.members == [True, True, False]


def test_nothing_narrows_the_scope() -> None:
    watched = scope()
    watch(watched, rows("1..", "1.."))
    watched.admit([0, 1], step=1)
    watch(watched, rows("..1", ".1."))
    watched.read(2)
    assert watched.members == [True, False, False]


def test_a_task_that_appears_late_is_read_when_it_appears() -> None:
    watched = scope()
    watch(watched, rows("11.", "..."))
    assert "fewer than two tasks" in watched.admit([0], step=1)[0]
    watch(watched, rows("11.", ".11"))
    watched.admit([0, 1], step=700)
    assert watched.members == [False, True, False]


def test_tasks_that_cannot_meet_are_an_error_that_says_why() -> None:
    watched = scope()
    watch(watched, rows("1..", ".11"))
    with pytest.raises(ValueError, match=r"'x' reaches 1, 'y' reaches 2 of 3 parameters, none in"):
        watched.admit([0, 1], step=1)


def test_rows_of_zeros_may_still_meet_but_not_for_ever() -> None:
    watched = scope()
    watch(watched, rows("110", "001"))
    assert "all zero" in watched.admit([0, 1], step=1)[0]
    with pytest.raises(ValueError, match="none in common"):
        watched.read(64)


def test_disjoint_tasks_are_an_error_before_any_gradient_is_written() -> None:
    model = nn.ModuleList([nn.Linear(2, 1), nn.Linear(2, 1)])
    losses = {name: layer(torch.ones(2)).sum() for name, layer in zip("ab", model, strict=True)}
    engine = TaskGradients(model, CAMEGrad(), tasks=("a", "b"))
    with pytest.raises(ValueError, match="none in common"):
        engine.backward(losses)
    assert all(p.grad is None for p in model.parameters())


def test_linear_with_diagnostics_does_not_mind_disjoint_tasks() -> None:
    model = nn.ModuleList([nn.Linear(2, 1), nn.Linear(2, 1)])
    losses = {name: layer(torch.ones(2)).sum() for name, layer in zip("ab", model, strict=True)}
    record = TaskGradients(model, Linear(), tasks=("a", "b"), diagnostics=True).backward(losses)
    assert record.coefficients.tolist() == [1, 1]
    assert (model[0].weight.grad == 1).all()


def test_one_task_shares_nothing() -> None:
    with pytest.raises(ValueError, match=r"one task .* scope='all'"):
        TaskGradients(TwoHeads(), CAMEGrad(), tasks=("report",))
    TaskGradients(TwoHeads(), CAMEGrad(), tasks=("report",), scope="all")


def test_a_zero_initialised_head_gets_the_linear_update_first_and_widens_the_scope() -> None:
    model = TwoHeads()
    nn.init.zeros_(model.findings.weight)
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    notes = []
    for _ in range(3):
        losses = model(batch())
        joint = losses["report"] + 4 * losses["findings"]
        wanted = torch.autograd.grad(joint, model.trunk[0].weight, retain_graph=True)[0]
        record = engine.backward(losses)
        notes.append(record.notes)
        if record.step < 3:
            torch.testing.assert_close(model.trunk[0].weight.grad, wanted)
        optimizer.step()
        optimizer.zero_grad()
    assert "not known" in notes[0][0]
    assert found(model, engine) == TRUNK
    assert not torch.equal(record.coefficients, record.weights)


def test_scope_all_balances_every_parameter() -> None:
    model = TwoHeads()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, scope="all")
    record = engine.backward(model(batch()))
    losses = model(batch())
    alone = torch.autograd.grad(losses["findings"], model.findings.weight)[0]
    torch.testing.assert_close(model.findings.weight.grad, record.coefficients[1].float() * alone)
    assert model.unused.weight.grad is None


def test_chosen_parameters_override_what_would_be_found() -> None:
    model = TwoHeads()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, shared=model.trunk[0].parameters())
    engine.backward(model(batch()))
    assert found(model, engine) == {"trunk.0.weight", "trunk.0.bias"}
    assert "chosen" in engine.describe()


@pytest.mark.parametrize("shared", [[], [nn.Parameter(torch.ones(1))]])
def test_chosen_parameters_must_be_the_models(shared: list[nn.Parameter]) -> None:
    with pytest.raises(ValueError, match="must be parameters of the model"):
        TaskGradients(TwoHeads(), CAMEGrad(), weights=WEIGHTS, shared=shared)


def test_the_scope_outlives_a_restart() -> None:
    model = TwoHeads()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS)
    engine.backward(model(batch()))
    other = TaskGradients(model, CAMEGrad(), weights=WEIGHTS)
    other.load_state_dict(engine.state_dict())
    assert found(model, other) == TRUNK


def test_flags_that_were_not_read_yet_are_kept_in_the_state() -> None:
    watched, resumed = scope(), scope()
    watch(watched, rows("11.", "10."))
    watched.admit([0, 1], step=1)
    watch(watched, rows("11.", "11."))
    resumed.load_state_dict(watched.state_dict(), torch.device("cpu"))
    assert resumed.read(4) == ["scope widened by b"]


def test_the_state_of_another_model_or_rule_is_refused() -> None:
    model = TwoHeads()
    state = TaskGradients(model, CAMEGrad(), weights=WEIGHTS).state_dict()
    with pytest.raises(ValueError, match="scope 'shared', this engine 'all'"):
        TaskGradients(model, CAMEGrad(), weights=WEIGHTS, scope="all").load_state_dict(state)
    other = TwoHeads()
    other.extra = nn.Linear(1, 1)
    with pytest.raises(ValueError, match=r"another model: 'extra.bias' differs"):
        TaskGradients(other, CAMEGrad(), weights=WEIGHTS).load_state_dict(state)


def test_a_tied_parameter_has_one_row_for_all_its_uses() -> None:
    model = TwoHeads()
    model.findings = nn.Linear(5, 3)
    model.findings.weight = model.report.weight
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS)
    engine.backward(model(batch()))
    assert found(model, engine) == TRUNK | {"report.weight"}


def test_a_frozen_parameter_stays_without_gradient_and_may_be_thawed() -> None:
    model = TwoHeads()
    model.trunk[0].requires_grad_(False)
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS)
    for thawed in (False, True, True, True):
        model.trunk[0].requires_grad_(thawed)
        engine.backward(model(batch()))
        assert (model.trunk[0].weight.grad is not None) == thawed
        model.zero_grad()
    assert found(model, engine) == TRUNK
