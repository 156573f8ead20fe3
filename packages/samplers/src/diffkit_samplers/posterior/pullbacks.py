"""Vector-Jacobian products, by the differentiation of the array's library."""

import sys
from collections.abc import Callable
from typing import Any, TypeAlias

from diffkit_schedules import Array, filled, is_torch

from diffkit_samplers.estimates import Denoise, Estimate, evaluate

__all__ = ["Pullback", "estimate_and_pullback", "value_and_pullback"]

Pullback: TypeAlias = Callable[[Array], Array]
"""pullback(u) -> u^T J, of x's shape, for u of the value's shape and J the Jacobian of a function at x."""


def value_and_pullback(function: Callable[[Array], Any], x: Array, name: str) -> tuple[Any, Callable[[Any], Array]]:
    """function(x) and its pullback at x, by torch.func.vjp or jax.vjp; `torch.no_grad` around it has no effect.

    Raises TypeError, with the name of the function, for an array of another library.
    """
    if is_torch(x):
        value, pull = sys.modules["torch"].func.vjp(function, x)
    elif type(x).__module__.partition(".")[0] in ("jax", "jaxlib"):
        value, pull = sys.modules["jax"].vjp(function, x)
    else:
        kind = f"{type(x).__module__.partition('.')[0]} arrays have no automatic differentiation"
        raise TypeError(f"{kind}: give {name}, or use torch or JAX")
    return value, lambda u: pull(u)[0]


def estimate_and_pullback(denoise: Denoise, x: Array, t: float) -> tuple[Estimate, Pullback]:
    """denoise(x, t) without its eps, and the pullback of its x0.

    A denoise with a method `vjp(x, t)` that returns both, as the oracles have it, needs no automatic differentiation.

    >>> import numpy as np
    >>> from diffkit_samplers.testing import GaussianOracle
    >>> from diffkit_schedules import rectified
    >>> estimate, pullback = estimate_and_pullback(GaussianOracle(rectified()), np.array([[1.0, 3.0]]), 0.5)
    >>> estimate.x0, pullback(np.array([[1.0, 0.0]]))
    (array([[1., 3.]]), array([[1., 0.]]))
    """
    if hasattr(denoise, "vjp"):
        x0, pullback = denoise.vjp(x, t)
        return Estimate(x0), pullback

    def outputs(x: Array) -> tuple[Array, ...]:
        x0, _, v = evaluate(denoise, x, t)
        if isinstance(v, float):
            return (x0,) if v == 0 else (x0, filled((), v, x))
        return x0, v

    (x0, *variance), pull = value_and_pullback(outputs, x, "a denoise with a method vjp(x_t, t) -> (x0, pullback)")
    return Estimate(x0, None, *variance), lambda u: pull((u, *(0 * v for v in variance)))
