"""The tutorial's network against a plain implementation of its description, weight by weight."""

import math

import pytest
import torch
from diffkit_unet import preset
from torch.nn import functional


class Reference:
    """The network as functions of a dictionary of weights; records which of them it used."""

    def __init__(self, weights, training):
        self.weights, self.training, self.used = weights, training, set()

    def get(self, name):
        self.used.add(name)
        return self.weights[name]

    def conv(self, x, name):
        weight = self.get(f"{name}.weight")
        return functional.conv2d(x, weight, self.get(f"{name}.bias"), padding=weight.shape[-1] // 2)

    def norm(self, x, name):
        if self.training:
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        else:
            mean, variance = self.get(f"{name}.running_mean"), self.get(f"{name}.running_var")
        return (x - mean[:, None, None]) / torch.sqrt(variance + 1e-3)[:, None, None]

    def residual(self, x, width, name):
        skip = x if x.shape[1] == width else self.conv(x, f"{name}.skip")
        h = self.conv(self.norm(x, f"{name}.norm"), f"{name}.conv1")
        return skip + self.conv(h * torch.sigmoid(h), f"{name}.conv2")

    def __call__(self, x, variance):
        v = variance.double().reshape(-1, 1)
        f = torch.tensor([1000 ** (i / 15) for i in range(16)], dtype=torch.float64)
        level = torch.cat([torch.sin(2 * math.pi * f * v), torch.cos(2 * math.pi * f * v)], 1).to(x.dtype)
        level = level[:, :, None, None].repeat(1, 1, *x.shape[2:])
        x = torch.cat([self.conv(x, "image"), level], 1)
        skips = []
        for i, width in enumerate((32, 64, 96)):
            for j in range(2):
                x = self.residual(x, width, f"down.{i}.blocks.{j}")
                skips.append(x)
            b, c, h, w = x.shape
            x = x.reshape(b, c, h // 2, 2, w // 2, 2).mean((3, 5))
        for j in range(2):
            x = self.residual(x, 128, f"middle.{j}")
        for i, width in enumerate((96, 64, 32)):
            x = doubled(doubled(x, 2), 3)
            for j in range(2):
                x = self.residual(torch.cat([x, skips.pop()], 1), width, f"up.{i}.blocks.{j}")
        return self.conv(x, "out")


def doubled(x, axis):
    """Bilinear upsampling along one axis: each new pixel is 3/4 of the nearest old pixel and 1/4 of the next."""
    before = torch.cat([x.narrow(axis, 0, 1), x.narrow(axis, 0, x.shape[axis] - 1)], axis)
    after = torch.cat([x.narrow(axis, 1, x.shape[axis] - 1), x.narrow(axis, -1, 1)], axis)
    return torch.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis + 1).flatten(axis, axis + 1)


def randomised(unet):
    """The network with all biases, statistics and the last layer randomised."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, value in unet.state_dict().items():
            if name.endswith(("bias", "running_mean")):
                value.normal_(0, 0.1, generator=generator)
            elif name.endswith("running_var"):
                value.uniform_(0.5, 2, generator=generator)
        unet.out.weight.normal_(0, 0.05, generator=generator)
    return unet


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_tutorial_network_equals_the_reference(training, dtype, tolerance):
    torch.manual_seed(0)
    unet = randomised(preset("tutorial")).to(dtype).train(training)
    weights = {name: value.clone() for name, value in unet.state_dict().items()}
    x, variance = torch.randn(2, 3, 64, 64, dtype=dtype), torch.rand(2, dtype=dtype)
    reference = Reference(weights, training)
    expected = reference(x, variance)
    assert expected.std() > 0.1
    assert (unet(x, variance) - expected).abs().max() < tolerance
    unused = {name for name in set(weights) - reference.used if not name.endswith("num_batches_tracked")}
    assert unused == ({name for name in weights if "running" in name} if training else set())


def test_gradients_equal_those_of_the_reference():
    torch.manual_seed(0)
    unet = randomised(preset("tutorial")).double()
    weights = {name: value.clone().requires_grad_(value.is_floating_point()) for name, value in unet.state_dict().items()}
    x, variance = torch.randn(2, 3, 16, 16, dtype=torch.float64), torch.rand(2, dtype=torch.float64)
    Reference(weights, training=True)(x, variance).square().mean().backward()
    unet(x, variance).square().mean().backward()
    for name, parameter in unet.named_parameters():
        torch.testing.assert_close(parameter.grad, weights[name].grad, rtol=1e-8, atol=1e-12, msg=name)
