"""The network: shapes, noise levels, classes, dtypes, gradients, refusals; every option with every other; torch.export."""

import math
import re

import pytest
import torch
from diffkit_unet import FREQUENCIES, PRESETS, UNet, preset
from hypothesis import given, settings
from hypothesis import strategies as st

OPTIONS = {
    "layout": st.sampled_from(["tutorial", "ddpm"]),
    "norms": st.sampled_from([1, 2]),
    "norm": st.sampled_from(["batch", "group", "layer"]),
    "patch": st.sampled_from([1, 2, 3]),
    "skips": st.sampled_from(["concatenate", "add"]),
    "ends": st.sampled_from([None, "tutorial", "ddpm"]),
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

LAYOUTS = (None, "tutorial", "ddpm")

EXPORTED = {
    "tutorial": {},
    "ddpm": {
        "layout": "ddpm",
        "norms": 2,
        "norm": "group",
        "groups": 4,
        "level": "scale_shift",
        "attention": (1,),
        "middle_attention": True,
        "down": "strided_same",
        "up": "nearest",
    },
    "patches": {
        "patch": 2,
        "skips": "add",
        "norm": "layer",
        "level": "add",
        "middle_attention": True,
        "up": "nearest",
        "ends": "ddpm",
    },
}


def small(**parameters):
    """A narrow network in eval mode whose output is not zero."""
    torch.manual_seed(0)
    unet = UNet(**({"in_channels": 2, "widths": (4, 6, 8), "block_depth": 1, "embedding": 4} | parameters)).eval()
    torch.nn.init.normal_(unet.out.weight)
    return unet


def with_random_last_layers(unet):
    """The network with random last layers, so that its output is not zero."""
    for name, parameter in unet.named_parameters():
        if name.endswith(("conv2.weight", "attention.out.weight", "out.weight")):
            torch.nn.init.normal_(parameter, std=0.1)
    return unet


@pytest.mark.parametrize("name", PRESETS)
def test_output_of_a_new_network_is_exactly_zero(name):
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


@settings(max_examples=60, deadline=None)
@given(
    options=st.fixed_dictionaries(OPTIONS | {"zero_init": st.booleans()}),
    batch=st.integers(1, 3),
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    training=st.booleans(),
)
def test_any_options_with_any_size(options, batch, height, width, training):
    torch.manual_seed(0)
    unet = with_random_last_layers(UNet(embedding=4, **options)).train(training)
    x = torch.randn(batch, options["in_channels"], height, width)
    out = unet(x, torch.rand(batch))
    assert out.shape == (batch, options["out_channels"], height, width)
    assert out.isfinite().all()
    assert UNet.from_config(unet.to_config()).to_config() == unet.to_config()


@settings(max_examples=25, deadline=None)
@given(options=st.fixed_dictionaries(OPTIONS), order=st.permutations(range(4)), training=st.booleans(), side=st.integers(1, 20))
def test_permuting_the_batch_permutes_the_output(options, order, training, side):
    torch.manual_seed(0)
    training = training and options["norm"] != "batch" and not options["dropout"]
    unet = with_random_last_layers(UNet(embedding=4, **options)).double().train(training)
    x, level = torch.randn(4, options["in_channels"], side, side, dtype=torch.float64), torch.rand(4)
    torch.testing.assert_close(unet(x[list(order)], level[list(order)]), unet(x, level)[list(order)], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layout", ["tutorial", "ddpm"])
@pytest.mark.parametrize("norm", ["batch", "group", "layer"])
def test_samples_are_independent(layout, norm):
    torch.manual_seed(0)
    unet = with_random_last_layers(UNet(3, (8, 16), 1, 4, layout=layout, norm=norm, groups=4, level="add", attention=(0,))).train(
        norm != "batch"
    )
    x, level = torch.randn(3, 3, 8, 8), torch.rand(3)
    rows = torch.cat([unet(x[i : i + 1], level[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(unet(x, level), rows)


def test_network_of_patches_is_the_network_of_their_channels():
    """Of an image whose size is no multiple of the patch, the edge is repeated."""
    unet, inner = small(patch=2), small(in_channels=8)
    inner.load_state_dict(unet.state_dict())
    x, level = torch.randn(3, 2, 5, 8), torch.rand(3)
    padded = torch.cat([x, x[:, :, -1:]], 2)
    patches = padded.reshape(3, 2, 3, 2, 4, 2).permute(0, 1, 3, 5, 2, 4).reshape(3, 8, 3, 4)
    out = inner(patches, level).reshape(3, 2, 2, 2, 3, 4).permute(0, 1, 4, 2, 5, 3).reshape(3, 2, 6, 8)[:, :, :5]
    assert torch.equal(unet(x, level), out)


@pytest.mark.parametrize("patch", [1, 2, 3])
def test_no_pixel_is_cropped(patch):
    unet = small(patch=patch)
    x = torch.randn(1, 2, 9, 13, requires_grad=True)
    unet(x, 0.5).square().sum().backward()
    assert (x.grad != 0).all()


@pytest.mark.parametrize("layout", ["tutorial", "ddpm"])
def test_ends_of_the_other_layout(layout):
    """The layers between are those of the layout; None are its own ends."""
    shapes = {
        ends: {name: value.shape for name, value in small(layout=layout, ends=ends).state_dict().items()} for ends in LAYOUTS
    }
    assert shapes[None] == shapes[layout]
    assert (shapes["ddpm"]["image.weight"][2:], shapes["ddpm"]["out.weight"][2:]) == ((3, 3), (3, 3))
    assert (shapes["tutorial"]["image.weight"][2:], shapes["tutorial"]["out.weight"][2:]) == ((1, 1), (1, 1))
    changed = {name for name, _ in shapes["ddpm"].items() ^ shapes["tutorial"].items()}
    assert {name.partition(".")[0] for name in changed} == {"image", "out", "out_norm"}


def test_level_as_number_tensor_and_integer():
    unet, x, level = small(), torch.randn(3, 2, 8, 8), torch.full((3,), 0.25)
    expected = unet(x, level)
    assert not torch.allclose(expected, unet(x, level + 0.1))
    for same in (0.25, torch.tensor(0.25), level.reshape(3, 1, 1, 1), level.double()):
        torch.testing.assert_close(unet(x, same), expected)
    torch.testing.assert_close(unet(x, torch.ones(3, dtype=torch.int64)), unet(x, 1))


@pytest.mark.parametrize("level", ["map", "add"])
def test_a_log_snr_is_bounded_by_20(level):
    """It is infinite at both ends of many schedules."""
    unet, x = UNet(1, (8, 16), 1, condition="log_snr", level=level).eval(), torch.randn(1, 1, 8, 8).expand(4, -1, -1, -1)
    torch.nn.init.normal_(unet.out.weight)
    out = unet(x, torch.tensor([math.inf, 20.0, -20.0, -math.inf]))
    assert out.isfinite().all()
    assert torch.equal(out[0], out[1])
    assert torch.equal(out[2], out[3])
    assert (out[0] - out[2]).abs().max() > 0.01


def test_each_sample_has_its_own_level():
    unet, x, level = small(), torch.randn(3, 2, 8, 8), torch.tensor([0.1, 0.5, 0.9])
    rows = torch.cat([unet(x[i : i + 1], level[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(unet(x, level), rows)


def test_classes_and_the_null_class():
    unet, x = small(num_classes=3), torch.randn(4, 2, 8, 8)
    outputs = [unet(x, 0.5, torch.full((4,), label)) for label in range(4)]
    torch.testing.assert_close(unet(x, 0.5), outputs[3])
    assert all(not torch.allclose(outputs[i], outputs[j]) for i in range(4) for j in range(i))
    mixed = unet(x, 0.5, torch.tensor([2, 0, 3, 1]))
    torch.testing.assert_close(mixed, torch.stack([outputs[label][i] for i, label in enumerate([2, 0, 3, 1])]))


def test_network_without_null_class_requires_labels():
    unet, x = UNet(3, num_classes=4, null_class=False), torch.randn(2, 3, 8, 8)
    assert unet.classes.weight.shape == (4, 32)
    with pytest.raises(ValueError, match=r"class_labels must be given, \(2,\) integers: this network has no null class"):
        unet(x, 0.5)
    assert unet(x, 0.5, torch.tensor([0, 3])).shape == x.shape


def test_out_channels():
    assert small(out_channels=5)(torch.randn(1, 2, 4, 4), 0.5).shape == (1, 5, 4, 4)


@pytest.mark.parametrize("num_classes", [None, 2])
def test_gradients_reach_every_parameter(num_classes):
    unet = small(num_classes=num_classes, block_depth=2).train()
    labels = None if num_classes is None else torch.tensor([0, 1, 2, 0])
    unet(torch.randn(4, 2, 16, 16), torch.rand(4), labels).square().mean().backward()
    assert [name for name, p in unet.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("level", ["map", "add", "scale_shift"])
@pytest.mark.parametrize("layout", ["tutorial", "ddpm"])
@pytest.mark.parametrize("more", [{"norm": "group", "groups": 2}, {"norm": "layer", "patch": 2, "skips": "add"}])
def test_gradients_reach_every_parameter_of_every_layout(layout, level, more):
    torch.manual_seed(0)
    choices = {"layout": layout, "level": level, "norms": 2, "attention": (0,)} | more
    unet = with_random_last_layers(
        UNet(2, (4, 6, 8), 2, 8, num_classes=2, middle_attention=True, down="strided", up="nearest", **choices)
    )
    unet(torch.randn(4, 2, 16, 16), torch.rand(4), torch.tensor([0, 1, 2, 0])).square().mean().backward()
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


def test_state_dict_keys():
    keys = set(UNet(2, widths=(4, 6), block_depth=1, num_classes=2).state_dict())
    layers = {re.sub(r"\.(weight|bias|running_mean|running_var|num_batches_tracked)$", "", key) for key in keys}
    # The down block maps 4 + 32 channels to 4, the middle 4 to 6, the up block 6 + 4 to 4: each has a skip convolution.
    blocks = {
        f"{block}.{layer}"
        for block in ("down.0.blocks.0", "middle.0", "up.0.blocks.0")
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
def test_invalid_inputs_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        small()(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("labels", [torch.zeros(2, dtype=torch.int64), torch.zeros(3), torch.zeros(3, dtype=torch.bool)])
def test_invalid_class_labels_are_refused(labels):
    with pytest.raises(ValueError, match=r"class_labels must be \(3,\) integers"):
        small(num_classes=2)(torch.zeros(3, 2, 8, 8), 0.5, labels)


@pytest.mark.parametrize("name", EXPORTED)
def test_torch_export_with_a_dynamic_batch(name):
    torch.manual_seed(0)
    unet = UNet(3, widths=(8, 16), block_depth=1, embedding=8, num_classes=4, **EXPORTED[name]).eval()
    torch.nn.init.normal_(unet.out.weight)
    example = (torch.randn(2, 3, 12, 10), torch.rand(2), torch.tensor([0, 4]))
    batch = {0: torch.export.Dim("batch", min=1, max=64)}
    program = torch.export.export(unet, example, dynamic_shapes=(batch, batch, batch)).module()
    for size in (2, 5):
        x, level, labels = torch.randn(size, 3, 12, 10), torch.rand(size), torch.randint(5, (size,))
        torch.testing.assert_close(program(x, level, labels), unet(x, level, labels))
