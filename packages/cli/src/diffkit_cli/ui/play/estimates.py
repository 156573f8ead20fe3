"""The images of a plan as they form. Imports no library of pages."""

from collections.abc import Iterator
from typing import Any

from diffkit_cli.sampling.class_labels import NULL, class_names
from diffkit_cli.sampling.generate import frame_steps, states_of
from diffkit_cli.sampling.plan import Plan

__all__ = ["captions_of", "estimates"]


def estimates(plan: Plan, **more: Any) -> Iterator[tuple[int, Any]]:
    """(k, values) of the x0 estimates of at most 100 of the steps of a plan, all of its images in one batch.

    more: see `states_of`. Raises UsageError where the batch does not fit the memory.
    """
    plan.model.batch_size(plan.options.size, plan.options.n)
    shown = frame_steps(len(plan.times) - 1)
    for k, state in enumerate(states_of(plan, range(plan.options.n), **more)):
        if k in shown:
            yield k, plan.model.values(state.x0)


def captions_of(plan: Plan) -> list[str]:
    """The seed of each image of a plan, and its class."""
    names = class_names(plan.model.config, plan.given.labels or [])
    classes = [", no class" if name == NULL else f", class {name}" for name in names] or [""] * plan.options.n
    return [f"seed {plan.options.seed + i}{each}" for i, each in enumerate(classes)]
