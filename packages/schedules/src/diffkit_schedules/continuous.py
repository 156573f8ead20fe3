"""Schedules given by a formula in t. Each is a frozen dataclass whose instance is the function t -> Rates.

The classes have function names because they are used as functions: `cosine()(0.5)`. The formulas lose no digits where a rate is
small: none computes sigma as sqrt(1 - alpha^2).
"""

import math
from dataclasses import dataclass
from typing import Any

from diffkit_schedules.arrays import Array
from diffkit_schedules.rates import Formula

__all__ = ["cosine", "karras", "linear", "offset_cosine", "rectified", "sigmoid"]


@dataclass(frozen=True)
class cosine(Formula):  # noqa: N801
    """The cosine schedule: alpha = f(t) / f(0) with f(t) = cos(pi/2 (t + s) / (1 + s)), sigma^2 = 1 - alpha^2.

    t in [0, 1]; alpha(0) = 1 and alpha(1) = 0 exactly: an eps prediction does not determine x0 at t = 1, use "v" or "x0" with it.
    Raises ValueError unless s >= 0.
    Source: Nichol and Dhariwal 2021, equation 17 (without the discrete version's cap on beta).

    >>> cosine()(1.0).alpha
    0.0
    """

    s: float = 0.008

    def __post_init__(self) -> None:
        _require(self.s >= 0, f"s must be >= 0, got {self.s}")

    def _rates(self, xp: Any, t: Array) -> tuple[Array, Array]:
        quarter = math.pi / 2 / (1 + self.s)
        f0 = math.sin(quarter)
        alpha = xp.sin(quarter * (1 - t)) / f0
        sigma = xp.sqrt(xp.sin(quarter * t) * xp.sin(quarter * (t + 2 * self.s))) / f0
        return alpha, sigma


@dataclass(frozen=True)
class offset_cosine(Formula):  # noqa: N801
    """The cosine schedule between two signal rates: alpha = cos(a), sigma = sin(a), a linear from acos(max) to acos(min).

    t in [0, 1]; alpha(0) = max_signal and alpha(1) = min_signal, so by default neither rate is zero.
    Raises ValueError unless 0 <= min_signal < max_signal <= 1.
    Source: the Keras tutorial "Denoising Diffusion Implicit Models" (Beres 2022).

    >>> tuple(round(rate, 6) for rate in offset_cosine()(0.0))
    (0.95, 0.31225)
    """

    max_signal: float = 0.95
    min_signal: float = 0.02

    def __post_init__(self) -> None:
        ordered = 0 <= self.min_signal < self.max_signal <= 1
        _require(ordered, f"need 0 <= min_signal < max_signal <= 1, got {self.min_signal} and {self.max_signal}")

    def _rates(self, xp: Any, t: Array) -> tuple[Array, Array]:
        start, end = math.acos(self.max_signal), math.acos(self.min_signal)
        # alpha from the complement of the angle: exactly 0 at t = 1 where min_signal is
        rest_start, rest_end = math.asin(self.max_signal), math.asin(self.min_signal)
        return xp.sin(rest_start + t * (rest_end - rest_start)), xp.sin(start + t * (end - start))


@dataclass(frozen=True)
class linear(Formula):  # noqa: N801
    """The variance-preserving SDE whose beta grows linearly: alpha = exp(-B/2), sigma^2 = 1 - exp(-B).

    B(t) = beta_min t + (beta_max - beta_min) t^2 / 2 is the integral of beta. The defaults are the continuous limit of the
    DDPM's 1000 betas from 1e-4 to 0.02. Raises ValueError unless 0 <= beta_min <= beta_max and beta_max > 0.
    Source: Song et al. 2021 (score SDE), equation 33.

    >>> round(linear()(1.0).alpha ** 2, 8)
    4.319e-05
    """

    beta_min: float = 0.1
    beta_max: float = 20.0

    def __post_init__(self) -> None:
        ordered = 0 <= self.beta_min <= self.beta_max and self.beta_max > 0
        _require(ordered, f"need 0 <= beta_min <= beta_max, beta_max > 0, got beta_min={self.beta_min}, beta_max={self.beta_max}")

    def _rates(self, xp: Any, t: Array) -> tuple[Array, Array]:
        integral = self.beta_min * t + (self.beta_max - self.beta_min) / 2 * t * t
        return xp.exp(-integral / 2), xp.sqrt(-xp.expm1(-integral))


@dataclass(frozen=True)
class sigmoid(Formula):  # noqa: N801
    """alpha^2 falls along a sigmoid: alpha^2 = (S(end) - S(u)) / (S(end) - S(start)), u = start + t (end - start).

    S(u) = 1 / (1 + exp(-u / tau)); sigma^2 = 1 - alpha^2. t in [0, 1]; alpha(0) = 1, alpha(1) = 0 exactly.
    Raises ValueError unless start < end and tau > 0.
    Source: Jabri, Fleet and Chen 2022, "Scalable adaptive computation for iterative generation", figure 8.

    >>> round(sigmoid()(0.5).alpha ** 2, 12)
    0.5
    """

    start: float = -3.0
    end: float = 3.0
    tau: float = 1.0

    def __post_init__(self) -> None:
        _require(self.start < self.end, f"start must be < end, got start={self.start}, end={self.end}")
        _require(self.tau > 0, f"tau must be > 0, got {self.tau}")

    def _rates(self, xp: Any, t: Array) -> tuple[Array, Array]:
        # S(p) - S(q) = sinh((p - q) / 2 tau) / (2 cosh(p / 2 tau) cosh(q / 2 tau)), which has no cancellation
        start, end = self.start / (2 * self.tau), self.end / (2 * self.tau)
        width = end - start
        common = xp.cosh(start + width * t) * math.sinh(width)
        alpha2 = xp.sinh(width * (1 - t)) * math.cosh(start) / common
        sigma2 = xp.sinh(width * t) * math.cosh(end) / common
        return xp.sqrt(alpha2), xp.sqrt(sigma2)


@dataclass(frozen=True)
class rectified(Formula):  # noqa: N801
    """The straight line of rectified flow: alpha = 1 - t, sigma = t.

    t in [0, 1]; alpha(1) = 0: an eps prediction does not determine x0 there, use "flow". DDIM on it is Euler's method.
    Source: Liu, Gong and Liu 2022, equation 1 (with time running towards the noise).

    >>> rectified()(0.25)
    Rates(alpha=0.75, sigma=0.25)
    """

    path = "straight"

    def _rates(self, xp: Any, t: Array) -> tuple[Array, Array]:
        return 1 - t, t


@dataclass(frozen=True)
class karras(Formula):  # noqa: N801
    """The variance-exploding schedule of EDM: alpha = 1, sigma = (a + t (b - a))^rho.

    a = sigma_min^(1/rho), b = sigma_max^(1/rho); sigma in units of the data. The start of sampling is x = sigma_max z.
    Raises ValueError unless 0 < sigma_min < sigma_max and rho > 0. Source: Karras et al. 2022 (EDM), equation 5.

    >>> round(karras()(1.0).sigma, 9)
    80.0
    """

    sigma_min: float = 0.002
    sigma_max: float = 80.0
    rho: float = 7.0

    path = "ve"

    def __post_init__(self) -> None:
        ordered = 0 < self.sigma_min < self.sigma_max
        _require(ordered, f"need 0 < sigma_min < sigma_max, got sigma_min={self.sigma_min}, sigma_max={self.sigma_max}")
        _require(self.rho > 0, f"rho must be > 0, got {self.rho}")

    def _rates(self, xp: Any, t: Array) -> tuple[Array, Array]:
        low, high = self.sigma_min ** (1 / self.rho), self.sigma_max ** (1 / self.rho)
        return xp.ones_like(t), (low + t * (high - low)) ** self.rho


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)
