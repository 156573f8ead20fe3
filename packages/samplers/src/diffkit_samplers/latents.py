"""Paths between latents."""

import math
from collections.abc import Sequence
from typing import Any

from diffkit_schedules import Array, as_array_of, namespace

__all__ = ["slerp"]


def slerp(a: Array, b: Array, t: float | Sequence[float]) -> Array:
    """Spherical interpolation between two latents, sample by sample: a at t = 0, b at t = 1.

        slerp(a, b, t) = (sin((1 - t) w) a + sin(t w) b) / sin w,   cos w = <a, b> / (|a| |b|)

    with w the angle over all axes but the first (over all of them for a single axis). Where a and b are parallel within
    float rounding, as where one is zero, it is lerp, (1 - t) a + t b. Where they point in opposite directions any great circle
    joins them; taken is the one in the plane of a and the coordinate that a has least of. Equal norms are kept.
    a, b: (B, ...), one shape and dtype. t: a float, giving (B, ...), or a sequence of K, giving (K, B, ...).
    Raises ValueError for shapes that differ. Source: Shoemake 1985, "Animating rotation with quaternion curves", section 3.3.

    >>> import numpy as np
    >>> slerp(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 0.5).round(6)
    array([0.707107, 0.707107])
    """
    if a.shape != b.shape:
        raise ValueError(f"a and b must have one shape, got {tuple(a.shape)} and {tuple(b.shape)}")
    xp = namespace(a)
    if getattr(t, "ndim", None) == 0:
        t = float(t)  # type: ignore[arg-type]
    if not isinstance(t, int | float):
        return xp.stack([slerp(a, b, float(each)) for each in t])
    angle = _angle(xp, a, b)
    sine = xp.sin(angle)
    one_line = sine < math.sqrt(xp.finfo(angle.dtype).eps)
    safe = xp.where(one_line, xp.ones_like(sine), sine)
    from_a = xp.where(one_line, xp.full_like(sine, 1 - t), xp.sin((1 - t) * angle) / safe)
    from_b = xp.where(one_line, xp.full_like(sine, t), xp.sin(t * angle) / safe)
    path = from_a * a + from_b * b
    opposite = one_line & (angle > 1)
    if bool(xp.any(opposite)):
        path = xp.where(opposite, _half_turn(xp, a, b, t), path)
    return xp.astype(path, a.dtype)


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


def _half_turn(xp: Any, a: Array, b: Array, t: float) -> Array:
    """From a to b = -c a, cos(pi t) a + sin(pi t) p, in the plane of a and the coordinate that a has least of."""
    flat, end = (xp.reshape(each, (each.shape[0] if each.ndim > 1 else 1, -1)) for each in (a, b))
    tiny = xp.finfo(a.dtype).smallest_normal
    norm = xp.clip(_norm(xp, flat, (1,)), tiny, None)
    unit = flat / norm
    least = xp.argmin(xp.abs(unit), axis=1, keepdims=True)
    axis = xp.astype(as_array_of(list(range(flat.shape[1])), least)[None, :] == least, a.dtype)
    turned = axis - xp.sum(axis * unit, axis=1, keepdims=True) * unit
    turned = turned / xp.clip(_norm(xp, turned, (1,)), tiny, None)
    radius = (1 - t) * norm + t * _norm(xp, end, (1,))
    return xp.reshape(radius * (math.cos(math.pi * t) * unit + math.sin(math.pi * t) * turned), a.shape)
