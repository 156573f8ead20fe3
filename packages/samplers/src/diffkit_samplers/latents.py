"""Paths between latents."""

import math
from collections.abc import Sequence
from typing import Any

from diffkit_schedules import Array, as_array_of, filled, namespace

__all__ = ["slerp"]


def slerp(a: Array, b: Array, t: float | Sequence[float] | Array) -> Array:
    """Spherical interpolation between two latents, sample by sample: a at t = 0, b at t = 1.

        slerp(a, b, t) = (sin((1 - t) w) a + sin(t w) b) / sin w,   cos w = <a, b> / (|a| |b|)

    with w the angle over all axes but the first (over all of them for a single axis). Where a and b are parallel within
    float rounding, as where one is zero, it is lerp, (1 - t) a + t b. Where they point in opposite directions any great circle
    joins them; taken is the one in the plane of a and the coordinate that a has least of. Equal norms are kept.
    a, b: (B, ...), one shape and dtype; computed in float32 at least. t: a number, giving (B, ...), or a sequence or an array of
    K, giving (K, B, ...).
    Raises ValueError for shapes that differ. Source: Shoemake 1985, "Animating rotation with quaternion curves", section 3.3.

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
    one_line = sine < math.sqrt(xp.finfo(wide).eps)
    opposite = one_line & (angle > 1)
    safe = xp.where(one_line, xp.ones_like(sine), sine)
    from_a = xp.where(one_line, 1 - t, xp.sin((1 - t) * angle) / safe)
    from_b = xp.where(one_line, t, xp.sin(t * angle) / safe)
    # half a turn: cos(pi t) a + sin(pi t) p, p at right angles to a and as long; the lengths go from |a| to |b|
    grown = 1 - t + t * _norm(xp, b, axes) / xp.where(opposite, norm, xp.ones_like(norm))
    from_a = xp.where(opposite, grown * xp.cos(math.pi * t), from_a)
    from_b = xp.where(opposite, grown * xp.sin(math.pi * t), from_b)
    return xp.astype(from_a * a + from_b * xp.where(opposite, _across(xp, a, norm, axes), b), dtype)


def _angle(xp: Any, a: Array, b: Array, axes: tuple[int, ...]) -> Array:
    """The angle between a and b, sample by sample, with axes of length 1 kept: 2 atan2(|u - v|, |u + v|) of the unit vectors.

    Unlike acos it loses no digits at small angles; with a zero vector it is 0, as if parallel.
    """
    # |b| a and |a| b have one length, as unit vectors do, without dividing by what may be zero
    a, b = a * _norm(xp, b, axes), b * _norm(xp, a, axes)
    return 2 * xp.atan2(_norm(xp, a - b, axes), _norm(xp, a + b, axes))


def _norm(xp: Any, x: Array, axes: tuple[int, ...]) -> Array:
    return xp.sqrt(xp.sum(x * x, axis=axes, keepdims=True))


def _across(xp: Any, a: Array, norm: Array, axes: tuple[int, ...]) -> Array:
    """At right angles to a and as long, in the plane of a and the coordinate that a has least of; anything where a is 0."""
    flat = xp.reshape(a / xp.where(norm == 0, xp.ones_like(norm), norm), (-1, math.prod(a.shape[axes[0] :])))
    least = xp.argmin(xp.abs(flat), axis=1, keepdims=True)
    places = xp.cumulative_sum(xp.ones_like(flat[:1, :], dtype=least.dtype), axis=1) - 1
    axis = xp.astype(places == least, a.dtype)
    turned = axis - xp.sum(axis * flat, axis=1, keepdims=True) * flat
    length = _norm(xp, turned, (1,))
    return xp.reshape(turned / xp.where(length == 0, xp.ones_like(length), length), a.shape) * norm
