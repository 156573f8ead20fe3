"""Wrappers: from a denoise to a denoise."""

from typing import Any

from diffkit_schedules import Array, Schedule, as_array_of, combine, namespace, to_eps

from diffkit_samplers.denoise import Denoise, Denoiser, Estimate, as_estimate

__all__ = ["clip", "dynamic_threshold", "fixed_large", "guide", "inpaint"]


def clip(denoise: Denoise, low: float = -1.0, high: float = 1.0, *, keep_eps: Schedule | None = None) -> Denoise:
    """denoise with its x0 clipped to [low, high].

    The samplers then derive eps anew from the clipped x0, as the DDPM posterior does. keep_eps: the schedule, to go on with
    the noise of the x0 that was not clipped instead, as diffusers' DDIM does; keep it outermost among wrappers then.
    Raises ValueError unless low < high. Source: Ho, Jain and Abbeel 2020, section 3.2; Saharia et al. 2022 (Imagen), section 2.3.

    >>> import numpy as np
    >>> clip(lambda x, t: 3 * x)(np.array([-0.5, 0.1, 1.0]), 0.5).round(12)
    array([-1. ,  0.3,  1. ])
    """
    if not low < high:
        raise ValueError(f"low must be < high, got low={low}, high={high}")

    def clipped(x_t: Array, t: float) -> Array | Estimate:
        found = denoise(x_t, t)
        x0, eps, spread = as_estimate(found)
        if keep_eps is not None and eps is None:
            eps = to_eps(x0, x_t, keep_eps(t), "x0")
        x0 = namespace(x0).clip(x0, low, high)
        return x0 if eps is None and not isinstance(found, Estimate) else Estimate(x0, eps, spread)

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

    def thresholded(x_t: Array, t: float) -> Array:
        x0 = as_estimate(denoise(x_t, t)).x0
        xp = namespace(x0)
        ordered = xp.sort(xp.reshape(xp.abs(x0), (x0.shape[0], -1)), axis=1)
        place = q * (ordered.shape[1] - 1)
        below, above = int(place), min(int(place) + 1, ordered.shape[1] - 1)
        s = combine(1 - (place - below), ordered[:, below], place - below, ordered[:, above])
        s = xp.reshape(xp.maximum(s, as_array_of(limit, x0)), (-1,) + (1,) * (x0.ndim - 1))
        return xp.minimum(xp.maximum(x0, -s), s) * (limit / s)

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

    def guided(x_t: Array, t: float) -> Array:
        with_it, without = _both(cond, uncond, x_t, t)
        x0 = combine(scale, with_it, 1 - scale, without)
        if rescale == 0:
            return x0
        xp, axes = namespace(x0), tuple(range(1, x0.ndim))
        ratio = xp.std(with_it, axis=axes, keepdims=True) / xp.std(x0, axis=axes, keepdims=True)
        return x0 * (rescale * ratio + (1 - rescale))

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

    def inpainted(x_t: Array, t: float) -> Array:
        x0 = as_estimate(denoise(x_t, t)).x0
        part = namespace(x0).astype(mask, x0.dtype)
        filled = part * known + (1 - part) * x0
        if filled.shape != x0.shape:
            raise ValueError(
                f"known and mask must fit x_t's shape {tuple(x0.shape)}, got {tuple(known.shape)} and {tuple(mask.shape)}"
            )
        return namespace(x0).astype(filled, x0.dtype)

    return inpainted


def fixed_large(denoise: Denoise) -> Denoise:
    """denoise for `ddpm` with the variance beta_t in place of the posterior's, and none at the last step.

    Source: Ho, Jain and Abbeel 2020 (DDPM), section 3.2.

    >>> fixed_large(lambda x, t: x)(2.0, 0.5)
    Estimate(x0=2.0, eps=None, spread=1.0)
    """
    return lambda x_t, t: as_estimate(denoise(x_t, t))._replace(spread=1.0)


def _both(cond: Denoise, uncond: Denoise, x: Array, t: float) -> tuple[Array, Array]:
    merged = _merged(cond, uncond, x)
    if merged is None:
        return as_estimate(cond(x, t)).x0, as_estimate(uncond(x, t)).x0
    x0 = as_estimate(merged(namespace(x).concat([x, x]), t)).x0
    return x0[: x.shape[0]], x0[x.shape[0] :]


def _merged(cond: Denoise, uncond: Denoise, x: Array) -> Denoiser | None:
    """One denoiser for both halves of a batch, where the two differ in arrays of one row a sample only."""
    if not (isinstance(cond, Denoiser) and isinstance(uncond, Denoiser) and cond.model is uncond.model):
        return None
    if (cond.schedule, cond.prediction, cond.condition) != (uncond.schedule, uncond.prediction, uncond.condition):
        return None
    if cond.model_kwargs.keys() != uncond.model_kwargs.keys():
        return None
    pairs = {key: (value, uncond.model_kwargs[key]) for key, value in cond.model_kwargs.items()}
    if not all(_rows(each) == x.shape[0] for pair in pairs.values() for each in pair):
        return None
    kwargs = {key: namespace(pair[0]).concat(list(pair)) for key, pair in pairs.items()}
    return Denoiser(cond.model, cond.schedule, cond.prediction, cond.condition, cond.learned_range, kwargs)


def _rows(value: Any) -> int | None:
    shape: tuple[int, ...] = getattr(value, "shape", ())
    return shape[0] if len(shape) else None
