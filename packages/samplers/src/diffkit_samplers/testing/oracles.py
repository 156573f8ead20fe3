"""Exact denoisers of data that is Gaussian or a mixture of Gaussians: with them a sampler's exact result is known."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from diffkit_schedules import Array, Schedule, as_array_of, namespace

__all__ = ["GaussianOracle", "MixtureOracle"]


@dataclass(frozen=True)
class GaussianOracle:
    """The exact denoiser of data N(mean, variance) in each coordinate: E[x0 | x_t] at every t of any schedule.

        E[x0 | x_t] = (alpha v x_t + sigma^2 m) / (alpha^2 v + sigma^2)

    x of any shape and library. Raises ValueError unless variance > 0.
    Source: the conditional mean of two jointly Gaussian variables; Karras et al. 2022 (EDM), appendix B.

    >>> import numpy as np
    >>> from diffkit_schedules import rectified
    >>> GaussianOracle(rectified(), mean=2.0, variance=1.0)(np.array([0.0]), 0.5)
    array([1.])
    """

    schedule: Schedule
    mean: float = 0.0
    variance: float = 1.0

    def __post_init__(self) -> None:
        if not self.variance > 0:
            raise ValueError(f"variance must be > 0, got {self.variance}")

    def __call__(self, x: Array, t: float) -> Array:
        alpha, sigma = self.schedule(t)
        total = alpha * alpha * self.variance + sigma * sigma
        return (alpha * self.variance / total) * x + sigma * sigma * self.mean / total

    def vjp(self, x: Array, t: float) -> tuple[Array, Callable[[Array], Array]]:
        """E[x0 | x_t], and its vector-Jacobian product as a function: u -> alpha v / (alpha^2 v + sigma^2) u."""
        alpha, sigma = self.schedule(t)
        slope = alpha * self.variance / (alpha * alpha * self.variance + sigma * sigma)
        return self(x, t), lambda u: slope * u

    def probability_flow(self, x: Array, t: float, s: float) -> Array:
        """x at time s of the exact probability-flow ODE through x at time t: the limit of DDIM as the number of steps grows.

            x_s = alpha_s m + (x_t - alpha_t m) sqrt((alpha_s^2 v + sigma_s^2) / (alpha_t^2 v + sigma_t^2))

        >>> import numpy as np
        >>> from diffkit_schedules import rectified
        >>> GaussianOracle(rectified(), mean=2.0, variance=4.0).probability_flow(np.array([1.0]), 1.0, 0.0)
        array([4.])
        """
        (alpha_t, sigma_t), (alpha_s, sigma_s) = self.schedule(t), self.schedule(s)
        ratio = math.sqrt((alpha_s**2 * self.variance + sigma_s**2) / (alpha_t**2 * self.variance + sigma_t**2))
        return alpha_s * self.mean + ratio * (x - alpha_t * self.mean)


@dataclass(frozen=True)
class MixtureOracle:
    """The exact denoiser of a mixture of Gaussians: the coordinates are independent, each from sum_k w_k N(m_k, v_k).

        E[x0 | x_t] = sum_k r_k (alpha v_k x_t + sigma^2 m_k) / (alpha^2 v_k + sigma^2)
        r_k proportional to w_k N(x_t; alpha m_k, alpha^2 v_k + sigma^2)

    x of any shape and library. Raises ValueError unless means, variances and weights have equal lengths, the variances
    are > 0, and the weights are > 0 and sum to one.
    Source: Karras et al. 2022 (EDM), appendix B.3 (there for point masses).

    >>> import numpy as np
    >>> from diffkit_schedules import rectified
    >>> MixtureOracle(rectified(), means=(-1.0, 1.0), variances=(0.01, 0.01), weights=(0.5, 0.5))(np.array([0.0]), 0.5)
    array([0.])
    """

    schedule: Schedule
    means: Sequence[float] = (-1.0, 0.5)
    variances: Sequence[float] = (0.05, 0.1)
    weights: Sequence[float] = (0.4, 0.6)

    def __post_init__(self) -> None:
        lengths = len(self.means), len(self.variances), len(self.weights)
        if len(set(lengths)) > 1:
            raise ValueError(f"means, variances and weights must have equal lengths, got {lengths}")
        if min(self.variances) <= 0:
            raise ValueError(f"variances must be > 0, got {self.variances}")
        if min(self.weights) <= 0 or abs(sum(self.weights) - 1) > 1e-9:
            raise ValueError(f"weights must be > 0 and sum to one, got {self.weights}")

    def __call__(self, x: Array, t: float) -> Array:
        return self.vjp(x, t)[0]

    def vjp(self, x: Array, t: float) -> tuple[Array, Callable[[Array], Array]]:
        """E[x0 | x_t], and its vector-Jacobian product as a function: u -> (alpha / sigma^2) Var[x0 | x_t] u."""
        xp = namespace(x)
        alpha, sigma = self.schedule(t)
        means, variances, logs = (
            as_array_of(values, x) for values in (list(self.means), list(self.variances), [math.log(w) for w in self.weights])
        )
        total = alpha * alpha * variances + sigma * sigma  # (K,)
        x = x[..., None]  # (..., 1) against (K,)
        scores = logs - (x - alpha * means) ** 2 / (2 * total) - xp.log(total) / 2
        odds = xp.exp(scores - xp.max(scores, axis=-1, keepdims=True))
        each = (alpha * variances * x + sigma * sigma * means) / total
        odds = odds / xp.sum(odds, axis=-1, keepdims=True)
        x0 = xp.sum(odds * each, axis=-1)

        def pullback(u: Array) -> Array:
            between = (each - x0[..., None]) ** 2 * (alpha / sigma**2) if sigma else 0 * each
            return xp.sum(odds * (alpha * variances / total + between), axis=-1) * u

        return x0, pullback
