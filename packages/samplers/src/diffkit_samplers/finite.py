"""Whether what a model said was finite, found out without waiting for the device before the end."""

from collections.abc import Sequence

from diffkit_schedules import Array, namespace

from diffkit_samplers.tracing import readable

__all__ = ["NotFiniteError", "refuse_not_finite", "trace"]

NAMED = 8
"""The most samples that an error names."""


class NotFiniteError(ValueError):
    """A model's x0 was not finite; the samples that are whole come with the error.

    x0: the result, (B, ...), good samples and bad. bad: the numbers of the bad ones, in order.

    >>> import numpy as np
    >>> from diffkit_samplers import ddim
    >>> from diffkit_schedules import rectified
    >>> try:
    ...     ddim(lambda x, t: x, rectified(), np.array([[1.0], [np.nan], [3.0]]), steps=2)
    ... except NotFiniteError as error:
    ...     print(error)
    ...     print(np.delete(error.x0, error.bad, axis=0).tolist())
    the model's x0 is not finite from step 1 of 2 on, at t = 1, in 1 of 3 samples: number 1; the error's x0 has the others
    [[1.0], [3.0]]
    """

    def __init__(self, message: str, x0: Array = None, bad: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.x0 = x0
        self.bad = list(bad)


def trace(x0: Array) -> Array:
    """A number a sample that is finite exactly if all of it is, short of overflow: one pass, no wait.

    >>> import numpy as np
    >>> trace(np.array([[1.0, 2.0], [np.inf, 0.0]]))
    array([ 3., inf])
    """
    xp, axes = namespace(x0), tuple(range(1, x0.ndim))
    if not axes:
        return xp.isfinite(x0)  # a sample is a number: an eighth of the memory
    return xp.sum(x0, axis=axes, dtype=xp.float32 if xp.finfo(x0.dtype).bits < 32 else x0.dtype)


def refuse_not_finite(times: Sequence[float], traces: Sequence[Array], x0: Array) -> None:
    """NotFiniteError where a step's `trace` is not finite. Nothing is checked where there are no numbers yet: see `readable`.

    >>> import numpy as np
    >>> refuse_not_finite([1.0, 0.0], [np.zeros(1)], np.zeros((1, 2)))
    """
    xp = namespace(traces[0])
    steps = xp.reshape(xp.stack(list(traces)), (len(traces), -1))
    finite = steps if xp.isdtype(steps.dtype, "bool") else xp.isfinite(steps)  # (steps, B)
    if not readable(finite) or bool(xp.all(finite)):
        return
    first = next(k for k in range(len(traces)) if not bool(xp.all(finite[k, :])))
    good = xp.all(finite, axis=0)
    bad = [i for i in range(good.shape[0]) if not bool(good[i])]
    numbers = ", ".join(map(str, bad[:NAMED])) + (f" and {len(bad) - NAMED} more" if len(bad) > NAMED else "")
    raise NotFiniteError(
        f"the model's x0 is not finite from step {first + 1} of {len(traces)} on, at t = {times[first]:.6g}, in {len(bad)} of"
        f" {good.shape[0]} samples: number {numbers}; the error's x0 has the others",
        x0,
        bad,
    )
