"""Guidance: an estimate moved away from another one, by a scale that may depend on the sample and on t."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from diffkit_schedules import Array, as_array_of, namespace

from diffkit_samplers.estimates import Denoise, Estimate, as_dtype_of, fitting, widened, x0_or_estimate
from diffkit_samplers.guidance.joint_evaluation import evaluate_each
from diffkit_samplers.tracing import readable

__all__ = ["Scale", "Transform", "guide", "interval"]

Scale: TypeAlias = float | Array | Callable[[float], float | Array]
"""A number, an array with one number per sample, or a function of t that returns one of them."""

Transform: TypeAlias = Callable[[Array, Array], Array]
"""transform(difference, x0_cond) -> the difference to use; see `apg`."""


def guide(
    cond: Denoise | Sequence[Denoise],
    uncond: Denoise,
    scale: Scale | Sequence[Scale],
    *,
    rescale: float = 0.0,
    transform: Transform | None = None,
) -> Denoise:
    """Guidance: x0 = x0_uncond + scale (x0_cond - x0_uncond); at scale 1 it is `cond`, and at 0 `uncond`.

        x0 = x0_uncond + sum_k (d_k + (scale_k - 1) transform(d_k, x0_k)),   d_k = x0_k - x0_uncond

    cond, uncond: with and without the condition, for classifier-free guidance; a network and a worse one, such as an earlier
    checkpoint, for autoguidance. cond may be several, each with its scale in a sequence; a negative scale moves away from it.
    scale: a number; an array with one scale per sample, (B,), or of a shape that broadcasts to x_t's; or a function of t that
    returns one of them, see `interval`. Where a single scale is the number 1, only `cond` is evaluated.
    rescale in [0, 1]: how far each sample's standard deviation is brought back to that at scale 1. transform: changes each
    difference, see `apg`; by default none.
    Two `denoiser`s of one model are evaluated in one call with twice the batch, and more in the same way, where each array in
    their keyword arguments, also within mappings and lists, has one row per sample. If all hold the same array, of length B, it
    may not be a batch: then, as wherever arguments cannot be concatenated, the model is called for each. Bind an argument that is
    not a batch and differs between them to the model, as in `functools.partial(model, size=...)`.
    Raises ValueError for a rescale outside [0, 1], a scale that is not finite, and another number of scales than conditions;
    when called, for a scale that does not fit x_t.
    Source: Ho and Salimans 2022, equation 6 (with w = scale - 1); Karras et al. 2024 (autoguidance); Liu et al. 2022
    (composable diffusion), equation 11, for several conditions; Lin et al. 2024, equations 15 and 16, for rescale.

    >>> import numpy as np
    >>> guide(lambda x, t: x + 1, lambda x, t: x, 3.0)(np.zeros(2), 0.5)
    array([3., 3.])
    >>> guide([lambda x, t: x + 1, lambda x, t: x + 5], lambda x, t: x, [3.0, -0.5])(np.zeros(2), 0.5)
    array([0.5, 0.5])
    """
    conds, scales = (list(cond), scale) if isinstance(cond, Sequence) else ([cond], [scale])
    if not (isinstance(scales, Sequence) and len(scales) == len(conds) > 0):
        raise ValueError(f"{len(conds)} conditions need a sequence of as many scales, one or more; got {scale!r:.60}")
    if not 0 <= rescale <= 1:
        raise ValueError(f"rescale must be in [0, 1], got {rescale}")
    for each in scales:
        _require_scale(each)
    if len(conds) == 1 and _is_one(scales[0]):
        return conds[0]

    def guided(x_t: Array, t: float) -> Array | Estimate:
        now = [_value_at(each, t) if callable(each) else each for each in scales]
        if len(now) == 1 and _is_one(now[0]):
            return conds[0](x_t, t)
        *estimates, (unconditional, *_) = evaluate_each([*conds, uncond], x_t, t)
        x0 = unconditional
        for estimate, s in zip(estimates, now, strict=True):
            # as a difference: equal estimates give that estimate, and rounding errors are small where they are close
            difference, s = estimate.x0 - unconditional, _per_sample(s, unconditional)
            x0 = x0 + (s * difference if transform is None else difference + (s - 1) * transform(difference, estimate.x0))
        if rescale:
            at_one = estimates[0].x0
            for estimate in estimates[1:]:
                at_one = at_one + (estimate.x0 - unconditional)
            x0 = _rescaled(x0, at_one, rescale)
        return x0_or_estimate(Estimate(x0, None, estimates[0].variance_interpolation))

    return guided


def interval(scale: float | Array, low: float, high: float) -> Callable[[float], float | Array]:
    """The scale in the times low <= t <= high, and 1 elsewhere: guidance in a limited interval, for `guide`.

    low, high: times in [0, 1]; `times_of(schedule, [-2 * math.log(sigma)])` is the time of the noise level sigma, in units of
    the signal. Where it is 1, `cond` alone is evaluated. Raises ValueError unless 0 <= low < high <= 1.
    Source: Kynkäänniemi et al. 2024, section 3.

    >>> scale = interval(3.0, 0.2, 0.7)
    >>> [scale(t) for t in (1.0, 0.5, 0.1)]
    [1.0, 3.0, 1.0]
    """
    if not 0 <= low < high <= 1:
        raise ValueError(f"low and high must be times, 0 <= low < high <= 1, got low={low}, high={high}")
    return lambda t: scale if low <= t <= high else 1.0


def _require_scale(scale: Any) -> None:
    """Raises ValueError for what is no `Scale`, and for numbers that are not finite where the host can read them."""
    if callable(scale):
        return
    if isinstance(scale, list | tuple):
        for each in scale:
            _require_scale(each)
    elif isinstance(scale, int | float):
        if not math.isfinite(scale):
            raise ValueError(f"scale must be finite, got {scale}")
    elif not hasattr(scale, "shape"):
        raise ValueError(f"scale must be a number, an array with one per sample, or a function of t; got {scale!r:.60}")
    elif readable(scale):
        xp = namespace(scale)
        if not bool(xp.all(xp.isfinite(scale))):
            raise ValueError("scale must be finite, got an array with numbers that are not")


def _value_at(scale: Callable[[float], Any], t: float) -> Any:
    """scale(t), checked where it is no array: a check of one would make the host wait at each step."""
    value = scale(t)
    if not hasattr(value, "shape"):
        _require_scale(value)
    return value


def _is_one(scale: Any) -> bool:
    return isinstance(scale, int | float) and scale == 1


def _per_sample(scale: float | Array, x: Array) -> Any:
    if isinstance(scale, int | float):
        return float(scale)  # a NumPy float64 would widen x0
    scale = as_array_of(scale, x)
    if scale.ndim == 1:
        scale = namespace(x).reshape(scale, (-1,) + (1,) * (x.ndim - 1))
    return fitting("scale", scale, x)


def _rescaled(x0: Array, wanted: Array, rescale: float) -> Array:
    """x0 with each sample's standard deviation a fraction `rescale` of the way back to that of `wanted`."""
    xp, axes = namespace(x0), tuple(range(1, x0.ndim))
    deviation, aim = (xp.std(widened(each), axis=axes, keepdims=True) for each in (x0, wanted))
    constant = deviation == 0  # there is nothing to rescale
    ratio = xp.where(constant, xp.ones_like(deviation), aim / xp.where(constant, xp.ones_like(deviation), deviation))
    return x0 * as_dtype_of(rescale * ratio + (1 - rescale), x0)
