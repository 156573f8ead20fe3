"""A network on top of the exact denoiser of a Gaussian: it learns only what a Gaussian with the data's spectrum cannot know."""

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffkit_unet import validate
from diffkit_unet.conditioning import noise_levels
from diffkit_unet.cosine_transform import dct, idct
from diffkit_unet.unet import UNet

__all__ = ["GaussianStatistics", "LinearPreconditioner", "gaussian_statistics"]

MIN_VARIANCE = 1e-5
"""The smallest variance of a frequency: for data of unit variance, below the quantisation noise of 8-bit pixels."""

MIN_RMS = 1e-5
"""The smallest divisor of the Gaussian's x0: its root mean square may be 0."""

MAX_SIDE = 4096

RATES: dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "vp": lambda log_snr: (log_snr.sigmoid().sqrt(), (-log_snr).sigmoid().sqrt()),
    "straight": lambda log_snr: ((log_snr / 2).sigmoid(), (-log_snr / 2).sigmoid()),
}
"""alpha and sigma on each path, from log (alpha / sigma)^2, to full precision at both ends."""

ROWS: dict[str, Callable[[Tensor, Tensor], tuple[Any, Any]]] = {
    "eps": lambda alpha, sigma: (0.0, 1.0),
    "x0": lambda alpha, sigma: (1.0, 0.0),
    "v": lambda alpha, sigma: (-sigma, alpha),
    "flow": lambda alpha, sigma: (-1.0, 1.0),
}
"""The row (a, b) of each prediction type, which is a x0 + b eps."""

LEVELS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "variance": lambda log_snr, sigma: sigma * sigma,
    "sigma": lambda log_snr, sigma: sigma,
    "log_snr": lambda log_snr, sigma: log_snr,
    "time": lambda log_snr, sigma: (-log_snr / 2).exp().atan() / (math.pi / 2),
}
"""The noise level that the inner network is conditioned on; the time t has sigma / alpha = tan(pi t / 2), that of a cosine."""

DERIVED = ("in_channels", "num_classes", "null_class", "condition")
"""The keys of a config that follow from the others."""


class GaussianStatistics(NamedTuple):
    """The parameters of a Gaussian over images.

    mean: (C, H, W). colours: (C, C), orthonormal, a principal component of the channels in each row. spectrum: (C, H, W), the
    variance of each frequency of the cosine transform of each principal colour.

    >>> GaussianStatistics(torch.zeros(1, 8, 8), torch.ones(1, 8, 8), torch.eye(1)).spectrum.shape
    torch.Size([1, 8, 8])
    """

    mean: Tensor
    spectrum: Tensor
    colours: Tensor


class _Linear(NamedTuple):
    """The linear part for a batch: its output, x0 at unit variance, and the scale of what is left, (B or 1, 1, 1, 1)."""

    out: Tensor
    x0: Tensor
    scale: Tensor


class LinearPreconditioner(nn.Module):
    """A network whose output is added to the exact denoiser of a Gaussian with the data's mean and spectrum.

        x0   = mean + T^-1 [ alpha P / d  T(x - alpha mean) ]     E[x0 | x] of the Gaussian, d = alpha^2 P + sigma^2
        eps  =        T^-1 [     sigma / d  T(x - alpha mean) ]     E[eps | x]
        out  = a x0 + b eps + c network(x, x0 at unit variance)
        c^2  = (a sigma - b alpha)^2  mean(P / d)

    T is the cosine transform of the principal colours, P the spectrum, and (a, b) the prediction: v is (-sigma, alpha), for
    which c^2 = mean(P / d) on "vp". The network's target, (a x0 + b eps of the data - linear part) / c, has unit variance at
    every noise level if the data has these statistics, so its error is the loss to train with, see `output_scale`. With a new
    network, whose output is 0, data that is Gaussian is denoised exactly.

    network: called as network((x, x0), level[, class_labels=]) with 2 C channels, C of output. Its `condition` is "variance",
    "sigma", "log_snr" or "time". mean, spectrum, colours: see `GaussianStatistics`; they are buffers, so that checkpoints hold
    them. Images of another height and width have the mean and the logarithm of the spectrum interpolated. prediction: "eps",
    "x0", "v" or "flow". path: "vp" (alpha^2 + sigma^2 = 1) or "straight" (alpha + sigma = 1).
    This module's own condition is "log_snr", from which both rates follow without a loss of digits; it may be infinite.
    Computed in float32 or wider, under autocast too. Raises ValueError for anything else.
    Source: the linear denoiser is Wiener's filter.

    >>> data = gaussian_statistics([torch.randn(64, 3, 8, 8)])
    >>> model = LinearPreconditioner(UNet(6, widths=(8, 16), block_depth=1, out_channels=3), *data)
    >>> model(torch.randn(4, 3, 8, 8), torch.zeros(4)).shape
    torch.Size([4, 3, 8, 8])
    """

    condition = "log_snr"

    def __init__(
        self,
        network: nn.Module,
        mean: Tensor,
        spectrum: Tensor,
        colours: Tensor,
        *,
        prediction: Literal["eps", "x0", "v", "flow"] = "v",
        path: Literal["vp", "straight"] = "vp",
    ) -> None:
        super().__init__()
        validate.one_of("prediction", prediction, tuple(ROWS))
        validate.one_of("path", path, tuple(RATES))
        condition = getattr(network, "condition", None)
        if condition not in LEVELS:
            names = ", ".join(map(repr, LEVELS))
            raise ValueError(f"the linear part needs a network whose condition is one of {names}; got {condition!r}")
        if getattr(network, "dims", 2) != 2 or getattr(network, "vectors", None) or getattr(network, "maps", None):
            raise ValueError("the linear part is for images, with classes at most: leave it out for other spaces and conditions")
        if mean.ndim != 3 or spectrum.shape != mean.shape or colours.shape != (len(mean), len(mean)):
            shapes = f"{tuple(mean.shape)}, {tuple(spectrum.shape)} and {tuple(colours.shape)}"
            raise ValueError(f"mean, spectrum and colours must be (C, H, W), (C, H, W) and (C, C), got {shapes}")
        found = getattr(network, "in_channels", 2 * len(mean)), getattr(network, "out_channels", len(mean))
        if found != (2 * len(mean), len(mean)):
            expected = f"{2 * len(mean)} input channels, x and x0, and {len(mean)} output channels"
            raise ValueError(f"the network must have {expected}; got {found[0]} and {found[1]}")
        self.network, self.prediction, self.path = network, prediction, path
        self.in_channels = len(mean)
        self.mean: Tensor
        self.log_spectrum: Tensor
        self.colours: Tensor
        self.register_buffer("mean", mean)
        self.register_buffer("log_spectrum", spectrum.log())
        self.register_buffer("colours", colours)

    @property
    def num_classes(self) -> int | None:
        """The network's."""
        found: int | None = getattr(self.network, "num_classes", None)
        return found

    @property
    def null_class(self) -> bool:
        """The network's."""
        return bool(getattr(self.network, "null_class", True))

    def forward(self, x: Tensor, condition: Tensor | float, class_labels: Tensor | None = None) -> Tensor:
        """The prediction for images x (B, C, H, W) at log (alpha / sigma)^2, (B,) or one number, in x's dtype."""
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(f"x must be (B, {self.in_channels}, H, W), got {tuple(x.shape)}")
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        log_snr = noise_levels(condition, wide)
        with _without_autocast(x.device.type):
            _, sigma = RATES[self.path](log_snr)
            linear = self._linear(wide, log_snr)
        labels = {} if class_labels is None else {"class_labels": class_labels}
        level = LEVELS[str(self.network.condition)](log_snr, sigma)
        out = self.network(torch.cat([x, linear.x0.to(x.dtype)], 1), level.expand(x.shape[0]), **labels)
        result: Tensor = (linear.out + linear.scale * out.to(wide.dtype)).to(x.dtype)
        return result

    def output_scale(self, condition: Tensor | float) -> Tensor:
        """c of the noise levels, (B,): an error of the output is divided by it for the loss.

        >>> model = LinearPreconditioner(UNet(2, out_channels=1), torch.zeros(1, 8, 8), torch.full((1, 8, 8), 4.0), torch.eye(1))
        >>> model.output_scale(torch.zeros(1))  # 4 / (4 / 2 + 1 / 2), of which the root
        tensor([1.2649])
        """
        log_snr = torch.as_tensor(condition, dtype=self.log_spectrum.dtype, device=self.log_spectrum.device)
        alpha, sigma = (rate.reshape(-1, 1, 1, 1) for rate in RATES[self.path](log_snr))
        return self._scale(alpha, sigma, self.log_spectrum.exp()).flatten()

    def noisy(self, z: Tensor, log_snr: Tensor | float) -> Tensor:
        """Standard normal z (B, C, H, W) as noisy images of the Gaussian, at one log (alpha / sigma)^2: the start of sampling.

            alpha mean + T^-1[ sqrt(alpha^2 P + sigma^2) T(z) ]

        At a low level this is the distribution of noisy data up to rounding, and sampling can skip all levels above.

        >>> white = LinearPreconditioner(UNet(2, out_channels=1), torch.zeros(1, 8, 8), torch.ones(1, 8, 8), torch.eye(1))
        >>> z = torch.randn(4, 1, 8, 8)
        >>> torch.allclose(white.noisy(z, -3.0), z, atol=1e-6)
        True
        """
        alpha, sigma = RATES[self.path](torch.as_tensor(log_snr, dtype=z.dtype, device=z.device))
        spectrum, colours = _resized(self.log_spectrum.to(z.dtype), z).exp(), self.colours.to(z.dtype)
        deviations = (alpha * alpha * spectrum + sigma * sigma).sqrt()
        return alpha * _resized(self.mean.to(z.dtype), z) + _rotated(colours.T, idct(deviations * dct(_rotated(colours, z))))

    def fit(self, batches: Iterable[Tensor], *, flip: bool = False) -> None:
        """Set mean, spectrum and colours to those of images, see `gaussian_statistics`. Raises ValueError for another size."""
        mean, spectrum, colours = gaussian_statistics(batches, flip=flip)
        if mean.shape != self.mean.shape:
            raise ValueError(f"the images must be {tuple(self.mean.shape)}, got {tuple(mean.shape)}")
        self.mean.copy_(mean)
        self.log_spectrum.copy_(spectrum.log())
        self.colours.copy_(colours)

    def to_config(self) -> dict[str, Any]:
        """Every parameter as plain JSON, without the statistics, which are in the state dict. The network must be a `UNet`.

        >>> config = {"network": {"in_channels": 2, "out_channels": 1}, "size": [8, 8]}
        >>> LinearPreconditioner.from_config(config).to_config()["prediction"]
        'v'
        """
        derived = {name: getattr(self, name) for name in DERIVED}
        own = {"prediction": self.prediction, "path": self.path, "size": list(self.mean.shape[1:])}
        return derived | own | {"network": self.network.to_config()}  # type: ignore[operator]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "LinearPreconditioner":
        """The module of a config, with new weights and the statistics of white noise.

        Raises ValueError for an unknown key, and as `UNet.from_config` does.
        """
        return cls._built(config, UNet.from_config)

    @classmethod
    def outline(cls, config: Mapping[str, Any]) -> "LinearPreconditioner":
        """The module of a config on the device "meta", see `UNet.outline`."""
        with torch.device("meta"):
            return cls._built(config, UNet.outline)

    @classmethod
    def _built(cls, config: Mapping[str, Any], build: Callable[[Mapping[str, Any]], UNet]) -> "LinearPreconditioner":
        known = (*DERIVED, "prediction", "path", "size", "network")
        for key in config:
            if key not in known:
                raise ValueError(f"a linear preconditioner has no parameter {key!r:.60} (parameters: {', '.join(known)})")
        for key in ("size", "network"):
            if key not in config:
                raise ValueError(f"the config of a linear preconditioner must have {key!r}")
        network = build(config["network"])
        height, width = validate.integers("size", config["size"], min_length=2, max_length=2, high=MAX_SIDE)
        channels, rest = network.out_channels, {name: config[name] for name in ("prediction", "path") if name in config}
        image = torch.zeros(channels, height, width)
        made = cls(network, image, torch.ones_like(image), torch.eye(channels), **rest)
        for name in DERIVED:
            if config.get(name, getattr(made, name)) != getattr(made, name):
                raise ValueError(f"{name} must be {getattr(made, name)!r}, as of its network, got {config[name]!r:.60}")
        return made

    def _linear(self, x: Tensor, log_snr: Tensor) -> _Linear:
        alpha, sigma = (rate.reshape(-1, 1, 1, 1) for rate in RATES[self.path](log_snr))
        mean = _resized(self.mean.to(x.dtype), x)
        spectrum = _resized(self.log_spectrum.to(x.dtype), x).exp()
        colours = self.colours.to(x.dtype)
        noisy = dct(_rotated(colours, x - alpha * mean)) / (alpha * alpha * spectrum + sigma * sigma)
        x0 = mean + _rotated(colours.T, idct(alpha * spectrum * noisy))
        eps = _rotated(colours.T, idct(sigma * noisy))
        a, b = ROWS[self.prediction](alpha, sigma)
        power = (alpha * spectrum) ** 2 / (alpha * alpha * spectrum + sigma * sigma)
        rms = (power.mean((1, 2, 3), keepdim=True) + mean.square().mean()).sqrt()
        return _Linear(a * x0 + b * eps, x0 / rms.clamp(min=MIN_RMS), self._scale(alpha, sigma, spectrum))

    def _scale(self, alpha: Tensor, sigma: Tensor, spectrum: Tensor) -> Tensor:
        a, b = ROWS[self.prediction](alpha, sigma)
        variances = spectrum / (alpha * alpha * spectrum + sigma * sigma)
        scale: Tensor = (a * sigma - b * alpha).abs() * variances.mean((1, 2, 3), keepdim=True).sqrt()
        return scale


def gaussian_statistics(batches: Iterable[Tensor], *, flip: bool = False) -> GaussianStatistics:
    """The mean, spectrum and principal colours of images, given in batches (b, C, H, W), in one pass on the CPU.

    flip: of the images and their mirror images. Raises ValueError for no images.

    >>> gaussian_statistics([torch.zeros(2, 1, 4, 4), torch.ones(2, 1, 4, 4)]).mean.round(decimals=4).unique()
    tensor([0.5000])
    """
    count, total, products = 0, None, None
    for batch in batches:
        frequencies = dct(batch.float().cpu()).double()
        summed, squares = frequencies.sum(0), torch.einsum("bchw,bdhw->cdhw", frequencies, frequencies)
        total, products = (summed, squares) if total is None or products is None else (total + summed, products + squares)
        count += len(batch)
    if total is None or products is None or not count:
        raise ValueError("the statistics need at least one image, got none")
    mean = total / count
    if flip:
        mean[:, :, 1::2] = 0  # the mirror image has these with the other sign, and all squares alike
    covariance = products / count - mean[:, None] * mean
    colours = torch.linalg.eigh(covariance.sum((2, 3))).eigenvectors.T
    spectrum = torch.einsum("kc,cdhw,kd->khw", colours, covariance, colours)
    return GaussianStatistics(*(each.float() for each in (idct(mean), spectrum.clamp(min=MIN_VARIANCE), colours)))


def _rotated(colours: Tensor, x: Tensor) -> Tensor:
    return torch.einsum("kc,bchw->bkhw", colours, x)


def _resized(image: Tensor, like: Tensor) -> Tensor:
    """(C, H, W) as (1, C, h, w): the lowest frequency stays the lowest, and the same size is the same numbers."""
    return functional.interpolate(image[None], size=like.shape[2:], mode="bilinear", align_corners=True)


def _without_autocast(device: str) -> AbstractContextManager[Any]:
    enabled = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)  # "meta" has none
    return torch.autocast(device, enabled=False) if enabled else nullcontext()
