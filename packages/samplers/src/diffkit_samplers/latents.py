"""Paths between latents."""

import math
from collections.abc import Sequence
from typing import Any

from diffkit_schedules import Array, namespace

__all__ = ["slerp"]


def slerp(a: Array, b: Array, t: float | Sequence[float]) -> Array:
    """Spherical interpolation between two latents, sample by sample: a at t = 0, b at t = 1.

        slerp(a, b, t) = (sin((1 - t) w) a + sin(t w) b) / sin w,   cos w = <a, b> / (|a| |b|)

    with w the angle over all axes but the first (over all of them for a single axis). Where a and b are parallel within
    float rounding, as where one is zero, it is lerp, (1 - t) a + t b. Equal norms are kept: |slerp| = |a| = |b|.
    a, b: (B, ...), one shape and dtype. t: a float, giving (B, ...), or a sequence of K, giving (K, B, ...).
    Raises ValueError for shapes that differ. Source: Shoemake 1985, "Animating rotation with quaternion curves", section 3.3.

    >>> import numpy as np
    >>> slerp(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 0.5).round(6)
    array([0.707107, 0.707107])
    """
    if a.shape != b.shape:
        raise ValueError(f"a and b must have one shape, got {tuple(a.shape)} and {tuple(b.shape)}")
    xp = namespace(a)
    if not isinstance(t, int | float):
        return xp.stack([slerp(a, b, float(each)) for each in t])
    angle = _angle(xp, a, b)
    sine = xp.sin(angle)
    straight = sine < math.sqrt(xp.finfo(angle.dtype).eps)
    safe = xp.where(straight, xp.ones_like(sine), sine)
    from_a = xp.where(straight, xp.full_like(sine, 1 - t), xp.sin((1 - t) * angle) / safe)
    from_b = xp.where(straight, xp.full_like(sine, t), xp.sin(t * angle) / safe)
    return xp.astype(from_a * a + from_b * b, a.dtype)


def _angle(xp: Any, a: Array, b: Array) -> Array:
    """The angle between a and b, sample by sample, with axes of length 1 kept: 2 atan2(|u - v|, |u + v|) of the unit vectors.

    Unlike acos it loses no digits at small angles; with a zero vector it is 0, as if parallel.
    """
    axes = tuple(range(1, a.ndim)) if a.ndim > 1 else (0,)
    wide = a.dtype if xp.finfo(a.dtype).bits >= 32 else xp.float32
    a, b = xp.astype(a, wide), xp.astype(b, wide)
    # |b| a and |a| b have one length, as unit vectors do, without dividing by what may be zero
    a, b = a * _norm(xp, b, axes), b * _norm(xp, a, axes)
    return 2 * xp.atan2(_norm(xp, a - b, axes), _norm(xp, a + b, axes))


def _norm(xp: Any, x: Array, axes: tuple[int, ...]) -> Array:
    return xp.sqrt(xp.sum(x * x, axis=axes, keepdims=True))
