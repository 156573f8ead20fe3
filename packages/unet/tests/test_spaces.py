"""Networks over one and three axes, against the same network over two; and patches there."""

import pytest
import torch
from diffkit_unet import UNet
from diffkit_unet.batch_norm import BatchNorm
from diffkit_unet.patches import from_patches, to_patches
from torch import nn

CHOICES = [
    {},
    {"layout": "ddpm", "norms": 2, "norm": "group", "groups": 2, "level": "scale_shift", "down": "strided_same", "up": "nearest"},
    {"level": "add", "norm": "layer", "skips": "add", "down": "strided", "attention": (1,), "middle_attention": True},
]
MORE = {"in_channels": 2, "widths": (4, 6, 8), "block_depth": 1, "embedding": 4, "num_classes": 3}


def random_network(dims, **choices):
    torch.manual_seed(0)
    unet = UNet(dims=dims, **MORE, **choices)
    nn.init.normal_(unet.out.weight)
    return unet


def widened(weight, like):
    """A kernel with one more axis in front, of which only the middle is not 0; any other weight as it is."""
    if weight.shape == like.shape:
        return weight
    result = torch.zeros_like(like)
    result[:, :, like.shape[2] // 2] = weight
    return result


@pytest.mark.parametrize("choices", CHOICES)
@pytest.mark.parametrize(("dims", "space"), [(1, (13,)), (2, (6, 5))])
@pytest.mark.parametrize("training", [True, False])
def test_a_space_with_one_more_axis_of_size_1_has_the_same_output(choices, dims, space, training):
    """There the kernels' middle is all that counts, and a mean over the new axis is of one value."""
    unet, wider = random_network(dims, **choices).train(training), random_network(dims + 1, **choices).train(training)
    like = wider.state_dict()
    wider.load_state_dict({name: widened(value, like[name]) for name, value in unet.state_dict().items()})
    x, level, labels = torch.randn(3, 2, *space), torch.rand(3), torch.tensor([0, 3, 1])
    expected = unet(x, level, labels)
    assert expected.std() > 0.1
    torch.testing.assert_close(wider(x[:, :, None], level, labels)[:, :, 0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("patch", [1, 2, 3])
@pytest.mark.parametrize("choices", CHOICES)
@pytest.mark.parametrize("space", [(1,), (2,), (9,), (1, 1, 1), (2, 1, 3), (5, 4, 3)])
def test_any_size(space, choices, patch):
    unet = random_network(len(space), patch=patch, **choices)
    x = torch.randn(2, 2, *space, requires_grad=True)
    out = unet(x, torch.rand(2))
    assert out.shape == x.shape
    out.square().sum().backward()
    assert (x.grad != 0).all()  # no value is cropped


@pytest.mark.parametrize("space", [(6,), (7,), (4, 5, 3)])
@pytest.mark.parametrize("size", [2, 3])
def test_patches_hold_their_values_in_order_and_repeat_the_edge(space, size):
    x = torch.randn(2, 3, *space)
    patches = to_patches(x, size)
    assert patches.shape == (2, 3 * size ** len(space), *(-(-side // size) for side in space))
    assert torch.equal(from_patches(patches, size, space), x)
    strided = patches.unflatten(1, (3, *(size,) * len(space)))
    first = (slice(None), slice(None), *(0,) * len(space))
    assert torch.equal(strided[first], x[(..., *(slice(None, None, size),) * len(space))])
    last = (slice(None), slice(None), *(size - 1,) * len(space))
    indices = [torch.arange(size - 1, side + size - 1, size).clamp(max=side - 1) for side in space]
    expected = x
    for axis, index in enumerate(indices, start=2):
        expected = expected.index_select(axis, index)
    assert torch.equal(strided[last], expected)


@pytest.mark.parametrize(("space", "plain"), [((9,), nn.BatchNorm1d), ((2, 3, 4), nn.BatchNorm3d)])
def test_batch_norm_is_torch_s_there(space, plain):
    mine, theirs, x = BatchNorm(3, eps=0.5), plain(3, eps=0.5, momentum=0.01, affine=False), torch.randn(4, 3, *space) + 2
    assert torch.equal(mine(x), theirs(x))
    assert torch.equal(mine.running_var, theirs.running_var)


def test_another_space_is_refused():
    with pytest.raises(ValueError, match=r"x must be \(B, 2, L\) with L from 1, got \(3, 2, 8, 8\)"):
        random_network(1)(torch.zeros(3, 2, 8, 8), 0.5)
    with pytest.raises(ValueError, match=r"x must be \(B, 2, D, H, W\) with D and H and W from 1, got \(3, 2, 8, 8\)"):
        random_network(3)(torch.zeros(3, 2, 8, 8), 0.5)
