"""Down and up blocks: the order of residual blocks and skips, sizes, and arguments."""

import pytest
import torch
from diffkit_unet import DownBlock, UpBlock
from torch.nn import functional


def test_down_block_averages_2x2_pixels_and_what_an_odd_edge_has():
    x, skips = DownBlock(3, 6, depth=2)(torch.randn(2, 3, 5, 7))
    assert [skip.shape for skip in skips] == [(2, 6, 5, 7)] * 2
    last = skips[-1]
    assert x.shape == (2, 6, 3, 4)
    for i in range(3):
        for j in range(4):
            expected = last[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean((2, 3))
            torch.testing.assert_close(x[:, :, i, j], expected)


@pytest.mark.parametrize("keep_input", [False, True])
@pytest.mark.parametrize("down", ["average", "strided", None])
def test_down_block_returns_each_residual_output_as_a_skip(down, keep_input):
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


def test_down_block_with_keep_input_and_without_downsampling():
    block, x = DownBlock(3, 6, depth=1, down=None, keep_input=True), torch.randn(2, 3, 5, 7)
    out, skips = block(x)
    assert block.down is None
    assert skips[0] is x
    assert out is skips[1]


def test_up_block_concatenates_skips_from_last_to_first_and_changes_none():
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


@pytest.mark.parametrize(("up", "size"), [("bilinear", (4, 3)), ("nearest", (4, 3)), (None, (7, 6))])
def test_up_block_with_first_skip_and_a_level(up, size):
    torch.manual_seed(0)
    block = UpBlock(5, 4, depth=2, up=up, first_skip=3, level="add", level_width=2, norm="group", groups=1)
    skips = [torch.randn(2, 3, 7, 6), torch.randn(2, 4, 7, 6), torch.randn(2, 4, 7, 6)]
    x, level = torch.randn(2, 5, *size), torch.randn(2, 2)
    expected = x if up is None else block.up(x, (7, 6))
    for part, skip in zip(block.blocks, (skips[2], skips[1], skips[0]), strict=True):
        expected = part(torch.cat([expected, skip], 1), level)
    assert torch.equal(block(x, skips, level), expected)
    assert [part.conv1.in_channels for part in block.blocks] == [9, 8, 7]


def test_up_block_concatenates_the_first_skip_last():
    block = UpBlock(5, 4, depth=1, first_skip=3, up=None)
    assert [part.conv1.in_channels for part in block.blocks] == [5 + 4, 4 + 3]
    assert block(torch.randn(2, 5, 6, 6), [torch.randn(2, 3, 6, 6), torch.randn(2, 4, 6, 6)]).shape == (2, 4, 6, 6)


def test_up_block_without_upsampling():
    block, skip = UpBlock(5, 4, depth=1, up=None).eval(), torch.randn(2, 4, 6, 7)
    x = torch.randn(2, 5, 6, 7)
    assert block.up is None
    assert torch.equal(block(x, [skip]), block.blocks[0](torch.cat([x, skip], 1)))


def test_up_block_with_nearest_upsampling():
    block, x, skip = UpBlock(5, 4, depth=1, up="nearest").eval(), torch.randn(2, 5, 3, 2), torch.randn(2, 4, 6, 4)
    large = block.up.conv(x.repeat_interleave(2, 2).repeat_interleave(2, 3))
    torch.testing.assert_close(block(x, [skip]), block.blocks[0](torch.cat([large, skip], 1)))


@pytest.mark.parametrize(("up", "size"), [("bilinear", (4, 3)), ("nearest", (4, 3)), (None, (7, 6))])
def test_up_block_adds_the_last_skip(up, size):
    torch.manual_seed(0)
    block = UpBlock(5, 4, depth=3, up=up, skips="add", level="add", level_width=2, norm="layer")
    skips, x, level = list(torch.randn(3, 2, 4, 7, 6)), torch.randn(2, 5, *size), torch.randn(2, 2)
    expected = functional.conv2d(x, block.project.weight, block.project.bias)
    if up is not None:
        expected = functional.interpolate(expected, (7, 6), mode=up, align_corners=None if up == "nearest" else False)
    expected = expected + skips[2]
    for part in block.blocks:
        expected = part(expected, level)
    assert not list(block.up.parameters() if up else []), "the 1x1 convolution is its only one"
    assert torch.equal(block(x, skips, level), expected)
    assert [part.conv1.in_channels for part in block.blocks] == [4, 4, 4]


@pytest.mark.parametrize("count", [1, 3])
def test_up_block_refuses_another_number_of_skips(count):
    with pytest.raises(ValueError, match="argument 2"):
        UpBlock(5, 4, depth=2)(torch.randn(2, 5, 3, 3), [torch.randn(2, 4, 6, 6)] * count)


def test_arguments_and_the_level_reach_every_residual_block():
    choices = {"level": "add", "level_width": 3, "norm": "group", "groups": 1}
    down, up, level = DownBlock(4, 4, **choices), UpBlock(4, 4, **choices), torch.randn(2, 3)
    x, skips = down(torch.randn(2, 4, 6, 6), level)
    expected = up.up(x, (6, 6))
    for block, skip in zip(up.blocks, (skips[1], skips[0]), strict=True):
        expected = block(torch.cat([expected, skip], 1), level)
    torch.testing.assert_close(up(x, skips, level), expected)
    assert not torch.equal(up(x, skips, 2 * level), expected)


def test_defaults_of_down_and_up_block():
    down, up = DownBlock(4, 6), UpBlock(6, 4)
    assert (len(down.blocks), len(up.blocks)) == (2, 2)
    assert [block.conv1.in_channels for block in (*down.blocks, *up.blocks)] == [4, 6, 6 + 4, 4 + 4]
    assert isinstance(down.down, torch.nn.AvgPool2d)
    assert up.up.conv is None
    assert not down.keep_input
