import torch

from gradtruce.gradients.solvers.faces import all_faces, best_of_faces, face_optima, faces_of

F64 = torch.float64


def test_every_face_of_the_simplex_is_listed_once() -> None:
    faces = all_faces(5, torch.device("cpu")).members
    assert faces.shape == (31, 5)
    assert len({tuple(face) for face in faces.tolist()}) == 31


def test_an_optimum_outside_of_its_face_is_not_valid() -> None:
    # the point of the line through (1, 0) and (3, 1) that is nearest to zero lies before (1, 0)
    J = torch.tensor([[1.0, 0.0], [3.0, 1.0]], dtype=F64)
    G = J @ J.T
    faces = faces_of(torch.tensor([[True, True]]))
    b, s = torch.zeros(2, dtype=F64), torch.tensor(1.0, dtype=F64)
    _, valid = face_optima(G, b, s, torch.tensor([True, True]), faces)
    assert not valid.item()


def test_a_vertex_is_its_own_optimum() -> None:
    G = torch.eye(3, dtype=F64)
    b, s = G.sum(0) / 3, torch.tensor(0.0, dtype=F64)
    w, valid = face_optima(G, b, s, torch.ones(3, dtype=torch.bool), faces_of(torch.eye(3).bool()))
    assert torch.equal(w, torch.eye(3, dtype=F64))
    assert valid.all()


def test_faces_with_inactive_tasks_are_never_best() -> None:
    J = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=F64)
    G = J @ J.T
    active = torch.tensor([False, True, True])
    b, s = G.sum(0) / 2, torch.tensor(0.3, dtype=F64)
    w = best_of_faces(G, b, s, active, all_faces(3, torch.device("cpu")))
    assert w[0] == 0
