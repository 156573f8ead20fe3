"""Conjugate gradients for each sample of a batch, in a fixed number of iterations: the host does not wait."""

import math
from collections.abc import Callable

from diffkit_schedules import Array, namespace

__all__ = ["conjugate_gradients", "dot", "ratio", "scaled"]


def conjugate_gradients(M: Callable[[Array], Array], b: Array, iterations: int) -> Array:
    """u with M u = b, for each sample of b (B, ...); M is symmetric and positive semidefinite.

    A sample whose residual is rounding error, or to which M gives no more, keeps its u. Source: Hestenes and Stiefel 1952.

    >>> import numpy as np
    >>> conjugate_gradients(lambda p: np.array([2.0, 4.0]) * p, np.array([[1.0, 1.0], [0.0, 2.0]]), 2).round(12)
    array([[0.5 , 0.25],
           [0.  , 0.5 ]])
    """
    u, residual, direction = 0 * b, b, b
    first = square = dot(b, b)
    for _ in range(iterations):
        product = M(direction)
        left = square > first * namespace(b).finfo(b.dtype).eps ** 2
        step = ratio(square, dot(direction, product), where=left)
        u, residual = u + scaled(step, direction), residual - scaled(step, product)
        before, square = square, dot(residual, residual)
        direction = residual + scaled(ratio(square, before, where=left), direction)
    return u


def dot(x: Array, y: Array) -> Array:
    """The inner product of each sample, (B,).

    >>> import numpy as np
    >>> dot(np.ones((2, 3)), np.ones((2, 3)))
    array([3., 3.])
    """
    xp = namespace(x)
    return xp.sum(xp.reshape(x * y, (x.shape[0], math.prod(x.shape[1:]))), axis=1)


def scaled(numbers: Array, x: Array) -> Array:
    """x with each sample multiplied by its number, (B,).

    >>> import numpy as np
    >>> scaled(np.array([1.0, 2.0]), np.ones((2, 2)))
    array([[1., 1.],
           [2., 2.]])
    """
    return namespace(x).reshape(numbers, (-1,) + (1,) * (x.ndim - 1)) * x


def ratio(a: Array, b: Array, where: Array = True) -> Array:
    """a / b where b > 0, 0 elsewhere, and 0 where the condition does not hold.

    >>> import numpy as np
    >>> ratio(np.ones(2), np.array([0.0, 4.0]))
    array([0.  , 0.25])
    """
    xp = namespace(a)
    positive = (b > 0) & where
    return xp.where(positive, a / xp.where(positive, b, xp.ones_like(b)), xp.zeros_like(a))
