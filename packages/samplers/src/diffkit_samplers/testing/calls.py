"""What a sampler promises of every call: the times of its evaluations, independence of the batch, and its arrays."""

from collections.abc import Callable
from typing import Any

from diffkit_schedules import Array, Schedule, namespace

from diffkit_samplers.noise import seeded
from diffkit_samplers.testing.oracles import GaussianOracle

__all__ = ["check_arrays", "check_batches", "check_times", "require"]


def require(holds: bool, message: str) -> None:
    """Raises AssertionError with the message where the promise does not hold."""
    if not holds:
        raise AssertionError(message)


def check_times(method: Callable[..., Array], oracle: GaussianOracle, schedule: Schedule, x: Array) -> None:
    """The first evaluation is at t = 1, and none is below 0."""
    evaluated: list[float] = []

    def denoise(x_t: Array, t: float) -> Array:
        evaluated.append(t)
        return oracle(x_t, t)

    method(denoise, schedule, x, steps=5, eta=0.0, spacing="uniform", noise=None)
    first = evaluated[0] if evaluated else None
    require(first == 1.0, f"its first evaluation is at t = {first}, not at pure noise, t = 1")
    require(min(evaluated) >= 0, f"it evaluates denoise at t = {min(evaluated)}")


def check_batches(method: Callable[..., Array], oracle: GaussianOracle, schedule: Schedule, x: Array) -> None:
    """A sample is the same alone and in a batch."""

    def sample(seeds: list[int]) -> Any:
        source = seeded(seeds, like=x)
        return method(oracle, schedule, source((len(seeds), 3)), steps=4, eta=1.0, spacing="uniform", noise=source)

    batch, alone = sample([5, 6]), [sample([5]), sample([6])]
    difference = float(namespace(x).max(abs(batch - namespace(x).concat(alone))))
    require(
        difference < (1e-12 if x.dtype == namespace(x).float64 else 1e-4),
        f"a sample depends on its batch: alone it differs by {difference:.2g}",
    )


def check_arrays(method: Callable[..., Array], oracle: GaussianOracle, schedule: Schedule, x: Array) -> None:
    """The result has the start's library, dtype and shape, and the start is unchanged."""
    xp = namespace(x)
    for dtype in {xp.float32, x.dtype}:
        start = xp.astype(x, dtype)
        before = start + 0
        result = method(oracle, schedule, start, steps=3, eta=0.0, spacing="uniform", noise=None)
        require(type(result) is type(start), f"given {type(start).__name__} it returns {type(result).__name__}")
        require(result.dtype == dtype, f"given {dtype} it returns {result.dtype}")
        require(result.shape == start.shape, f"given shape {tuple(start.shape)} it returns {tuple(result.shape)}")
        require(bool(xp.all(start == before)), "it changes x in place")
