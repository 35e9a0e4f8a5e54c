import pytest
import torch
from torch import nn

from gradtruce.balance import CAMEGrad
from gradtruce.gradients import TaskGradients
from gradtruce.gradients.options import require_options
from gradtruce.gradients.scaling import enabled_scaler
from gradtruce.gradients.support import require_supported, static_weights
from tests.gradients.toys import WEIGHTS, TwoHeads, batch


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give either weights"),
        ({"weights": WEIGHTS, "tasks": ("a",)}, "give either weights"),
        ({"weights": {}}, "at least one task"),
        ({"tasks": ("a", "a")}, "each once"),
        ({"weights": {"a": -1.0}}, "weight of task 'a' must be at least 0, got -1.0"),
        ({"weights": {"a": float("nan")}}, "must be at least 0, got nan"),
        ({"weights": WEIGHTS, "scope": "all", "shared": []}, "contradicts scope='all'"),
    ],
)
def test_a_bad_option_is_an_error_that_says_what_must_hold(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TaskGradients(TwoHeads(), CAMEGrad(), **options)


def test_a_text_is_no_list_of_tasks() -> None:
    with pytest.raises(TypeError, match="sequence of names"):
        static_weights(None, "report")


# the functions that check kinds are called by themselves: the type checks of the tests come first


def test_an_unknown_word_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'shared', 'all' or 'features', got 'heads'"):
        require_options("heads", None, None)
    with pytest.raises(ValueError, match="check must be 'now' or 'deferred', got 'never'"):
        require_options("shared", None, "never")


def test_a_class_is_no_balancer() -> None:
    with pytest.raises(TypeError, match=r"an instance such as CAMEGrad\(\)"):
        require_supported(TwoHeads(), CAMEGrad)


def test_parameters_are_no_model() -> None:
    with pytest.raises(TypeError, match=r"must be a torch.nn.Module, got generator"):
        require_supported(TwoHeads().parameters(), CAMEGrad())


def test_a_scaler_of_another_kind_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"must be a torch.amp.GradScaler, got float"):
        enabled_scaler(65536.0)


class FullyShardedDataParallel(nn.Module):
    """Stands for the wrapper of FSDP1, which wants a process group; it is known by its name."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module


def test_fsdp1_is_refused_with_the_reason() -> None:
    with pytest.raises(NotImplementedError, match="cannot run several backward passes"):
        TaskGradients(FullyShardedDataParallel(TwoHeads()), CAMEGrad(), weights=WEIGHTS)


def test_a_model_without_parameters_or_on_two_devices_is_refused() -> None:
    with pytest.raises(ValueError, match="one device, found no parameters"):
        TaskGradients(nn.Identity(), CAMEGrad(), weights=WEIGHTS)
    model = nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1, device="meta")])
    with pytest.raises(ValueError, match="one device, found cpu, meta"):
        TaskGradients(model, CAMEGrad(), weights=WEIGHTS)


@pytest.mark.parametrize(
    ("losses", "error", "message"),
    [
        ({"other": torch.tensor(1.0)}, ValueError, "no task is called 'other'; known: report"),
        ({"report": torch.ones(3)}, ValueError, r"scalar, got shape \(3,\); reduce it"),
        ({"report": 1.0}, TypeError, "losses"),
        ([torch.tensor(1.0)], TypeError, "losses"),
        (
            {"report": torch.ones((), device="meta")},
            ValueError,
            "is on meta, the parameters were on",
        ),
    ],
)
def test_bad_losses_are_an_error_before_anything_changes(
    losses: object, error: type[Exception], message: str
) -> None:
    model = TwoHeads()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS)
    engine.backward(model(batch()), last=False)
    with pytest.raises(error, match=message):
        engine.backward(losses)
    assert all(p.grad is None for p in model.parameters())
    assert engine.backward(model(batch())).step == 1  # the first micro-batch is still there
