"""The blocks alone: shapes, averages at odd edges, and what each is made of."""

import pytest
import torch
from diffkit_unet import DownBlock, ResidualBlock, UpBlock
from diffkit_unet.batchnorm import BatchNorm
from diffkit_unet.layers import convolution


@pytest.mark.parametrize("width", [4, 6])
def test_a_residual_block_without_main_path_is_its_skip(width):
    block = ResidualBlock(4, width)
    torch.nn.init.zeros_(block.conv2.weight)
    x = torch.randn(2, 4, 5, 7)
    assert torch.equal(block(x), block.skip(x))
    assert torch.equal(block.skip(x), x) == (width == 4)
    assert block(x).shape == (2, width, 5, 7)


def test_a_residual_block_sees_two_pixels_far():
    block = ResidualBlock(4, 4).eval()
    x = torch.zeros(1, 4, 9, 9, requires_grad=True)
    block(x)[0, :, 4, 4].sum().backward()
    seen = x.grad.abs().sum((0, 1)) > 0
    assert seen[2:7, 2:7].all()
    assert seen.sum() == 25


def test_a_down_block_averages_the_pixels_that_are_there():
    x, skips = DownBlock(3, 6, depth=2)(torch.randn(2, 3, 5, 7))
    assert [skip.shape for skip in skips] == [(2, 6, 5, 7)] * 2
    last = skips[-1]
    assert x.shape == (2, 6, 3, 4)
    for i in range(3):
        for j in range(4):
            expected = last[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean((2, 3))
            torch.testing.assert_close(x[:, :, i, j], expected)


def test_an_up_block_takes_the_last_skip_first_and_changes_none():
    block = UpBlock(5, 4, depth=2).eval()
    skips = [torch.randn(2, 4, 7, 6), torch.randn(2, 4, 7, 6)]
    x, before = torch.randn(2, 5, 4, 3), [skip.clone() for skip in skips]
    got = block(x, skips)
    large = torch.nn.functional.interpolate(x, size=(7, 6), mode="bilinear")
    expected = block.blocks[1](torch.cat([block.blocks[0](torch.cat([large, skips[1]], 1)), skips[0]], 1))
    assert got.shape == (2, 4, 7, 6)
    assert torch.equal(got, expected)
    assert not torch.equal(got, block(x, skips[::-1]))
    assert all(torch.equal(a, b) for a, b in zip(skips, before, strict=True))


def test_the_defaults_are_two_residual_blocks_averages_and_bilinear_pixels():
    down, up = DownBlock(4, 6), UpBlock(6, 4)
    assert (len(down.blocks), len(up.blocks)) == (2, 2)
    assert [block.conv1.in_channels for block in (*down.blocks, *up.blocks)] == [4, 6, 6 + 4, 4 + 4]
    assert isinstance(down.down, torch.nn.AvgPool2d)
    assert up.up.conv is None


def test_an_up_block_that_goes_nowhere_leaves_the_pixels_alone():
    block, skip = UpBlock(5, 4, depth=1, up=None).eval(), torch.randn(2, 4, 6, 7)
    x = torch.randn(2, 5, 6, 7)
    assert block.up is None
    assert torch.equal(block(x, [skip]), block.blocks[0](torch.cat([x, skip], 1)))


def test_an_up_block_repeats_pixels_where_it_is_told_to():
    block, x, skip = UpBlock(5, 4, depth=1, up="nearest").eval(), torch.randn(2, 5, 3, 2), torch.randn(2, 4, 6, 4)
    large = block.up.conv(x.repeat_interleave(2, 2).repeat_interleave(2, 3))
    torch.testing.assert_close(block(x, [skip]), block.blocks[0](torch.cat([large, skip], 1)))


@pytest.mark.parametrize("count", [1, 3])
def test_an_up_block_needs_as_many_skips_as_blocks(count):
    with pytest.raises(ValueError, match="argument 2"):
        UpBlock(5, 4, depth=2)(torch.randn(2, 5, 3, 3), [torch.randn(2, 4, 6, 6)] * count)


def test_a_down_block_keeps_its_input_and_its_size_where_it_is_told_to():
    block, x = DownBlock(3, 6, depth=1, down=None, keep_input=True), torch.randn(2, 3, 5, 7)
    out, skips = block(x)
    assert block.down is None
    assert skips[0] is x
    assert out is skips[1]


def test_choices_and_the_level_reach_every_residual_block():
    choices = {"level": "add", "level_width": 3, "norm": "group", "groups": 1}
    down, up, level = DownBlock(4, 4, **choices), UpBlock(4, 4, **choices), torch.randn(2, 3)
    x, skips = down(torch.randn(2, 4, 6, 6), level)
    expected = up.up(x, (6, 6))
    for block, skip in zip(up.blocks, (skips[1], skips[0]), strict=True):
        expected = block(torch.cat([expected, skip], 1), level)
    torch.testing.assert_close(up(x, skips, level), expected)
    assert not torch.equal(up(x, skips, 2 * level), expected)


def test_batch_norm_is_keras_s():
    norm, x = BatchNorm(2), torch.randn(8, 2, 3, 3) * 3 + 1
    assert list(norm.parameters()) == []
    got = norm(x)
    mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
    torch.testing.assert_close(got, (x - mean) / (variance + 1e-3).sqrt())
    torch.testing.assert_close(norm.running_mean, 0.01 * x.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, 0.99 + 0.01 * x.var((0, 2, 3)))


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_batch_norm_is_exact_in_either_order_of_memory(order):
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


def test_batch_norm_of_a_single_value_uses_what_it_has_seen():
    norm = BatchNorm(2)
    norm(torch.randn(8, 2, 3, 3) + 5)
    mean, variance = norm.running_mean.clone(), norm.running_var.clone()
    x = torch.randn(1, 2, 1, 1)
    torch.testing.assert_close(norm(x).flatten(), (x.flatten() - mean) / (variance + 1e-3).sqrt())
    assert torch.equal(norm.running_mean, mean)
    assert torch.equal(norm.running_var, variance)


def test_a_convolution_starts_glorot_uniform_with_zero_bias():
    torch.manual_seed(0)
    layer = convolution(32, 64, kernel=3)
    bound = (6 / (9 * 32 + 9 * 64)) ** 0.5
    assert 0.99 * bound < layer.weight.abs().max() <= bound
    assert layer.weight.var().item() == pytest.approx(bound**2 / 3, rel=0.03)
    assert not layer.bias.any()
