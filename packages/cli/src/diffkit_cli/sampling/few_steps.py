"""Ways to sample a run in few steps, compared: by their distance to a fine solution."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from diffkit_samplers import SPACINGS, FineSolution, grid, seeded, tune
from diffkit_schedules import Schedule

from diffkit_cli.sampling.plan import Plan
from diffkit_cli.time_lists import text_of, times_in

__all__ = ["NAMED_METHODS", "FewSteps", "best_named", "fine_solution", "number_of_noises", "tuned"]

NAMED_METHODS = ("ddim", "dpmpp_2m", "dpmpp_3m", "deis_2", "deis", "unipc_2", "unipc_3", "ab_2", "ab_3")
"""The methods that evaluate the network once a step and are deterministic by default."""


VALUES, MIN_NOISES = 16 * 1024, 32
"""Small samples need more noises, of which a few become another image altogether."""


class FewSteps(NamedTuple):
    """A way to sample: the options of `diffkit sample`, and the distance of its x0 to a fine solution: infinity if unknown."""

    sampler: str
    spacing: str
    eta: float = 0.0
    error: float = math.inf

    @property
    def options(self) -> dict[str, Any]:
        """The options, by name."""
        return {"sampler": self.sampler, "spacing": self.spacing, "eta": self.eta}

    def times(self, schedule: Schedule, steps: int) -> list[float]:
        """The times of the steps."""
        return grid(schedule, steps, times_in(self.spacing) or self.spacing)

    def measured(self, fine: FineSolution, steps: int) -> "FewSteps":
        """With the distance to another fine solution, at eta = 0."""
        return self._replace(error=fine.error(self.sampler, self.times(fine.schedule, steps)))


def number_of_noises(shape: Sequence[int]) -> int:
    """How many noises times are fitted to, for samples of this shape.

    >>> number_of_noises((1, 8, 8)), number_of_noises((3, 64, 64))
    (256, 32)
    """
    return max(MIN_NOISES, VALUES // math.prod(shape))


def fine_solution(plan: Plan) -> FineSolution:
    """The fine solution of the plan's n noises, with its classes and guidance."""
    model, options = plan.model, plan.options
    z = seeded(range(options.seed, options.seed + options.n), like=model.like)((options.n, *plan.shape))
    denoise = model.clipped(model.denoiser_of(plan.given, options.guidance), "")
    return FineSolution(denoise, model.schedule, torch.no_grad()(lambda t: model.start(z, t, options)))


def tuned(fine: FineSolution, steps: int) -> FewSteps:
    """The method and times of `diffkit_samplers.tune`."""
    found = tune(fine.denoise, fine.schedule, fine.start, steps=steps)
    return FewSteps(found.method, text_of(found.times), error=found.error)


def best_named(fine: FineSolution, steps: int) -> FewSteps:
    """The method and spacing, of those that have names, that is nearest to the fine solution."""
    found = [FewSteps(method, spacing).measured(fine, steps) for method in NAMED_METHODS for spacing in SPACINGS]
    return min(found, key=lambda each: each.error)
