"""The network from outside: shapes, levels, classes, dtypes, gradients, refusals."""

import re

import diffkit_unet
import pytest
import torch
from diffkit_unet import UNet, preset
from hypothesis import given, settings, strategies as st


def small(**parameters):
    """A narrow network whose answer is not zero, in eval mode."""
    torch.manual_seed(0)
    unet = UNet(**({"in_channels": 2, "widths": (4, 6, 8), "block_depth": 1, "embedding": 4} | parameters)).eval()
    torch.nn.init.normal_(unet.out.weight)
    return unet


def test_exported_names():
    names = "CONDITIONS FREQUENCIES MAX_PARAMETERS PRESETS DownBlock ResidualBlock SinusoidalEmbedding UNet UpBlock"
    assert diffkit_unet.__all__ == [*names.split(), "from_diffusers", "keep_memory", "preset", "to_diffusers"]


@pytest.mark.parametrize("name", diffkit_unet.PRESETS)
def test_a_new_network_answers_exactly_zero(name):
    unet = preset(name)
    out = unet(torch.randn(2, 3, 16, 16), torch.rand(2))
    assert out.shape == (2, 3, 16, 16)
    assert torch.equal(out, torch.zeros_like(out))


@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(1, 3),
    channels=st.integers(1, 5),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    widths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    depth=st.integers(1, 2),
    training=st.booleans(),
)
def test_any_size(batch, channels, height, width, widths, depth, training):
    unet = small(in_channels=channels, widths=widths, block_depth=depth).train(training)
    x = torch.randn(batch, channels, height, width)
    out = unet(x, torch.rand(batch))
    assert out.shape == x.shape
    assert out.isfinite().all()
    assert out.any()


def test_no_pixel_is_cropped():
    unet = small()
    x = torch.randn(1, 2, 9, 13, requires_grad=True)
    unet(x, 0.5).square().sum().backward()
    assert (x.grad != 0).all()


def test_the_order_of_the_batch_is_kept():
    unet, x, level = small(), torch.randn(5, 2, 12, 9), torch.rand(5)
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(unet(x[order], level[order]), unet(x, level)[order])


def test_every_way_to_give_the_level():
    unet, x, level = small(), torch.randn(3, 2, 8, 8), torch.full((3,), 0.25)
    expected = unet(x, level)
    assert not torch.allclose(expected, unet(x, level + 0.1))
    for same in (0.25, torch.tensor(0.25), level.reshape(3, 1, 1, 1), level.double()):
        torch.testing.assert_close(unet(x, same), expected)
    torch.testing.assert_close(unet(x, torch.ones(3, dtype=torch.int64)), unet(x, 1))


def test_each_sample_has_its_own_level():
    unet, x, level = small(), torch.randn(3, 2, 8, 8), torch.tensor([0.1, 0.5, 0.9])
    rows = torch.cat([unet(x[i : i + 1], level[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(unet(x, level), rows)


def test_classes_and_the_null_class():
    unet, x = small(num_classes=3), torch.randn(4, 2, 8, 8)
    answers = [unet(x, 0.5, torch.full((4,), label)) for label in range(4)]
    torch.testing.assert_close(unet(x, 0.5), answers[3])
    assert all(not torch.allclose(answers[i], answers[j]) for i in range(4) for j in range(i))
    mixed = unet(x, 0.5, torch.tensor([2, 0, 3, 1]))
    torch.testing.assert_close(mixed, torch.stack([answers[label][i] for i, label in enumerate([2, 0, 3, 1])]))


def test_out_channels():
    assert small(out_channels=5)(torch.randn(1, 2, 4, 4), 0.5).shape == (1, 5, 4, 4)


@pytest.mark.parametrize("num_classes", [None, 2])
def test_gradients_reach_every_parameter(num_classes):
    unet = small(num_classes=num_classes, block_depth=2).train()
    labels = None if num_classes is None else torch.tensor([0, 1, 2, 0])
    unet(torch.randn(4, 2, 16, 16), torch.rand(4), labels).square().mean().backward()
    assert [name for name, p in unet.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-5), (torch.bfloat16, 0.1)])
def test_other_dtypes(dtype, tolerance):
    unet, x, level = small(), torch.randn(3, 2, 8, 8), torch.tensor([0.25, 0.5, 0.75])
    expected = unet(x, level)
    out = unet.to(dtype)(x.to(dtype), level)
    assert out.dtype == dtype
    assert (out - expected).abs().max() < tolerance * expected.abs().max()


def test_autocast():
    unet, x = small(), torch.randn(3, 2, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        out = unet(x, 0.5)
    assert out.dtype == torch.bfloat16
    assert (out - unet(x, 0.5)).abs().max() < 0.1 * out.abs().max()


def test_state_dict_keys_say_where_they_belong():
    keys = set(UNet(2, widths=(4, 6), block_depth=1, num_classes=2).state_dict())
    layers = {re.sub(r"\.(weight|bias|running_mean|running_var|num_batches_tracked)$", "", key) for key in keys}
    # The down block goes from 4 + 32 channels to 4, the middle from 4 to 6, the up block from 6 + 4 to 4: all need a skip.
    blocks = {
        f"{place}.{layer}"
        for place in ("down.0.blocks.0", "middle.0", "up.0.blocks.0")
        for layer in ("norm", "conv1", "conv2", "skip")
    }
    assert layers == {"image", "out", "classes"} | blocks


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(2, 8, 8), 0.5), r"x must be \(B, 2, H, W\) with H and W from 1, got \(2, 8, 8\)"),
        ((torch.zeros(1, 3, 8, 8), 0.5), r"x must be \(B, 2, H, W\).*got \(1, 3, 8, 8\)"),
        ((torch.zeros(1, 2, 0, 8), 0.5), r"got \(1, 2, 0, 8\)"),
        ((torch.zeros(3, 2, 8, 8), torch.zeros(2)), r"condition must be one number, \(3,\) or \(3, 1, 1, 1\), got \(2,\)"),
        ((torch.zeros(3, 2, 8, 8), torch.zeros(1)), r"condition must be .* got \(1,\)"),
        ((torch.zeros(3, 2, 8, 8), torch.zeros(3, 2)), r"condition must be .* got \(3, 2\)"),
        ((torch.zeros(3, 2, 8, 8), torch.zeros(1, 3)), r"condition must be .* got \(1, 3\)"),
        ((torch.zeros(1, 2, 8, 8), 0.5, torch.zeros(1, dtype=torch.int64)), "build it with num_classes"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        small()(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("labels", [torch.zeros(2, dtype=torch.int64), torch.zeros(3), torch.zeros(3, dtype=torch.bool)])
def test_class_labels_that_are_refused(labels):
    with pytest.raises(ValueError, match=r"class_labels must be \(3,\) integers"):
        small(num_classes=2)(torch.zeros(3, 2, 8, 8), 0.5, labels)
