"""Vectors and maps: missing values, shapes, gradients, refusals, export."""

import math

import pytest
import torch
from diffkit_unet import LinearPreconditioner, UNet, preset, to_diffusers
from diffkit_unet.conditioning import map_channels, vector_values
from torch import nn

SPACES = [(12,), (6, 8), (3, 4, 2)]
CONDITIONS = {"vectors": {"pose": 3, "age": 1}, "maps": {"low": 2, "mask": 1}}


def network(space, **choices):
    torch.manual_seed(0)
    unet = UNet(2, (4, 6), 1, 4, dims=len(space), level="add", norm="group", groups=2, **CONDITIONS, **choices).eval()
    nn.init.normal_(unet.out.weight)
    return unet


def conditions(space, count=3):
    half = tuple(-(-side // 2) for side in space)
    return {
        "pose": torch.randn(count, 3),
        "age": torch.randn(count, 1),
        "low": torch.randn(count, 2, *half),
        "mask": torch.randn(count, 1, *space),
    }


@pytest.mark.parametrize("space", SPACES)
def test_every_condition_changes_the_output_of_its_sample_alone(space):
    unet, x, given = network(space), torch.randn(3, 2, *space), conditions(space)
    out = unet(x, 0.5, **given)
    for name, value in given.items():
        other = value.clone()
        other[1] += 1
        changed = (unet(x, 0.5, **given | {name: other}) - out).flatten(1).abs().amax(1) > 1e-4
        assert changed.tolist() == [False, True, False], name


@pytest.mark.parametrize("level", ["map", "scale_shift"])
@pytest.mark.parametrize("space", SPACES)
def test_nan_none_and_a_condition_that_is_not_given_are_missing(space, level):
    unet, x, given = network(space), torch.randn(3, 2, *space), conditions(space)
    missing = {name: value.clone().index_fill_(0, torch.tensor([1]), math.nan) for name, value in given.items()}
    out, present, absent = unet(x, 0.5, **missing), unet(x, 0.5, **given), unet(x, 0.5)
    assert out.isfinite().all()
    torch.testing.assert_close(out[[0, 2]], present[[0, 2]])
    torch.testing.assert_close(out[1], absent[1])
    assert torch.equal(unet(x, 0.5, low=None, age=None), absent)
    zeros = unet(x, 0.5, **{name: torch.zeros_like(value) for name, value in given.items()})
    assert (zeros - absent).abs().max() > 1e-3  # a missing value is not the value 0


def test_values_and_flags_are_ordered_by_name_whatever_the_config_s_order():
    x = torch.zeros(2, 1, 3)
    vectors = {"b": torch.tensor([3.0, math.nan]), "a": torch.tensor([[1.0, 2.0], [math.nan, 5.0]])}
    expected = [[1, 2, 3, 1, 1, 1], [0, 5, 0, 0, 1, 0]]
    for sizes in ({"a": 2, "b": 1}, {"b": 1, "a": 2}):
        assert vector_values(vectors, sizes, x).tolist() == expected
    maps = {"b": torch.tensor([[[7.0, math.nan, 9.0]]] * 2), "a": torch.full((2, 1, 1), 4.0)}
    expected = [[0, 0, 0], [4, 4, 4], [1, 1, 1], [7, 0, 9], [1, 0, 1]]
    assert map_channels(maps, {"b": 1, "a": 1}, x).tolist() == [expected, expected]


def test_gradients_reach_every_parameter():
    unet = network((8, 8)).train()
    unet(torch.randn(4, 2, 8, 8), torch.rand(4), **conditions((8, 8), 4)).square().mean().backward()
    assert [name for name, p in unet.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pose": torch.zeros(3, 2)}, r"pose must be \(3, 3\), got \(3, 2\)"),
        ({"age": torch.zeros(2)}, r"age must be \(3, 1\), got \(2,\)"),
        ({"low": torch.zeros(3, 3, 8, 8)}, r"low must be \(3, 2, \.\.\., \.\.\.\), got \(3, 3, 8, 8\)"),
        ({"mask": torch.zeros(3, 1, 8)}, r"mask must be \(3, 1, \.\.\., \.\.\.\), got \(3, 1, 8\)"),
        ({"hue": torch.zeros(3, 1)}, r"the network has no condition 'hue' \(its conditions: pose, age, low, mask\)"),
    ],
)
def test_other_conditions_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        network((8, 8))(torch.zeros(3, 2, 8, 8), 0.5, **given)


def test_what_cannot_have_conditions_refuses_them():
    for more in (CONDITIONS, {"dims": 1}):
        inner = UNet(2, (4, 6), 1, 4, out_channels=1, **more)
        with pytest.raises(ValueError, match="the linear part is for images, with classes at most"):
            LinearPreconditioner(inner, torch.zeros(1, 8, 8), torch.ones(1, 8, 8), torch.eye(1))
    conditional = preset("ddpm-cifar10", widths=(32, 64), embedding=32, vectors={"age": 1})
    with pytest.raises(ValueError, match=r"vectors must be \{\} for this conversion"):
        to_diffusers(conditional)


class Positional(nn.Module):
    """The network with its conditions by position: torch.export takes no dynamic shapes of keywords."""

    def __init__(self, unet):
        super().__init__()
        self.unet = unet

    def forward(self, x, level, *values):
        return self.unet(x, level, **dict(zip(["pose", "age", "low", "mask"], values, strict=True)))


@pytest.mark.parametrize("space", SPACES)
def test_torch_export_with_a_dynamic_batch(space):
    unet, batch = network(space), {0: torch.export.Dim("batch", min=1, max=64)}
    example = torch.randn(2, 2, *space), torch.rand(2), *conditions(space, 2).values()
    program = torch.export.export(Positional(unet), example, dynamic_shapes=(batch, batch, (batch,) * 4)).module()
    x, level, more = torch.randn(5, 2, *space), torch.rand(5), conditions(space, 5)
    more["age"][2] = math.nan
    torch.testing.assert_close(program(x, level, *more.values()), unet(x, level, **more))
