"""The residual block by its formula, with every choice handed on to the layers it is made of."""

import pytest
import torch
from diffkit_unet import ResidualBlock
from diffkit_unet.batchnorm import BatchNorm
from diffkit_unet.layers import GroupNorm
from torch.nn import functional


def normalised(x, eps):
    return (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), correction=0, keepdim=True) + eps).sqrt()


def test_without_more_said_there_is_one_batch_norm_and_no_swish_before_the_first_convolution():
    block, x = ResidualBlock(4, 6), torch.randn(3, 4, 5, 7)
    expected = block.skip(x) + block.conv2(functional.silu(block.conv1(normalised(x, 1e-3))))
    torch.testing.assert_close(block(x), expected)
    assert [block.norm2, block.level, block.attention, block.dropout] == [None, None, None, 0.0]
    assert [layer.kernel_size for layer in (block.skip, block.conv1, block.conv2)] == [(1, 1), (3, 3), (3, 3)]


def test_two_batch_norms_have_a_swish_each():
    block, x = ResidualBlock(4, 6, norms=2, eps=0.25), torch.randn(3, 4, 5, 7)
    h = normalised(block.conv1(functional.silu(normalised(x, 0.25))), 0.25)
    torch.testing.assert_close(block(x), block.skip(x) + block.conv2(functional.silu(h)))


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_the_norms_are_of_the_kind_groups_and_eps_that_are_asked_for(norm):
    block = ResidualBlock(4, 8, norms=2, norm=norm, groups=2, eps=0.25, heads=4)
    layers = (block.norm, block.norm2, block.attention.norm)
    assert {type(layer) for layer in layers} == {{"batch": BatchNorm, "group": GroupNorm}[norm]}
    assert {layer.eps for layer in layers} == {0.25}
    assert norm == "batch" or [layer.num_groups for layer in layers] == [2, 2, 2]
    assert block.attention.heads == 4


def test_the_groups_are_thirty_two():
    assert ResidualBlock(64, 64, norm="group").norm.num_groups == 32


def test_attention_follows():
    block, x = ResidualBlock(4, 4, heads=2, norm="group", groups=1), torch.randn(2, 4, 5, 5)
    plain = x + block.conv2(functional.silu(block.conv1(functional.group_norm(x, 1))))
    torch.testing.assert_close(block(x), block.attention(plain))


def test_a_start_at_zero_is_of_the_last_layers_alone():
    block = ResidualBlock(4, 4, heads=1, zero_init=True)
    assert not block.conv2.weight.any()
    assert not block.attention.out.weight.any()
    assert block.conv1.weight.all()
    assert ResidualBlock(4, 4, zero_init=True).attention is None
    assert ResidualBlock(4, 4).conv2.weight.all()


@pytest.mark.parametrize(("level", "width"), [("add", 6), ("scale_shift", 12)])
def test_the_level_is_told_to_each_channel(level, width):
    block = ResidualBlock(4, 6, level=level, level_width=3)
    assert (block.level.in_features, block.level.out_features) == (3, width)
    x, vector = torch.randn(2, 4, 5, 5), torch.randn(2, 3)
    h, told = block.conv1(normalised(x, 1e-3)), block.level(vector)[:, :, None, None]
    h = h + told if level == "add" else h * (1 + told[:, :6]) + told[:, 6:]
    torch.testing.assert_close(block(x, vector), block.skip(x) + block.conv2(functional.silu(h)))


def test_dropout_is_before_the_last_convolution():
    block, x = ResidualBlock(4, 4, norm="group", groups=1, dropout=0.5), torch.randn(2, 4, 5, 5)
    h = functional.silu(block.conv1(functional.group_norm(x, 1)))
    torch.manual_seed(0)
    got = block(x)
    torch.manual_seed(0)
    torch.testing.assert_close(got, x + block.conv2(functional.dropout(h, 0.5)))


def test_a_level_that_is_missing_or_too_much_is_named_by_its_shape():
    x = torch.randn(2, 4, 5, 5)
    with pytest.raises(ValueError, match=r"^this block takes no level; got \(2, 3\)$"):
        ResidualBlock(4, 4)(x, torch.randn(2, 3))
    with pytest.raises(ValueError, match=r"^this block needs a level, \(B, 3\); got None$"):
        ResidualBlock(4, 4, level="add", level_width=3)(x)
