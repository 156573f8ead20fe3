"""A check of anyone's sampler against exact answers."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from diffkit_schedules import Array, Schedule, as_array_of, cosine, namespace, normal

from diffkit_samplers.ddim import ddim
from diffkit_samplers.grids import grid
from diffkit_samplers.noise import Source, seeded
from diffkit_samplers.oracles import GaussianOracle

__all__ = ["Report", "check_sampler"]

NUMBERS = (32, 128)
SEEDS = range(4)
ROUNDING = 1e-5
"""Of a run in float32, far below what a few steps are off."""


class Report(NamedTuple):
    """What `check_sampler` measured: the order of accuracy, and what the samples at eta = 1 say of the data's mean and variance,
    which are 0.5 and 0.25.

    >>> Report(order=1.0, mean=0.5, variance=0.25).order
    1.0
    """

    order: float
    mean: float
    variance: float


def check_sampler(
    method: Callable[..., Array], order: float = 1, *, schedule: Schedule | None = None, like: Array = None
) -> Report:
    """Measure a sampler against exact answers; AssertionError, in one line, for the first promise that it does not keep.

    - its error falls as N^-order with the number of steps N, within 0.25: the slope of log error between N = 32 and 128, from
      t = 0.9 to 0.1;
    - on whole grids, from t = 1 to 0, its error is at most a tenth above that of `ddim`;
    - at eta = 0.5 and 1 it draws from its noise, and its samples know of their starts what eta leaves, the correlation
      (alpha_t s_s / (alpha_s s_t))^(eta^2) from t to s, with s_t^2 = alpha_t^2 v + sigma_t^2 for data of variance v;
    - at eta = 1 its samples have the data's mean, and the variance of E[x0 | x_t] at the last time it looks at;
    - it looks first at t = 1 and never below 0, and gives x0;
    - a sample does not depend on the batch it is in;
    - dtype, shape and library of the state are kept, and x is not changed.

    method: called as method(denoise, schedule, x, steps=, eta=, spacing=, noise=), as `ddim` is; spacing may be a list of times.
    schedule: `cosine()` unless given. like: an array whose library and dtype (of at least 32 bits)
    are used, NumPy's float64 unless given.
    Source of the exact answers: `GaussianOracle`.

    >>> from diffkit_samplers import ddim, heun
    >>> round(check_sampler(ddim, order=1).order), round(check_sampler(heun, order=2).order)
    (1, 2)
    """
    schedule = cosine() if schedule is None else schedule
    oracle = GaussianOracle(schedule, mean=0.5, variance=0.25)
    start = normal(SEEDS, 0, (8,))
    x = start if like is None else as_array_of(start, like)
    measured = _order(method, schedule, x)
    _require(measured > order - 0.25, f"its order of accuracy is {measured:.2f}, not {order}")
    _check_ends(method, schedule, x)
    _check_noise(method, oracle, schedule, x)
    mean, variance = _moments(method, oracle, schedule, x)
    _require(abs(mean - 0.5) < 0.02, f"at eta = 1 the mean of its samples is {mean:.3f}, not 0.5")
    _require(abs(variance - 0.25) < 0.02, f"at eta = 1 the variance of its samples is {variance:.3f}, not 0.25")
    _check_times(method, oracle, schedule, x)
    _check_batches(method, oracle, schedule, x)
    _check_arrays(method, oracle, schedule, x)
    return Report(measured, mean, variance)


def _order(method: Callable[..., Array], schedule: Schedule, x: Array) -> float:
    """The slope over data of several variances at once, for which the leading error cannot vanish together."""
    # one more time behind the last, so that the x0 that is returned is always the one at t = 0.1
    grids = [[0.9 - 0.8 * k / n for k in range(n + 1)] + [0.05] for n in NUMBERS]
    errors = [_error(method, schedule, x, times, 0.1) for times in grids]
    return math.log(errors[0] / errors[-1]) / math.log(NUMBERS[-1] / NUMBERS[0])


def _error(method: Callable[..., Array], schedule: Schedule, x: Array, times: list[float], end: float) -> float:
    """How far the x0 of a run from x is from that of the exact flow at the time `end`."""
    squares = 0.0
    for variance in (0.04, 0.25, 4.0):
        oracle = GaussianOracle(schedule, mean=0.5, variance=variance)
        found = method(oracle, schedule, x, steps=len(times) - 1, eta=0.0, spacing=times, noise=None)
        error = found - oracle(oracle.flow(x, times[0], end), end)
        squares += float(namespace(x).mean(error * error))
    return max(math.sqrt(squares), 1e-300)


def _check_ends(method: Callable[..., Array], schedule: Schedule, x: Array) -> None:
    x = schedule(1.0).sigma * x
    for n in (2, 8, 32):
        times = [1 - k / n for k in range(n + 1)]
        error, usual = (_error(each, schedule, x, times, 0.0) for each in (method, ddim))
        _require(
            error < 1.1 * usual + ROUNDING, f"from t = 1 to 0 in {n} steps its error is {error:.2g}, that of ddim {usual:.2g}"
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
        _require(bool(draws), f"at eta = {eta:g} it draws nothing from its noise")
        xp = namespace(x)
        product = xp.mean((start - xp.mean(start)) * (found - xp.mean(found)))
        correlation = float(product) / float(xp.std(start) * xp.std(found))
        expected = kept ** (eta * eta)
        _require(
            abs(correlation - expected) < 0.05,
            f"at eta = {eta:g} the correlation of its samples with their starts is {correlation:.2f}, not {expected:.2f}",
        )


def _moments(method: Callable[..., Array], oracle: GaussianOracle, schedule: Schedule, x: Array) -> tuple[float, float]:
    """Mean and variance of samples over what they are of E[x0 | x_t] at the last time, times the data's."""
    times = grid(schedule, 200)
    source = seeded(SEEDS, like=x)
    start = schedule(1.0).sigma * source((len(SEEDS), 2500))
    samples = method(oracle, schedule, start, steps=200, eta=1.0, spacing=times, noise=source)
    alpha, sigma = schedule(times[-2])
    part = alpha**2 * oracle.variance / (alpha**2 * oracle.variance + sigma**2)
    xp = namespace(x)
    return float(xp.mean(samples)), float(xp.var(samples)) / part


def _check_times(method: Callable[..., Array], oracle: GaussianOracle, schedule: Schedule, x: Array) -> None:
    seen: list[float] = []

    def denoise(x_t: Array, t: float) -> Array:
        seen.append(t)
        return oracle(x_t, t)

    method(denoise, schedule, x, steps=5, eta=0.0, spacing="uniform", noise=None)
    _require(bool(seen) and seen[0] == 1.0, f"it looks first at t = {seen[0] if seen else None}, not at pure noise, t = 1")
    _require(min(seen) >= 0, f"it looks at t = {min(seen)}")


def _check_batches(method: Callable[..., Array], oracle: GaussianOracle, schedule: Schedule, x: Array) -> None:
    def sample(seeds: list[int]) -> Any:
        source = seeded(seeds, like=x)
        return method(oracle, schedule, source((len(seeds), 3)), steps=4, eta=1.0, spacing="uniform", noise=source)

    together, apart = sample([5, 6]), [sample([5]), sample([6])]
    difference = float(namespace(x).max(abs(together - namespace(x).concat(apart))))
    _require(
        difference < (1e-12 if x.dtype == namespace(x).float64 else 1e-4),
        f"a sample depends on the batch it is in: drawn alone it differs by {difference:.2g}",
    )


def _check_arrays(method: Callable[..., Array], oracle: GaussianOracle, schedule: Schedule, x: Array) -> None:
    xp = namespace(x)
    for dtype in {xp.float32, x.dtype}:
        given = xp.astype(x, dtype)
        before = given + 0
        result = method(oracle, schedule, given, steps=3, eta=0.0, spacing="uniform", noise=None)
        _require(type(result) is type(given), f"given {type(given).__name__} it returns {type(result).__name__}")
        _require(result.dtype == dtype, f"given {dtype} it returns {result.dtype}")
        _require(result.shape == given.shape, f"given shape {tuple(given.shape)} it returns {tuple(result.shape)}")
        _require(bool(xp.all(given == before)), "it changes the x it is given")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(message)
