"""Every choice with every other: shapes, order of the batch, starts; and each choice against its formula."""

import math

import pytest
import torch
from diffkit_unet import FREQUENCIES, ResidualBlock, UNet, UpBlock
from diffkit_unet.layers import Attention, GroupNorm
from diffkit_unet.resample import Upsample, downsample
from hypothesis import given, settings, strategies as st
from torch.nn import functional

OPTIONS = {
    "layout": st.sampled_from(["tutorial", "ddpm"]),
    "norms": st.sampled_from([1, 2]),
    "norm": st.sampled_from(["batch", "group"]),
    "groups": st.integers(1, 4),
    "level": st.sampled_from(["map", "add", "scale_shift"]),
    "condition": st.sampled_from(sorted(FREQUENCIES)),
    "down": st.sampled_from(["average", "strided", "strided_same"]),
    "up": st.sampled_from(["bilinear", "nearest"]),
    "dropout": st.sampled_from([0.0, 0.3]),
    "attention": st.sampled_from([(), (0,)]),
    "middle_attention": st.booleans(),
    "head_channels": st.sampled_from([None, 1, 2]),
    "cosine_first": st.booleans(),
    "num_classes": st.sampled_from([None, 3]),
    "widths": st.lists(st.sampled_from([2, 4, 6]), min_size=2, max_size=4),
    "block_depth": st.integers(1, 2),
    "in_channels": st.integers(1, 5),
    "out_channels": st.integers(1, 5),
}


def awake(unet):
    """The network with random last layers, so that its answer is not zero."""
    for name, parameter in unet.named_parameters():
        if name.endswith(("conv2.weight", "attention.out.weight", "out.weight")):
            torch.nn.init.normal_(parameter, std=0.1)
    return unet


@settings(max_examples=60, deadline=None)
@given(
    options=st.fixed_dictionaries(OPTIONS | {"zero_init": st.booleans()}),
    batch=st.integers(1, 3),
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    training=st.booleans(),
)
def test_any_choice_takes_any_size(options, batch, height, width, training):
    torch.manual_seed(0)
    unet = awake(UNet(embedding=4, **options)).train(training)
    x = torch.randn(batch, options["in_channels"], height, width)
    out = unet(x, torch.rand(batch))
    assert out.shape == (batch, options["out_channels"], height, width)
    assert out.isfinite().all()
    assert UNet.from_config(unet.to_config()).to_config() == unet.to_config()


@settings(max_examples=25, deadline=None)
@given(options=st.fixed_dictionaries(OPTIONS), order=st.permutations(range(4)), training=st.booleans(), side=st.integers(1, 20))
def test_permuting_the_batch_permutes_the_answer(options, order, training, side):
    torch.manual_seed(0)
    training = training and options["norm"] == "group" and not options["dropout"]
    unet = awake(UNet(embedding=4, **options)).double().train(training)
    x, level = torch.randn(4, options["in_channels"], side, side, dtype=torch.float64), torch.rand(4)
    torch.testing.assert_close(unet(x[list(order)], level[list(order)]), unet(x, level)[list(order)], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layout", ["tutorial", "ddpm"])
@pytest.mark.parametrize("norm", ["batch", "group"])
def test_a_sample_is_alone(layout, norm):
    torch.manual_seed(0)
    unet = awake(UNet(3, (8, 16), 1, 4, layout=layout, norm=norm, groups=4, level="add", attention=(0,))).train(norm == "group")
    x, level = torch.randn(3, 3, 8, 8), torch.rand(3)
    rows = torch.cat([unet(x[i : i + 1], level[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(unet(x, level), rows)


@pytest.mark.parametrize("level", ["map", "add", "scale_shift"])
@pytest.mark.parametrize("layout", ["tutorial", "ddpm"])
def test_gradients_reach_every_parameter(layout, level):
    torch.manual_seed(0)
    choices = {"layout": layout, "level": level, "norms": 2, "norm": "group", "groups": 2, "attention": (0,)}
    unet = awake(UNet(2, (4, 6, 8), 2, 8, num_classes=2, middle_attention=True, down="strided", up="nearest", **choices))
    unet(torch.randn(4, 2, 16, 16), torch.rand(4), torch.tensor([0, 1, 2, 0])).square().mean().backward()
    assert [name for name, p in unet.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("level", ["add", "scale_shift"])
def test_a_block_with_two_norms_is_its_formula(level):
    torch.manual_seed(0)
    block = ResidualBlock(4, 6, norms=2, norm="group", groups=2, level=level, level_width=5)
    x, vector = torch.randn(2, 4, 5, 7), torch.randn(2, 5)
    told = (vector @ block.level.weight.T + block.level.bias)[:, :, None, None]
    h = block.conv1(functional.silu(functional.group_norm(x, 2)))
    h = functional.group_norm(h + told if level == "add" else h, 2)
    if level == "scale_shift":
        h = h * (1 + told[:, :6]) + told[:, 6:]
    torch.testing.assert_close(block(x, vector), block.skip(x) + block.conv2(functional.silu(h)))


def test_attention_is_its_formula():
    torch.manual_seed(0)
    layer, x = Attention(6, heads=2, groups=3), torch.randn(2, 6, 3, 4)
    rows = functional.group_norm(x, 3).flatten(2).transpose(1, 2)
    q, k, v = layer.qkv(rows).chunk(3, dim=2)
    heads = []
    for part in (slice(0, 3), slice(3, 6)):
        share = torch.softmax(q[..., part] @ k[..., part].transpose(1, 2) / math.sqrt(3), dim=2)
        heads.append(share @ v[..., part])
    expected = x + layer.out(torch.cat(heads, dim=2)).transpose(1, 2).reshape(2, 6, 3, 4)
    torch.testing.assert_close(layer(x), expected)


def test_group_norm_of_a_single_value_is_its_bias():
    norm = GroupNorm(4, groups=4).train()
    torch.nn.init.normal_(norm.bias)
    torch.testing.assert_close(norm(torch.randn(1, 4, 1, 1)).flatten(), norm.bias, rtol=0, atol=1e-4)


def test_a_new_block_that_starts_at_zero_is_its_skip():
    block, x = ResidualBlock(4, 4, heads=2, zero_init=True), torch.randn(2, 4, 5, 5)
    assert torch.equal(block(x), x)


def test_dropout_drops_in_training_alone():
    torch.manual_seed(0)
    block, x = ResidualBlock(4, 4, norm="group", dropout=0.5), torch.randn(2, 4, 5, 5)
    assert not torch.equal(block(x), block(x))
    assert torch.equal(block.eval()(x), block(x))


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4), (6, 6)])
@pytest.mark.parametrize("kind", ["average", "strided", "strided_same"])
def test_half_the_size_and_back(kind, size):
    x = torch.randn(2, 4, *size)
    small = downsample(kind, 4)(x)
    assert small.shape == (2, 4, -(-size[0] // 2), -(-size[1] // 2))
    for up in ("bilinear", "nearest"):
        assert Upsample(up, 4)(small, size).shape == x.shape


def test_same_padding_is_tensorflow_s():
    layer, x = downsample("strided_same", 1), torch.randn(1, 1, 6, 5)
    expected = functional.conv2d(functional.pad(x, (1, 1, 0, 1)), layer.weight, stride=2)  # even: at the end; odd: both sides
    torch.testing.assert_close(layer(x), expected)


def test_nearest_repeats_every_pixel():
    up, x = Upsample("nearest", 2), torch.randn(1, 2, 3, 4)
    repeated = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(up(x, (6, 8)), up.conv(repeated))
    torch.testing.assert_close(up(x, (5, 7)), up.conv(repeated[:, :, :5, :7]))


def test_an_up_block_takes_the_input_of_its_level_last():
    block = UpBlock(5, 4, depth=1, first_skip=3, up=None)
    assert [part.conv1.in_channels for part in block.blocks] == [5 + 4, 4 + 3]
    assert block(torch.randn(2, 5, 6, 6), [torch.randn(2, 3, 6, 6), torch.randn(2, 4, 6, 6)]).shape == (2, 4, 6, 6)


def test_the_frequencies_fit_the_condition():
    for condition, frequencies in FREQUENCIES.items():
        unet = UNet(3, condition=condition)
        assert (unet.embedding.first, unet.embedding.last) == frequencies
        assert unet.to_config()["frequencies"] == list(frequencies)
    assert UNet(3, condition="index", frequencies=(1, 2)).to_config()["frequencies"] == [1.0, 2.0]


def test_no_null_class():
    unet, x = UNet(3, num_classes=4, null_class=False), torch.randn(2, 3, 8, 8)
    assert unet.classes.weight.shape == (4, 32)
    with pytest.raises(ValueError, match=r'class_labels must be given, \(2,\) integers: this network has no "no class"'):
        unet(x, 0.5)
    assert unet(x, 0.5, torch.tensor([0, 3])).shape == x.shape


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"norms": True}, "norms must be one of 1, 2; got True"),
        ({"norm": "layer"}, "norm must be one of 'batch', 'group'; got 'layer'"),
        ({"level": None}, "level must be one of 'map', 'add', 'scale_shift'; got None"),
        ({"dropout": 1}, "dropout must be a number from 0 to below 1, got 1"),
        ({"eps": float("nan")}, "eps must be a number from 0 to below 1, got nan"),
        ({"zero_init": 1}, "zero_init must be true or false, got 1"),
        ({"attention": [3]}, r"attention\[0\] must be an integer from 0 to 2, got 3"),
        ({"attention": 1}, "attention must be a list of 0 to 3 integers, got 1"),
        ({"widths": [8], "attention": [0]}, "attention must be a list of 0 to 0 integers"),
        ({"attention": [0], "head_channels": 5}, "head_channels must divide the width of every level .*, got 5 and 32"),
        ({"head_channels": 0}, "head_channels must be an integer from 1"),
        ({"groups": 0}, "groups must be an integer from 1"),
    ],
)
def test_refusals(choices, message):
    with pytest.raises(ValueError, match=message):
        UNet(3, **choices)


def test_levels_that_do_not_fit_the_block():
    x = torch.randn(2, 4, 5, 5)
    with pytest.raises(ValueError, match="this block takes no level; got"):
        ResidualBlock(4, 4)(x, torch.randn(2, 3))
    with pytest.raises(ValueError, match=r"this block needs a level, \(B, 3\); got None"):
        ResidualBlock(4, 4, level="add", level_width=3)(x)
    with pytest.raises(ValueError, match="channels must be a multiple of heads, got 4 channels and 3 heads"):
        Attention(4, heads=3)
