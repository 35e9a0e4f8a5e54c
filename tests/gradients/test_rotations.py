import pytest
import torch
from torch import nn

from gradtruce.gradients.rotations import Rotations, rotated, rotation

TASKS = ("a", "b")


def turned(by: str = "exponential", width: int = 5, rot_dim: int | None = None) -> Rotations:
    rotations = Rotations(TASKS, width, rot_dim=rot_dim, by=by).double()
    rotations.turn(torch.randn_like(rotations.angles))
    return rotations


def test_at_first_every_view_is_the_features() -> None:
    features = torch.randn(3, 4, 5)
    views = Rotations(TASKS, 5)(features)
    assert list(views) == list(TASKS)
    assert all(torch.equal(view, features) for view in views.values())


@pytest.mark.parametrize("by", ["exponential", "cayley"])
def test_matrices_are_rotations(by: str) -> None:
    matrices = turned(by).matrices
    one = torch.eye(5).double().expand(2, 5, 5)
    torch.testing.assert_close(matrices @ matrices.mT, one)
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(2).double())


def test_small_angles_turn_alike_by_either_map() -> None:
    angles = 1e-4 * torch.randn(2, 10, dtype=torch.float64)
    torch.testing.assert_close(
        rotation(angles, 5, "cayley"), rotation(angles, 5, "exponential"), rtol=0, atol=1e-11
    )


def test_features_past_the_rotated_ones_stay() -> None:
    rotations, features = turned(rot_dim=3), torch.randn(2, 7, 5).double()
    view = rotations(features)["b"]
    assert torch.equal(view[..., 3:], features[..., 3:])
    torch.testing.assert_close(view[..., :3], features[..., :3] @ rotations.matrices[1].T)
    torch.testing.assert_close(view.norm(), features.norm())


def test_the_rotations_are_no_parameters_but_part_of_the_state() -> None:
    rotations, other = turned(), Rotations(TASKS, 5).double()
    assert not list(rotations.parameters())
    other.load_state_dict(rotations.state_dict())
    features = torch.randn(2, 5).double()
    assert torch.equal(other(features)["b"], rotations(features)["b"])


def test_gradients_are_kept_only_where_they_are_watched() -> None:
    rotations, features = turned(), torch.randn(2, 5).double().requires_grad_()
    rotations(features)["a"].sum().backward()
    assert rotations.gradients == []
    rotations.is_watched = True
    with torch.no_grad():
        rotations(features)
    views = rotations(features)
    assert rotations.gradients == []
    (views["a"].sum() + (3 * views["a"]).sum()).backward()
    ((found, none),) = rotations.gradients
    assert none is None
    assert torch.equal(found, torch.full((2, 5), 4.0).double())
    rotations.forget()
    assert rotations.gradients == []


def test_half_precision_features_stay_in_half_precision() -> None:
    features = torch.randn(2, 5, dtype=torch.bfloat16)
    for rot_dim in (5, 2):
        assert Rotations(TASKS, 5, rot_dim=rot_dim)(features)["a"].dtype == torch.bfloat16


def test_a_rotation_is_undone_by_its_transpose() -> None:
    matrix, features = turned().matrices[0], torch.randn(4, 5).double()
    torch.testing.assert_close(rotated(rotated(features, matrix), matrix.T), features)


def test_a_single_feature_has_nothing_to_turn() -> None:
    rotations = Rotations(TASKS, 3, rot_dim=1)
    rotations.turn(rotations.angles)
    assert torch.equal(rotations(torch.ones(2, 3))["a"], torch.ones(2, 3))


def test_it_moves_with_the_model() -> None:
    model = nn.Sequential(Rotations(TASKS, 3)).double()
    assert model[0].matrices.dtype == torch.float64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tasks": (), "width": 3}, "at least one task, and each once"),
        ({"tasks": ("a", "a"), "width": 3}, "at least one task, and each once"),
        ({"tasks": TASKS, "width": 0}, "rot_dim must be from 1"),
        ({"tasks": TASKS, "width": 3, "rot_dim": 4}, "rot_dim must be from 1 to the width of 3"),
        ({"tasks": TASKS, "width": 3, "by": "hand"}, "by must be 'exponential' or 'cayley'"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rotations(**options)
