"""Classifier-free guidance, with both answers from one call of the model where they can be."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from diffkit_schedules import Array, as_array_of, namespace

from diffkit_samplers.denoise import Denoise, Denoiser, Estimate, look, plain

__all__ = ["guide"]


def guide(cond: Denoise, uncond: Denoise, scale: float | Array, *, rescale: float = 0.0) -> Denoise:
    """Classifier-free guidance: x0 = x0_uncond + scale (x0_cond - x0_uncond); scale 1 is cond alone, and costs no more.

    scale: a number, or an array of one a sample, (B,), or that broadcasts to x_t. rescale in [0, 1]: how far to bring each
    sample's standard deviation back to that of x0_cond.
    Two `denoiser`s of one model are asked in one call of twice the batch, where each array among their keyword arguments, in
    mappings and lists too, has one row a sample. An array that both share may be no batch, though it is as long as one: then, as
    wherever they cannot be joined, one is asked after the other. An argument of one side that is no batch belongs into
    its model, as in `functools.partial(model, size=...)`.
    Raises ValueError for a rescale outside [0, 1], and when called for a scale that does not fit.
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
        found, without = _both(cond, uncond, x_t, t)
        # as a difference: two equal answers are the answer, and what is rounded is small where they are close
        x0 = without + _per_sample(scale, without) * (found.x0 - without)
        if x0.shape != x_t.shape:
            raise ValueError(f"scale must fit x_t's shape {tuple(x_t.shape)}: with it x0 gets {tuple(x0.shape)}")
        if rescale:
            xp, axes = namespace(x0), tuple(range(1, x0.ndim))
            wide, right = (xp.std(each, axis=axes, keepdims=True) for each in (x0, found.x0))
            flat = wide == 0  # nothing to bring back
            ratio = xp.where(flat, xp.ones_like(wide), right / xp.where(flat, xp.ones_like(wide), wide))
            x0 = x0 * (rescale * ratio + (1 - rescale))
        return plain(Estimate(x0, None, found.spread))

    return guided


def _per_sample(scale: float | Array, x: Array) -> Any:
    if isinstance(scale, int | float):
        return scale
    scale = as_array_of(scale, x)
    return namespace(x).reshape(scale, (-1,) + (1,) * (x.ndim - 1)) if scale.ndim == 1 else scale


def _both(cond: Denoise, uncond: Denoise, x: Array, t: float) -> tuple[Estimate, Array]:
    merged = _merged(cond, uncond, x)
    if merged is None:
        return look(cond, x, t), look(uncond, x, t).x0
    count, (x0, _, spread) = x.shape[0], look(merged, namespace(x).concat([x, x]), t)
    return Estimate(x0[:count], None, spread if isinstance(spread, float) else spread[:count]), x0[count:]


def _merged(cond: Denoise, uncond: Denoise, x: Array) -> Denoiser | None:
    """One denoiser for both halves of a batch, where the two differ in arrays of one row a sample only."""
    if not (isinstance(cond, Denoiser) and isinstance(uncond, Denoiser) and cond.model is uncond.model):
        return None
    one, other = (replace(each, model_kwargs={}) for each in (cond, uncond))
    if vars(one) != vars(other):
        return None
    try:
        return replace(cond, model_kwargs=_joined(cond.model_kwargs, uncond.model_kwargs, x.shape[0]))
    except _ApartError:
        return None


class _ApartError(Exception):
    """Two arguments that one call cannot stand for."""


def _joined(one: Any, other: Any, count: int) -> Any:
    """An argument of both sides for a batch of twice `count` samples."""
    if isinstance(one, Mapping) and isinstance(other, Mapping) and one.keys() == other.keys():
        return {key: _joined(value, other[key], count) for key, value in one.items()}
    if type(one) is type(other) and type(one) in (list, tuple) and len(one) == len(other):
        return type(one)(_joined(*pair, count) for pair in zip(one, other, strict=True))
    shapes = [getattr(each, "shape", None) for each in (one, other)]
    if isinstance(one, Mapping | list | tuple) or (None in shapes and shapes != [None, None]):
        raise _ApartError
    a_batch = shapes[0] is not None and shapes[0] == shapes[1] and shapes[0][:1] == (count,)
    if a_batch and one is not other:
        return namespace(one).concat([one, other])
    if not a_batch and (one is other or (shapes == [None, None] and one == other)):
        return one
    raise _ApartError
