"""Schedules given by a table of T betas, the discrete diffusion of DDPM, read at any t in between.

Index i of a table, 0 ... T - 1, is t = (i + 1) / T; t = 0 is clean data (alpha-bar = 1). Between two entries the pair
(alpha, sigma) moves along the chord and is scaled back to the unit circle, which meets every entry exactly.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from diffkit_schedules.arrays import Array, as_array_of, is_torch
from diffkit_schedules.rates import Formula, Rates

__all__ = ["Table", "cosine_betas", "discrete", "linear_betas", "scaled_linear_betas", "sigmoid_betas"]

Betas: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"


class Table(Formula):
    """Base of the tables: a subclass gives `betas`, a float64 array of T values in [0, 1].

    alpha-bar_i = prod_{j <= i} (1 - beta_j); alpha = sqrt(alpha-bar), sigma = sqrt(1 - alpha-bar).
    Source: Ho, Jain and Abbeel 2020 (DDPM), equation 4.
    """

    def _betas(self) -> Betas:
        raise NotImplementedError

    @property
    def timesteps(self) -> int:
        """The number T of training steps."""
        return len(self.alphas_cumprod)

    @cached_property
    def alphas_cumprod(self) -> Betas:
        """alpha-bar at indices 0 ... T - 1, float64."""
        return np.asarray(np.cumprod(1 - self._betas()), dtype=np.float64)

    @cached_property
    def _entries(self) -> tuple[Betas, Betas]:
        bar = np.concatenate([[1.0], self.alphas_cumprod])
        return np.sqrt(bar), np.sqrt(1 - bar)

    @cached_property
    def _placed(self) -> dict[Any, tuple[Array, ...]]:
        return {}  # the entries by dtype and device: copied to an accelerator once, not at every call

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_placed"}

    def __call__(self, t: Any) -> Rates:
        if not isinstance(t, int | float) or not 0 <= t <= 1:
            return super().__call__(t)
        position = float(t) * self.timesteps
        low = min(int(position), self.timesteps - 1)
        pairs = [(float(entry[low]), float(entry[low + 1])) for entry in self._entries]
        return Rates(*_chord(math.sqrt, position - low, *pairs))

    def _rates(self, xp: Any, t: Array) -> tuple[Array, Array]:
        place = (xp.__name__, str(t.dtype), str(getattr(t, "device", "")))
        entries = self._placed.get(place) or tuple(as_array_of(entry, t) for entry in self._entries)
        if is_torch(t):  # what JAX makes under jit must not outlive it
            self._placed[place] = entries
        position = xp.reshape(t, (-1,)) * self.timesteps
        low = xp.clip(xp.floor(position), 0, self.timesteps - 1)
        index = xp.astype(low, xp.int64 if t.dtype == xp.float64 else xp.int32)
        pairs = [(xp.take(entry, index, axis=0), xp.take(entry, index + 1, axis=0)) for entry in entries]
        alpha, sigma = _chord(xp.sqrt, position - low, *pairs)
        return xp.reshape(alpha, t.shape), xp.reshape(sigma, t.shape)

    def __post_init__(self) -> None:
        betas = np.asarray(self._betas(), dtype=np.float64)
        if betas.ndim != 1 or betas.size == 0:
            raise ValueError(f"betas must be a sequence of at least one number, got shape {betas.shape}")
        if not np.all((betas >= 0) & (betas <= 1)):
            raise ValueError(f"every beta must be in [0, 1], got {betas[~((betas >= 0) & (betas <= 1))][0]}")
        left = self.alphas_cumprod[-1]
        if left > 0.05:
            warnings.warn(
                f"{type(self).__name__} with T = {betas.size} ends at alpha-bar = {left:.3g}, which is not noise: raise the betas"
                " (by 1000 / T for a table made for T = 1000) or wrap it in zero_terminal_snr",
                stacklevel=3,
            )


@dataclass(frozen=True)
class discrete(Table):  # noqa: N801
    """The schedule of any table of betas, each in [0, 1], first step first; `timesteps` is their number.

    Raises ValueError for an empty table or a beta outside [0, 1]; warns where the last alpha-bar is above 0.05.
    Source: Ho, Jain and Abbeel 2020 (DDPM), equation 4.

    >>> round(discrete([0.5, 0.5, 0.9])(2 / 3).alpha ** 2, 12)
    0.25
    """

    betas: Sequence[float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(float(beta) for beta in self.betas))
        super().__post_init__()

    def _betas(self) -> Betas:
        return np.array(self.betas)


@dataclass(frozen=True)
class linear_betas(Table):  # noqa: N801
    """T betas evenly spaced from start to end.

    Not scaled with T: at T = 100 the defaults end at alpha-bar = 0.36, and a warning says so.
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


def _chord(sqrt: Callable[[Any], Any], part: Any, alphas: tuple[Any, Any], sigmas: tuple[Any, Any]) -> tuple[Any, Any]:
    """The pair between two entries, `part` of the way along the chord, scaled back to the unit circle."""
    alpha, sigma = ((1 - part) * low + part * high for low, high in (alphas, sigmas))
    norm = sqrt(alpha * alpha + sigma * sigma)
    return alpha / norm, sigma / norm


def _at_least_one(timesteps: int) -> int:
    if timesteps < 1:
        raise ValueError(f"T must be at least 1, got {timesteps}")
    return timesteps
