"""A schedule of your own: the log-SNR falls along a straight line. It samples from an exact denoiser of known data.

pip install diffkit-samplers
python own_schedule.py
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from diffkit_samplers import dpmpp_2m, seeded
from diffkit_samplers.testing import GaussianOracle
from diffkit_schedules import Rates, Schedule, add_noise, shift


@dataclass(frozen=True)
class Straight:
    """alpha^2 = 1 / (1 + exp(-l)), with l from `start` at t = 0 to `end` at t = 1. t: a float, or an array."""

    start: float = 12.0
    end: float = -12.0
    path = "vp"  # alpha^2 + sigma^2 = 1: so `shift` knows how to change it

    def __call__(self, t: Any) -> Rates:
        log_snr = self.start + (self.end - self.start) * t
        exp = math.exp if isinstance(t, float) else np.exp
        return Rates((1 + exp(-log_snr)) ** -0.5, (1 + exp(log_snr)) ** -0.5)


def main() -> None:
    schedule = Straight()
    x0 = np.full((1000, 1), 3.0)
    noisy = add_noise(x0, seeded(range(1000))((1000, 1)), schedule(0.5))
    print(f"3 at t = 0.5: mean {noisy.mean():.2f}, deviation {noisy.std():.2f}")
    schedules: dict[str, Schedule] = {"straight": schedule, "shifted": shift(schedule, 3.0)}
    for name, each in schedules.items():
        x = each(1.0).sigma * seeded(range(20_000))((20_000, 1))
        samples = dpmpp_2m(GaussianOracle(each, mean=3.0, variance=0.25), each, x, steps=20)
        print(f"{name}: samples have mean {samples.mean():.2f} and deviation {samples.std():.2f}; the data 3.00 and 0.50")


if __name__ == "__main__":
    main()
