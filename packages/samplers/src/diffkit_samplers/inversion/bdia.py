"""Exact inversion (BDIA): from data to a latent, and from the latent to the same data, bit for bit."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from diffkit_schedules import Array, Rates, Schedule, combine, namespace, rates_at

from diffkit_samplers.estimates import Denoise, as_dtype_of, evaluate, widened
from diffkit_samplers.loop import no_graph
from diffkit_samplers.time_grids import grid
from diffkit_samplers.tracing import readable

__all__ = ["Latent", "bdia_decode", "bdia_encode"]

HEADROOM = 64
"""States up to this multiple of the schedule's largest norm are exact."""


class Latent(NamedTuple):
    """What `bdia_encode` gives and `bdia_decode` takes.

    x: the state at the grid's first time, the noise. after: that at the second time. remainder: what x0 has below the fixed
    point's last digit. To edit, decode with another denoise, or change x and `after`.

    >>> Latent(1.0, 0.9, 0.0).after
    0.9
    """

    x: Array
    after: Array
    remainder: Array


def bdia_encode(
    denoise: Denoise,
    schedule: Schedule,
    x0: Array,
    *,
    steps: int = 20,
    spacing: str | Sequence[float] = "uniform",
    rounds: int = 3,
) -> Latent:
    """The latent from which `bdia_decode` with the same denoise and grid gives x0 again, bit for bit, at any number of steps.

        x_next = x_previous + [ddim(x, next) - ddim(x, previous)]

    is the step of BDIA (gamma = 1), ddim(x, r) the DDIM step of x to the time r. Its inverse is the same step with both ends
    exchanged. The states and the rounded brackets [...] are multiples of a power of two, of which sums are exact: as floats that
    use no more than their digits, 24 bits of float32 for states up to 64 times the schedule's norm.
    What holds: decoded values equal x0 (-0.0 comes back as 0.0; XLA drops subnormal numbers) if denoise gives the same bits for
    the same x and t: with the same batch, device, number of threads and program. A network that is compiled keeps that; a call
    that is traced as a whole, `jax.jit(bdia_encode)`, may round otherwise than the decoding does.
    x0: clean data, (B, ...); float16 and bfloat16 data have states of float32. The state at the last time before 0 is the one
    that denoises to x0, by `rounds` fixed-point iterations; see `encode`. It costs steps - 1 + rounds evaluations.
    Raises ValueError as `grid` does, for rounds < 1, and where a state left the range in which it is exact.
    Source: Zhang et al. 2023 (BDIA), with gamma = 1; Maclaurin et al. 2015 for exact reversal in a fixed point.

    >>> import numpy as np
    >>> from diffkit_samplers.testing import MixtureOracle
    >>> from diffkit_schedules import cosine
    >>> oracle, x0 = MixtureOracle(cosine()), np.random.default_rng(0).standard_normal((2, 3))
    >>> latent = bdia_encode(oracle, cosine(), x0, steps=7)
    >>> bool((bdia_decode(oracle, cosine(), latent, steps=7) == x0).all())
    True
    """
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, got {rounds}")
    chain = _Chain(denoise, schedule, steps, spacing, x0)
    with no_graph(x0):
        clean = chain.rounded(widened(x0))
        remainder = as_dtype_of(widened(x0) - clean, x0)
        alpha, last = chain.rates[-2].alpha, len(chain.times) - 1
        x = alpha * clean
        for _ in range(rounds):
            x = combine(1.0, x, alpha, combine(1.0, clean, -1.0, chain.x0(x, last)))
        states = [chain.checked(clean), chain.checked(chain.rounded(x))]  # from the last time to the first
        for i in range(last, 0, -1):
            states = [states[1], chain.checked(states[0] - chain.bracket(states[1], i))]
        chain.refuse_inexact()
    return Latent(states[1], states[0], remainder)


def bdia_decode(
    denoise: Denoise, schedule: Schedule, latent: Latent, *, steps: int = 20, spacing: str | Sequence[float] = "uniform"
) -> Array:
    """The data of a latent of `bdia_encode`, with the same steps and spacing: the same bits with the same denoise.

    With another denoise, another class or prompt, it is an edited sample; BDIA is of second order in the number of steps, at one
    evaluation per step. It costs steps - 1 evaluations. Raises ValueError as `grid` does, and as `bdia_encode` does for states.

    >>> import numpy as np
    >>> from diffkit_schedules import rectified
    >>> latent = bdia_encode(lambda x, t: 0.5 * x, rectified(), np.array([[0.3]]), steps=5)
    >>> bdia_decode(lambda x, t: 0.5 * x, rectified(), latent, steps=5)
    array([[0.3]])
    """
    chain = _Chain(denoise, schedule, steps, spacing, latent.remainder)
    with no_graph(latent.x):
        states = [latent.x, latent.after]
        for i in range(1, len(chain.times)):
            states = [states[1], chain.checked(states[0] + chain.bracket(states[1], i))]
        chain.refuse_inexact()
        return as_dtype_of(states[1] + widened(latent.remainder), latent.remainder)


class _Chain:
    """The states 0 (noise) ... steps (clean) of a grid, in a fixed point that is exact up to `limit`."""

    def __init__(self, denoise: Denoise, schedule: Schedule, steps: int, spacing: str | Sequence[float], like: Array) -> None:
        self.times = grid(schedule, steps, spacing)[:-1]
        self.rates = [*(rates_at(schedule, t) for t in self.times), Rates(1.0, 0.0)]
        self.denoise, self.like, self.largest = denoise, like, list[Any]()
        self.limit = HEADROOM * 2.0 ** math.ceil(math.log2(max(math.hypot(*each) for each in self.rates)))
        eps = min(float(namespace(like).finfo(like.dtype).eps), 2.0**-23)  # of float32 for narrower data
        self.digit = self.limit * eps / 2  # the distance of floats just below the limit

    def rounded(self, x: Array) -> Array:
        return namespace(x).round(x / self.digit) * self.digit

    def x0(self, x: Array, i: int) -> Array:
        return as_dtype_of(evaluate(self.denoise, as_dtype_of(x, self.like), self.times[i]).x0, x)

    def bracket(self, x: Array, i: int) -> Array:
        """ddim(x, i + 1) - ddim(x, i - 1), rounded, for the state x at i."""
        before, now, after = self.rates[i - 1 : i + 2]
        b = (after.sigma - before.sigma) / now.sigma
        return self.rounded(combine(after.alpha - before.alpha - b * now.alpha, self.x0(x, i), b, x))

    def checked(self, x: Array) -> Array:
        self.largest.append(namespace(x).max(abs(x)))
        return x

    def refuse_inexact(self) -> None:
        """Raises ValueError where a state was larger than the limit, or not finite; read once, at the end."""
        if self.largest and readable(self.largest[0]):
            largest = max(map(float, self.largest), key=lambda size: math.inf if math.isnan(size) else size)
            if not largest <= self.limit:
                found = f"up to {self.limit:g}, got {largest:.3g}"
                raise ValueError(f"inversion is exact for states {found}: use more steps, or data of a smaller range")
