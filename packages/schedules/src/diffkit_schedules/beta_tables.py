"""The common tables of betas."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from diffkit_schedules.discrete_schedule import Betas, Table

__all__ = ["cosine_betas", "discrete", "linear_betas", "scaled_linear_betas", "sigmoid_betas"]

MAX_SHOWN = 8
MAX_STEPS = 10**6
"""The maximum number of steps: a number in a config must not exhaust the memory."""


@dataclass(frozen=True)
class discrete(Table):  # noqa: N801
    """The schedule of any table of betas, each in [0, 1], first step first; `timesteps` is their number.

    The betas may be a sequence, an array, or another table: `discrete(linear_betas())` is `linear_betas()`, written out.
    Its repr has up to 8 betas, or only the first and the last of more.

    Raises TypeError for anything but a sequence, and ValueError for an empty table or a beta outside [0, 1]; warns where the
    last alpha-bar is above 0.05.
    Source: Ho, Jain and Abbeel 2020 (DDPM), equation 4.

    >>> round(discrete([0.5, 0.5, 0.9])(2 / 3).alpha ** 2, 12)
    0.25
    >>> discrete(linear_betas())
    discrete(1000 betas from 0.0001 to 0.02)
    """

    betas: Sequence[float]

    def __repr__(self) -> str:
        if len(self.betas) <= MAX_SHOWN:
            return f"discrete(betas={self.betas})"
        return f"discrete({len(self.betas)} betas from {self.betas[0]:g} to {self.betas[-1]:g})"

    def __post_init__(self) -> None:
        if not isinstance(self.betas, Iterable):
            raise TypeError(f"betas must be a sequence of numbers, or a table, got {self.betas!r:.80}")
        object.__setattr__(self, "betas", tuple(float(beta) for beta in self.betas))
        super().__post_init__(stacklevel=4)

    def _betas(self) -> Betas:
        return np.array(self.betas)


@dataclass(frozen=True)
class linear_betas(Table):  # noqa: N801
    """T betas evenly spaced from start to end.

    The betas do not scale with T: at T = 100 the defaults end at alpha-bar = 0.36, with a warning.
    Raises ValueError unless T >= 1 and the betas are in [0, 1]. Source: Ho, Jain and Abbeel 2020 (DDPM), section 4.

    >>> round(float(linear_betas().alphas_cumprod[-1]), 8)
    4.036e-05
    """

    T: int = 1000
    start: float = 1e-4
    end: float = 0.02

    def _betas(self) -> Betas:
        return np.linspace(self.start, self.end, _at_least_one(self.T))


@dataclass(frozen=True)
class scaled_linear_betas(Table):  # noqa: N801
    """T betas whose square roots are evenly spaced from sqrt(start) to sqrt(end); the defaults are Stable Diffusion's.

    Raises ValueError unless T >= 1 and the betas are in [0, 1].
    Source: Rombach et al. 2022 (latent diffusion), the released code's "scaled linear".

    >>> round(scaled_linear_betas()(1.0).snr ** -0.5, 3)
    14.615
    """

    T: int = 1000
    start: float = 0.00085
    end: float = 0.012

    def _betas(self) -> Betas:
        return np.linspace(self.start**0.5, self.end**0.5, _at_least_one(self.T)) ** 2


@dataclass(frozen=True)
class cosine_betas(Table):  # noqa: N801
    """The betas of the cosine alpha-bar: beta_i = min(1 - f(i + 1)^2 / f(i)^2, cap), f(i) = cos(pi/2 (i/T + s) / (1 + s)).

    Raises ValueError unless T >= 1, s >= 0 and cap in (0, 1]. Source: Nichol and Dhariwal 2021, equation 17 and below.

    >>> cosine_betas().timesteps
    1000
    """

    T: int = 1000
    s: float = 0.008
    cap: float = 0.999

    def _betas(self) -> Betas:
        if self.s < 0 or not 0 < self.cap <= 1:
            raise ValueError(f"need s >= 0 and cap in (0, 1], got s={self.s}, cap={self.cap}")
        i = np.arange(_at_least_one(self.T) + 1)
        f = np.cos(math.pi / 2 * (i / self.T + self.s) / (1 + self.s)) ** 2
        betas: Betas = np.minimum(1 - f[1:] / f[:-1], self.cap)
        return betas


@dataclass(frozen=True)
class sigmoid_betas(Table):  # noqa: N801
    """T betas along a sigmoid from start to end: beta_i = start + (end - start) S(u_i), u evenly spaced from -6 to 6.

    S(u) = 1 / (1 + exp(-u)). The betas follow a sigmoid here; in `sigmoid` alpha-bar does.
    Raises ValueError unless T >= 1 and the betas are in [0, 1]. Source: Xu et al. 2022 (GeoDiff), the released code.

    >>> round(float(sigmoid_betas().alphas_cumprod[499]), 3)
    0.302
    """

    T: int = 1000
    start: float = 1e-4
    end: float = 0.02

    def _betas(self) -> Betas:
        u = np.linspace(-6, 6, _at_least_one(self.T))
        return self.start + (self.end - self.start) / (1 + np.exp(-u))


def _at_least_one(timesteps: int) -> int:
    if timesteps < 1:
        raise ValueError(f"T must be at least 1, got {timesteps}")
    if timesteps > MAX_STEPS:
        raise ValueError(f"T must be at most {MAX_STEPS}, got {timesteps}")
    return timesteps
