"""A sampler: the midpoint method."""

from typing import Any

from diffkit_samplers import Step, sampler

__all__ = ["midpoint"]


@sampler(eta=0.0, history=0)
def midpoint(x: Any, step: Step) -> Any:
    """Samples by the midpoint method: each step uses the estimate of x0 at its middle, so it has two evaluations.

    x_s = step(x_t, x0(x_m, m), t, s) with m = (t + s) / 2 and x_m the DDIM step from t to m.
    """
    middle = (step.t + step.s) / 2
    x_middle = step.ending(middle).advance(x, eta=0.0)
    return step.advance(x, step.evaluate(x_middle, middle).x0)
