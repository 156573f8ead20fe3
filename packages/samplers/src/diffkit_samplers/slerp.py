"""Interpolation between latents."""

import math
from collections.abc import Sequence
from typing import Any

from diffkit_schedules import Array, as_array_of, filled, namespace

__all__ = ["slerp"]


def slerp(a: Array, b: Array, t: float | Sequence[float] | Array) -> Array:
    """Spherical interpolation between two latents, sample by sample: a at t = 0, b at t = 1.

        slerp(a, b, t) = (sin((1 - t) w) a + sin(t w) b) / sin w,   cos w = <a, b> / (|a| |b|)

    with w the angle over all axes but the first (over the only axis, where there is one). Where a and b are parallel up to
    rounding, or one is zero, it is lerp, (1 - t) a + t b. Where they are opposite, every great circle joins them; the one used
    is in the plane of a and the coordinate where |a| is smallest. Equal norms are kept.
    a, b: (B, ...), of one shape and dtype; computed in float32 or wider. t: a number, for a result of shape (B, ...), or a
    sequence or an array of K numbers, for (K, B, ...).
    Raises ValueError where the shapes differ. Source: Shoemake 1985, "Animating rotation with quaternion curves", section 3.3.

    >>> import numpy as np
    >>> slerp(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 0.5).round(6)
    array([0.707107, 0.707107])
    """
    if a.shape != b.shape:
        raise ValueError(f"a and b must have one shape, got {tuple(a.shape)} and {tuple(b.shape)}")
    xp, dtype = namespace(a), a.dtype
    wide = dtype if xp.finfo(dtype).bits >= 32 else xp.float32
    a, b = xp.astype(a, wide), xp.astype(b, wide)
    t = filled((), float(t), a) if isinstance(t, int | float) else as_array_of(t, a)
    t = xp.reshape(t, (-1,) + (1,) * a.ndim) if t.ndim else t  # (K, 1, ...) against (B, ...)
    axes = tuple(range(1, a.ndim)) if a.ndim > 1 else (0,)
    angle, norm = _angle(xp, a, b, axes), _norm(xp, a, axes)
    sine = xp.sin(angle)
    parallel = sine < math.sqrt(xp.finfo(wide).eps)
    opposite = parallel & (angle > 1)
    safe = xp.where(parallel, xp.ones_like(sine), sine)
    rate_a = xp.where(parallel, 1 - t, xp.sin((1 - t) * angle) / safe)
    rate_b = xp.where(parallel, t, xp.sin(t * angle) / safe)
    # half a circle: cos(pi t) a + sin(pi t) p, with p orthogonal to a and |p| = |a|; lengths go linearly from |a| to |b|
    length = 1 - t + t * _norm(xp, b, axes) / xp.where(opposite, norm, xp.ones_like(norm))
    rate_a = xp.where(opposite, length * xp.cos(math.pi * t), rate_a)
    rate_b = xp.where(opposite, length * xp.sin(math.pi * t), rate_b)
    return xp.astype(rate_a * a + rate_b * xp.where(opposite, _orthogonal(xp, a, norm, axes), b), dtype)


def _angle(xp: Any, a: Array, b: Array, axes: tuple[int, ...]) -> Array:
    """The angle between a and b for each sample, reduced axes kept: 2 atan2(|u - v|, |u + v|) of the unit vectors u and v.

    Unlike acos it loses no digits at small angles. With a zero vector it is 0.
    """
    # |b| a and |a| b have equal norms, as unit vectors do, and need no division by a norm that may be zero
    a, b = a * _norm(xp, b, axes), b * _norm(xp, a, axes)
    return 2 * xp.atan2(_norm(xp, a - b, axes), _norm(xp, a + b, axes))


def _norm(xp: Any, x: Array, axes: tuple[int, ...]) -> Array:
    return xp.sqrt(xp.sum(x * x, axis=axes, keepdims=True))


def _orthogonal(xp: Any, a: Array, norm: Array, axes: tuple[int, ...]) -> Array:
    """A vector orthogonal to a with a's norm, in the plane of a and the coordinate where |a| is smallest; any where a is 0."""
    unit = xp.reshape(a / xp.where(norm == 0, xp.ones_like(norm), norm), (-1, math.prod(a.shape[axes[0] :])))
    smallest = xp.argmin(xp.abs(unit), axis=1, keepdims=True)
    indices = xp.cumulative_sum(xp.ones_like(unit[:1, :], dtype=smallest.dtype), axis=1) - 1
    axis = xp.astype(indices == smallest, a.dtype)
    orthogonal = axis - xp.sum(axis * unit, axis=1, keepdims=True) * unit
    length = _norm(xp, orthogonal, (1,))
    return xp.reshape(orthogonal / xp.where(length == 0, xp.ones_like(length), length), a.shape) * norm
