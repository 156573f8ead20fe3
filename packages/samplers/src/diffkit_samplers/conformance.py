"""A check of anyone's sampler against exact answers."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from diffkit_schedules import Array, Schedule, as_array_of, cosine, namespace, normal

from diffkit_samplers.grids import grid
from diffkit_samplers.noise import seeded
from diffkit_samplers.oracles import GaussianOracle

__all__ = ["Report", "check_sampler"]

NUMBERS = (32, 128)
SEEDS = range(4)


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

    - its error falls as N^-order with the number of steps N, within 0.25: the slope of log error between N = 32 and 128;
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
    mean, variance = _moments(method, oracle, schedule, x)
    _require(abs(mean - 0.5) < 0.02, f"at eta = 1 the mean of its samples is {mean:.3f}, not 0.5")
    _require(abs(variance - 0.25) < 0.02, f"at eta = 1 the variance of its samples is {variance:.3f}, not 0.25")
    _check_times(method, oracle, schedule, x)
    _check_batches(method, oracle, schedule, x)
    _check_arrays(method, oracle, schedule, x)
    return Report(measured, mean, variance)


def _order(method: Callable[..., Array], schedule: Schedule, x: Array) -> float:
    """The slope over data of several variances at once, for which the leading error cannot vanish together."""
    errors = []
    for n in NUMBERS:
        times = [0.9 - 0.8 * k / n for k in range(n + 1)]
        squares = 0.0
        for variance in (0.04, 0.25, 4.0):
            oracle = GaussianOracle(schedule, mean=0.5, variance=variance)
            # one more time behind the last, so that the x0 that is returned is always the one at t = 0.1
            found = method(oracle, schedule, x, steps=n, eta=0.0, spacing=[*times, 0.05], noise=None)
            error = found - oracle(oracle.flow(x, times[0], times[-1]), times[-1])
            squares += float(namespace(x).mean(error * error))
        errors.append(max(math.sqrt(squares), 1e-300))
    return math.log(errors[0] / errors[-1]) / math.log(NUMBERS[-1] / NUMBERS[0])


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
