"""Each layer by numbers that can be worked out by hand, in either order of memory."""

import math

import pytest
import torch
from diffkit_unet import DownBlock, ResidualBlock, SinusoidalEmbedding, UpBlock
from diffkit_unet.batchnorm import BatchNorm
from diffkit_unet.layers import Attention, GroupNorm, normalisation
from diffkit_unet.resample import Upsample, downsample
from torch.nn import functional

ORDERS = pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])


def with_ones(layer):
    """The layer with every weight 1 and every bias 0."""
    for name, parameter in layer.named_parameters():
        torch.nn.init.constant_(parameter, float(name.endswith("weight")))
    return layer


# --- batch normalisation


@ORDERS
def test_four_values_a_channel(order):
    """Their mean is 3 and their variance 5; without bias it is 20 / 3."""
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


@ORDERS
@pytest.mark.parametrize("shape", [(2, 3, 1, 1), (1, 3, 2, 1), (1, 3, 1, 2)])
def test_two_values_a_channel_have_a_variance(shape, order):
    torch.manual_seed(0)
    x, norm = torch.randn(shape).contiguous(memory_format=order), BatchNorm(3)
    got = norm(x).transpose(0, 1).flatten(1)
    flat = x.transpose(0, 1).flatten(1)
    torch.testing.assert_close(got, (flat - flat.mean(1, keepdim=True)) / (flat.var(1, correction=0, keepdim=True) + 1e-3).sqrt())
    torch.testing.assert_close(norm.running_var, 0.99 + 0.01 * flat.var(1))


@ORDERS
def test_one_value_a_channel_in_training_and_any_number_of_them_in_use_take_what_was_seen(order):
    norm = BatchNorm(2, eps=0.25)
    norm.running_mean.copy_(torch.tensor([1.0, -1.0]))
    norm.running_var.copy_(torch.tensor([2.0, 0.75]))
    for training, shape in ((True, (1, 2, 1, 1)), (False, (1, 2, 1, 1)), (False, (3, 2, 2, 2))):
        x = torch.ones(shape).contiguous(memory_format=order)
        got = norm.train(training)(x)
        torch.testing.assert_close(got, torch.tensor([0.0, 2.0]).reshape(1, 2, 1, 1).expand(shape))
    assert (norm.running_mean.tolist(), norm.running_var.tolist(), norm.num_batches_tracked.item()) == ([1, -1], [2, 0.75], 0)


@pytest.mark.parametrize("eps", [1e-3, 0.5])
def test_the_way_back_is_that_of_the_formula(eps):
    torch.manual_seed(0)
    x = torch.randn(2, 3, 2, 2, dtype=torch.float64)
    ours = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    plain = x.clone().requires_grad_()
    factor = torch.randn(2, 3, 2, 2, dtype=torch.float64)
    (BatchNorm(3, eps).double()(ours) * factor).sum().backward()
    mean, variance = plain.mean((0, 2, 3), keepdim=True), plain.var((0, 2, 3), correction=0, keepdim=True)
    ((plain - mean) / (variance + eps).sqrt() * factor).sum().backward()
    torch.testing.assert_close(ours.grad, plain.grad, rtol=1e-10, atol=1e-12)


def test_half_precision_is_added_up_in_float32():
    x = (100 + torch.arange(4.0)).reshape(4, 1, 1, 1).expand(4, 2, 1, 1).bfloat16().contiguous(memory_format=torch.channels_last)
    norm = BatchNorm(2)
    got = norm(x)
    values = x.float()[:, 0, 0, 0]
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(norm.running_mean, (0.01 * values.mean()).expand(2))
    torch.testing.assert_close(norm.running_var, (0.99 + 0.01 * values.var()).expand(2))


def test_batch_norm_has_no_scale_and_centre_and_its_eps():
    assert (BatchNorm(2).eps, BatchNorm(2).momentum, BatchNorm(2).affine) == (1e-3, 0.01, False)
    assert (normalisation("batch", 4).eps, normalisation("batch", 4, eps=0.5).eps) == (1e-3, 0.5)
    assert (normalisation("group", 48).num_groups, normalisation("group", 48).eps) == (16, 1e-5)
    assert (normalisation("group", 8, 4, 0.5).num_groups, normalisation("group", 8, 4, 0.5).eps) == (4, 0.5)
    assert (GroupNorm(64).num_groups, GroupNorm(64).eps) == (32, 1e-5)


# --- residual blocks


@pytest.mark.parametrize("width", [4, 6])
def test_a_block_with_one_norm_is_its_formula(width):
    torch.manual_seed(0)
    block, x = ResidualBlock(4, width).eval(), torch.randn(2, 4, 5, 7)
    block.norm.running_mean.copy_(torch.tensor([0.5, -0.5, 0.0, 1.0]))
    h = (x - block.norm.running_mean[:, None, None]) / math.sqrt(1 + 1e-3)
    h = functional.conv2d(h, block.conv1.weight, block.conv1.bias, padding=1)
    h = functional.conv2d(h * h.sigmoid(), block.conv2.weight, block.conv2.bias, padding=1)
    skip = x if width == 4 else functional.conv2d(x, block.skip.weight, block.skip.bias)
    torch.testing.assert_close(block(x), skip + h)


@pytest.mark.parametrize("level", ["add", "scale_shift"])
@pytest.mark.parametrize("norms", [1, 2])
def test_where_the_level_enters(level, norms):
    torch.manual_seed(0)
    block = ResidualBlock(4, 6, norms=norms, norm="group", groups=2, eps=0.1, level=level, level_width=5)
    assert block.level.out_features == (12 if level == "scale_shift" else 6)
    x, vector = torch.randn(2, 4, 3, 3), torch.randn(2, 5)
    told = block.level(vector)[:, :, None, None]
    h = functional.group_norm(x, 2, eps=0.1)
    h = block.conv1(functional.silu(h) if norms == 2 else h)
    h = h + told if level == "add" else h
    h = functional.group_norm(h, 2, eps=0.1) if norms == 2 else h
    h = h * (1 + told[:, :6]) + told[:, 6:] if level == "scale_shift" else h
    torch.testing.assert_close(block(x, vector), block.skip(x) + block.conv2(functional.silu(h)))


def test_dropout_leaves_as_much_as_it_says_and_makes_up_for_the_rest():
    torch.manual_seed(0)
    block = ResidualBlock(8, 8, norm="group", dropout=0.25)
    seen = []
    block.conv2.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    x = torch.randn(4, 8, 16, 16)
    block(x)
    block.eval()(x)
    dropped, whole = seen
    kept = dropped != 0
    assert kept.float().mean().item() == pytest.approx(0.75, abs=0.01)
    torch.testing.assert_close(dropped[kept], whole[kept] / 0.75)


def test_attention_follows_the_sum():
    torch.manual_seed(0)
    block, x = ResidualBlock(4, 4, norm="group", groups=2, heads=2), torch.randn(2, 4, 3, 3)
    assert isinstance(block.attention, Attention)
    assert (block.attention.heads, block.attention.norm.num_groups) == (2, 2)
    h = block.skip(x) + block.conv2(functional.silu(block.conv1(block.norm(x))))
    torch.testing.assert_close(block(x), block.attention(h))
    assert ResidualBlock(4, 4).attention is None


def test_zero_init_zeroes_the_last_layers_alone():
    block = ResidualBlock(4, 6, heads=1, zero_init=True)
    zeros = {name for name, parameter in block.named_parameters() if name.endswith("weight") and not parameter.any()}
    assert zeros == {"conv2.weight", "attention.out.weight"}
    assert not any(not p.any() for n, p in ResidualBlock(4, 6, heads=1).named_parameters() if n.endswith("weight"))


def test_what_a_block_is_unless_told_otherwise():
    block = ResidualBlock(4, 4)
    assert (block.norm2, block.level, block.dropout, block.attention, block.scaled) == (None, None, 0.0, None, False)
    assert isinstance(block.norm, BatchNorm)
    assert isinstance(block.skip, torch.nn.Identity)
    assert ResidualBlock(64, 64, norm="group", norms=2).norm2.num_groups == 32
    assert (block.conv1.kernel_size, block.conv2.kernel_size, ResidualBlock(4, 6).skip.kernel_size) == ((3, 3), (3, 3), (1, 1))


# --- down and up


@pytest.mark.parametrize("keep_input", [False, True])
@pytest.mark.parametrize("down", ["average", "strided", None])
def test_a_down_block_keeps_each_block_s_answer_and_gives_the_smaller_one(down, keep_input):
    torch.manual_seed(0)
    block = DownBlock(3, 4, depth=2, down=down, keep_input=keep_input, level="add", level_width=5, norm="group", groups=1)
    x, level = torch.randn(2, 3, 4, 4), torch.randn(2, 5)
    got, skips = block(x, level)
    first = block.blocks[0](x, level)
    second = block.blocks[1](first, level)
    expected = [x, first, second] if keep_input else [first, second]
    assert len(skips) == len(expected)
    assert all(torch.equal(one, other) for one, other in zip(skips, expected, strict=True))
    assert torch.equal(got, second if down is None else block.down(second))
    assert [part.conv1.in_channels for part in block.blocks] == [3, 4]


@pytest.mark.parametrize(("up", "size"), [("bilinear", (4, 3)), ("nearest", (4, 3)), (None, (7, 6))])
def test_an_up_block_takes_the_skips_from_the_last_to_the_first(up, size):
    torch.manual_seed(0)
    block = UpBlock(5, 4, depth=2, up=up, first_skip=3, level="add", level_width=2, norm="group", groups=1)
    skips = [torch.randn(2, 3, 7, 6), torch.randn(2, 4, 7, 6), torch.randn(2, 4, 7, 6)]
    x, level = torch.randn(2, 5, *size), torch.randn(2, 2)
    expected = x if up is None else block.up(x, (7, 6))
    for part, skip in zip(block.blocks, (skips[2], skips[1], skips[0]), strict=True):
        expected = part(torch.cat([expected, skip], 1), level)
    assert torch.equal(block(x, skips, level), expected)
    assert [part.conv1.in_channels for part in block.blocks] == [9, 8, 7]


def test_the_depth_of_a_block_unless_told_otherwise_and_its_ways():
    down, up = DownBlock(3, 4), UpBlock(3, 4)
    assert (len(down.blocks), len(up.blocks)) == (2, 2)
    assert isinstance(down.down, torch.nn.AvgPool2d)
    assert up.up.conv is None
    assert not down.keep_input
    with pytest.raises(ValueError, match="zip"):
        up(torch.zeros(1, 3, 2, 2), [torch.zeros(1, 4, 2, 2)])


@pytest.mark.parametrize("size", [(4, 4), (5, 4), (3, 3), (1, 2)])
@pytest.mark.parametrize("kind", ["average", "strided", "strided_same"])
def test_half_the_size_by_hand(kind, size):
    """With weights of 1 a convolution is the sum of the pixels under it."""
    torch.manual_seed(0)
    layer, x = with_ones(downsample(kind, 1)), torch.randn(2, 1, *size)
    got = layer(x)
    height, width = size
    for i in range(-(-height // 2)):
        for j in range(-(-width // 2)):
            if kind == "average":
                rows, columns = range(2 * i, min(2 * i + 2, height)), range(2 * j, min(2 * j + 2, width))
            else:
                # SAME has its zeros at the right and the bottom where the side is even: a window begins a pixel later
                later = [kind == "strided_same" and side % 2 == 0 for side in size]
                rows = range(max(2 * i - 1 + later[0], 0), min(2 * i + 2 + later[0], height))
                columns = range(max(2 * j - 1 + later[1], 0), min(2 * j + 2 + later[1], width))
            under = x[:, 0, rows.start : rows.stop, columns.start : columns.stop]
            expected = under.mean((1, 2)) if kind == "average" else under.sum((1, 2))
            torch.testing.assert_close(got[:, 0, i, j], expected)
    assert got.shape[2:] == (-(-height // 2), -(-width // 2))


def test_a_new_way_down_is_glorot_s():
    torch.manual_seed(0)
    layer = downsample("strided", 16)
    assert layer.weight.abs().max().item() == pytest.approx(math.sqrt(6 / (9 * 32)), rel=0.01)
    assert not layer.bias.any()


def test_twice_the_size_between_the_pixels_centres():
    x = torch.tensor([[0.0, 4.0]]).reshape(1, 1, 1, 2)
    assert Upsample("bilinear", 1)(x, (1, 4)).flatten().tolist() == [0.0, 1.0, 3.0, 4.0]
    nearest = Upsample("nearest", 1)
    assert nearest.conv.kernel_size == (3, 3)
    with_ones(nearest)
    assert nearest(x, (1, 4)).flatten().tolist() == [0.0, 4.0, 8.0, 8.0]


# --- the embedding


@pytest.mark.parametrize("cosine_first", [False, True])
def test_sines_and_cosines_of_turns(cosine_first):
    got = SinusoidalEmbedding(6, first=0.25, last=4.0, cosine_first=cosine_first)(torch.tensor([1.0, 0.125]).double())
    turns = torch.tensor([[0.25, 1.0, 4.0], [0.03125, 0.125, 0.5]]).double() * 2 * math.pi
    halves = [turns.cos(), turns.sin()] if cosine_first else [turns.sin(), turns.cos()]
    torch.testing.assert_close(got, torch.cat(halves, 1))


def test_the_embedding_s_defaults_and_what_it_says_of_itself():
    embedding = SinusoidalEmbedding(4)
    assert (embedding.length, embedding.first, embedding.last, embedding.cosine_first) == (4, 1.0, 1000.0, False)
    torch.testing.assert_close(embedding.frequencies, torch.tensor([1.0, 1000.0]).double())
    assert SinusoidalEmbedding(2, 3.0, 5.0).frequencies.tolist() == pytest.approx([3.0])
    assert repr(embedding) == "SinusoidalEmbedding(4, first=1.0, last=1000.0)"
    assert embedding.to("meta").frequencies.shape == (2,)
    assert embedding.frequencies.dtype == torch.float64
