"""Whether every x0 was finite, checked once at the end so that no step waits for the device."""

from collections.abc import Sequence

from diffkit_schedules import Array, namespace

from diffkit_samplers.tracing import readable

__all__ = ["NotFiniteError", "refuse_not_finite", "sample_sums"]

MAX_NAMED = 8
"""An error names this many samples at most."""


class NotFiniteError(ValueError):
    """A model's x0 was not finite. The error has the result, with the samples that are finite.

    x0: the result, (B, ...), of all samples. bad: the indices of the samples that are not finite, in order.

    >>> import numpy as np
    >>> from diffkit_samplers import ddim
    >>> from diffkit_schedules import rectified
    >>> try:
    ...     ddim(lambda x, t: x, rectified(), np.array([[1.0], [np.nan], [3.0]]), steps=2)
    ... except NotFiniteError as error:
    ...     print(error)
    ...     print(np.delete(error.x0, error.bad, axis=0).tolist())
    the model's x0 is not finite from step 1 of 2 (t = 1), in 1 of 3 samples (1); the error's x0 has the others
    [[1.0], [3.0]]
    """

    def __init__(self, message: str, x0: Array = None, bad: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.x0 = x0
        self.bad = list(bad)


def sample_sums(x0: Array) -> Array:
    """The sum of each sample's x0, which is finite only if each value is: one pass, and the host does not wait.

    >>> import numpy as np
    >>> sample_sums(np.array([[1.0, 2.0], [np.inf, 0.0]]))
    array([ 3., inf])
    """
    xp, axes = namespace(x0), tuple(range(1, x0.ndim))
    if not axes:
        return xp.isfinite(x0)  # a sample is one number; a bool takes an eighth of its memory
    return xp.sum(x0, axis=axes, dtype=xp.float32 if xp.finfo(x0.dtype).bits < 32 else x0.dtype)


def refuse_not_finite(times: Sequence[float], sums: Sequence[Array], x0: Array) -> None:
    """Raises NotFiniteError where a step's `sample_sums` are not finite. Traced and fake arrays are not checked: see `readable`.

    >>> import numpy as np
    >>> refuse_not_finite([1.0, 0.0], [np.zeros(1)], np.zeros((1, 2)))
    """
    xp = namespace(sums[0])
    table = xp.reshape(xp.stack(list(sums)), (len(sums), -1))  # (steps, B)
    finite = table if xp.isdtype(table.dtype, "bool") else xp.isfinite(table)
    if not readable(finite) or bool(xp.all(finite)):
        return
    first = next(k for k in range(len(sums)) if not bool(xp.all(finite[k, :])))
    good = xp.all(finite, axis=0)
    bad = [i for i in range(good.shape[0]) if not bool(good[i])]
    numbers = ", ".join(map(str, bad[:MAX_NAMED])) + (f" and {len(bad) - MAX_NAMED} more" if len(bad) > MAX_NAMED else "")
    raise NotFiniteError(
        f"the model's x0 is not finite from step {first + 1} of {len(sums)} (t = {times[first]:.6g}), in {len(bad)} of"
        f" {good.shape[0]} samples ({numbers}); the error's x0 has the others",
        x0,
        bad,
    )
