"""Muon: its polynomial by singular value decomposition, torch's own Muon, and which weights it is for."""

import math

import pytest
import torch
from diffkit_trainer.training.muon import Muon, matrices_of, orthogonalised
from diffkit_trainer.training.optimiser import Optimiser
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


def ours(dtype, divisor=None):
    def make(weight):
        muon = Muon([weight], dtype)
        return lambda: muon.step(torch.tensor(0.02), 0.3, torch.tensor(True), divisor)

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


def test_the_divisor_scales_the_gradient():
    """By a factor that changes from step to step, which the momentum sees."""
    gradients = random_matrices(3, 4, 6)
    scaled = gradients * torch.tensor([1.0, 4.0, 4.0])[:, None, None]
    torch.testing.assert_close(
        trained(ours(torch.float64, torch.tensor(4.0)), scaled), trained(ours(torch.float64), gradients), check_dtype=False
    )


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
    optimiser.apply(1)
    before = state()
    optimiser.backward(model(x * math.nan).square().mean())
    made, _ = optimiser.apply(2)
    assert not made
    for one, other in zip(before, state(), strict=True):
        assert torch.equal(one, other)
    if precision == "fp16":  # an overflow: the next one goes on
        optimiser.backward(model(x).square().mean())
        assert optimiser.apply(3)[0]
        assert not torch.equal(before[2], model[1].weight)


def test_a_network_of_matrices_alone_can_be_trained():
    weight = nn.Parameter(torch.ones(2, 2))
    optimiser = Optimiser([weight], optimiser="muon", matrices=[weight], lr=0.1)
    optimiser.backward(weight.sum())
    optimiser.apply(1)
    assert (weight < 1).all()
    assert {name: value.shape for name, value in optimiser.expected_moments().items()} == {"0.momentum": (2, 2)}
