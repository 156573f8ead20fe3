"""Classifier-free guidance, with one call of the model for both estimates where their arguments can be concatenated."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from diffkit_schedules import Array, as_array_of, namespace

from diffkit_samplers.denoiser import Denoiser
from diffkit_samplers.estimates import Denoise, Estimate, evaluate, x0_or_estimate

__all__ = ["guide"]


def guide(cond: Denoise, uncond: Denoise, scale: float | Array, *, rescale: float = 0.0) -> Denoise:
    """Classifier-free guidance: x0 = x0_uncond + scale (x0_cond - x0_uncond); at scale 1 it is `cond`.

    scale: a number, or an array with one scale per sample, (B,), or of a shape that broadcasts to x_t's. rescale in [0, 1]: how
    far each sample's standard deviation is brought back to that of x0_cond.
    Two `denoiser`s of one model are evaluated in one call with twice the batch, where each array in their keyword arguments,
    also within mappings and lists, has one row per sample. If both hold the same array, of length B, it may not be a batch:
    then, as wherever arguments cannot be concatenated, the model is called twice. Bind an argument that is not a batch and
    differs between the two to the model, as in `functools.partial(model, size=...)`.
    Raises ValueError for a rescale outside [0, 1] and, when called, for a scale that does not fit x_t.
    Source: Ho and Salimans 2022, equation 6 (with w = scale - 1); Lin et al. 2024, equations 15 and 16, for rescale.

    >>> import numpy as np
    >>> guide(lambda x, t: x + 1, lambda x, t: x, 3.0)(np.zeros(2), 0.5)
    array([3., 3.])
    """
    if not 0 <= rescale <= 1:
        raise ValueError(f"rescale must be in [0, 1], got {rescale}")
    if isinstance(scale, int | float) and scale == 1:
        return cond

    def guided(x_t: Array, t: float) -> Array | Estimate:
        conditional, unconditional = _both(cond, uncond, x_t, t)
        # as a difference: equal estimates give that estimate, and rounding errors are small where they are close
        x0 = unconditional + _per_sample(scale, unconditional) * (conditional.x0 - unconditional)
        if x0.shape != x_t.shape:
            raise ValueError(f"scale must fit x_t's shape {tuple(x_t.shape)}: with it x0 has {tuple(x0.shape)}")
        if rescale:
            xp, axes = namespace(x0), tuple(range(1, x0.ndim))
            deviation, wanted = (xp.std(each, axis=axes, keepdims=True) for each in (x0, conditional.x0))
            constant = deviation == 0  # there is nothing to rescale
            ratio = xp.where(constant, xp.ones_like(deviation), wanted / xp.where(constant, xp.ones_like(deviation), deviation))
            x0 = x0 * (rescale * ratio + (1 - rescale))
        return x0_or_estimate(Estimate(x0, None, conditional.variance_interpolation))

    return guided


def _per_sample(scale: float | Array, x: Array) -> Any:
    if isinstance(scale, int | float):
        return scale
    scale = as_array_of(scale, x)
    return namespace(x).reshape(scale, (-1,) + (1,) * (x.ndim - 1)) if scale.ndim == 1 else scale


def _both(cond: Denoise, uncond: Denoise, x: Array, t: float) -> tuple[Estimate, Array]:
    """The conditional estimate, and the unconditional x0."""
    merged = _merged(cond, uncond, x)
    if merged is None:
        return evaluate(cond, x, t), evaluate(uncond, x, t).x0
    count, (x0, _, v) = x.shape[0], evaluate(merged, namespace(x).concat([x, x]), t)
    return Estimate(x0[:count], None, v if isinstance(v, float) else v[:count]), x0[count:]


def _merged(cond: Denoise, uncond: Denoise, x: Array) -> Denoiser | None:
    """One denoiser for both halves of a batch; None where they differ in more than arrays with one row per sample."""
    if not (isinstance(cond, Denoiser) and isinstance(uncond, Denoiser) and cond.model is uncond.model):
        return None
    one, other = (replace(each, model_kwargs={}) for each in (cond, uncond))
    if vars(one) != vars(other):
        return None
    try:
        return replace(cond, model_kwargs=_concatenated(cond.model_kwargs, uncond.model_kwargs, x.shape[0]))
    except _NotABatchError:
        return None


class _NotABatchError(Exception):
    """Two arguments that cannot be concatenated."""


def _concatenated(one: Any, other: Any, count: int) -> Any:
    """An argument of both denoisers, for a batch of twice `count` samples."""
    if isinstance(one, Mapping) and isinstance(other, Mapping) and one.keys() == other.keys():
        return {key: _concatenated(value, other[key], count) for key, value in one.items()}
    if type(one) is type(other) and type(one) in (list, tuple) and len(one) == len(other):
        return type(one)(_concatenated(*pair, count) for pair in zip(one, other, strict=True))
    shapes = [getattr(each, "shape", None) for each in (one, other)]
    if isinstance(one, Mapping | list | tuple):
        raise _NotABatchError
    is_batch = shapes[0] is not None and shapes[0] == shapes[1] and shapes[0][:1] == (count,)
    if is_batch and one is not other:
        return namespace(one).concat([one, other])
    if not is_batch and (one is other or (shapes == [None, None] and one == other)):
        return one
    raise _NotABatchError
