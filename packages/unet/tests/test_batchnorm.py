"""Batch norm against its formula in float64, forward, backward and in what it remembers, in either order of memory."""

import pytest
import torch
from diffkit_unet.batchnorm import BatchNorm

ORDERS = [torch.contiguous_format, torch.channels_last]


def formula(x, eps):
    """The normalised values, the mean, and the variance without bias."""
    mean = x.mean((0, 2, 3), keepdim=True)
    squares = (x - mean).square().mean((0, 2, 3), keepdim=True)
    count = x.numel() // x.shape[1]
    return (x - mean) / (squares + eps).sqrt(), mean.flatten(), squares.flatten() * count / (count - 1)


@pytest.mark.parametrize("order", ORDERS)
def test_training_is_the_formula(order):
    torch.manual_seed(0)
    norm, x = BatchNorm(3, eps=0.5), torch.randn(2, 3, 2, 5) * torch.tensor([1.0, 2.0, 5.0]).view(3, 1, 1) + 4
    expected, mean, variance = formula(x.double(), 0.5)
    got = norm(x.contiguous(memory_format=order))
    torch.testing.assert_close(got.double(), expected, rtol=1e-5, atol=1e-6)
    assert got.is_contiguous(memory_format=order)
    torch.testing.assert_close(norm.running_mean.double(), 0.01 * mean, rtol=1e-6, atol=0)
    torch.testing.assert_close(norm.running_var.double(), 0.99 + 0.01 * variance, rtol=1e-6, atol=0)
    assert norm.num_batches_tracked == 1


@pytest.mark.parametrize("order", ORDERS)
def test_the_way_back_is_the_formula_s(order):
    torch.manual_seed(0)
    x, weight = (torch.randn(2, 3, 4, 5, dtype=torch.float64) + 2 for _ in range(2))
    mine, plain = (x.clone(memory_format=order).requires_grad_() for _ in range(2))
    (BatchNorm(3, eps=0.5).double()(mine) * weight).sum().backward()
    (formula(plain, 0.5)[0] * weight).sum().backward()
    torch.testing.assert_close(mine.grad, plain.grad, rtol=1e-9, atol=1e-12)


def test_the_way_back_takes_a_gradient_in_any_order_of_memory():
    x, weight = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last), torch.randn(2, 3, 4, 5)
    given = [x.clone().requires_grad_() for _ in ORDERS]
    for leaf, order in zip(given, ORDERS, strict=True):
        BatchNorm(3)(leaf).backward(weight.contiguous(memory_format=order))
    assert torch.equal(given[0].grad, given[1].grad)


@pytest.mark.parametrize("order", ORDERS)
def test_in_evaluation_it_uses_what_it_remembers_and_forgets_nothing(order):
    norm, x = BatchNorm(2).eval(), torch.randn(4, 2, 3, 3).contiguous(memory_format=order)
    norm.running_mean.copy_(torch.tensor([1.0, -2.0]))
    norm.running_var.copy_(torch.tensor([4.0, 9.0]))
    expected = (x - torch.tensor([1.0, -2.0]).view(2, 1, 1)) / torch.tensor([4.001, 9.001]).sqrt().view(2, 1, 1)
    torch.testing.assert_close(norm(x), expected)
    assert (norm.running_mean.tolist(), norm.running_var.tolist()) == ([1.0, -2.0], [4.0, 9.0])
    assert norm.num_batches_tracked == 0


@pytest.mark.parametrize("shape", [(2, 1, 1, 1), (1, 1, 2, 1), (1, 1, 1, 2), (3, 1, 3, 1), (1, 1, 3, 3), (3, 1, 1, 3)])
def test_more_than_a_single_value_is_normalised_by_itself(shape):
    norm, x = BatchNorm(1), torch.linspace(3.0, 7.0, 9)[: torch.Size(shape).numel()].reshape(shape)
    norm.running_mean.fill_(100.0)
    torch.testing.assert_close(norm(x), formula(x, 1e-3)[0])
    assert norm.num_batches_tracked == 1


def test_a_single_value_counts_as_no_batch():
    norm = BatchNorm(2)
    norm.running_mean.fill_(1.0)
    torch.testing.assert_close(norm(torch.full((1, 2, 1, 1), 3.0)).flatten(), torch.full((2,), 2 / 1.001**0.5))
    assert norm.num_batches_tracked == 0


def test_narrow_images_are_added_up_in_float32():
    """257 in bfloat16 is 256: a mean taken there, or answered there, would be off."""
    x = torch.full((1, 2, 16, 16), 256.0, dtype=torch.bfloat16).contiguous(memory_format=torch.channels_last)
    x[:, :, 0, 0] = 384.0
    norm = BatchNorm(2)
    assert norm(x).dtype == torch.bfloat16
    torch.testing.assert_close(norm.running_mean, torch.full((2,), 2.565), rtol=1e-6, atol=0)
    torch.testing.assert_close(norm.running_var, torch.full((2,), 0.99 + 0.01 * 64.0), rtol=1e-5, atol=0)


def test_a_narrow_network_remembers_in_its_own_type():
    norm = BatchNorm(2).to(torch.bfloat16)
    norm(torch.full((2, 2, 4, 4), 100.0, dtype=torch.bfloat16).contiguous(memory_format=torch.channels_last))
    assert norm.running_mean.dtype == norm.running_var.dtype == torch.bfloat16
    torch.testing.assert_close(norm.running_mean, torch.ones(2, dtype=torch.bfloat16))
