"""A table of T betas, the discrete diffusion of DDPM, evaluated at any t.

Index i of a table, 0 ... T - 1, is t = (i + 1) / T; t = 0 is clean data (alpha-bar = 1). Between two entries the pair
(alpha, sigma) is on the chord, scaled to the unit circle; at an entry it is exact.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from diffkit_schedules.arrays import Array, as_array_of, is_concrete, is_torch
from diffkit_schedules.rates import Formula, Rates

__all__ = ["Betas", "Table"]

Betas: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"


class Table(Formula, NDArrayOperatorsMixin):
    """Base of the tables: a subclass defines `_betas`, a float64 array of T values in [0, 1].

    alpha-bar_i = prod_{j <= i} (1 - beta_j); alpha = sqrt(alpha-bar), sigma = sqrt(1 - alpha-bar).
    `alphas_cumprod` is alpha-bar at indices 0 ... T - 1, float64.
    A table is also the array of its betas: it has a length, can be indexed, and works in NumPy's functions and arithmetic.
    Source: Ho, Jain and Abbeel 2020 (DDPM), equation 4.

    >>> from diffkit_schedules import linear_betas
    >>> table = linear_betas()
    >>> len(table), float(table[-1]), round(float((1 - table).prod()), 8)
    (1000, 0.02, 4.036e-05)
    """

    alphas_cumprod: Betas
    _entries: tuple[Betas, Betas]
    _numbers: tuple[list[float], list[float]]
    _cached: dict[Any, tuple[Array, ...]]

    def _betas(self) -> Betas:
        raise NotImplementedError

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> "np.ndarray[Any, Any]":
        return np.array(self._betas(), dtype=dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return getattr(ufunc, method)(*(np.asarray(each) if isinstance(each, Table) else each for each in inputs), **options)

    def __len__(self) -> int:
        return len(self._betas())

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, index: Any) -> Any:
        return self._betas()[index]

    def __iter__(self) -> Iterator[np.float64]:
        return iter(self._betas())

    @property
    def timesteps(self) -> int:
        """The number T of training steps."""
        return len(self.alphas_cumprod)

    def _tabulate(self, alphas_cumprod: Betas) -> None:
        bar = np.concatenate([[1.0], alphas_cumprod])
        entries = (np.sqrt(bar), np.sqrt(1 - bar))
        numbers = tuple(entry.tolist() for entry in entries)  # a compiler needs floats here
        vars(self).update(alphas_cumprod=alphas_cumprod, _entries=entries, _numbers=numbers, _cached={})

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_cached": {}}

    def __call__(self, t: Any) -> Rates:
        if not isinstance(t, int | float) or not 0 <= t <= 1:
            return super().__call__(t)
        position = float(t) * self.timesteps
        low = min(int(position), self.timesteps - 1)
        pairs = [(entry[low], entry[low + 1]) for entry in self._numbers]
        return Rates(*_chord(math.sqrt, position - low, *pairs))

    def _rates(self, xp: Any, t: Array) -> tuple[Array, Array]:
        position = xp.reshape(t, (-1,)) * self.timesteps
        index = xp.astype(position, xp.int64 if t.dtype == xp.float64 else xp.int32)
        index = xp.clip(index, 0, self.timesteps - 1)
        pairs = [(xp.take(entry, index, axis=0), xp.take(entry, index + 1, axis=0)) for entry in self._entries_like(t)]
        alpha, sigma = _chord(xp.sqrt, position - xp.astype(index, t.dtype), *pairs)
        return xp.reshape(alpha, t.shape), xp.reshape(sigma, t.shape)

    def _entries_like(self, t: Array) -> tuple[Array, ...]:
        """The entries in t's library, dtype and device; copied to an accelerator once, not at every call."""
        kind = (type(t), t.dtype, str(t.device)) if is_torch(t) else None
        entries = self._cached.get(kind) or tuple(as_array_of(entry, t) for entry in self._entries)
        if kind and is_concrete(entries[0]):
            self._cached[kind] = entries
        return entries

    def __post_init__(self, stacklevel: int = 3) -> None:
        betas = self._betas()
        if betas.ndim != 1 or betas.size == 0:
            raise ValueError(f"betas must be a sequence of at least one number, got shape {betas.shape}")
        if not np.all((betas >= 0) & (betas <= 1)):
            raise ValueError(f"every beta must be in [0, 1], got {betas[~((betas >= 0) & (betas <= 1))][0]}")
        self._tabulate(np.cumprod(1 - betas, dtype=np.float64))
        left = self.alphas_cumprod[-1]
        if left > 0.05:
            warnings.warn(
                f"{type(self).__name__} with T = {betas.size} ends at alpha-bar = {left:.3g}, not in noise: increase the betas"
                " (by 1000 / T for a table made for T = 1000) or use zero_terminal_snr",
                stacklevel=stacklevel,
            )


def _chord(sqrt: Callable[[Any], Any], part: Any, alphas: tuple[Any, Any], sigmas: tuple[Any, Any]) -> tuple[Any, Any]:
    """The pair at the fraction `part` of the chord between two entries, scaled to the unit circle."""
    alpha, sigma = ((1 - part) * low + part * high for low, high in (alphas, sigmas))
    norm = sqrt(alpha * alpha + sigma * sigma)
    return alpha / norm, sigma / norm
