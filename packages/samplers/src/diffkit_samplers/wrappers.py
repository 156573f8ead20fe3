"""Wrappers: from a denoise to a denoise."""

from diffkit_schedules import Array, Schedule, namespace, to_eps

from diffkit_samplers.denoise import Denoise, Estimate

__all__ = ["clip"]


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
        x0, eps = found if isinstance(found, Estimate) else (found, None)
        if keep_eps is not None and eps is None:
            eps = to_eps(x0, x_t, keep_eps(t), "x0")
        x0 = namespace(x0).clip(x0, low, high)
        return x0 if eps is None else Estimate(x0, eps)

    return clipped
