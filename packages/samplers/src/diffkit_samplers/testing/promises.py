"""What a sampler promises beyond its order: both ends of a grid, conditioned data, an invertible map, and wrappers."""

import math
from collections.abc import Callable

from diffkit_schedules import Array, Schedule, namespace

from diffkit_samplers.estimates import Estimate
from diffkit_samplers.noise import seeded
from diffkit_samplers.posterior.inverse_problems import pigdm
from diffkit_samplers.testing.oracles import GaussianOracle
from diffkit_samplers.time_grids import grid

__all__ = ["density_error", "error", "kept_noise_error", "orders_at_ends", "posterior_errors"]

STEPS = (32, 128)
ROUNDING = 1e-5
"""The rounding error of a run in float32, far below the error of a few steps."""


def error(method: Callable[..., Array], schedule: Schedule, x: Array, times: list[float], end: float) -> float:
    """The distance between the x0 of a run from x and that of the exact probability-flow ODE at time `end`.

    For data of several variances together, because the leading error may vanish for one of them.
    """
    squares = 0.0
    for variance in (0.04, 0.25, 4.0):
        oracle = GaussianOracle(schedule, mean=0.5, variance=variance)
        found = method(oracle, schedule, x, steps=len(times) - 1, eta=0.0, spacing=times, noise=None)
        difference = found - oracle(oracle.probability_flow(x, times[0], end), end)
        squares += float(namespace(x).mean(difference * difference))
    return max(math.sqrt(squares), 1e-300)


def orders_at_ends(method: Callable[..., Array], schedule: Schedule, x: Array) -> dict[str, float]:
    """The order on grids from pure noise, t = 1, to 0.1, and on grids from 0.9 to clean data, t = 0."""
    found, start = {}, schedule(1.0).sigma * x
    for name, x_t, first, last in (("from t = 1", start, 1.0, 0.1), ("to t = 0", x, 0.9, 0.0)):
        grids = [[first + k / n * (last - first) for k in range(n + 1)] + [0.05] * (last > 0) for n in STEPS]
        few, many = (error(method, schedule, x_t, times, last) for times in grids)
        found[name] = math.log(few / many) / math.log(STEPS[1] / STEPS[0]) if many > ROUNDING else math.inf
    return found


def posterior_errors(method: Callable[..., Array], schedule: Schedule, x: Array) -> tuple[float, float]:
    """Of samples given a measurement of half of the data, at eta = 1: the errors of the mean, and of the variance as a share.

    The data are N(0.5, 0.25), y = 1.5 with noise of deviation 0.3; wrapped in `pigdm`, which is exact for them.
    """
    oracle, size, y, sigma_y = GaussianOracle(schedule, mean=0.5, variance=0.25), 2000, 1.5, 0.3
    source, xp, times = seeded(range(4), like=x), namespace(x), grid(schedule, 100)

    def first(values: Array) -> Array:
        return values[:, : size // 2]

    def to_all(u: Array) -> Array:
        return xp.concat([u, 0 * u], axis=1)

    measured = first(0 * source((4, size))) + y
    given = pigdm(oracle, schedule, first, measured, sigma_y=sigma_y, variance=0.25, transpose=to_all)
    start = schedule(1.0).sigma * source((4, size))
    found = method(given, schedule, start, steps=100, eta=1.0, spacing=times, noise=source)
    alpha, sigma = schedule(times[-2])
    share = 0.25 / (0.25 + sigma_y**2)
    mean, variance = 0.5 + share * (y - 0.5), 0.25 * (1 - share)
    errors = []
    for part, m, v in ((first(found), mean, variance), (found[:, size // 2 :], 0.5, 0.25)):
        seen = v * alpha**2 * v / (alpha**2 * v + sigma**2)  # of E[x0 | x_t] at the last time
        errors.append((abs(float(xp.mean(part)) - m), abs(float(xp.var(part)) / seen - 1)))
    return max(each[0] for each in errors), max(each[1] for each in errors)


def density_error(method: Callable[..., Array], schedule: Schedule, x: Array) -> float:
    """The error of the samples' log-density by the change of variables, log N(x; 0, 1) - log |dx0 / dx|, in nats a dimension.

    At eta = 0 on 128 steps from t = 0.9 to 0.1, against that of the exact flow. dx0 / dx by a difference.
    """
    oracle, xp = GaussianOracle(schedule, mean=0.5, variance=0.25), namespace(x)
    times, width = [0.9 - 0.8 * k / 128 for k in range(129)] + [0.05], 1e-4 if x.dtype == xp.float64 else 0.1

    def sampled(start: Array) -> Array:
        return method(oracle, schedule, start, steps=129, eta=0.0, spacing=times, noise=None)

    def flow(start: Array) -> Array:
        return oracle(oracle.probability_flow(start, 0.9, 0.1), 0.1)

    slopes = [(run(x + width) - run(x - width)) / (2 * width) for run in (sampled, flow)]
    ratio = slopes[0] / slopes[1]
    return math.inf if float(xp.min(ratio)) <= 0 else float(xp.max(abs(xp.log(ratio))))


def kept_noise_error(method: Callable[..., Array], schedule: Schedule, x: Array) -> float:
    """The largest distance of the x that denoise is given to alpha_t, where each estimate has x0 = 1 and keeps eps = 0."""
    distances: list[float] = []

    def denoise(x_t: Array, t: float) -> Estimate:
        if t < 0.9:
            distances.append(float(namespace(x).max(abs(x_t - schedule(t).alpha))))
        return Estimate(0 * x_t + 1, 0 * x_t)

    method(denoise, schedule, x, steps=5, eta=0.0, spacing=[0.9, 0.7, 0.5, 0.3, 0.2, 0.1], noise=None)
    return max(distances, default=math.inf)
