"""The optimum of F(w) = bᵀw + s·√(wᵀGw) on each of many faces of the simplex, and the best."""

from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

NOISE = 1e-6  # ‖g_w‖ in units of the largest row, at or below which its direction is rounding
_ZERO = -1e-9  # a weight from here on is taken for zero


class Faces(NamedTuple):
    """Faces of a simplex, and what their members alone determine.

    Attributes:
        members: Tasks of each face.
        base: The first member of each face, one-hot.
        others: Its other members.
        pairs: Pairs of other members.
        filling: Ones on the diagonal for tasks that are not other members.
    """

    members: Bool[Tensor, "faces tasks"]
    base: Bool[Tensor, "faces tasks"]
    others: Bool[Tensor, "faces tasks"]
    pairs: Bool[Tensor, "faces tasks tasks"]
    filling: Float[Tensor, "faces tasks tasks"]


def faces_of(members: Bool[Tensor, "faces tasks"]) -> Faces:
    """Return the faces with the given members.

    >>> faces_of(torch.tensor([[False, True, True]])).base
    tensor([[False,  True, False]])
    """
    first = members.int().argmax(-1)
    base = torch.nn.functional.one_hot(first, members.shape[-1]).bool()
    others = members & ~base
    pairs = others.unsqueeze(-1) & others.unsqueeze(-2)
    return Faces(members, base, others, pairs, torch.diag_embed((~others).to(torch.float64)))


@cache
def all_faces(tasks: int, device: torch.device) -> Faces:
    """Return all faces of a simplex.

    >>> all_faces(2, torch.device("cpu")).members
    tensor([[ True, False],
            [False,  True],
            [ True,  True]])
    """
    return faces_of(subsets(tasks, device)[1:])


def subsets(tasks: int, device: torch.device) -> Bool[Tensor, "subsets tasks"]:
    """Return all sets of tasks, the empty one first.

    >>> subsets(1, torch.device("cpu"))
    tensor([[False],
            [ True]])
    """
    number = torch.arange(2**tasks, device=device)
    return ((number.unsqueeze(-1) >> torch.arange(tasks, device=device)) & 1).bool()


def best_of_faces(
    G: Float[Tensor, "*blocks tasks tasks"],
    b: Float[Tensor, "*blocks tasks"],
    s: Float[Tensor, "*blocks"],
    active: Bool[Tensor, "*blocks tasks"],
    faces: Faces,
) -> Float[Tensor, "*blocks tasks"]:
    """Return the best of the optima of some faces; see `face_optima` and `best_candidate`."""
    return best_candidate(G, b, s, active, *face_optima(G, b, s, active, faces))


def best_candidate(
    G: Float[Tensor, "*blocks tasks tasks"],
    b: Float[Tensor, "*blocks tasks"],
    s: Float[Tensor, "*blocks"],
    active: Bool[Tensor, "*blocks tasks"],
    w: Float[Tensor, "*blocks candidates tasks"],
    valid: Bool[Tensor, "*blocks candidates"],
) -> Float[Tensor, "*blocks tasks"]:
    """Return the candidate with the smallest bound on F(w) − F*.

    Where ‖g_w‖ is noise the gradient of F is unknown; there the bound is what F(w) exceeds the best
    value by: zero, which it wins with, where nothing lies below.
    """
    value, gap = duality_gap(
        G.unsqueeze(-3), b.unsqueeze(-2), s.unsqueeze(-1), w, active.unsqueeze(-2)
    )
    value = value.masked_fill(~valid, torch.inf)
    excess = value - value.amin(-1, keepdim=True)
    bound = torch.where(gap.isfinite(), gap, excess).masked_fill(~valid, torch.inf)
    best = bound.argmin(-1)[..., None, None].expand(*b.shape[:-1], 1, b.shape[-1])
    return w.gather(-2, best).squeeze(-2)


def duality_gap(
    G: Float[Tensor, "*#blocks tasks tasks"],
    b: Float[Tensor, "*#blocks tasks"],
    s: Float[Tensor, "*#blocks"],
    w: Float[Tensor, "*#blocks tasks"],
    active: Bool[Tensor, "*#blocks tasks"],
) -> tuple[Float[Tensor, "*blocks"], Float[Tensor, "*blocks"]]:
    """Return F(w) and wᵀ∇F − min ∇F, a bound on F(w) − F*; NaN or infinite where ‖g_w‖ is noise.

    >>> G, b = torch.eye(2), torch.tensor([0.5, 0.5])
    >>> duality_gap(G, b, torch.tensor(0.5), torch.tensor([1.0, 0.0]), torch.tensor([True, True]))
    (tensor(1.), tensor(0.5000))
    """
    products = (w.unsqueeze(-2) @ G).squeeze(-2)
    norm = (w * products).sum(-1).clamp_min(0.0).sqrt()
    value = (b * w).sum(-1) + s * norm
    slope = b + (s / norm).unsqueeze(-1) * products
    gap = (w * slope).sum(-1) - slope.masked_fill(~active, torch.inf).amin(-1)
    return value, torch.where(norm > NOISE, gap, torch.inf)


def face_optima(
    G: Float[Tensor, "*blocks tasks tasks"],
    b: Float[Tensor, "*blocks tasks"],
    s: Float[Tensor, "*blocks"],
    active: Bool[Tensor, "*blocks tasks"],
    faces: Faces,
) -> tuple[Float[Tensor, "*blocks faces tasks"], Bool[Tensor, "*blocks faces"]]:
    """Return the optimum of F on the affine hull of each face, and whether it lies in the face.

    On the hull of rows g_j, j in S, let m be the point nearest to zero and c the part of g0 along
    the hull. Then F = const + c·y + s·√(‖m‖² + ‖y‖²) with y the offset from m, and the optimum is
    y = −c·‖m‖/√(s² − ‖c‖²), if s exceeds ‖c‖. Both come from one solve with the Gramian of the
    differences to the smallest member, which stays regular where G itself is not.

    Args:
        G: Gramian, sorted by the size of its rows, largest diagonal 1.
        b: Gp.
        s: radius·√(pᵀGp).
        active: Tasks that may get weight.
        faces: Where to look; duplicates do no harm.
    """
    w, c_squared, along = _nearest_and_along(G, b, faces)
    nearest_squared = (w * (w @ G)).sum(-1).clamp_min(0.0)
    room = s.unsqueeze(-1).square() - c_squared
    w = w - (nearest_squared / room).sqrt().unsqueeze(-1) * along
    allowed = ~(faces.members & ~active.unsqueeze(-2)).any(-1)
    valid = (room > 0) & (w >= _ZERO).all(-1) & allowed
    single = ~faces.others.any(-1)  # a vertex is its own optimum, whatever s is
    w = torch.where(single.unsqueeze(-1), faces.members.to(w), w)
    valid = torch.where(single, allowed, valid)
    w = torch.where(valid.unsqueeze(-1), w, 1.0).clamp_min(0.0)
    return w / w.sum(-1, keepdim=True), valid


def _nearest_and_along(
    G: Float[Tensor, "*blocks tasks tasks"],
    b: Float[Tensor, "*blocks tasks"],
    faces: Faces,
) -> tuple[
    Float[Tensor, "*blocks faces tasks"],
    Float[Tensor, "*blocks faces"],
    Float[Tensor, "*blocks faces tasks"],
]:
    """Return the weights of m, ‖c‖², and the weights (of sum 0) of c, for each face."""
    others = faces.others
    row = (faces.base.to(G).unsqueeze(-2) @ G.unsqueeze(-3)).squeeze(-2)  # of the base
    square = (row * faces.base).sum(-1, keepdim=True)
    shift = (row - square) * others  # (g_j − g_base)·g_base
    slope = (b.unsqueeze(-2) - (b.unsqueeze(-2) * faces.base).sum(-1, keepdim=True)) * others
    differences = G.unsqueeze(-3) - row.unsqueeze(-1) - row.unsqueeze(-2) + square.unsqueeze(-1)
    differences = torch.where(faces.pairs, differences, 0.0)
    size = differences.diagonal(dim1=-2, dim2=-1).clamp_min(0.0).sqrt()
    size = torch.where(size > 0, size, 1.0)
    scaled = differences / (size.unsqueeze(-1) * size.unsqueeze(-2))
    scaled = scaled + faces.filling
    sides = torch.stack([-shift / size, slope / size], -1)
    solution = torch.linalg.solve_ex(scaled, sides).result / size.unsqueeze(-1)
    nearest, along = solution.unbind(-1)
    squared = (slope * along).sum(-1)
    nearest = nearest + faces.base * (1 - nearest.sum(-1, keepdim=True))
    along = along - faces.base * along.sum(-1, keepdim=True)
    return nearest, squared, along
