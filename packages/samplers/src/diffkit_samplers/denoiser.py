"""From a network to the function that a sampler needs: denoise(x_t, t) -> x0."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from diffkit_schedules import (
    CONDITIONS,
    Array,
    Rates,
    Schedule,
    condition_value,
    filled,
    namespace,
    prediction_name,
    rates_at,
    timesteps_of,
    to_x0,
)

from diffkit_samplers.bounds import clamped
from diffkit_samplers.estimates import Estimate, as_dtype_of, describe
from diffkit_samplers.tracing import compiled_by_torch

__all__ = ["Denoiser", "denoiser"]


@dataclass(frozen=True, eq=False)
class Denoiser:
    """The denoise function of a network; `denoiser` makes it and checks its fields.

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
        """x0 at time t, a float or a 0-d array; an Estimate where the network predicts the variance too."""
        if isinstance(t, float) and compiled_by_torch(x_t):
            # torch would compile again for each float that a branch depends on
            t = filled((), t, x_t, _at_least_float32(x_t.dtype, namespace(x_t)))
        rates = rates_at(self.schedule, t) if isinstance(t, int | float) else self.schedule(t)
        x = x_t if self.dtype is None else namespace(x_t).astype(x_t, self.dtype)
        out = self.model(x, self._condition(x_t, t, rates), **self.model_kwargs)
        out = out[0] if isinstance(out, tuple) else getattr(out, "sample", out)
        expected = (x_t.shape[0], 2 * x_t.shape[1], *x_t.shape[2:]) if self.learned_range else tuple(x_t.shape)
        if tuple(getattr(out, "shape", ())) != expected:
            channels = "with twice its channels, " if self.learned_range else ""
            raise ValueError(f"the model must return an array of x_t's shape, {channels}{expected}; got {describe(out)}")
        out = as_dtype_of(out, x_t)
        if not self.learned_range:
            return to_x0(out, x_t, rates, self.prediction)
        out, variance = out[:, : x_t.shape[1]], out[:, x_t.shape[1] :]
        return Estimate(to_x0(out, x_t, rates, self.prediction), None, (variance + 1) / 2)

    def _condition(self, x: Array, t: float | Array, rates: Rates) -> Array:
        xp, is_number = namespace(x), isinstance(t, int | float)
        dtype = x.dtype if self.dtype is None else _at_least_float32(self.dtype, xp)
        if self.condition == "index":
            steps, dtype = timesteps_of(self.schedule), _integers(xp)
            value = min(max(round(t * steps) - 1, 0), steps - 1) if is_number else clamped(xp.round(t * steps) - 1, 0, steps - 1)
        else:
            value = condition_value(lambda _: rates, t, self.condition)
        return filled((x.shape[0],), value, x, dtype) if is_number else xp.broadcast_to(xp.astype(value, dtype), (x.shape[0],))


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

    model: any callable of x_t with shape (B, ...), c and `model_kwargs`. An output object with `.sample`, or a tuple whose first
    item is the output, is unwrapped.
    prediction: what the model predicts: "eps", "x0", "v" or "flow", or diffusers' name for it.
    condition: what the model is conditioned on, as c of shape (B,) with x_t's library, dtype (but see `dtype`) and device:
    "variance" (sigma^2), "sigma", "time" (t in [0, 1]), "log_snr", or "index" (int64, 0 ... T - 1).
    learned_range: the output has twice x_t's channels; the second half f' is the variance interpolation, (f' + 1) / 2.
    dtype: the model's dtype, where it is not x_t's. The model gets x_t in this dtype and c in float32 or wider; its output is
    converted to x_t's dtype. So a float32 state keeps the digits that a half-precision state loses in each step, and c keeps
    the noise levels that bfloat16 rounds to one (1000 become 294).
    Compile the model, not its denoiser: the model depends on arrays alone. A denoiser is compiled once more for its second t,
    and a compiled one does not raise the errors that depend on t.
    Raises ValueError for an unknown prediction or condition; when called, for an output of another shape, and where the
    prediction does not determine x0 (eps at alpha = 0).
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


def _integers(xp: Any) -> Any:
    """int64, or int32 where JAX's 64-bit types are disabled."""
    return xp.__array_namespace_info__().default_dtypes()["integral"]


def _at_least_float32(dtype: Any, xp: Any) -> Any:
    return dtype if xp.finfo(dtype).bits >= 32 else xp.float32
