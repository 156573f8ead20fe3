"""Inverse problems: denoise given a measurement y = A(x0) + sigma_y z of the data, by PiGDM and by DPS."""

import math
from collections.abc import Callable
from typing import TypeAlias

from diffkit_schedules import Array, Schedule, as_array_of, rates_at

from diffkit_samplers.estimates import Denoise, Estimate, as_dtype_of, evaluate, widened, x0_or_estimate
from diffkit_samplers.posterior.conjugate_gradients import conjugate_gradients, dot, ratio, scaled
from diffkit_samplers.posterior.pullbacks import Pullback, estimate_and_pullback, value_and_pullback

__all__ = ["dps", "pigdm"]

MIN_SNR = 0.01
"""Below it PiGDM's r^2 takes the place of the network's covariance, in which the network's error is divided by the SNR."""

Solve: TypeAlias = Callable[[Array, Pullback, float], Array]
"""solve(residual, back, r2) -> M^-1 residual, M = r2 A A^T + sigma_y^2, where back is A^T."""


def pigdm(
    denoise: Denoise,
    schedule: Schedule,
    A: Callable[[Array], Array],
    y: Array,
    *,
    sigma_y: float = 0.0,
    variance: float = 1.0,
    transpose: Callable[[Array], Array] | None = None,
    iterations: int = 10,
) -> Denoise:
    """E[x0 | x_t, y] for a linear measurement y = A x0 + sigma_y z: pseudoinverse-guided diffusion (PiGDM).

        x0 + C A^T (r^2 A A^T + sigma_y^2)^-1 (y - A x0),   C = (sigma^2 / alpha) J^T,   r^2 = v sigma^2 / (alpha^2 v + sigma^2)

    J is the Jacobian of denoise, and C the exact covariance of x0 given x_t, which PiGDM takes as r^2 within the inverse. Exact
    for data N(m, v) with independent coordinates and any A. For other data the posterior of a sampler is an approximation, as
    good as r^2. Below an SNR of 0.01, where C multiplies the errors of a network most, C is r^2 too.
    A: linear, from x0 (B, ...) to (B, ...), each sample alone: known pixels, a blur, average pooling. y: the measurement, of a
    shape that broadcasts to A(x0)'s. sigma_y: the standard deviation of its noise; with 0 the samples tend to A x0 = y.
    variance: v, that of the data; 1 where they are normalised. The inverse is applied by conjugate gradients, `iterations` of
    them, each with one A and one A^T; one is enough where A A^T is a multiple of the identity, as for known pixels and average
    pooling.
    A^T and J^T are the vector-Jacobian products of torch or JAX. For arrays of NumPy give `transpose`, A^T, and a denoise with a
    method vjp(x_t, t) -> (x0, pullback). It costs a denoise and its vector-Jacobian product. More faithful at eta = 1.
    Raises ValueError for sigma_y < 0, variance <= 0 and iterations < 1; when called, where y does not fit A(x0); and TypeError
    for an array library without differentiation.
    Source: Song et al. 2023 (PiGDM), section 3, with Tweedie's formula for the mean given y; Hestenes and Stiefel 1952.

    >>> import numpy as np
    >>> from diffkit_samplers.testing import GaussianOracle
    >>> from diffkit_schedules import rectified
    >>> first = lambda x: x[:, :1]
    >>> to_both = lambda u: np.concatenate([u, 0 * u], axis=1)
    >>> given = pigdm(GaussianOracle(rectified()), rectified(), first, np.array([[3.0]]), transpose=to_both)
    >>> given(np.array([[1.0, 1.0]]), 0.5)
    array([[3., 1.]])
    """
    _check(sigma_y, variance)
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1, got {iterations}")

    def solve(residual: Array, back: Pullback, r2: float) -> Array:
        return conjugate_gradients(lambda p: r2 * widened(A(back(p))) + sigma_y**2 * p, residual, iterations)

    return _given(denoise, schedule, A, y, variance, transpose, solve)


def dps(
    denoise: Denoise,
    schedule: Schedule,
    A: Callable[[Array], Array],
    y: Array,
    *,
    sigma_y: float = 0.0,
    variance: float = 1.0,
    scale: float = 1.0,
) -> Denoise:
    """E[x0 | x_t, y] for a measurement y = A(x0) + sigma_y z by any differentiable A: diffusion posterior sampling (DPS).

        x0 + scale C A'^T (y - A(x0)) / (sigma_y^2 + r^2 g),   g = |A'^T e|^2 / |e|^2,   e = y - A(x0)

    with C and r^2 as in `pigdm`, and A'^T the vector-Jacobian product of A at x0. The gradient of log p(y | x_t) is the paper's;
    its step, which the paper tunes for each problem as zeta, is here the inverse variance of y along e. So it is `pigdm` with one
    iteration where A is linear, exact for data N(m, v) where A A^T is a multiple of the identity too, and an approximation for
    any other A.
    scale: how strongly samples are moved to the measurement. A, y, sigma_y, variance: as in `pigdm`; torch or JAX arrays only.
    Raises ValueError for sigma_y < 0, variance <= 0 and scale <= 0; when called, where y does not fit A(x0); and TypeError
    for an array library without differentiation.
    Source: Chung et al. 2023 (DPS), section 3 and algorithm 1.

    >>> import numpy as np
    >>> from diffkit_schedules import rectified
    >>> brightness = lambda x: x.mean(axis=(1, 2, 3)) ** 2
    >>> given = dps(lambda x, t: x, rectified(), brightness, np.array([0.25]), sigma_y=0.1)  # to sample with torch or JAX
    """
    _check(sigma_y, variance)
    if not scale > 0:
        raise ValueError(f"scale must be > 0, got {scale}")

    def solve(residual: Array, back: Pullback, r2: float) -> Array:
        square, gradient = dot(residual, residual), widened(back(residual))
        return scaled(ratio(scale * square, sigma_y**2 * square + r2 * dot(gradient, gradient)), residual)

    return _given(denoise, schedule, A, y, variance, None, solve)


def _given(
    denoise: Denoise,
    schedule: Schedule,
    A: Callable[[Array], Array],
    y: Array,
    variance: float,
    transpose: Callable[[Array], Array] | None,
    solve: Solve,
) -> Denoise:
    def given(x_t: Array, t: float) -> Array | Estimate:
        alpha, sigma = rates_at(schedule, t)
        r2 = variance * sigma**2 / (alpha**2 * variance + sigma**2)
        low = alpha**2 * variance < MIN_SNR * sigma**2
        estimate, pullback = (evaluate(denoise, x_t, t), None) if low else estimate_and_pullback(denoise, x_t, t)
        x0 = estimate.x0
        measured, back = (A(x0), transpose) if transpose else value_and_pullback(A, x0, "transpose to pigdm")
        given_y, shape = as_array_of(y, x0), tuple(measured.shape)
        if shape[:1] != tuple(x0.shape[:1]):
            raise ValueError(f"A must keep the batch axis of {tuple(x0.shape)}, got {shape}")
        if given_y.ndim > len(shape) or any(n not in (1, m) for n, m in zip(given_y.shape[::-1], shape[::-1], strict=False)):
            raise ValueError(f"y must fit A(x0)'s shape {shape}, got {tuple(given_y.shape)}")
        residual = widened(given_y) - widened(measured)

        def back_wide(u: Array) -> Array:
            return back(as_dtype_of(u, measured))

        towards = back_wide(solve(residual, back_wide, r2))
        change = r2 * towards if pullback is None else sigma**2 / alpha * pullback(towards)
        return x0_or_estimate(estimate._replace(x0=x0 + as_dtype_of(change, x0), eps=None))

    return given


def _check(sigma_y: float, variance: float) -> None:
    if not 0 <= sigma_y < math.inf:
        raise ValueError(f"sigma_y, the standard deviation of y's noise, must be a number >= 0, got {sigma_y}")
    if not 0 < variance < math.inf:
        raise ValueError(f"variance, that of the data, must be a number > 0, got {variance}")
