"""From anyone's network to the one function a sampler needs: denoise(x_t, t) -> x0."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from diffkit_schedules import (
    CONDITIONS,
    Array,
    Rates,
    Schedule,
    combine,
    condition_value,
    filled,
    namespace,
    prediction_name,
    rates_at,
    timesteps_of,
    to_x0,
)

from diffkit_samplers.bounds import clamped
from diffkit_samplers.tracing import compiled_by_torch

__all__ = ["Denoise", "Denoiser", "Estimate", "denoiser", "look", "plain"]


class Estimate(NamedTuple):
    """What denoise may return instead of x0 alone, where there is more to say.

    eps: the noise to go on with, where it is not (x_t - alpha x0) / sigma because x0 was changed. spread: the variance of DDPM's
    noise between "fixed small" (0) and "fixed large" (1), a float or an array; see `step`.

    >>> Estimate(x0=1.0, eps=0.5).spread
    0.0
    """

    x0: Array
    eps: Array | None = None
    spread: Any = 0.0

    def state(self, x: Array, rates: Rates) -> Array:
        """x as this estimate has it: alpha x0 + sigma eps where it keeps an eps, from which that eps follows for any x0; or x.

        >>> import numpy as np
        >>> from diffkit_schedules import Rates
        >>> Estimate(np.ones(1), np.ones(1)).state(np.zeros(1), Rates(0.6, 0.8))
        array([1.4])
        """
        return x if self.eps is None else combine(rates.alpha, self.x0, rates.sigma, self.eps)


Denoise: TypeAlias = Callable[[Array, float], Array | Estimate]
"""denoise(x_t, t) -> x0: the expected clean data, given noisy data and its time; x0 has x_t's shape and dtype."""


def look(denoise: Denoise, x: Array, t: float) -> Estimate:
    """What denoise says of x at time t, as an Estimate whose arrays have x's dtype.

    Raises ValueError for an x0 of another shape than x.

    >>> import numpy as np
    >>> look(lambda x, t: x, np.ones(1), 0.5)
    Estimate(x0=array([1.]), eps=None, spread=0.0)
    """
    found = denoise(x, t)
    x0, eps, spread = found if isinstance(found, Estimate) else Estimate(found)
    if getattr(x0, "shape", None) != x.shape:
        raise ValueError(f"denoise must give an x0 of x's shape {tuple(x.shape)}, got {_described(x0)}")
    return Estimate(_as(x0, x), None if eps is None else _as(eps, x), spread)


def plain(found: Estimate) -> Array | Estimate:
    """x0 alone where an Estimate says no more: what a wrapper hands on.

    >>> plain(Estimate(1.0)), plain(Estimate(1.0, eps=0.5))
    (1.0, Estimate(x0=1.0, eps=0.5, spread=0.0))
    """
    return found.x0 if found.eps is None and isinstance(found.spread, float) and found.spread == 0 else found


@dataclass(frozen=True, eq=False)
class Denoiser:
    """The denoise function of a network, as `denoiser` makes it; its parts can be read.

    >>> from diffkit_schedules import cosine
    >>> denoiser(print, cosine(), "v").prediction
    'v'
    """

    model: Callable[..., Any]
    schedule: Schedule
    prediction: str
    condition: str
    learned_range: bool = False
    dtype: Any = None
    model_kwargs: dict[str, Any] = field(default_factory=dict)

    def __call__(self, x_t: Array, t: float | Array) -> Any:
        """x0 at time t, a float or an array of no axes; an Estimate where the network says the variance too."""
        if isinstance(t, float) and compiled_by_torch(x_t):
            t = filled(
                (), t, x_t, _wide(x_t.dtype, namespace(x_t))
            )  # torch would compile anew for each float that decides something
        rates = rates_at(self.schedule, t) if isinstance(t, int | float) else self.schedule(t)
        given = x_t if self.dtype is None else namespace(x_t).astype(x_t, self.dtype)
        out = self.model(given, self._told(x_t, t, rates), **self.model_kwargs)
        out = out[0] if isinstance(out, tuple) else getattr(out, "sample", out)
        spread: Any = 0.0
        wanted = (x_t.shape[0], 2 * x_t.shape[1], *x_t.shape[2:]) if self.learned_range else tuple(x_t.shape)
        if tuple(getattr(out, "shape", ())) != wanted:
            twice = "twice " if self.learned_range else ""
            raise ValueError(f"the model must give an array of {twice}x_t's shape, {wanted}; got {_described(out)}")
        out = _as(out, x_t)
        if self.learned_range:
            out, spread = out[:, : x_t.shape[1]], (out[:, x_t.shape[1] :] + 1) / 2
        x0 = to_x0(out, x_t, rates, self.prediction)
        return Estimate(x0, None, spread) if self.learned_range else x0

    def _told(self, x: Array, t: float | Array, rates: Rates) -> Array:
        xp, number = namespace(x), isinstance(t, int | float)
        dtype = x.dtype if self.dtype is None else _wide(self.dtype, xp)
        if self.condition == "index":
            steps, dtype = timesteps_of(self.schedule), _integers(xp)
            value = min(max(round(t * steps) - 1, 0), steps - 1) if number else clamped(xp.round(t * steps) - 1, 0, steps - 1)
        else:
            value = condition_value(lambda _: rates, t, self.condition)
        return filled((x.shape[0],), value, x, dtype) if number else xp.broadcast_to(xp.astype(value, dtype), (x.shape[0],))


def denoiser(
    model: Callable[..., Any],
    schedule: Schedule,
    prediction: str = "eps",
    condition: str = "variance",
    *,
    learned_range: bool = False,
    dtype: Any = None,
    **model_kwargs: Any,
) -> Denoiser:
    """The function denoise(x_t, t) -> x0 of a network, x0 = (b x_t - sigma out) / (b alpha - sigma a), out = model(x_t, c).

    model: any callable; it is given x_t of shape (B, ...), c, and `model_kwargs`. An output object with `.sample`, or a tuple
    whose first item is the output, is unwrapped.
    prediction: what it was trained to say: "eps", "x0", "v" or "flow", or the ecosystem's name for it.
    condition: what it is told, as c of shape (B,) in x_t's library, dtype (or see `dtype`) and device: "variance" (sigma^2),
    "sigma", "time" (t in [0, 1]), "log_snr", or "index" (int64, 0 ... T - 1).
    learned_range: the model has twice x_t's channels, the second half f' saying the variance: spread = (f' + 1) / 2.
    dtype: the model's, where it is not x_t's. The model then is given x_t in it and c in at least float32, and what it says comes
    back in x_t's: a float32 state beside a network of half precision keeps what a half-precision state would lose at each step,
    and c the noise levels that bfloat16 cannot tell apart (1000 become 294).
    Compile the model rather than its denoiser: it has arrays alone to depend on, while a denoiser is compiled once more for its
    second t, and its errors that depend on t are not raised then.
    Raises ValueError for an unknown prediction or condition; when called, for an output of another shape than x_t and for a
    prediction that says nothing at this t (eps at alpha = 0).
    Source: Salimans and Ho 2022, section 4, for the prediction types; Nichol and Dhariwal 2021, equation 15, for the range.

    >>> import numpy as np
    >>> from diffkit_schedules import rectified
    >>> denoise = denoiser(lambda x, c: x * c[:, None], rectified(), "flow", "time")
    >>> denoise(np.ones((2, 3)), 0.5)[0]
    array([0.75, 0.75, 0.75])
    """
    if condition not in CONDITIONS:
        raise ValueError(f"condition must be one of {', '.join(map(repr, CONDITIONS))}; got {condition!r}")
    return Denoiser(model, schedule, prediction_name(prediction), condition, learned_range, dtype, model_kwargs)


def _as(values: Array, like: Array) -> Array:
    return values if values.dtype == like.dtype else namespace(values).astype(values, like.dtype)


def _described(value: Any) -> str:
    return str(tuple(value.shape)) if hasattr(value, "shape") else type(value).__name__


def _integers(xp: Any) -> Any:
    """int64, but JAX's int32 where its 64-bit types are switched off."""
    info = getattr(xp, "__array_namespace_info__", None)
    return xp.int64 if info is None else info().default_dtypes()["integral"]


def _wide(dtype: Any, xp: Any) -> Any:
    return dtype if xp.finfo(dtype).bits >= 32 else xp.float32
