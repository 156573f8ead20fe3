"""The smallest layers by their formulas, their defaults, and every choice handed on."""

import math

import pytest
import torch
from diffkit_unet.batchnorm import BatchNorm
from diffkit_unet.layers import Attention, GroupNorm, convolution, glorot, linear, normalisation
from torch import nn


def test_group_norm_is_its_formula():
    norm, x = GroupNorm(4, groups=2, eps=0.5), torch.randn(3, 4, 2, 5) * 3 + 1
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    rows = x.reshape(3, 2, 20)
    mean, variance = rows.mean(2, keepdim=True), rows.var(2, correction=0, keepdim=True)
    normalised = ((rows - mean) / (variance + 0.5).sqrt()).reshape(x.shape)
    torch.testing.assert_close(norm(x), normalised * norm.weight.view(4, 1, 1) + norm.bias.view(4, 1, 1))


@pytest.mark.parametrize(("channels", "groups"), [(32, 32), (64, 32), (48, 16), (6, 2), (7, 1)])
def test_the_groups_divide_the_channels(channels, groups):
    for norm in (GroupNorm(channels), normalisation("group", channels), Attention(channels).norm):
        assert (norm.num_groups, norm.eps) == (groups, 1e-5)


def test_a_normalisation_has_the_kind_and_eps_that_are_asked_for():
    for kind, layer, eps in (("batch", BatchNorm, 1e-3), ("group", GroupNorm, 1e-5)):
        assert isinstance(normalisation(kind, 4), layer)
        assert normalisation(kind, 4).eps == eps
        assert normalisation(kind, 4, eps=0.25).eps == 0.25
        assert normalisation(kind, 4, eps=0.0).eps == 0
    assert normalisation("batch", 5).num_features == 5


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_convolution_keeps_the_size(kernel):
    layer = convolution(2, 3, kernel)
    assert layer.kernel_size == (kernel, kernel)
    assert layer(torch.randn(1, 2, 6, 7)).shape == (1, 3, 6, 7)


def test_glorot_draws_anew_and_takes_a_layer_without_bias():
    layer = nn.Linear(40, 60)
    nn.init.constant_(layer.weight, 9.0)
    assert glorot(layer) is layer
    assert 0.9 * math.sqrt(6 / 100) < layer.weight.abs().max() <= math.sqrt(6 / 100)
    assert not layer.bias.any()
    assert glorot(nn.Linear(2, 2, bias=False)).bias is None
    assert (linear(2, 3).in_features, linear(2, 3).out_features) == (2, 3)


def test_attention_of_one_head_is_its_formula():
    layer, x = Attention(4, groups=1, eps=0.5), torch.randn(2, 4, 3, 2)
    nn.init.normal_(layer.out.bias)
    rows = nn.functional.group_norm(x, 1, eps=0.5).flatten(2).transpose(1, 2)
    q, k, v = layer.qkv(rows).chunk(3, dim=2)
    share = torch.softmax(q @ k.transpose(1, 2) / 2, dim=2)
    torch.testing.assert_close(layer(x), x + layer.out(share @ v).transpose(1, 2).reshape(x.shape))


def test_attention_hands_its_choices_on():
    layer = Attention(8, 2, norm="batch", eps=0.25)
    assert (type(layer.norm), layer.norm.eps, layer.norm.num_features, layer.heads) == (BatchNorm, 0.25, 8, 2)
    assert Attention(8, groups=4).norm.num_groups == 4
    assert (Attention(8).heads, Attention(8).norm.num_groups) == (1, 8)


def test_heads_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match=r"^channels must be a multiple of heads, got 6 channels and 4 heads$"):
        Attention(6, heads=4)
