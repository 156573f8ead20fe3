"""The linear part against the conditional mean of a Gaussian, by dense linear algebra; its statistics, scale and config."""

import json
import math
from typing import Any

import pytest
import torch
from diffkit_unet import LinearPreconditioner, UNet, gaussian_statistics
from diffkit_unet.cosine_transform import dct, idct

PREDICTIONS = {
    "eps": lambda alpha, sigma: (0.0, 1.0),
    "x0": lambda alpha, sigma: (1.0, 0.0),
    "v": lambda alpha, sigma: (-sigma, alpha),
    "flow": lambda alpha, sigma: (-1.0, 1.0),
}
SIZE = (4, 5)


def gaussian(channels=3, size=SIZE, dtype=torch.float64):
    """A random mean, spectrum and rotation, and the covariance of the pixels, dense, in float64."""
    generator = torch.Generator().manual_seed(0)
    kind: dict[str, Any] = {"generator": generator, "dtype": torch.float64}
    mean, spectrum = torch.randn(channels, *size, **kind), torch.exp(2 * torch.randn(channels, *size, **kind))
    colours = torch.linalg.qr(torch.randn(channels, channels, **kind)).Q
    pixels = torch.eye(mean.numel(), dtype=torch.float64).reshape(-1, channels, *size)
    transform = dct(torch.einsum("kc,bchw->bkhw", colours, pixels)).reshape(len(pixels), -1)  # pixels to frequencies
    return tuple(each.to(dtype) for each in (mean, spectrum, colours)), transform * spectrum.flatten() @ transform.T


def rates(path, log_snr):
    snr = math.exp(log_snr / 2)
    length = math.hypot(snr, 1) if path == "vp" else snr + 1
    return snr / length, 1 / length


def wrapped(statistics, *, condition="variance", prediction="v", path="vp", **unet):
    channels = len(statistics[0])
    choices = {"widths": (4, 6), "block_depth": 1, "embedding": 4, "norm": "group", "groups": 1, "condition": condition} | unet
    torch.manual_seed(0)
    network = UNet(2 * channels, out_channels=channels, **choices)
    return LinearPreconditioner(network, *statistics, prediction=prediction, path=path).eval()


@pytest.mark.parametrize("path", ["vp", "straight"])
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 1e-5)])
def test_untrained_network_is_exact_on_gaussian_data(prediction, path, dtype, tolerance):
    """E[x0 | x] = mean + alpha S (alpha^2 S + sigma^2)^-1 (x - alpha mean), with S the covariance of the pixels."""
    statistics, covariance = gaussian()
    model = wrapped([each.to(dtype) for each in statistics], prediction=prediction, path=path).to(dtype)
    levels = [-14.0, -8.0, -1.5, 0.0, 2.0, 7.0, 14.0]
    x = torch.randn(len(levels), 3, *SIZE, dtype=torch.float64)
    out = model(x.to(dtype), torch.tensor(levels, dtype=dtype))
    assert out.dtype == dtype
    for i, log_snr in enumerate(levels):
        alpha, sigma = rates(path, log_snr)
        rest = (x[i] - alpha * statistics[0]).flatten()
        solved = torch.linalg.solve(alpha**2 * covariance + sigma**2 * torch.eye(len(rest), dtype=torch.float64), rest)
        x0, eps = (statistics[0] + (alpha * covariance @ solved).reshape(x[i].shape)), (sigma * solved).reshape(x[i].shape)
        a, b = PREDICTIONS[prediction](alpha, sigma)
        expected = a * x0 + b * eps
        assert (out[i] - expected).abs().max() < tolerance * max(1, expected.abs().max(), x0.abs().max())


@pytest.mark.parametrize("path", ["vp", "straight"])
@pytest.mark.parametrize("log_snr", [-math.inf, -3.0, 2.0])
def test_noisy_images_have_the_mean_and_the_covariance_of_noisy_data(path, log_snr):
    """An affine map of z: alpha mean at 0, and with matrix A, A A^T = alpha^2 S + sigma^2."""
    statistics, covariance = gaussian()
    model, (alpha, sigma) = wrapped(statistics, path=path).double(), rates(path, log_snr)
    units = torch.eye(covariance.shape[0], dtype=torch.float64).reshape(-1, *statistics[0].shape)
    mean = model.noisy(torch.zeros_like(units[:1]), log_snr)
    torch.testing.assert_close(mean[0], alpha * statistics[0])
    matrix = (model.noisy(units, log_snr) - mean).flatten(1).T
    torch.testing.assert_close(matrix @ matrix.T, alpha**2 * covariance + sigma**2 * torch.eye(len(units), dtype=torch.float64))
    torch.testing.assert_close(model.noisy(units[3:4], log_snr)[0], model.noisy(units, log_snr)[3])
    assert model.noisy(torch.zeros(1, 3, 7, 9, dtype=torch.float64), log_snr).shape == (1, 3, 7, 9)


def test_ends_of_a_schedule_are_finite():
    statistics, _ = gaussian(dtype=torch.float32)
    for prediction in PREDICTIONS:
        model, x = wrapped(statistics, prediction=prediction), torch.randn(2, 3, *SIZE)
        assert model(x, torch.tensor([-math.inf, math.inf])).isfinite().all()
    v = wrapped(statistics)(x, torch.tensor([-math.inf, math.inf]))
    torch.testing.assert_close(v[0], -statistics[0].float())  # x is noise alone
    assert (wrapped(statistics, prediction="x0")(x, math.inf) - x).abs().max() < 1e-4  # x is data alone


@pytest.mark.parametrize("path", ["vp", "straight"])
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_scale_is_the_deviation_of_what_the_linear_part_leaves(prediction, path):
    """The posterior covariance of a x0 + b eps, of which the mean over the pixels is c^2."""
    statistics, covariance = gaussian()
    model, unit = wrapped(statistics, prediction=prediction, path=path).double(), torch.eye(len(covariance), dtype=torch.float64)
    for log_snr in (-6.0, 0.0, 3.0):
        alpha, sigma = rates(path, log_snr)
        a, b = PREDICTIONS[prediction](alpha, sigma)
        gain = alpha * covariance @ torch.linalg.inv(alpha**2 * covariance + sigma**2 * unit)
        posterior = covariance - alpha * gain @ covariance  # of x0; eps is (x - alpha x0) / sigma
        expected = ((a - b * alpha / sigma) ** 2 * posterior.diagonal().mean()).sqrt()
        assert model.output_scale(log_snr).item() == pytest.approx(expected.item(), rel=1e-9)


def test_output_is_the_linear_part_and_the_scaled_network():
    statistics, _ = gaussian(dtype=torch.float32)
    model, x, log_snr = wrapped(statistics, num_classes=3), torch.randn(2, 3, *SIZE), torch.tensor([-2.0, 1.0])
    seen: dict[str, torch.Tensor] = {}

    def network(inputs, level, class_labels):
        seen.update(inputs=inputs, level=level, labels=class_labels)
        return torch.ones_like(inputs[:, :3])

    linear = model(x, log_snr)
    model.network.forward = network
    labels = torch.tensor([2, 0])
    torch.testing.assert_close(model(x, log_snr, labels), linear + model.output_scale(log_snr).reshape(2, 1, 1, 1))
    torch.testing.assert_close(seen["level"], (-log_snr).sigmoid())
    assert torch.equal(seen["inputs"][:, :3], x)
    assert torch.equal(seen["labels"], labels)


def test_denoised_input_has_unit_variance_on_the_data():
    (mean, spectrum, colours), _ = gaussian()
    model, count = wrapped([each.float() for each in (mean, spectrum, colours)]), 4000
    given = []
    model.network.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    x0 = mean + torch.einsum("kc,bkhw->bchw", colours, idct(spectrum.sqrt() * torch.randn(count, 3, *SIZE, dtype=torch.float64)))
    for log_snr in (-3.0, 2.0):
        alpha, sigma = rates("vp", log_snr)
        model((alpha * x0 + sigma * torch.randn_like(x0)).float(), log_snr)
    assert [inputs[:, 3:].square().mean().item() for inputs in given] == pytest.approx([1, 1], rel=0.05)


@pytest.mark.parametrize("condition", ["variance", "sigma", "log_snr", "time"])
def test_level_of_the_network(condition):
    statistics, _ = gaussian(dtype=torch.float32)
    model, given = wrapped(statistics, condition=condition), []
    model.network.register_forward_pre_hook(lambda _, inputs: given.append(inputs[1]))
    model(torch.randn(2, 3, *SIZE), 3.0)
    _, sigma = rates("vp", 3.0)
    time = math.asin(sigma) / (math.pi / 2)  # of a cosine, on which alpha is cos(pi t / 2)
    expected = {"variance": sigma**2, "sigma": sigma, "log_snr": 3.0, "time": time}[condition]
    torch.testing.assert_close(given[0], torch.full((2,), expected))


def test_statistics_of_known_images():
    """Of samples: their mean and covariance by numpy's formulas; of a mirror, those of the images and their mirror images."""
    torch.manual_seed(0)
    images = torch.randn(50, 3, *SIZE) @ torch.randn(5, 5) + 2
    for flip in (False, True):
        every = torch.cat([images, images.flip(3)]).double() if flip else images.double()
        mean, spectrum, colours = gaussian_statistics(images.split(20), flip=flip)
        torch.testing.assert_close(mean.double(), every.mean(0), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(colours @ colours.T, torch.eye(3), rtol=0, atol=1e-6)
        frequencies = dct(torch.einsum("kc,bchw->bkhw", colours.double(), every - every.mean(0)))
        torch.testing.assert_close(spectrum.double(), frequencies.square().mean(0), rtol=1e-4, atol=1e-4)
        between = torch.einsum("bkhw,blhw->kl", frequencies, frequencies) / len(every)
        assert (between - torch.diag(between.diagonal())).abs().max() < 1e-3  # principal colours are uncorrelated
    with pytest.raises(ValueError, match="the statistics need at least one image, got none"):
        gaussian_statistics([])


def test_constant_images_have_a_positive_spectrum():
    _, spectrum, _ = gaussian_statistics([torch.ones(4, 1, 3, 3)])
    assert (spectrum > 0).all()


def test_fit_sets_the_buffers_and_the_state_dict_carries_them():
    statistics, _ = gaussian(dtype=torch.float32)
    model, images = wrapped(statistics), torch.randn(30, 3, *SIZE)
    model.fit([images], flip=True)
    other = LinearPreconditioner.from_config(model.to_config()).eval()
    assert {"mean", "log_spectrum", "colours"} < other.state_dict().keys()
    other.load_state_dict(model.state_dict())
    x = torch.randn(2, 3, *SIZE)
    assert torch.equal(other(x, 0.5), model(x, 0.5))
    torch.testing.assert_close(model.mean, (images.mean(0) + images.mean(0).flip(2)) / 2)
    with pytest.raises(ValueError, match=r"the images must be \(3, 4, 5\), got \(3, 4, 4\)"):
        model.fit([torch.zeros(2, 3, 4, 4)])


def test_other_sizes_interpolate_the_mean_and_the_spectrum():
    constant = torch.full((3, 1, 1), 0.5), torch.full((3, 1, 1), 4.0), torch.eye(3)
    white = tuple(each.expand(3, *SIZE).contiguous() for each in constant[:2])
    model, other = wrapped((*white, torch.eye(3))), wrapped(constant)
    for size in ((1, 1), (3, 9), (16, 12)):
        x = torch.randn(2, 3, *size)
        alpha, sigma = rates("vp", 1.0)
        x0 = 0.5 + alpha * 4 / (alpha**2 * 4 + sigma**2) * (x - alpha * 0.5)  # white data: each pixel alone
        expected = -sigma * x0 + alpha * (x - alpha * x0) / sigma
        torch.testing.assert_close(model(x, 1.0), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(other(x, 1.0), expected, rtol=1e-4, atol=1e-5)


def test_autocast_does_not_reach_the_linear_part():
    statistics, _ = gaussian(dtype=torch.float32)
    model, x = wrapped(statistics), torch.randn(2, 3, *SIZE)
    with torch.autocast("cpu", torch.bfloat16):
        out = model(x, -3.0)
    assert torch.equal(out, model(x, -3.0))  # the new network's output is 0


def test_gradients_reach_the_network_and_no_buffer():
    statistics, _ = gaussian(dtype=torch.float32)
    model = wrapped(statistics)
    model(torch.randn(2, 3, *SIZE), 0.0).square().sum().backward()
    assert model.network.out.weight.grad.any()
    assert not any(buffer.requires_grad for buffer in model.buffers())


def test_round_trip_through_json():
    statistics, _ = gaussian(dtype=torch.float32)
    model = wrapped(statistics, num_classes=4, null_class=False, prediction="flow", path="straight")
    config = json.loads(json.dumps(model.to_config()))
    assert config == model.to_config()
    assert (config["in_channels"], config["num_classes"], config["null_class"], config["condition"]) == (3, 4, False, "log_snr")
    assert LinearPreconditioner.from_config(config).to_config() == config
    outline = LinearPreconditioner.outline(config)
    assert {name: value.shape for name, value in outline.state_dict().items()} == {
        name: value.shape for name, value in model.state_dict().items()
    }
    assert {value.device.type for value in outline.state_dict().values()} == {"meta"}
    x, labels = torch.empty(2, 3, *SIZE, device="meta"), torch.zeros(2, dtype=torch.int64, device="meta")
    assert outline(x, 0.0, labels).shape == x.shape


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"zzz": 1}, "a linear preconditioner has no parameter 'zzz'"),
        ({"size": [4]}, "size must be a list of 2 to 2 integers"),
        ({"size": [4, 10**6]}, r"size\[1\] must be an integer from 1 to 4096"),
        ({"prediction": "noise"}, "prediction must be one of 'eps', 'x0', 'v', 'flow'; got 'noise'"),
        ({"path": "ve"}, "path must be one of 'vp', 'straight'; got 've'"),
        ({"condition": "variance"}, "condition must be 'log_snr', as of its network, got 'variance'"),
        ({"in_channels": 6}, "in_channels must be 3, as of its network, got 6"),
        ({"network": {"in_channels": 3}}, "must have 6 input channels, x and x0, and 3 output channels; got 3 and 3"),
        (
            {"network": {"in_channels": 6, "out_channels": 3, "condition": "index"}},
            "needs a network whose condition is one of 'variance', 'sigma', 'log_snr', 'time'; got 'index'",
        ),
    ],
)
def test_invalid_config_is_refused(change, message):
    statistics, _ = gaussian(dtype=torch.float32)
    with pytest.raises(ValueError, match=message) as caught:
        LinearPreconditioner.from_config(wrapped(statistics).to_config() | change)
    assert "\n" not in str(caught.value)


def test_missing_key_is_named():
    with pytest.raises(ValueError, match="must have 'network'"):
        LinearPreconditioner.from_config({"size": [4, 4]})


def test_statistics_of_other_shapes_are_refused():
    network = UNet(6, (4,), 1, 4, out_channels=3)
    with pytest.raises(ValueError, match=r"mean, spectrum and colours must be .* got \(3, 4, 4\), \(3, 4, 5\) and \(3, 3\)"):
        LinearPreconditioner(network, torch.zeros(3, 4, 4), torch.ones(3, 4, 5), torch.eye(3))
    with pytest.raises(ValueError, match=r"x must be \(B, 3, H, W\), got \(2, 1, 4, 4\)"):
        LinearPreconditioner(network, torch.zeros(3, 4, 4), torch.ones(3, 4, 4), torch.eye(3))(torch.zeros(2, 1, 4, 4), 0.0)
