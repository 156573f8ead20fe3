"""Muon: its polynomial by singular value decomposition, torch's own Muon, and which weights it is for."""

import math

import pytest
import torch
from diffkit_trainer.training.optimisation.muon import Muon, matrices_of, orthogonalised
from diffkit_trainer.training.optimisation.optimiser import Optimiser
from torch import nn


def random_matrices(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(3, 4, 4), (2, 3, 9), (2, 9, 3), (1, 1, 5)])
def test_singular_values_follow_the_polynomial_and_singular_vectors_stay(shape):
    matrices = random_matrices(*shape)
    u, s, vt = torch.linalg.svd(matrices, full_matrices=False)
    s = s / s.norm(dim=1, keepdim=True)
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    assert ((s > 0.65) & (s < 1.21)).all()
    torch.testing.assert_close(orthogonalised(matrices, torch.float64), u @ torch.diag_embed(s) @ vt)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_result_is_near_the_orthogonal_matrix_in_every_number_format(dtype):
    matrices = random_matrices(4, 16, 40).float()
    u, _, vt = torch.linalg.svd(matrices, full_matrices=False)
    found = orthogonalised(matrices, dtype)
    assert found.dtype == torch.float32
    cosine = (found * (u @ vt)).sum((1, 2)) / (found.norm(dim=(1, 2)) * 4)
    assert (cosine > 0.97).all()


def test_zeros_stay_zeros():
    assert not orthogonalised(torch.zeros(2, 3, 4)).any()


def trained(make, gradients, layout=torch.contiguous_format, **options):
    """The weight after an update for each gradient, by `make` of the weight."""
    weight = nn.Parameter(gradients[0].clone().mul(0.1).contiguous(memory_format=layout))
    step = make(weight)
    for gradient in gradients[1:]:
        weight.grad = gradient.clone().contiguous(memory_format=layout)
        step()
    return weight.detach()


def ours(dtype):
    def make(weight):
        muon = Muon([weight], dtype)
        return lambda: muon.step(torch.tensor(0.02), 0.3, torch.tensor(True), None)

    return make


@pytest.mark.parametrize("shape", [(6, 20), (20, 6)])
def test_updates_are_those_of_torch(shape):
    def of_torch(weight):
        settings = {"weight_decay": 0.3, "momentum": 0.9, "adjust_lr_fn": "match_rms_adamw"}
        return torch.optim.Muon([weight], lr=0.02, **settings).step

    gradients = random_matrices(5, *shape).float()
    rounding = 0.02 * 0.2 * 20**0.5 * 2**-5  # of bfloat16: theirs rounds the matrix before it is divided by its norm
    torch.testing.assert_close(trained(ours(torch.bfloat16), gradients), trained(of_torch, gradients), rtol=0, atol=rounding)


def test_a_convolution_is_the_matrix_of_its_outputs_in_either_memory_format():
    gradients = random_matrices(4, 5, 3, 2, 2)
    flat = trained(ours(torch.float64), gradients.flatten(2)).reshape(5, 3, 2, 2)
    for layout in (torch.contiguous_format, torch.channels_last):
        found = trained(ours(torch.float64), gradients, layout)
        torch.testing.assert_close(found, flat)
        assert found.is_contiguous(memory_format=layout)


def momentum_after(muon, gradients, divisors=(None, None, None)):
    """The momentum of a Muon's only weight after an update for each gradient, None for no gradient."""
    (weight,) = muon.groups[0]
    for gradient, divisor in zip(gradients, divisors, strict=False):
        weight.grad = None if gradient is None else gradient.clone()
        muon.step(torch.tensor(0.1), 0.0, torch.tensor(True), None if divisor is None else torch.tensor(divisor))
    return muon.momenta_by_weight()[weight]


def test_the_divisor_divides_the_gradient_and_no_gradient_counts_as_zero():
    first, last = random_matrices(2, 4, 6)
    found = momentum_after(Muon([nn.Parameter(torch.zeros(4, 6).double())]), [first, None, last], [4.0, 1.0, 0.5])
    torch.testing.assert_close(found, 0.1 * (0.81 * first / 4 + last / 0.5))


def test_each_weight_has_the_update_of_its_own_matrix():
    """Of one shape they are computed at once, of several one after another."""
    shapes = [(4, 6), (3, 3), (4, 6)]
    gradients = [random_matrices(*shape, seed=i) for i, shape in enumerate(shapes)]
    together = [nn.Parameter(torch.zeros(*shape).double()) for shape in shapes]
    alone = [nn.Parameter(torch.zeros(*shape).double()) for shape in shapes]
    for weights in (together, alone):
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient.clone()
    for group in ([together], [[weight] for weight in alone]):
        for weights in group:
            Muon(weights, torch.float64).step(torch.tensor(0.1), 0.0, torch.tensor(True), None)
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32), ("fp16", torch.float32)])
def test_matrices_are_computed_in_bfloat16_where_activations_are(precision, dtype):
    weight, gradient = nn.Parameter(torch.zeros(16, 40)), random_matrices(16, 40).float()
    muon = Optimiser([weight], optimiser="muon", matrices=[weight], precision=precision).muon
    weight.grad = gradient.clone()
    muon.step(torch.tensor(1.0), 0.0, torch.tensor(True), None)
    update = orthogonalised(0.19 * gradient[None], dtype)[0]
    torch.testing.assert_close(weight.detach(), -0.2 * 40**0.5 * update, rtol=1e-4, atol=1e-5)
    other = orthogonalised(0.19 * gradient[None], torch.float32 if dtype == torch.bfloat16 else torch.bfloat16)[0]
    assert (update - other).abs().max() > 1e-3


def test_small_matrices_are_scaled_up():
    matrices = random_matrices(2, 4, 6)
    torch.testing.assert_close(orthogonalised(1e-4 * matrices, torch.float64), orthogonalised(matrices, torch.float64))


def test_clipping_reaches_muon_and_adamw_has_its_own_betas_beside_it():
    """A gradient of norm 8 is clipped to 2, one of norm 1 is not: the momentum is 0.1 (0.9 g / 4 + h)."""
    weight, vector = nn.Parameter(torch.zeros(4, 4)), nn.Parameter(torch.zeros(3))
    optimiser = Optimiser([weight, vector], optimiser="muon", matrices=[weight], clip_grad_norm=2.0)
    first, second = (each / each.norm() for each in random_matrices(2, 4, 4).float())
    for gradient in (8 * first, second):
        optimiser.backward((weight * gradient).sum())
        optimiser.apply()
    torch.testing.assert_close(optimiser.momenta[weight], 0.1 * (0.9 * 2 * first + second))
    assert optimiser.adamw.param_groups[0]["betas"] == (0.9, 0.99)


def test_adamw_alone_takes_matrices_too():
    weight = nn.Parameter(torch.zeros(4, 4))
    optimiser = Optimiser([weight], optimiser="adamw", matrices=[weight])
    assert (optimiser.momenta, optimiser.adamw.param_groups[0]["betas"]) == ({}, (0.9, 0.999))


def test_a_restored_state_continues_with_the_same_updates():
    def make():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 8), nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 2))
        return model, Optimiser(model.parameters(), optimiser="muon", matrices=matrices_of(model), lr=0.1)

    def update(model, optimiser, step):
        optimiser.backward(model(torch.ones(1, 3) * step).square().mean())
        optimiser.apply()

    model, optimiser = make()
    update(model, optimiser, 1)
    numbers, moments = optimiser.state()
    assert {name: value.shape for name, value in moments.items()} == {
        name: value.shape for name, value in optimiser.expected_moments().items()
    }
    other, restored = make()
    other.load_state_dict(model.state_dict())
    restored.restore(numbers, {name: value.clone() for name, value in moments.items()})
    for each in ((model, optimiser), (other, restored)):
        update(*each, 2)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)


def test_the_first_update_has_the_size_of_adamws():
    """From zero, by 0.2 lr sqrt(max(rows, columns)) in each direction: a root mean square of about 0.2 lr."""
    weight = nn.Parameter(torch.zeros(64, 144))
    weight.grad = random_matrices(64, 144).float()
    Muon([weight]).step(torch.tensor(0.1), 0.0, torch.tensor(True), None)
    assert weight.square().mean().sqrt().item() == pytest.approx(0.02, rel=0.2)
    assert weight.grad is None


def test_weights_that_are_no_matrix_between_layers_are_left_out():
    tied, middle = nn.Linear(4, 4), nn.Linear(4, 4)
    words = nn.Embedding(4, 4)
    words.weight = tied.weight
    frozen = nn.Linear(4, 4).requires_grad_(False)
    linear = nn.Sequential(words, nn.Linear(4, 4), middle, middle, tied, frozen, nn.Linear(4, 4))
    assert matrices_of(linear) == [middle.weight]
    mixed = [nn.Conv2d(1, 4, 1), nn.Linear(4, 4), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 1, 1)]
    assert matrices_of(nn.Sequential(*mixed)) == [each.weight for each in mixed[1:4]]
    grouped = nn.Conv2d(4, 4, 3, groups=4)
    assert matrices_of(nn.Sequential(nn.Conv2d(1, 4, 3), grouped, nn.Conv2d(4, 1, 3))) == []


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_update_that_is_not_finite_changes_neither_weights_nor_momentum(precision):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2))
    optimiser = Optimiser(model.parameters(), optimiser="muon", matrices=matrices_of(model), lr=0.1, precision=precision)
    x = torch.randn(3, 4)

    def state():
        return [each.detach().clone() for each in (*model.parameters(), *optimiser.state()[1].values())]

    optimiser.backward(model(x).square().mean())
    optimiser.apply()
    before = state()
    optimiser.backward(model(x * math.nan).square().mean())
    made, _ = optimiser.apply()
    assert not made
    for one, other in zip(before, state(), strict=True):
        assert torch.equal(one, other)
    if precision == "fp16":  # an overflow: the next one goes on
        optimiser.backward(model(x).square().mean())
        assert optimiser.apply()[0]
        assert not torch.equal(before[2], model[1].weight)


def test_a_network_of_matrices_alone_can_be_trained():
    weight = nn.Parameter(torch.ones(2, 2))
    optimiser = Optimiser([weight], optimiser="muon", matrices=[weight], lr=0.1)
    optimiser.backward(weight.sum())
    optimiser.apply()
    assert (weight < 1).all()
    assert {name: value.shape for name, value in optimiser.expected_moments().items()} == {"0.momentum": (2, 2)}
