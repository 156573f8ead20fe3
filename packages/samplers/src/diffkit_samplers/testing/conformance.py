"""A check of a sampler against exact results."""

import math
from collections.abc import Callable
from typing import NamedTuple

from diffkit_schedules import Array, Schedule, as_array_of, cosine, namespace, normal

from diffkit_samplers.methods.ddim import ddim
from diffkit_samplers.noise import Source, seeded
from diffkit_samplers.testing.calls import check_arrays, check_batches, check_times, require
from diffkit_samplers.testing.oracles import GaussianOracle
from diffkit_samplers.testing.promises import (
    ROUNDING,
    STEPS,
    density_error,
    error,
    kept_noise_error,
    orders_at_ends,
    posterior_errors,
)
from diffkit_samplers.time_grids import grid

__all__ = ["Report", "check_sampler"]

SEEDS = range(4)


class Report(NamedTuple):
    """The measurements of `check_sampler`.

    order: of accuracy. mean, variance: of samples at eta = 1; those of the data are 0.5 and 0.25.

    >>> Report(order=1.0, mean=0.5, variance=0.25).order
    1.0
    """

    order: float
    mean: float
    variance: float


def check_sampler(
    method: Callable[..., Array], order: float = 1, *, schedule: Schedule | None = None, like: Array = None
) -> Report:
    """Measure a sampler against exact results.

    Raises AssertionError, in one line, for the first of these that does not hold:

    - its error decreases as N^-order with the number of steps N, within 0.25: the slope of log error between N = 32 and 128,
      from t = 0.9 to 0.1;
    - on grids from t = 1 to 0 its error is at most a tenth above that of `ddim`;
    - on grids from t = 1 to 0.1, and from 0.9 to 0, its order is at least 1;
    - at eta = 0 its samples have the log-density of the exact flow, by the change of variables;
    - where denoise returns an `Estimate` with an eps, it takes that for the noise: at x0 = 1, eps = 0 its state is alpha_t;
    - at eta = 0.5 and 1 it uses its noise, and its samples have the correlation with their starts that eta implies,
      (alpha_t s_s / (alpha_s s_t))^(eta^2) from t to s, with s_t^2 = alpha_t^2 v + sigma_t^2 for data of variance v;
    - at eta = 1 its samples have the data's mean, and the variance of E[x0 | x_t] at the last evaluation;
    - given a noisy measurement of half of the data (`pigdm`), its samples at eta = 1 have the posterior's mean and variance;
    - its first evaluation is at t = 1 and none is below 0, and it returns x0;
    - a sample does not depend on its batch;
    - the result has x's dtype, shape and library, and x is unchanged.

    method: called as method(denoise, schedule, x, steps=, eta=, spacing=, noise=), as `ddim` is; spacing may be a list of times.
    schedule: by default `cosine()`. like: an array of the library and the dtype (32 bits or more) to use, by default NumPy's
    float64. Source of the exact results: `GaussianOracle`.

    >>> from diffkit_samplers import ddim, heun
    >>> round(check_sampler(ddim, order=1).order), round(check_sampler(heun, order=2).order)
    (1, 2)
    """
    schedule = cosine() if schedule is None else schedule
    oracle = GaussianOracle(schedule, mean=0.5, variance=0.25)
    start = normal(SEEDS, 0, (8,))
    x = start if like is None else as_array_of(start, like)
    measured = _order(method, schedule, x)
    require(measured > order - 0.25, f"its order of accuracy is {measured:.2f}, not {order}")
    _check_ends(method, schedule, x)
    for name, slope in orders_at_ends(method, schedule, x).items():
        require(slope > 0.75, f"its order on grids {name} is {slope:.2f}, not at least 1")
    distance = density_error(method, schedule, x)
    require(distance < 0.03, f"at eta = 0 the log-density of its samples is off by {distance:.2g} nats a dimension")
    distance = kept_noise_error(method, schedule, x)
    require(distance < 1e-4, f"where denoise keeps eps, its state is off by {distance:.2g}: see Estimate")
    _check_noise(method, oracle, schedule, x)
    mean, variance = _moments(method, oracle, schedule, x)
    require(abs(mean - 0.5) < 0.02, f"at eta = 1 the mean of its samples is {mean:.3f}, not 0.5")
    require(abs(variance - 0.25) < 0.02, f"at eta = 1 the variance of its samples is {variance:.3f}, not 0.25")
    off, share = posterior_errors(method, schedule, x)
    require(off < 0.03, f"given a measurement, the mean of its samples at eta = 1 is off by {off:.3f}")
    require(share < 0.25, f"given a measurement, the variance of its samples at eta = 1 is off by {share:.0%}")
    check_times(method, oracle, schedule, x)
    check_batches(method, oracle, schedule, x)
    check_arrays(method, oracle, schedule, x)
    return Report(measured, mean, variance)


def _order(method: Callable[..., Array], schedule: Schedule, x: Array) -> float:
    # the time after 0.1 makes the returned x0 the one at t = 0.1
    grids = [[0.9 - 0.8 * k / n for k in range(n + 1)] + [0.05] for n in STEPS]
    errors = [error(method, schedule, x, times, 0.1) for times in grids]
    return math.log(errors[0] / errors[-1]) / math.log(STEPS[-1] / STEPS[0])


def _check_ends(method: Callable[..., Array], schedule: Schedule, x: Array) -> None:
    x = schedule(1.0).sigma * x
    for n in (2, 8, 32):
        times = [1 - k / n for k in range(n + 1)]
        found, ddim_error = (error(each, schedule, x, times, 0.0) for each in (method, ddim))
        require(
            found < 1.1 * ddim_error + ROUNDING,
            f"from t = 1 to 0 in {n} steps its error is {found:.2g}, that of ddim {ddim_error:.2g}",
        )


def _check_noise(method: Callable[..., Array], oracle: GaussianOracle, schedule: Schedule, x: Array) -> None:
    times, shape = [0.9 - 0.8 * k / 100 for k in range(101)], (len(SEEDS), 2500)
    ends = [schedule(t) for t in (times[0], times[-1])]
    before, after = (math.sqrt(alpha**2 * oracle.variance + sigma**2) for alpha, sigma in ends)
    kept = ends[0].alpha * after / (ends[1].alpha * before)
    for eta in (0.5, 1.0):
        source, draws = seeded(SEEDS, like=x), list[Array]()

        def noise(shape: tuple[int, ...], source: Source = source, draws: list[Array] = draws) -> Array:
            draws.append(source(shape))
            return draws[-1]

        start = before * source(shape)
        found = method(
            oracle, schedule, ends[0].alpha * oracle.mean + start, steps=101, eta=eta, spacing=[*times, 0.05], noise=noise
        )
        require(bool(draws), f"at eta = {eta:g} it does not use its noise")
        xp = namespace(x)
        product = xp.mean((start - xp.mean(start)) * (found - xp.mean(found)))
        correlation = float(product) / float(xp.std(start) * xp.std(found))
        expected = kept ** (eta * eta)
        require(
            abs(correlation - expected) < 0.05,
            f"at eta = {eta:g} the correlation of its samples with their starts is {correlation:.2f}, not {expected:.2f}",
        )


def _moments(method: Callable[..., Array], oracle: GaussianOracle, schedule: Schedule, x: Array) -> tuple[float, float]:
    """The samples' mean, and their variance divided by the fraction of the data's that E[x0 | x_t] has at the last time."""
    times = grid(schedule, 200)
    source = seeded(SEEDS, like=x)
    start = schedule(1.0).sigma * source((len(SEEDS), 2500))
    samples = method(oracle, schedule, start, steps=200, eta=1.0, spacing=times, noise=source)
    alpha, sigma = schedule(times[-2])
    fraction = alpha**2 * oracle.variance / (alpha**2 * oracle.variance + sigma**2)
    xp = namespace(x)
    return float(xp.mean(samples)), float(xp.var(samples)) / fraction
