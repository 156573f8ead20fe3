"""Whether an array has values. While a program is traced, and on torch's meta device, it has only a shape."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from diffkit_schedules import Array, is_torch

__all__ = ["compiled_by_torch", "constant_when_traced", "readable"]

_F = TypeVar("_F", bound=Callable[..., Any])


def constant_when_traced(function: _F) -> _F:
    """The function, of numbers and schedules alone: torch's compilers take its result as a constant and do not trace it.

    It is torch.compiler.assume_constant_result without an import of torch.

    >>> constant_when_traced(lambda t: 2 * t)(1.5)
    3.0
    """
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]  # noqa: SLF001
    return function


def compiled_by_torch(x: Array) -> bool:
    """Whether torch is tracing this call for `torch.compile` or `torch.export`.

    >>> import numpy as np
    >>> compiled_by_torch(np.ones(1))
    False
    """
    return is_torch(x) and bool(sys.modules["torch"].compiler.is_compiling())


def readable(x: Array) -> bool:
    """Whether the host can read x: it has values, and reading them breaks no trace and no capture of a CUDA graph.

    >>> import numpy as np
    >>> readable(np.ones(1))
    True
    """
    if is_torch(x):
        return not compiled_by_torch(x) and _has_memory(x) and not _captured(x)
    jax = sys.modules.get("jax")
    return jax is None or not isinstance(x, jax.core.Tracer)


def _has_memory(x: Array) -> bool:
    """False for torch's meta and fake tensors, and for those of `vmap`."""
    if isinstance(x, sys.modules["torch"]._subclasses.FakeTensor):  # noqa: SLF001
        return False
    try:
        return bool(x.data_ptr())
    except RuntimeError:
        return False


def _captured(x: Array) -> bool:
    return x.is_cuda and bool(sys.modules["torch"].cuda.is_current_stream_capturing())
