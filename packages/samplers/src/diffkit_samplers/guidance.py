"""Classifier-free guidance, with both answers from one call of the model where they can be."""

from dataclasses import replace
from typing import Any

from diffkit_schedules import Array, combine, namespace

from diffkit_samplers.denoise import Denoise, Denoiser, Estimate, look, plain

__all__ = ["guide"]


def guide(cond: Denoise, uncond: Denoise, scale: float, *, rescale: float = 0.0) -> Denoise:
    """Classifier-free guidance: x0 = x0_uncond + scale (x0_cond - x0_uncond); scale 1 is cond alone, and costs no more.

    Two `denoiser`s of one model, whose keyword arguments are arrays of one row a sample, are asked in one call of twice the
    batch. rescale in [0, 1]: how far to bring each sample's standard deviation back to that of x0_cond.
    Raises ValueError for a rescale outside [0, 1].
    Source: Ho and Salimans 2022, equation 6 (with w = scale - 1); Lin et al. 2024, equations 15 and 16, for rescale.

    >>> import numpy as np
    >>> guide(lambda x, t: x + 1, lambda x, t: x, 3.0)(np.zeros(2), 0.5)
    array([3., 3.])
    """
    if not 0 <= rescale <= 1:
        raise ValueError(f"rescale must be in [0, 1], got {rescale}")
    if scale == 1:
        return cond

    def guided(x_t: Array, t: float) -> Array | Estimate:
        found, without = _both(cond, uncond, x_t, t)
        x0 = combine(scale, found.x0, 1 - scale, without)
        if rescale:
            xp, axes = namespace(x0), tuple(range(1, x0.ndim))
            wide, right = (xp.std(each, axis=axes, keepdims=True) for each in (x0, found.x0))
            flat = wide == 0  # nothing to bring back
            ratio = xp.where(flat, xp.ones_like(wide), right / xp.where(flat, xp.ones_like(wide), wide))
            x0 = x0 * (rescale * ratio + (1 - rescale))
        return plain(Estimate(x0, None, found.spread))

    return guided


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
    if vars(one) != vars(other) or cond.model_kwargs.keys() != uncond.model_kwargs.keys():
        return None
    joined = {}
    for key, value in cond.model_kwargs.items():
        second = uncond.model_kwargs[key]
        if _rows(value) == _rows(second) == x.shape[0]:
            joined[key] = namespace(value).concat([value, second])
        elif _rows(value) is None and _rows(second) is None and value == second:
            joined[key] = value
        else:
            return None
    return replace(cond, model_kwargs=joined)


def _rows(value: Any) -> int | None:
    """The length of an array's first axis; None for anything else."""
    shape: tuple[int, ...] = getattr(value, "shape", ())
    return shape[0] if len(shape) else None
