"""Functions on arrays of any library that follows the array API standard, and standard normal rows."""

import math
import operator
import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, is_array_api_obj

__all__ = ["Array", "as_array_of", "combine", "filled", "is_torch", "namespace", "normal"]


MIN_SIZE_FOR_THREADS = 2**16
"""Threads are used from this many numbers on, about a millisecond of one core: below, they cost more than they save."""

Array = Any
"""An array of any library that follows the array API standard; no type says this across libraries yet."""


def namespace(x: Array) -> Any:
    """The array API namespace of `x` (torch's, NumPy's, JAX's ... with the standard's names).

    Raises TypeError for anything that is not an array.

    >>> namespace(np.ones(3)).asarray([1, 2]).shape
    (2,)
    """
    if not is_array_api_obj(x):
        raise TypeError(f"expected a torch, NumPy, JAX or other array API array, got {type(x).__name__}")
    return array_namespace(x)


def as_array_of(values: Any, like: Array, dtype: Any = None) -> Array:
    """`values` (an array or nested numbers) with the library and the device of `like`, and its dtype unless one is given.

    An array that has them already is returned itself.

    >>> as_array_of([0.5, 1.0], np.ones(2, np.float32)).dtype
    dtype('float32')
    """
    xp = namespace(like)
    if dtype is None and type(values) is type(like) and values.dtype == like.dtype and device(values) == device(like):
        return values
    dtype = like.dtype if dtype is None else dtype
    if _is_traced_by_jax(values):
        return xp.astype(values, dtype)  # a traced array has no device
    if is_torch(like) and like.device.type != "cpu":  # a copy that the host does not wait for
        given = xp.asarray(values, dtype=dtype)
        given = given.pin_memory() if given.device.type == "cpu" and like.device.type == "cuda" else given
        return given.to(like.device, non_blocking=True)
    return xp.asarray(values, dtype=dtype, device=device(like))


def filled(shape: Sequence[int], value: float, like: Array, dtype: Any = None) -> Array:
    """An array of this shape filled with `value`, with the library and the device of `like`; the host does not wait.

    >>> filled((2,), 0.5, np.ones(1, np.float32))
    array([0.5, 0.5], dtype=float32)
    """
    return namespace(like).full(tuple(shape), value, dtype=like.dtype if dtype is None else dtype, device=device(like))


def is_torch(x: Array) -> bool:
    """Whether x is a torch tensor, without importing torch.

    >>> is_torch(np.ones(3))
    False
    """
    return bool(namespace(x).__name__ == "array_api_compat.torch")


def is_concrete(x: Array) -> bool:
    """Whether a torch tensor is concrete: a plain tensor with values, not a stand-in while a graph is traced."""
    torch = sys.modules["torch"]
    return not torch.compiler.is_compiling() and type(x) is torch.Tensor and not torch._is_functional_tensor(x)  # noqa: SLF001


def _is_traced_by_jax(x: Any) -> bool:
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(x, jax.core.Tracer)


def combine(p: float, x: Array, q: float, y: Array) -> Array:
    """p x + q y for two float coefficients, and x and y of one shape and dtype.

    An array with coefficient zero is ignored, its infinities too. Under torch it takes two passes over memory and one new array.

    >>> combine(2.0, np.ones(2), 0.5, np.ones(2))
    array([2.5, 2.5])
    """
    if p == 0 or q == 0:
        return q * y if p == 0 else p * x
    if not is_torch(x):
        return (x if p == 1 else p * x) + q * y
    if q == 1 or (p != 1 and abs(p) < abs(q)):
        p, x, q, y = q, y, p, x  # a factor of 1 saves a pass; otherwise the ratio q / p must not overflow
    total = x.add(y, alpha=q / p)
    return total if p == 1 else total.mul_(p)  # in place in the new array alone: under vmap x or y may lack an axis of it


def normal(seeds: Sequence[int], draw: int, shape: Sequence[int]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Standard normal rows: row i depends on (seeds[i], draw) alone, the key of Philox4x64-10.

    seeds and draw are integers in 0 ... 2**64 - 1; the result is float64 of shape (len(seeds), *shape). The values for a
    smaller shape are the first ones of a larger shape. Raises ValueError outside that range.
    Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".

    >>> bool((normal([7, 8], 0, (3,))[1] == normal([8], 0, (5,))[0, :3]).all())
    True
    >>> bool((normal([7], 0, (3,)) == normal([7], 1, (3,))).any())
    False
    """
    seeds = [operator.index(seed) for seed in seeds]
    for seed in seeds:
        if not (0 <= seed < 2**64 and 0 <= draw < 2**64):
            raise ValueError(f"a seed and a draw must be integers in 0 ... 2**64 - 1, got {seed} and {draw}")
    rows = np.empty((len(seeds), math.prod(shape)))

    def fill(row: Any, seed: int) -> None:
        key = np.array([seed, draw], dtype=np.uint64)
        np.random.Generator(np.random.Philox(key=key)).standard_normal(out=row)

    workers = min(len(seeds), os.cpu_count() or 1, 8)
    if rows.size < MIN_SIZE_FOR_THREADS or workers < 2:
        for row, seed in zip(rows, seeds, strict=True):
            fill(row, seed)
    else:  # NumPy releases the interpreter's lock; a pool that outlives this call would not survive a fork
        from concurrent.futures import ThreadPoolExecutor  # a quarter of this package's import time, needed for long rows alone

        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(fill, rows, seeds))
    return rows.reshape(len(seeds), *shape)
