"""Wrappers: from a denoise to a denoise."""

from diffkit_schedules import Array, Schedule, combine, filled, namespace, rates_at, to_eps

from diffkit_samplers.bounds import clamped
from diffkit_samplers.denoise import Denoise, Estimate, look, plain

__all__ = ["clip", "dynamic_threshold", "fixed_large", "inpaint"]


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
        return plain(Estimate(clamped(x0, low, high), eps, spread))

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
        s = xp.reshape(xp.maximum(s, filled((), limit, s)), (-1,) + (1,) * (x0.ndim - 1))
        return plain(found._replace(x0=xp.minimum(xp.maximum(x0, -s), s) * (limit / s)))

    return thresholded


def inpaint(denoise: Denoise, known: Array, mask: Array) -> Denoise:
    """denoise that keeps what is known: x0 = mask known + (1 - mask) denoise(x_t, t).

    known: clean data of x_t's shape, or one that broadcasts to it; where it is not known anything may stand, NaN too. mask: 1
    where it is known, 0 where it is to be drawn, of a shape that broadcasts to x_t's. As the known x0 goes into each step, the
    known part of x_t is that data at t's noise level, at every t. Runs at eta = 1 fit the drawn part to it best. Raises
    ValueError, when called, for shapes that do not fit.
    Drawn with one round a step, the rest hardly knows what is kept: see `resample`.
    Source: Lugmayr et al. 2022 (RePaint), equation 8.

    >>> import numpy as np
    >>> inpaint(lambda x, t: 0 * x, known=np.array([7.0, 7.0]), mask=np.array([1.0, 0.0]))(np.ones(2), 0.5)
    array([7., 0.])
    """

    def inpainted(x_t: Array, t: float) -> Array | Estimate:
        found = look(denoise, x_t, t)
        x0 = found.x0
        xp = namespace(x0)
        part = xp.astype(mask, x0.dtype)
        given = xp.where(part == 0, x0, known)  # what is not known may be anything, NaN too
        whole = part * given + (1 - part) * x0
        if whole.shape != x0.shape:
            raise ValueError(
                f"known and mask must fit x_t's shape {tuple(x0.shape)}, got {tuple(known.shape)} and {tuple(mask.shape)}"
            )
        return plain(found._replace(x0=xp.astype(whole, x0.dtype), eps=None))

    return inpainted


def fixed_large(denoise: Denoise) -> Denoise:
    """denoise for `ddpm` with the variance beta_t in place of the posterior's, and none at the last step.

    Source: Ho, Jain and Abbeel 2020 (DDPM), section 3.2.

    >>> import numpy as np
    >>> fixed_large(lambda x, t: x)(np.array([2.0]), 0.5)
    Estimate(x0=array([2.]), eps=None, spread=1.0)
    """
    return lambda x_t, t: look(denoise, x_t, t)._replace(spread=1.0)
