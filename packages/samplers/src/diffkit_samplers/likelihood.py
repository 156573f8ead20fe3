"""The log-likelihood of data by the probability-flow ODE."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from diffkit_schedules import Array, Schedule, as_array_of, combine, filled, namespace, rates_at

from diffkit_samplers.estimates import Denoise, as_dtype_of, evaluate, widened
from diffkit_samplers.loop import no_graph
from diffkit_samplers.noise import Source, source_for
from diffkit_samplers.posterior.conjugate_gradients import dot
from diffkit_samplers.posterior.pullbacks import Pullback, estimate_and_pullback
from diffkit_samplers.time_grids import grid

__all__ = ["bits_per_dimension", "log_likelihood"]


class Point(NamedTuple):
    """A time as a point of the unit circle, (cos, sin) = (alpha, sigma) / norm, at the angle atan(sigma / alpha)."""

    t: float
    angle: float
    norm: float

    @classmethod
    def at(cls, schedule: Schedule, t: float) -> "Point":
        alpha, sigma = rates_at(schedule, t)
        return cls(t, math.atan2(sigma, alpha), math.hypot(alpha, sigma))


def log_likelihood(
    denoise: Denoise,
    schedule: Schedule,
    x0: Array,
    *,
    steps: int = 100,
    spacing: str | Sequence[float] = "uniform",
    probes: int | None = 1,
    noise: Source | None = None,
) -> Array:
    """The log-likelihood log p(x0) of each sample in nats, (B,), by the probability-flow ODE.

    With theta = atan(sigma / alpha) and u = x_t / sqrt(alpha^2 + sigma^2):

        du / dtheta = v = (cos theta u - x0) / sin theta,   d log p(u) / dtheta = -div v,   x0 = denoise(x_t, t)

    from the grid's last time before 0 to its first, by Heun's method: second order in the number of steps. At the first time
    p(u) is taken as N(0, 1), which is exact up to the signal that is left there. The density is that of data with the noise
    sigma / alpha of the last time, in which x0 itself is inserted: N(m, v) gives log N(x0; m, v + (sigma / alpha)^2). It tends to
    the data's as that time tends to 0, where the data has a density; 8-bit images do not, and have one with noise alone.
    div v = (dimensions cos theta - tr du J) / sin theta, J the Jacobian of denoise. probes: the number of Hutchinson's random
    probes of its trace at each time, one vector-Jacobian product each; unbiased. None: the exact trace, one product for each
    dimension, for small data. noise: the source of the probes, see `seeded`; only its signs are used.
    Torch and JAX differentiate denoise; for arrays of NumPy it needs a method vjp(x_t, t) -> (x0, pullback). It costs
    2 steps - 1 evaluations. Raises ValueError as `grid` does, for probes < 1, and where the last time before 0 has no noise.
    Source: Song et al. 2021 (score SDE), equations 39 and 40; Hutchinson 1989; v and theta: Salimans and Ho 2022, appendix D.

    >>> import numpy as np
    >>> from diffkit_samplers.testing import GaussianOracle
    >>> from diffkit_schedules import cosine
    >>> log_p = log_likelihood(GaussianOracle(cosine()), cosine(), np.array([[0.0, 2.0]]), steps=100, probes=None)
    >>> bool(abs(log_p[0] - (-np.log(2 * np.pi) - 2)) < 1e-2)
    True
    """
    if probes is not None and probes < 1:
        raise ValueError(f"probes must be at least 1, or None for the exact trace, got {probes}")
    points = [Point.at(schedule, t) for t in grid(schedule, steps, spacing)[-2::-1]]
    first, d = points[0], math.prod(x0.shape[1:])
    if len(points) < 2 or not 0 < first.angle < math.pi / 2:
        raise ValueError(f"the likelihood needs two times and noise at the last one before 0, t = {first.t:.6g}: use more steps")
    source = None if probes is None else source_for(x0, noise)

    def slope(u: Array, at: Point) -> tuple[Array, Array]:  # v and div v
        x = as_dtype_of(at.norm * u, x0)
        estimate, pullback = estimate_and_pullback(denoise, x, at.t)
        trace = _exact_trace(pullback, x) if source is None else _probed_trace(pullback, x, source, probes or 1)
        return _velocity(u, estimate.x0, at), (d * math.cos(at.angle) - at.norm * trace) / math.sin(at.angle)

    with no_graph(x0):
        u = math.cos(first.angle) * widened(x0)
        v, divergence = slope(u, first)
        log_p = d * math.log(math.cos(first.angle))  # from the density of u to that of x0
        for now, then in pairwise(points):
            h = then.angle - now.angle
            ahead = combine(1.0, u, h, v)
            v_ahead = _velocity(ahead, evaluate(denoise, as_dtype_of(then.norm * ahead, x0), then.t).x0, then)
            u = combine(1.0, u, h / 2, combine(1.0, v, 1.0, v_ahead))
            before, (v, divergence) = divergence, slope(u, then)
            log_p = log_p + h / 2 * (before + divergence)
        return log_p - d / 2 * math.log(2 * math.pi) - dot(u, u) / 2


def bits_per_dimension(log_p: Array, dimensions: int, width: float = 1.0) -> Array:
    """The log-likelihood in bits per dimension, -log2 (p width^d) / d: the bits that code a value up to that width.

    width: the step of the data's values in the unit of x0, as 2 / 255 for 8-bit pixels in [-1, 1]; 1 for the density's own.

    >>> import math
    >>> round(bits_per_dimension(-math.log(256) * 3, 3), 12)
    8.0
    """
    return -(log_p / dimensions + math.log(width)) / math.log(2)


def _velocity(u: Array, x0: Array, at: Point) -> Array:
    return combine(1 / math.tan(at.angle), u, -1 / math.sin(at.angle), as_dtype_of(x0, u))


def _exact_trace(pullback: Pullback, x: Array) -> Array:
    d = math.prod(x.shape[1:])
    trace: Array = 0.0
    for k in range(d):
        row = as_array_of([float(i == k) for i in range(d)], x)
        unit = namespace(x).reshape(row, (1, *x.shape[1:])) + 0 * x
        trace = trace + dot(unit, widened(pullback(unit)))
    return trace


def _probed_trace(pullback: Pullback, x: Array, source: Source, probes: int) -> Array:
    """Hutchinson's estimate: the mean of z^T J z over random signs z."""
    trace: Array = 0.0
    for _ in range(probes):
        z = source(tuple(x.shape))
        signs = namespace(x).where(z < 0, filled((), -1.0, x), filled((), 1.0, x))
        trace = trace + dot(signs, widened(pullback(signs))) / probes
    return trace
