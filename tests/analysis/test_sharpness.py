import pytest
import torch
from torch import nn

from gradtruce.analysis.sharpness import hessian_product, largest_eigenvalue


def quadratic(spectrum, seed=0):
    """Return a loss whose Hessian has a known spectrum, and its parameters in two pieces."""
    size = len(spectrum)
    generator = torch.Generator().manual_seed(seed)
    basis, _ = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    matrix = basis @ torch.diag(torch.tensor(spectrum, dtype=torch.float64)) @ basis.T
    pieces = [
        torch.randn(count, generator=generator, dtype=torch.float64, requires_grad=True)
        for count in (size // 3, size - size // 3)
    ]

    def loss():
        point = torch.cat(pieces)
        return 0.5 * point @ matrix @ point

    return loss, pieces


def test_a_quadratic_has_the_eigenvalue_it_was_made_with():
    spectrum = [-9.0, *torch.linspace(0, 5, 40).tolist(), 7.5]
    loss, pieces = quadratic(spectrum)
    found = largest_eigenvalue([loss], pieces, tolerance=1e-8)
    assert found.value == pytest.approx(7.5, rel=1e-7)  # not −9, which is larger in size
    assert found.residual < 1e-4
    assert found.products > 1


def test_terms_add_up():
    loss, pieces = quadratic([*range(20)])
    halves = [lambda: 0.25 * loss(), lambda: 0.75 * loss()]
    assert largest_eigenvalue(halves, pieces).value == pytest.approx(19, rel=1e-3)


class Net(nn.Module):
    """A tiny net with attention, whose fused kernel has no second derivative."""

    def __init__(self):
        super().__init__()
        self.inward, self.outward = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        hidden = torch.tanh(self.inward(x)).unsqueeze(0)
        mixed = nn.functional.scaled_dot_product_attention(hidden, hidden, hidden)
        return self.outward(mixed.squeeze(0))


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = Net().double()
    inputs, targets = torch.randn(7, 3).double(), torch.randint(2, (7,))
    return net, lambda: nn.functional.cross_entropy(net(inputs), targets), inputs, targets


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # by torch.func itself
def test_the_product_is_that_of_the_full_hessian_of_torch_func(net):
    net, loss, inputs, targets = net
    parameters = dict(net.named_parameters())
    flat = torch.cat([each.detach().flatten() for each in parameters.values()])

    def of_flat(vector):
        sizes = [each.numel() for each in parameters.values()]
        pieces = {
            name: piece.view_as(like)
            for (name, like), piece in zip(parameters.items(), vector.split(sizes), strict=True)
        }
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            logits = torch.func.functional_call(net, pieces, (inputs,))
        return nn.functional.cross_entropy(logits, targets)

    full = torch.func.hessian(of_flat)(flat)
    vector = torch.randn_like(flat)
    product = hessian_product([loss], list(net.parameters()), vector)
    torch.testing.assert_close(product, full @ vector)
    found = largest_eigenvalue([loss], list(net.parameters()), tolerance=1e-10)
    assert found.value == pytest.approx(float(torch.linalg.eigvalsh(full)[-1]), rel=1e-8)


def test_one_seed_gives_one_number_to_the_bit(net):
    net, loss, *_ = net
    once, again = (largest_eigenvalue([loss], list(net.parameters()), seed=4) for _ in range(2))
    assert once == again


def test_a_parameter_that_is_not_reached_adds_nothing(net):
    net, loss, *_ = net
    alone = largest_eigenvalue([loss], list(net.parameters()), tolerance=1e-9)
    with_stranger = [*net.parameters(), torch.ones(2, dtype=torch.float64, requires_grad=True)]
    found = largest_eigenvalue([loss], with_stranger, tolerance=1e-9)
    assert found.value == pytest.approx(alone.value)


def test_float32_agrees_with_float64(net):
    net, loss, inputs, targets = net
    exact = largest_eigenvalue([loss], list(net.parameters()), tolerance=1e-8).value
    net.float()
    found = largest_eigenvalue(
        [lambda: nn.functional.cross_entropy(net(inputs.float()), targets)], list(net.parameters())
    )
    assert found.value == pytest.approx(exact, rel=1e-3)


def test_a_search_that_does_not_end_says_so():
    loss, pieces = quadratic([*torch.linspace(0.999, 1.0, 60).tolist()])
    with pytest.raises(ArithmeticError, match="allow more iterations"):
        largest_eigenvalue([loss], pieces, tolerance=1e-12, iterations=1)
