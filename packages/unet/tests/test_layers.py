"""The basic layers against their formulas; defaults and arguments."""

import math

import pytest
import torch
from diffkit_unet.batch_norm import BatchNorm
from diffkit_unet.layers import Attention, GroupNorm, LayerNorm, convolution, glorot, linear, normalisation
from torch import nn
from torch.nn import functional


def test_group_norm_matches_the_formula():
    norm, x = GroupNorm(4, groups=2, eps=0.5), torch.randn(3, 4, 2, 5) * 3 + 1
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    rows = x.reshape(3, 2, 20)
    mean, variance = rows.mean(2, keepdim=True), rows.var(2, correction=0, keepdim=True)
    normalised = ((rows - mean) / (variance + 0.5).sqrt()).reshape(x.shape)
    torch.testing.assert_close(norm(x), normalised * norm.weight.view(4, 1, 1) + norm.bias.view(4, 1, 1))


def test_group_norm_of_a_single_value_is_the_bias():
    norm = GroupNorm(4, groups=4).train()
    torch.nn.init.normal_(norm.bias)
    torch.testing.assert_close(norm(torch.randn(1, 4, 1, 1)).flatten(), norm.bias, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("channels", "groups"), [(32, 32), (64, 32), (48, 16), (6, 2), (7, 1)])
def test_number_of_groups_divides_the_channels(channels, groups):
    for norm in (GroupNorm(channels), normalisation("group", channels), Attention(channels).norm):
        assert (norm.num_groups, norm.eps) == (groups, 1e-5)


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_layer_norm_matches_the_formula_at_each_pixel(order):
    norm, x = LayerNorm(4, eps=0.5), (torch.randn(3, 4, 2, 5) * 3 + 1).contiguous(memory_format=order)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    normalised = (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True) + 0.5).sqrt()
    torch.testing.assert_close(norm(x), normalised * norm.weight.view(4, 1, 1) + norm.bias.view(4, 1, 1))


def test_normalisation_by_name_and_eps():
    for kind, layer, eps in (("batch", BatchNorm, 1e-3), ("group", GroupNorm, 1e-5), ("layer", LayerNorm, 1e-5)):
        assert isinstance(normalisation(kind, 4), layer)
        assert normalisation(kind, 4).eps == eps
        assert normalisation(kind, 4, eps=0.25).eps == 0.25
        assert normalisation(kind, 4, eps=0.0).eps == 0
    assert LayerNorm(4).eps == 1e-5
    assert normalisation("batch", 5).num_features == 5
    assert normalisation("group", 8, 4).num_groups == 4


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_convolution_keeps_the_size(kernel):
    layer = convolution(2, 3, kernel)
    assert layer.kernel_size == (kernel, kernel)
    assert layer(torch.randn(1, 2, 6, 7)).shape == (1, 3, 6, 7)


def test_convolution_is_initialised_glorot_uniform_with_zero_bias():
    torch.manual_seed(0)
    layer = convolution(32, 64, kernel=3)
    bound = (6 / (9 * 32 + 9 * 64)) ** 0.5
    assert 0.99 * bound < layer.weight.abs().max() <= bound
    assert layer.weight.var().item() == pytest.approx(bound**2 / 3, rel=0.03)
    assert not layer.bias.any()


def test_glorot_reinitialises_layers_with_and_without_bias():
    layer = nn.Linear(40, 60)
    nn.init.constant_(layer.weight, 9.0)
    assert glorot(layer) is layer
    assert 0.9 * math.sqrt(6 / 100) < layer.weight.abs().max() <= math.sqrt(6 / 100)
    assert not layer.bias.any()
    assert glorot(nn.Linear(2, 2, bias=False)).bias is None
    assert (linear(2, 3).in_features, linear(2, 3).out_features) == (2, 3)


def test_attention_with_one_head_matches_the_formula():
    layer, x = Attention(4, groups=1, eps=0.5), torch.randn(2, 4, 3, 2)
    nn.init.normal_(layer.out.bias)
    rows = nn.functional.group_norm(x, 1, eps=0.5).flatten(2).transpose(1, 2)
    q, k, v = layer.qkv(rows).chunk(3, dim=2)
    weights = torch.softmax(q @ k.transpose(1, 2) / 2, dim=2)
    torch.testing.assert_close(layer(x), x + layer.out(weights @ v).transpose(1, 2).reshape(x.shape))


def test_attention_with_two_heads_matches_the_formula():
    torch.manual_seed(0)
    layer, x = Attention(6, heads=2, groups=3), torch.randn(2, 6, 3, 4)
    rows = functional.group_norm(x, 3).flatten(2).transpose(1, 2)
    q, k, v = layer.qkv(rows).chunk(3, dim=2)
    heads = []
    for part in (slice(0, 3), slice(3, 6)):
        weights = torch.softmax(q[..., part] @ k[..., part].transpose(1, 2) / math.sqrt(3), dim=2)
        heads.append(weights @ v[..., part])
    expected = x + layer.out(torch.cat(heads, dim=2)).transpose(1, 2).reshape(2, 6, 3, 4)
    torch.testing.assert_close(layer(x), expected)


def test_attention_arguments():
    layer = Attention(8, 2, norm="batch", eps=0.25)
    assert (type(layer.norm), layer.norm.eps, layer.norm.num_features, layer.heads) == (BatchNorm, 0.25, 8, 2)
    assert Attention(8, groups=4).norm.num_groups == 4
    assert (Attention(8).heads, Attention(8).norm.num_groups) == (1, 8)


def test_attention_refuses_heads_that_do_not_divide_the_channels():
    with pytest.raises(ValueError, match=r"^channels must be a multiple of heads, got 6 channels and 4 heads$"):
        Attention(6, heads=4)
