"""A schedule: the signal rate falls with the square of the time."""

from dataclasses import dataclass
from typing import Any

from diffkit_schedules import Rates

__all__ = ["quadratic"]


@dataclass(frozen=True)
class quadratic:  # noqa: N801  (used as a function)
    """alpha = max_signal + (min_signal - max_signal) t^2, sigma = sqrt(1 - alpha^2).

    t in [0, 1], a float or an array. Raises ValueError unless 0 < min_signal < max_signal < 1.

    >>> quadratic(max_signal=0.9, min_signal=0.1)(0.5).alpha
    0.7
    """

    max_signal: float = 0.999
    min_signal: float = 0.02

    def __post_init__(self) -> None:
        if not 0 < self.min_signal < self.max_signal < 1:
            raise ValueError(f"expected 0 < min_signal < max_signal < 1, got {self.min_signal} and {self.max_signal}")

    def __call__(self, t: Any) -> Rates:
        alpha = self.max_signal + (self.min_signal - self.max_signal) * t * t
        return Rates(alpha, (1 - alpha * alpha) ** 0.5)
