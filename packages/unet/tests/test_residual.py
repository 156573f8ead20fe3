"""The residual block against its formula, for each option."""

import math

import pytest
import torch
from diffkit_unet import ResidualBlock
from diffkit_unet.batch_norm import BatchNorm
from diffkit_unet.layers import Attention, GroupNorm
from torch.nn import functional


def normalised(x, eps):
    return (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), correction=0, keepdim=True) + eps).sqrt()


def test_defaults_are_one_batch_norm_and_no_swish_before_the_first_convolution():
    block, x = ResidualBlock(4, 6), torch.randn(3, 4, 5, 7)
    expected = block.skip(x) + block.conv2(functional.silu(block.conv1(normalised(x, 1e-3))))
    torch.testing.assert_close(block(x), expected)
    assert [block.norm2, block.level, block.attention, block.dropout] == [None, None, None, 0.0]
    assert [layer.kernel_size for layer in (block.skip, block.conv1, block.conv2)] == [(1, 1), (3, 3), (3, 3)]


def test_default_layers():
    block = ResidualBlock(4, 4)
    assert (block.norm2, block.level, block.dropout, block.attention, block.scaled) == (None, None, 0.0, None, False)
    assert isinstance(block.norm, BatchNorm)
    assert isinstance(block.skip, torch.nn.Identity)
    assert ResidualBlock(64, 64, norm="group", norms=2).norm2.num_groups == 32
    assert (block.conv1.kernel_size, block.conv2.kernel_size, ResidualBlock(4, 6).skip.kernel_size) == ((3, 3), (3, 3), (1, 1))


@pytest.mark.parametrize("width", [4, 6])
def test_one_norm_in_evaluation_matches_the_formula(width):
    torch.manual_seed(0)
    block, x = ResidualBlock(4, width).eval(), torch.randn(2, 4, 5, 7)
    block.norm.running_mean.copy_(torch.tensor([0.5, -0.5, 0.0, 1.0]))
    h = (x - block.norm.running_mean[:, None, None]) / math.sqrt(1 + 1e-3)
    h = functional.conv2d(h, block.conv1.weight, block.conv1.bias, padding=1)
    h = functional.conv2d(h * h.sigmoid(), block.conv2.weight, block.conv2.bias, padding=1)
    skip = x if width == 4 else functional.conv2d(x, block.skip.weight, block.skip.bias)
    torch.testing.assert_close(block(x), skip + h)


def test_two_batch_norms_have_a_swish_each():
    block, x = ResidualBlock(4, 6, norms=2, eps=0.25), torch.randn(3, 4, 5, 7)
    h = normalised(block.conv1(functional.silu(normalised(x, 0.25))), 0.25)
    torch.testing.assert_close(block(x), block.skip(x) + block.conv2(functional.silu(h)))


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_norm_groups_and_eps_reach_every_norm(norm):
    block = ResidualBlock(4, 8, norms=2, norm=norm, groups=2, eps=0.25, heads=4)
    layers = (block.norm, block.norm2, block.attention.norm)
    assert {type(layer) for layer in layers} == {{"batch": BatchNorm, "group": GroupNorm}[norm]}
    assert {layer.eps for layer in layers} == {0.25}
    assert norm == "batch" or [layer.num_groups for layer in layers] == [2, 2, 2]
    assert block.attention.heads == 4


def test_default_is_32_groups():
    assert ResidualBlock(64, 64, norm="group").norm.num_groups == 32


@pytest.mark.parametrize("width", [4, 6])
def test_without_its_last_weights_a_block_is_its_skip(width):
    block = ResidualBlock(4, width)
    torch.nn.init.zeros_(block.conv2.weight)
    x = torch.randn(2, 4, 5, 7)
    assert torch.equal(block(x), block.skip(x))
    assert torch.equal(block.skip(x), x) == (width == 4)
    assert block(x).shape == (2, width, 5, 7)


def test_receptive_field_is_5x5():
    block = ResidualBlock(4, 4).eval()
    x = torch.zeros(1, 4, 9, 9, requires_grad=True)
    block(x)[0, :, 4, 4].sum().backward()
    field = x.grad.abs().sum((0, 1)) > 0
    assert field[2:7, 2:7].all()
    assert field.sum() == 25


@pytest.mark.parametrize("level", ["add", "scale_shift"])
@pytest.mark.parametrize("norms", [1, 2])
def test_level_matches_the_formula(level, norms):
    torch.manual_seed(0)
    block = ResidualBlock(4, 6, norms=norms, norm="group", groups=2, eps=0.1, level=level, level_width=5)
    assert block.level.out_features == (12 if level == "scale_shift" else 6)
    x, vector = torch.randn(2, 4, 3, 3), torch.randn(2, 5)
    level_term = block.level(vector)[:, :, None, None]
    h = functional.group_norm(x, 2, eps=0.1)
    h = block.conv1(functional.silu(h) if norms == 2 else h)
    h = h + level_term if level == "add" else h
    h = functional.group_norm(h, 2, eps=0.1) if norms == 2 else h
    h = h * (1 + level_term[:, :6]) + level_term[:, 6:] if level == "scale_shift" else h
    torch.testing.assert_close(block(x, vector), block.skip(x) + block.conv2(functional.silu(h)))


def test_missing_or_superfluous_level_is_refused():
    x = torch.randn(2, 4, 5, 5)
    with pytest.raises(ValueError, match=r"^this block takes no level; got \(2, 3\)$"):
        ResidualBlock(4, 4)(x, torch.randn(2, 3))
    with pytest.raises(ValueError, match=r"^this block needs a level, \(B, 3\); got None$"):
        ResidualBlock(4, 4, level="add", level_width=3)(x)


def test_dropout_rate_and_scale():
    torch.manual_seed(0)
    block = ResidualBlock(8, 8, norm="group", dropout=0.25)
    inputs_of_conv2 = []
    block.conv2.register_forward_pre_hook(lambda module, inputs: inputs_of_conv2.append(inputs[0]))
    x = torch.randn(4, 8, 16, 16)
    block(x)
    block.eval()(x)
    dropped, complete = inputs_of_conv2
    kept = dropped != 0
    assert kept.float().mean().item() == pytest.approx(0.75, abs=0.01)
    torch.testing.assert_close(dropped[kept], complete[kept] / 0.75)


def test_dropout_is_before_the_last_convolution():
    block, x = ResidualBlock(4, 4, norm="group", groups=1, dropout=0.5), torch.randn(2, 4, 5, 5)
    h = functional.silu(block.conv1(functional.group_norm(x, 1)))
    torch.manual_seed(0)
    got = block(x)
    torch.manual_seed(0)
    torch.testing.assert_close(got, x + block.conv2(functional.dropout(h, 0.5)))


def test_dropout_is_off_in_evaluation():
    torch.manual_seed(0)
    block, x = ResidualBlock(4, 4, norm="group", dropout=0.5), torch.randn(2, 4, 5, 5)
    assert not torch.equal(block(x), block(x))
    assert torch.equal(block.eval()(x), block(x))


def test_attention_follows_the_sum():
    torch.manual_seed(0)
    block, x = ResidualBlock(4, 4, norm="group", groups=2, heads=2), torch.randn(2, 4, 3, 3)
    assert isinstance(block.attention, Attention)
    assert (block.attention.heads, block.attention.norm.num_groups) == (2, 2)
    h = block.skip(x) + block.conv2(functional.silu(block.conv1(block.norm(x))))
    torch.testing.assert_close(block(x), block.attention(h))
    assert ResidualBlock(4, 4).attention is None


def test_zero_init_zeroes_only_the_last_layers():
    block = ResidualBlock(4, 6, heads=1, zero_init=True)
    zeros = {name for name, parameter in block.named_parameters() if name.endswith("weight") and not parameter.any()}
    assert zeros == {"conv2.weight", "attention.out.weight"}
    assert ResidualBlock(4, 4, zero_init=True).attention is None
    assert not any(not p.any() for n, p in ResidualBlock(4, 6, heads=1).named_parameters() if n.endswith("weight"))


def test_a_new_block_with_zero_init_is_its_skip():
    block, x = ResidualBlock(4, 4, heads=2, zero_init=True), torch.randn(2, 4, 5, 5)
    assert torch.equal(block(x), x)
