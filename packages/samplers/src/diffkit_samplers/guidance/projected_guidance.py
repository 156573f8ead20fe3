"""Adaptive projected guidance (APG): the part of guidance that neither saturates nor overshoots."""

import math

from diffkit_schedules import Array, namespace

from diffkit_samplers.estimates import as_dtype_of, widened
from diffkit_samplers.guidance.guide import Transform

__all__ = ["apg"]


def apg(parallel: float = 0.0, max_norm: float | None = None) -> Transform:
    """Adaptive projected guidance, a transform for `guide`: the difference of the estimates without its part along x0_cond.

        d <- d min(1, max_norm / |d|),   d <- d - (1 - parallel) (<d, x0_cond> / |x0_cond|^2) x0_cond

    That part makes colours saturate at high scales. Norms are each sample's, over all axes but the first.
    parallel in [0, 1]: the fraction of that part to keep; 1 keeps all (the paper's eta). max_norm: a bound on the norm of the
    difference (the paper's r), by default none. The paper's momentum is left out: it depends on the earlier steps, and a denoise
    on x_t and t alone.
    Raises ValueError for a `parallel` outside [0, 1] and for max_norm <= 0.
    Source: Sadat et al. 2024 (APG).

    >>> import numpy as np
    >>> apg()(np.array([[3.0, 4.0]]), np.array([[2.0, 0.0]]))
    array([[0., 4.]])
    """
    if not 0 <= parallel <= 1:
        raise ValueError(f"parallel must be in [0, 1], got {parallel}")
    if max_norm is not None and not max_norm > 0:
        raise ValueError(f"max_norm must be > 0, got {max_norm}")

    def transform(difference: Array, x0_cond: Array) -> Array:
        xp, axes, d, x0 = namespace(difference), tuple(range(1, difference.ndim)), widened(difference), widened(x0_cond)
        if max_norm is not None and math.isfinite(max_norm):
            norm = xp.sqrt(xp.sum(d * d, axis=axes, keepdims=True))
            d = d * (max_norm / xp.where(norm > max_norm, norm, xp.full_like(norm, max_norm)))
        square = xp.sum(x0 * x0, axis=axes, keepdims=True)
        along = xp.sum(d * x0, axis=axes, keepdims=True) / xp.where(square == 0, xp.ones_like(square), square)
        return as_dtype_of(d - (1 - parallel) * along * x0, difference)

    return transform
