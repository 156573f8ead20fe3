"""Wrappers of denoise: clipping, dynamic thresholding, inpainting and the variance of DDPM."""

from diffkit_schedules import Array, Schedule, combine, filled, namespace, rates_at, to_eps

from diffkit_samplers.bounds import clamped
from diffkit_samplers.estimates import Denoise, Estimate, evaluate, fitting, x0_or_estimate

__all__ = ["clip", "dynamic_threshold", "fixed_large", "inpaint"]


def clip(denoise: Denoise, low: float = -1.0, high: float = 1.0, *, keep_eps: Schedule | None = None) -> Denoise:
    """denoise with its x0 clipped to [low, high].

    The samplers then compute eps from the clipped x0, as the DDPM posterior does. keep_eps: the schedule, to keep the eps of the
    x0 before clipping, as diffusers' DDIM does; make it the outermost wrapper then.
    Raises ValueError unless low < high.
    Source: the released code of Ho, Jain and Abbeel 2020; Saharia et al. 2022 (Imagen), section 2.3.

    >>> import numpy as np
    >>> clip(lambda x, t: 3 * x)(np.array([-0.5, 0.1, 1.0]), 0.5).round(12)
    array([-1. ,  0.3,  1. ])
    """
    if not low < high:
        raise ValueError(f"low must be < high, got low={low}, high={high}")

    def clipped(x_t: Array, t: float) -> Array | Estimate:
        x0, eps, v = evaluate(denoise, x_t, t)
        if keep_eps is not None and eps is None:
            eps = to_eps(x0, x_t, rates_at(keep_eps, t), "x0")
        return x0_or_estimate(Estimate(clamped(x0, low, high), eps, v))

    return clipped


def dynamic_threshold(denoise: Denoise, q: float = 0.995, limit: float = 1.0) -> Denoise:
    """denoise with each sample's x0 clipped to a quantile and scaled back: x0 <- clip(x0, -s, s) limit / s.

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
        estimate = evaluate(denoise, x_t, t)
        x0, xp = estimate.x0, namespace(estimate.x0)
        ordered = xp.sort(xp.reshape(xp.abs(x0), (x0.shape[0], -1)), axis=1)
        position = q * (ordered.shape[1] - 1)
        below, above = int(position), min(int(position) + 1, ordered.shape[1] - 1)
        s = combine(1 - (position - below), ordered[:, below], position - below, ordered[:, above])
        s = xp.reshape(xp.maximum(s, filled((), limit, s)), (-1,) + (1,) * (x0.ndim - 1))
        return x0_or_estimate(estimate._replace(x0=xp.minimum(xp.maximum(x0, -s), s) * (limit / s)))

    return thresholded


def inpaint(denoise: Denoise, known: Array, mask: Array) -> Denoise:
    """denoise that keeps the known part of the data: x0 = mask known + (1 - mask) denoise(x_t, t).

    known: clean data, of a shape that broadcasts to x_t's; values outside the mask are ignored, NaN too. mask: 1 where data are
    known, 0 where they are generated, of a shape that broadcasts to x_t's. As each step uses the known x0, the known part of
    x_t is that data at the noise level of t. The generated part fits it best at eta = 1. Raises ValueError, when called, for
    shapes that do not fit.
    With one round per step the generated part depends little on the known one: see `resample`.
    Source: Lugmayr et al. 2022 (RePaint), equation 8.

    >>> import numpy as np
    >>> inpaint(lambda x, t: 0 * x, known=np.array([7.0, 7.0]), mask=np.array([1.0, 0.0]))(np.ones(2), 0.5)
    array([7., 0.])
    """

    def inpainted(x_t: Array, t: float) -> Array | Estimate:
        weight, data = fitting("mask", mask, x_t), fitting("known", known, x_t)
        estimate = evaluate(denoise, x_t, t)
        x0 = estimate.x0
        data = namespace(x0).where(weight == 0, x0, data)  # 0 times NaN would be NaN
        return x0_or_estimate(estimate._replace(x0=weight * data + (1 - weight) * x0, eps=None))

    return inpainted


def fixed_large(denoise: Denoise) -> Denoise:
    """denoise for `ddpm` with the variance beta_t instead of the posterior's, and no noise in the last step.

    Source: Ho, Jain and Abbeel 2020 (DDPM), section 3.2.

    >>> import numpy as np
    >>> fixed_large(lambda x, t: x)(np.array([2.0]), 0.5)
    Estimate(x0=array([2.]), eps=None, variance_interpolation=1.0)
    """
    return lambda x_t, t: evaluate(denoise, x_t, t)._replace(variance_interpolation=1.0)
