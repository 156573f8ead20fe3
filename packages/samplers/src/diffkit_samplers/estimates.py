"""What a sampler needs of a model: denoise(x_t, t) -> x0, and the estimate that it returns."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from diffkit_schedules import Array, Rates, as_array_of, combine, namespace

__all__ = ["Denoise", "Estimate", "as_dtype_of", "describe", "evaluate", "fitting", "widened", "x0_or_estimate"]


class Estimate(NamedTuple):
    """What denoise may return instead of x0 alone.

    eps: the noise of x_t, where it is not (x_t - alpha x0) / sigma because a wrapper changed x0. variance_interpolation: where
    the log-variance of DDPM's noise lies, from 0 ("fixed small") to 1 ("fixed large"), a float or an array; see `step`.

    >>> Estimate(x0=1.0, eps=0.5).variance_interpolation
    0.0
    """

    x0: Array
    eps: Array | None = None
    variance_interpolation: Any = 0.0

    def state(self, x: Array, rates: Rates) -> Array:
        """The x_t that has this estimate's noise: alpha x0 + sigma eps where it keeps an eps, x otherwise.

        >>> import numpy as np
        >>> from diffkit_schedules import Rates
        >>> Estimate(np.ones(1), np.ones(1)).state(np.zeros(1), Rates(0.6, 0.8))
        array([1.4])
        """
        return x if self.eps is None else combine(rates.alpha, self.x0, rates.sigma, self.eps)


Denoise: TypeAlias = Callable[[Array, float], Array | Estimate]
"""denoise(x_t, t) -> x0: the expected clean data, given noisy data and its time; x0 has x_t's shape and dtype."""


def evaluate(denoise: Denoise, x: Array, t: float) -> Estimate:
    """denoise(x, t) as an Estimate whose arrays have x's dtype.

    Raises ValueError where x0 does not have x's shape.

    >>> import numpy as np
    >>> evaluate(lambda x, t: x, np.ones(1), 0.5)
    Estimate(x0=array([1.]), eps=None, variance_interpolation=0.0)
    """
    output = denoise(x, t)
    x0, eps, v = output if isinstance(output, Estimate) else Estimate(output)
    if getattr(x0, "shape", None) != x.shape:
        raise ValueError(f"denoise must return an x0 of x's shape {tuple(x.shape)}, got {describe(x0)}")
    return Estimate(as_dtype_of(x0, x), None if eps is None else as_dtype_of(eps, x), v)


def x0_or_estimate(estimate: Estimate) -> Array | Estimate:
    """x0 alone where the estimate holds nothing else: what a wrapper returns.

    >>> x0_or_estimate(Estimate(1.0)), x0_or_estimate(Estimate(1.0, eps=0.5))
    (1.0, Estimate(x0=1.0, eps=0.5, variance_interpolation=0.0))
    """
    v = estimate.variance_interpolation
    return estimate.x0 if estimate.eps is None and isinstance(v, float) and v == 0 else estimate


def as_dtype_of(values: Array, like: Array) -> Array:
    """The values in the dtype of `like`, unchanged where they have it.

    >>> import numpy as np
    >>> as_dtype_of(np.ones(1), np.ones(1, np.float32)).dtype
    dtype('float32')
    """
    return values if values.dtype == like.dtype else namespace(values).astype(values, like.dtype)


def fitting(name: str, values: Array, x: Array) -> Array:
    """The values, with the library, dtype and device of x. Raises ValueError where their shape does not broadcast to x's.

    >>> import numpy as np
    >>> fitting("mask", [1, 0], np.ones((3, 2)))
    array([1., 0.])
    """
    found = as_array_of(values, x)
    sides = zip(reversed(found.shape), reversed(x.shape), strict=False)
    if found.ndim > x.ndim or any(ours not in (1, theirs) for ours, theirs in sides):
        raise ValueError(f"{name} must fit x_t's shape {tuple(x.shape)}, got {tuple(found.shape)}")
    return found


def widened(x: Array) -> Array:
    """x in float32 where its dtype is narrower, for sums over a sample.

    >>> import numpy as np
    >>> widened(np.ones(1, np.float16)).dtype, widened(np.ones(1)).dtype
    (dtype('float32'), dtype('float64'))
    """
    xp = namespace(x)
    return x if xp.finfo(x.dtype).bits >= 32 else xp.astype(x, xp.float32)


def describe(value: Any) -> str:
    """The shape of an array, the type of anything else, for an error.

    >>> import numpy as np
    >>> describe(np.ones((2, 3))), describe(None)
    ('(2, 3)', 'NoneType')
    """
    return str(tuple(value.shape)) if hasattr(value, "shape") else type(value).__name__
