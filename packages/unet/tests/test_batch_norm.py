"""Batch norm against its formula in float64: forward, backward and running statistics, in both memory formats."""

import math

import pytest
import torch
from diffkit_unet.batch_norm import BatchNorm, _Normalised
from torch import nn

ORDERS = [torch.contiguous_format, torch.channels_last]


def formula(x, eps):
    """The normalised values, the mean and the unbiased variance."""
    mean = x.mean((0, 2, 3), keepdim=True)
    squares = (x - mean).square().mean((0, 2, 3), keepdim=True)
    count = x.numel() // x.shape[1]
    return (x - mean) / (squares + eps).sqrt(), mean.flatten(), squares.flatten() * count / (count - 1)


@pytest.mark.parametrize("order", ORDERS)
def test_training_matches_the_formula(order):
    torch.manual_seed(0)
    norm, x = BatchNorm(3, eps=0.5), torch.randn(2, 3, 2, 5) * torch.tensor([1.0, 2.0, 5.0]).view(3, 1, 1) + 4
    expected, mean, variance = formula(x.double(), 0.5)
    got = norm(x.contiguous(memory_format=order))
    torch.testing.assert_close(got.double(), expected, rtol=1e-5, atol=1e-6)
    assert got.is_contiguous(memory_format=order)
    torch.testing.assert_close(norm.running_mean.double(), 0.01 * mean, rtol=1e-6, atol=0)
    torch.testing.assert_close(norm.running_var.double(), 0.99 + 0.01 * variance, rtol=1e-6, atol=0)
    assert norm.num_batches_tracked == 1


def test_contiguous_images_are_normalised_by_torch_s_own_kernel():
    """Bit for bit: a formula of our own rounds otherwise."""
    torch.manual_seed(0)
    norm, plain, x = BatchNorm(3, eps=0.5), nn.BatchNorm2d(3, eps=0.5, momentum=0.01, affine=False), torch.randn(4, 3, 8, 8) + 2
    assert torch.equal(norm(x), plain(x))
    assert torch.equal(norm.running_var, plain.running_var)


@pytest.mark.parametrize("order", ORDERS)
def test_backward_matches_the_formula(order):
    torch.manual_seed(0)
    x, weight = (torch.randn(2, 3, 4, 5, dtype=torch.float64) + 2 for _ in range(2))
    mine, plain = (x.clone(memory_format=order).requires_grad_() for _ in range(2))
    (BatchNorm(3, eps=0.5).double()(mine) * weight).sum().backward()
    (formula(plain, 0.5)[0] * weight).sum().backward()
    torch.testing.assert_close(mine.grad, plain.grad, rtol=1e-9, atol=1e-12)


def test_backward_with_a_gradient_in_another_memory_format():
    x, weight = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last), torch.randn(2, 3, 4, 5)
    given = [x.clone().requires_grad_() for _ in ORDERS]
    for leaf, order in zip(given, ORDERS, strict=True):
        BatchNorm(3)(leaf).backward(weight.contiguous(memory_format=order))
    assert torch.equal(given[0].grad, given[1].grad)


def test_no_gradient_goes_back_through_the_statistics():
    values = _Normalised.apply(torch.randn(2, 3, 4, 5, requires_grad=True), 1e-3)
    assert [value.requires_grad for value in values] == [True, False, False]


@pytest.mark.parametrize("order", ORDERS)
def test_evaluation_uses_the_running_statistics_and_does_not_update_them(order):
    norm, x = BatchNorm(2).eval(), torch.randn(4, 2, 3, 3).contiguous(memory_format=order)
    norm.running_mean.copy_(torch.tensor([1.0, -2.0]))
    norm.running_var.copy_(torch.tensor([4.0, 9.0]))
    expected = (x - torch.tensor([1.0, -2.0]).view(2, 1, 1)) / torch.tensor([4.001, 9.001]).sqrt().view(2, 1, 1)
    torch.testing.assert_close(norm(x), expected)
    assert (norm.running_mean.tolist(), norm.running_var.tolist()) == ([1.0, -2.0], [4.0, 9.0])
    assert norm.num_batches_tracked == 0


@pytest.mark.parametrize("shape", [(2, 1, 1, 1), (1, 1, 2, 1), (1, 1, 1, 2), (3, 1, 3, 1), (1, 1, 3, 3), (3, 1, 1, 3)])
def test_two_values_are_enough_for_batch_statistics(shape):
    norm, x = BatchNorm(1), torch.linspace(3.0, 7.0, 9)[: torch.Size(shape).numel()].reshape(shape)
    norm.running_mean.fill_(100.0)
    torch.testing.assert_close(norm(x), formula(x, 1e-3)[0])
    assert norm.num_batches_tracked == 1


def test_single_value_uses_the_running_statistics_and_does_not_update_them():
    norm = BatchNorm(2)
    norm.running_mean.fill_(1.0)
    torch.testing.assert_close(norm(torch.full((1, 2, 1, 1), 3.0)).flatten(), torch.full((2,), 2 / 1.001**0.5))
    assert norm.num_batches_tracked == 0


def test_bfloat16_images_are_summed_in_float32():
    """257 in bfloat16 is 256: a mean computed or returned in bfloat16 would be wrong."""
    x = torch.full((1, 2, 16, 16), 256.0, dtype=torch.bfloat16).contiguous(memory_format=torch.channels_last)
    x[:, :, 0, 0] = 384.0
    norm = BatchNorm(2)
    assert norm(x).dtype == torch.bfloat16
    torch.testing.assert_close(norm.running_mean, torch.full((2,), 2.565), rtol=1e-6, atol=0)
    torch.testing.assert_close(norm.running_var, torch.full((2,), 0.99 + 0.01 * 64.0), rtol=1e-5, atol=0)


def test_running_statistics_of_a_bfloat16_network_are_bfloat16():
    norm = BatchNorm(2).to(torch.bfloat16)
    norm(torch.full((2, 2, 4, 4), 100.0, dtype=torch.bfloat16).contiguous(memory_format=torch.channels_last))
    assert norm.running_mean.dtype == norm.running_var.dtype == torch.bfloat16
    torch.testing.assert_close(norm.running_mean, torch.ones(2, dtype=torch.bfloat16))


def test_parameters_are_those_of_keras():
    norm = BatchNorm(2)
    assert (norm.eps, norm.momentum, norm.affine) == (1e-3, 0.01, False)
    assert list(norm.parameters()) == []


@pytest.mark.parametrize("order", ORDERS)
def test_four_values_by_hand(order):
    """Their mean is 3 and their variance 5, unbiased 20 / 3."""
    values = torch.tensor([0.0, 2.0, 4.0, 6.0])
    x = torch.stack([values.reshape(2, 2, 1), -values.reshape(2, 2, 1)], 1).contiguous(memory_format=order)
    norm = BatchNorm(2)
    got = norm(x)
    expected = torch.stack([(values - 3), (3 - values)], 1).reshape(2, 2, 2).permute(0, 2, 1)[..., None] / math.sqrt(5 + 1e-3)
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(norm.running_mean, torch.tensor([0.03, -0.03]))
    torch.testing.assert_close(norm.running_var, torch.full((2,), 0.99 + 0.01 * 20 / 3), rtol=1e-6, atol=0)
    assert norm.num_batches_tracked == 1
    norm(x)
    torch.testing.assert_close(norm.running_mean, torch.tensor([0.03, -0.03]) * 1.99)
    assert norm.num_batches_tracked == 2


@pytest.mark.parametrize("order", ORDERS)
def test_many_values_are_exact(order):
    torch.manual_seed(0)
    x = (2 * torch.randn(16, 4, 64, 64) + 3).contiguous(memory_format=order).requires_grad_()
    exact, norm, plain = x.detach().double().requires_grad_(), BatchNorm(4), BatchNorm(4).double()
    got, expected, weight = norm(x), plain(exact), torch.randn(16, 4, 64, 64)
    (got * weight).sum().backward()
    (expected * weight).sum().backward()
    assert got.is_contiguous(memory_format=order)
    assert (got - expected).abs().max() < 3e-6
    assert (x.grad - exact.grad).abs().max() < 1e-5
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(norm.state_dict()[name], value.to(norm.state_dict()[name].dtype), rtol=1e-6, atol=1e-6)
