"""Wrappers: from a denoise to a denoise."""

from dataclasses import replace
from typing import Any

from diffkit_schedules import Array, Schedule, combine, namespace, rates_at, to_eps

from diffkit_samplers.denoise import Denoise, Denoiser, Estimate, look

__all__ = ["clip", "dynamic_threshold", "fixed_large", "guide", "inpaint"]


def clip(denoise: Denoise, low: float = -1.0, high: float = 1.0, *, keep_eps: Schedule | None = None) -> Denoise:
    """denoise with its x0 clipped to [low, high].

    The samplers then derive eps anew from the clipped x0, as the DDPM posterior does. keep_eps: the schedule, to go on with
    the noise of the x0 that was not clipped instead, as diffusers' DDIM does; keep it outermost among wrappers then.
    Raises ValueError unless low < high.
    Source: the released code of Ho, Jain and Abbeel 2020; Saharia et al. 2022 (Imagen), section 2.3.

    >>> import numpy as np
    >>> clip(lambda x, t: 3 * x)(np.array([-0.5, 0.1, 1.0]), 0.5).round(12)
    array([-1. ,  0.3,  1. ])
    """
    if not low < high:
        raise ValueError(f"low must be < high, got low={low}, high={high}")

    def clipped(x_t: Array, t: float) -> Array | Estimate:
        x0, eps, spread = look(denoise, x_t, t)
        if keep_eps is not None and eps is None:
            eps = to_eps(x0, x_t, rates_at(keep_eps, t), "x0")
        return _plain(Estimate(namespace(x0).clip(x0, low, high), eps, spread))

    return clipped


def dynamic_threshold(denoise: Denoise, q: float = 0.995, limit: float = 1.0) -> Denoise:
    """denoise with each sample's x0 clipped to its own quantile and scaled back: x0 <- clip(x0, -s, s) limit / s.

    s = max(limit, the q-quantile of |x0| over all axes but the first, linearly interpolated). Data is expected in
    [-limit, limit]. Raises ValueError unless 0 < q <= 1 and limit > 0. Source: Saharia et al. 2022 (Imagen), section 2.3.

    >>> import numpy as np
    >>> dynamic_threshold(lambda x, t: 2 * x, q=1.0)(np.array([[0.5, -1.0], [0.1, 0.2]]), 0.5)
    array([[ 0.5, -1. ],
           [ 0.2,  0.4]])
    """
    if not 0 < q <= 1:
        raise ValueError(f"q must be in (0, 1], got {q}")
    if not limit > 0:
        raise ValueError(f"limit must be > 0, got {limit}")

    def thresholded(x_t: Array, t: float) -> Array | Estimate:
        found = look(denoise, x_t, t)
        x0, xp = found.x0, namespace(found.x0)
        ordered = xp.sort(xp.reshape(xp.abs(x0), (x0.shape[0], -1)), axis=1)
        place = q * (ordered.shape[1] - 1)
        below, above = int(place), min(int(place) + 1, ordered.shape[1] - 1)
        s = combine(1 - (place - below), ordered[:, below], place - below, ordered[:, above])
        s = xp.reshape(xp.clip(s, limit, None), (-1,) + (1,) * (x0.ndim - 1))
        return _plain(found._replace(x0=xp.minimum(xp.maximum(x0, -s), s) * (limit / s)))

    return thresholded


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
        return _plain(Estimate(x0, None, found.spread))

    return guided


def inpaint(denoise: Denoise, known: Array, mask: Array) -> Denoise:
    """denoise that keeps what is known: x0 = mask known + (1 - mask) denoise(x_t, t).

    known: clean data of x_t's shape, or one that broadcasts to it. mask: 1 where it is known, 0 where it is to be drawn, of a
    shape that broadcasts to x_t's. As the known x0 goes into each step, the known part of x_t is that data at t's noise level,
    at every t. Runs at eta = 1 fit the drawn part to it best. Raises ValueError, when called, for shapes that do not fit.
    Source: Lugmayr et al. 2022 (RePaint), equation 8, without its resampling.

    >>> import numpy as np
    >>> inpaint(lambda x, t: 0 * x, known=np.array([7.0, 7.0]), mask=np.array([1.0, 0.0]))(np.ones(2), 0.5)
    array([7., 0.])
    """

    def inpainted(x_t: Array, t: float) -> Array | Estimate:
        found = look(denoise, x_t, t)
        x0 = found.x0
        part = namespace(x0).astype(mask, x0.dtype)
        filled = part * known + (1 - part) * x0
        if filled.shape != x0.shape:
            raise ValueError(
                f"known and mask must fit x_t's shape {tuple(x0.shape)}, got {tuple(known.shape)} and {tuple(mask.shape)}"
            )
        return _plain(found._replace(x0=namespace(x0).astype(filled, x0.dtype), eps=None))

    return inpainted


def fixed_large(denoise: Denoise) -> Denoise:
    """denoise for `ddpm` with the variance beta_t in place of the posterior's, and none at the last step.

    Source: Ho, Jain and Abbeel 2020 (DDPM), section 3.2.

    >>> import numpy as np
    >>> fixed_large(lambda x, t: x)(np.array([2.0]), 0.5)
    Estimate(x0=array([2.]), eps=None, spread=1.0)
    """
    return lambda x_t, t: look(denoise, x_t, t)._replace(spread=1.0)


def _plain(found: Estimate) -> Array | Estimate:
    """x0 alone where an Estimate says no more."""
    return found.x0 if found.eps is None and isinstance(found.spread, float) and found.spread == 0 else found


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
